import type { LabelledPhoto, PhotoAnswer } from '../api/types.ts';
import { CATEGORY_COLUMNS } from '../ui/columns.ts';
import { Photo } from './photo.svelte.ts';

/** What tests make up: a photo, and an answer to it. Labels are `column: [value, confidence, ...more candidates]`. */
export function photoNamed(name: string, bytes = 1): Photo {
  return new Photo(new File([new Uint8Array(bytes)], name, { type: 'image/jpeg' }));
}

type Said = Record<string, [value: string, confidence: number, ...others: [string, number][]]>;

export const TEE: Said = {
  masterCategory: ['Apparel', 0.99],
  subCategory: ['Topwear', 0.95],
  articleType: ['Tshirts', 0.9, ['Tops', 0.06]],
  gender: ['Men', 0.97],
};

export function labelled(
  photo: string,
  said: Said = TEE,
  doubtful: string[] = [],
  flags: LabelledPhoto['flags'] = [],
): LabelledPhoto {
  const labels = Object.fromEntries(
    Object.entries(said).map(([column, [value, confidence, ...others]]) => {
      const more = others.map(([other, share]) => ({ value: other, confidence: share }));
      return [column, { value, confidence, candidates: [{ value, confidence }, ...more] }];
    }),
  );
  const levels = CATEGORY_COLUMNS.filter((column) => column in said);
  const doubt = levels.findIndex((column) => doubtful.includes(column));
  const sure = doubt < 0 ? levels : levels.slice(0, doubt);
  const values = (columns: readonly string[]) => columns.map((column) => said[column]?.[0] ?? '');
  return {
    status: 'labelled',
    photo,
    path: values(levels),
    answer: values(sure),
    answer_level: sure.at(-1) ?? null,
    flags,
    labels,
    doubtful,
    probabilities: null,
  };
}

export function failed(photo: string): PhotoAnswer {
  return { status: 'failed', photo, reason: 'truncated', detail: 'the file is cut off (8 bytes)' };
}

/** A photo that has its answer. */
export function labelledPhoto(name: string, said: Said = TEE, doubtful: string[] = []): Photo {
  const photo = photoNamed(name);
  photo.answer = labelled(name, said, doubtful);
  photo.modelId = 'default';
  return photo;
}

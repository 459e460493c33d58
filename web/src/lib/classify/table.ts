import { ARROW } from '../api/taxonomy.ts';
import type { Photo } from './photo.svelte.ts';

export type Cell = string | number | null;

/** A table of labels: the columns of `hangtag predict`, then which labels are doubtful and which a person corrected. */
export interface LabelTable {
  header: string[];
  rows: Cell[][];
}

/** The labels of photos as a table, in their order. A corrected label has no confidence: it is a person's. */
export function labelTable(photos: readonly Photo[]): LabelTable {
  const columns = [...new Set(photos.flatMap((photo) => Object.keys(photo.labels)))];
  const header = ['path', 'status', 'reason'];
  for (const column of columns) header.push(column, `${column}_confidence`);
  header.push('answer', 'answer_level', 'flags', 'doubtful', 'corrected');
  return { header, rows: photos.map((photo) => row(photo, columns)) };
}

function row(photo: Photo, columns: readonly string[]): Cell[] {
  const cells: Cell[] = [photo.name, photo.answer?.status ?? 'waiting', photo.failure?.reason ?? null];
  for (const column of columns) {
    const label = photo.labels[column];
    cells.push(label?.value ?? null, label?.confidence ?? null);
  }
  const corrected = Object.entries(photo.corrections)
    .filter(([column, value]) => photo.labelled?.labels[column]?.value !== value)
    .map(([column]) => column);
  const sure = photo.levels.slice(0, photo.sure);
  const answer = sure.map((column) => photo.labels[column]?.value).join(ARROW);
  cells.push(answer || null, sure.at(-1) ?? null, photo.flags.join(';') || null);
  return [...cells, photo.doubtful.join('|') || null, corrected.join('|') || null];
}

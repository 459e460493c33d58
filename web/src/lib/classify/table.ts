import { ARROW } from '../api/taxonomy.ts';
import type { Table } from '../api/types.ts';
import type { Photo } from './photo.svelte.ts';

type Cell = Table['rows'][number][number];

/** The labels of photos as a table in their order: the columns of `hangtag predict`, then doubts and corrections. */
export function labelTable(photos: readonly Photo[]): Table {
  const labels = [...new Set(photos.flatMap((photo) => Object.keys(photo.labels)))];
  const columns: Table['columns'] = [text('path'), text('status'), text('reason')];
  for (const column of labels)
    columns.push(text(column), { name: `${column}_confidence`, type: 'confidence' });
  columns.push(text('answer'), text('answer_level'), list('flags'), list('doubtful'), list('corrected'));
  return { columns, rows: photos.map((photo) => row(photo, labels)) };
}

function row(photo: Photo, columns: readonly string[]): Cell[] {
  const cells: Cell[] = [photo.name, photo.answer?.status ?? 'waiting', photo.failure?.reason ?? null];
  for (const column of columns) {
    const label = photo.labels[column];
    // A corrected label has no confidence: a person set it.
    cells.push(label?.value ?? null, label?.confidence ?? null);
  }
  const corrected = Object.entries(photo.corrections)
    .filter(([column, value]) => photo.labelled?.labels[column]?.value !== value)
    .map(([column]) => column);
  const answer = photo.levels.slice(0, photo.sure);
  cells.push(answer.map((column) => photo.labels[column]?.value).join(ARROW) || null, answer.at(-1) ?? null);
  return [...cells, [...photo.flags], [...photo.doubtful], corrected];
}

function text(name: string) {
  return { name, type: 'text' } as const;
}

function list(name: string) {
  return { name, type: 'list' } as const;
}

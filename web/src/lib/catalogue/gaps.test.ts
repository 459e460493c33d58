import { afterEach, expect, it } from 'vitest';

import { words } from '../words/words.svelte.ts';
import { readGaps } from './gaps.ts';

const column = (name: string, missing: number) => ({
  name,
  missing,
  kind: 'attribute' as const,
  classes: 2,
  counts: [],
});

afterEach(() => (words.names = { columns: {}, labels: {} }));

it('puts what is missing most often first, with the labels that miss it', () => {
  words.names = { columns: { baseColour: 'colour' }, labels: { season: { Fall: ['autumn', 'autumn'] } } };
  const gap = {
    what: 'baseColour',
    missing: 12,
    column: 'season',
    label: 'Fall',
    missing_in_label: 9,
    label_products: 50,
  };
  const gaps = readGaps({
    products_without_photo: 5,
    columns: [column('usage', 0), column('baseColour', 12)],
    gaps: [gap],
  });
  expect(gaps).toEqual([
    { what: 'colour', missing: 12, where: [{ label: 'Autumn', column: 'season', missing: 9, products: 50 }] },
    { what: 'photo', missing: 5, where: [] },
  ]);
});

it('is empty where nothing is missing', () => {
  expect(readGaps({ products_without_photo: 0, columns: [column('usage', 0)], gaps: [] })).toEqual([]);
});

import { beforeEach, expect, it } from 'vitest';

import { Drill } from './drill.svelte.ts';

const column = (name: string, counts: [string, number][]) => ({
  name,
  kind: 'level' as const,
  missing: 0,
  classes: counts.length,
  counts,
});
const statistics = {
  levels: ['masterCategory', 'articleType'],
  columns: [
    column('masterCategory', [
      ['Apparel', 7],
      ['Footwear', 3],
    ]),
    column('articleType', [
      ['Shirts', 5],
      ['Sandals', 3],
      ['Tops', 2],
    ]),
  ],
};
const paths = [
  ['Apparel', 'Shirts'],
  ['Apparel', 'Tops'],
  ['Footwear', 'Sandals'],
];

let drill: Drill;
beforeEach(() => {
  drill = new Drill(statistics, paths);
});
const labelsAt = (depth: number) => drill.levels[depth]?.bars.map(({ label }) => label);

it('shows all labels of all levels at first', () => {
  expect(labelsAt(0)).toEqual(['Apparel', 'Footwear']);
  expect(labelsAt(1)).toHaveLength(3);
  expect(drill.chosen).toBeNull();
});

it('shows what lies under a chosen label, and keeps its own level whole', () => {
  drill.choose(0, 'Apparel');
  expect(labelsAt(0)).toHaveLength(2);
  expect(labelsAt(1)).toEqual(['Shirts', 'Tops']);
  expect(drill.chosen).toEqual({ level: 'masterCategory', label: 'Apparel' });
});

it('forgets what was chosen below another label', () => {
  drill.choose(0, 'Apparel');
  drill.choose(1, 'Tops');
  drill.choose(0, 'Footwear');
  expect(drill.path).toEqual(['Footwear']);
});

it('gives a label up when it is chosen once more', () => {
  drill.choose(0, 'Apparel');
  drill.choose(0, 'Apparel');
  expect(drill.path).toEqual([]);
});

it('knows what is typical of a main category, and of no other', () => {
  drill = new Drill(statistics, [['Footwear', 'Shirts'], ...paths]);
  expect(drill.typical('Apparel')).toBe('Tops');
});

it('knows what is most frequent in a main category', () => {
  expect(drill.typical('Apparel')).toBe('Shirts');
  expect(drill.typical('Home')).toBeUndefined();
});

import { beforeEach, expect, it } from 'vitest';

import { Drill } from './drill.svelte.ts';

type Paths = [(string | null)[], number][];
const PATHS: Paths = [
  [['Apparel', 'Topwear', 'Shirts'], 5],
  [['Footwear', 'Sandal', 'Sandals'], 3],
  [['Apparel', 'Dress', 'Dresses'], 2],
  [['Apparel', 'Topwear', 'Dresses'], 1],
  [['Apparel', 'Topwear', null], 1],
  [['Footwear', 'Topwear', 'Sandals'], 1],
];
const drillOf = (paths: Paths) =>
  new Drill({ levels: ['masterCategory', 'subCategory', 'articleType'], paths });

let drill: Drill;
beforeEach(() => {
  drill = drillOf(PATHS);
});
const barsAt = (depth: number) => drill.levels[depth]?.bars.map(({ label, value }) => [label, value]);
const labelsAt = (depth: number) => drill.levels[depth]?.bars.map(({ label }) => label);

it('shows all labels of all levels at first, each with its products', () => {
  expect(barsAt(0)).toEqual([
    ['Apparel', 9],
    ['Footwear', 4],
  ]);
  expect(barsAt(2)).toEqual([
    ['Shirts', 5],
    ['Sandals', 4],
    ['Dresses', 3],
  ]);
  expect(drill.chosen).toBeNull();
});

it('shows what lies under a chosen label, and keeps its own level whole', () => {
  drill.choose(0, 'Apparel');
  expect(labelsAt(0)).toHaveLength(2);
  expect(labelsAt(2)).toEqual(['Shirts', 'Dresses']);
  expect(drill.chosen).toEqual({ level: 'masterCategory', label: 'Apparel' });
});

it('counts a label that lies under two categories by the products that it has in the chosen one', () => {
  drill.choose(0, 'Apparel');
  drill.choose(1, 'Topwear');
  expect(barsAt(1)).toEqual([
    ['Topwear', 7],
    ['Dress', 2],
  ]);
  expect(barsAt(2)).toEqual([
    ['Shirts', 5],
    ['Dresses', 1],
  ]);
});

it('takes a label under every category where none is chosen above it', () => {
  drill.choose(1, 'Topwear');
  expect(drill.chosen).toEqual({ level: 'subCategory', label: 'Topwear' });
  expect(drill.labels).toEqual(['Topwear']);
  expect(labelsAt(1)).toEqual(['Topwear', 'Sandal', 'Dress']);
  expect(labelsAt(2)).toEqual(['Shirts', 'Dresses', 'Sandals']);
  drill.choose(1, 'Topwear');
  expect(drill.path).toEqual([]);
});

it('forgets what was chosen below another label', () => {
  drill.choose(0, 'Apparel');
  drill.choose(1, 'Dress');
  drill.choose(0, 'Footwear');
  expect(drill.path).toEqual(['Footwear']);
});

it('gives a label up when it is chosen once more', () => {
  drill.choose(0, 'Apparel');
  drill.choose(1, 'Dress');
  drill.choose(1, 'Dress');
  expect(drill.path).toEqual(['Apparel']);
  drill.choose(0, 'Apparel');
  expect(drill.path).toEqual([]);
});

it('knows what is most frequent in a main category', () => {
  expect(drill.typical('Apparel')).toBe('Shirts');
  expect(drill.typical('Home')).toBeUndefined();
});

it('knows what is typical of a main category, and of no other', () => {
  drill = drillOf([[['Footwear', 'Sandal', 'Shirts'], 1], ...PATHS]);
  expect(drill.typical('Apparel')).toBe('Dresses');
});

import { expect, it } from 'vitest';

import { allX, bySize, extentY, nearest, toRows, type Series } from './series.ts';

const series: Series[] = [
  {
    name: 'train',
    tone: 'ink',
    points: [
      { x: 1, y: 0.5 },
      { x: 2, y: 0.7 },
    ],
  },
  {
    name: 'validation',
    tone: 'accent',
    points: [
      { x: 2, y: 0.6 },
      { x: 3, y: 0.9 },
    ],
  },
];

it('knows every x once', () => expect(allX(series)).toEqual([1, 2, 3]));
it('knows the lowest and highest y', () => expect(extentY(series)).toEqual([0.5, 0.9]));
it('has an extent for nothing', () => expect(extentY([])).toEqual([0, 1]));
it('makes a table with holes', () => {
  expect(toRows(series)).toEqual([
    { x: 1, values: [0.5, null] },
    { x: 2, values: [0.7, 0.6] },
    { x: 3, values: [null, 0.9] },
  ]);
});
it('finds the nearest entry', () => {
  expect(nearest([1, 2, 4], 2.9)).toBe(1);
  expect(nearest([1, 2, 4], 99)).toBe(2);
  expect(nearest([], 1)).toBe(-1);
});
it('sorts bars by size, then by name', () => {
  const bars = ['b', 'a', 'c'].map((label) => ({ label, value: label === 'c' ? 2 : 1 }));
  expect(bySize(bars).map(({ label }) => label)).toEqual(['c', 'a', 'b']);
});

import { expect, it } from 'vitest';

import { isStrong, toShades } from './shades.ts';

it('draws squares of one weight as one path', () => {
  const shades = toShades(
    [
      { row: 0, column: 1, weight: 1 },
      { row: 2, column: 0, weight: 0.99 },
    ],
    5,
  );
  expect(shades).toEqual([{ opacity: 1, path: 'M5 0h5v5h-5zM0 10h5v5h-5z' }]);
});

it('leaves a gap between large squares', () => {
  expect(toShades([{ row: 0, column: 0, weight: 1 }], 20)[0]?.path).toBe('M0 0h19v19h-19z');
});

it('keeps even the smallest share visible, and heavier ones darker', () => {
  const [faint, half] = toShades(
    [
      { row: 0, column: 0, weight: 0.0001 },
      { row: 0, column: 1, weight: 0.5 },
    ],
    5,
  );
  expect(faint?.opacity).toBeGreaterThan(0.1);
  expect(half?.opacity).toBeGreaterThan(faint?.opacity ?? 1);
});

it('wants light counts on the dark half only', () => {
  expect([0.001, 0.39, 0.4, 1].map(isStrong)).toEqual([false, false, true, true]);
});

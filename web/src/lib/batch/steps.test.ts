import { expect, it } from 'vitest';

import { step } from './steps.ts';

// Eight tags in rows of three: 0 1 2 / 3 4 5 / 6 7.
it.each([
  ['ArrowRight', 0, 1],
  ['ArrowRight', 7, 7],
  ['ArrowLeft', 0, 0],
  ['ArrowLeft', 3, 2],
  ['ArrowDown', 1, 4],
  ['ArrowDown', 5, 7],
  ['ArrowDown', 7, 7],
  ['ArrowUp', 7, 4],
  ['ArrowUp', 2, 2],
  ['Home', 5, 0],
  ['End', 2, 7],
])('%s leads from %d to %d', (key, from, to) => expect(step(key, from, 3, 8)).toBe(to));

it('leads nowhere for other keys, and without tags', () => {
  expect(step('a', 0, 3, 8)).toBeUndefined();
  expect(step('End', 0, 3, 0)).toBeUndefined();
});

import { describe, expect, it } from 'vitest';

import { Confusion, type Triple } from './confusion.ts';

const labels = ['Shirts', 'Tshirts', 'Tops', 'Hats'];
const counts: Triple[] = [
  [0, 0, 80],
  [0, 1, 20],
  [1, 1, 95],
  [1, 0, 5],
  [2, 1, 4],
];
const confusion = new Confusion(labels, counts);

describe('the totals', () => {
  it('count photos by true label', () => expect(confusion.supports).toEqual([100, 100, 4, 0]));
  it('count what is right', () => expect([confusion.right, confusion.total]).toEqual([175, 204]));
  it('count a mistake for both labels', () => expect(confusion.wrongs).toEqual([25, 29, 4, 0]));
});

it('lists mistakes, the most frequent first, with the share of the true label', () => {
  expect(confusion.mistakes(2)).toEqual([
    { truth: 'Shirts', answered: 'Tshirts', count: 20, share: 0.2 },
    { truth: 'Tshirts', answered: 'Shirts', count: 5, share: 0.05 },
  ]);
});

it('keeps to mistakes between the given labels', () => {
  expect(confusion.mistakes(9, [1, 2]).map(({ truth }) => truth)).toEqual(['Tops']);
});

it('places cells within the kept labels, with shares of whole rows', () => {
  expect(confusion.cells([1, 0])).toContainEqual({ row: 1, column: 0, count: 20, share: 0.2 });
  expect(confusion.cells([3])).toEqual([]);
});

it('orders by a ranking and leaves out what never occurs', () => {
  expect(confusion.order(['Tops', 'Hats', 'Tshirts'])).toEqual([2, 1, 0]);
});

it('finds the most confused labels and keeps the given order', () => {
  expect(confusion.mostConfused([2, 1, 0], 2)).toEqual([1, 0]);
});

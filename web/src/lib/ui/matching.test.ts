import { expect, it } from 'vitest';

import { firstOf, matches } from './matching.ts';

const options = ['Casual Shoes', 'Flip Flops', 'Formal Shoes', 'Shoe Accessories', 'Tracksuits', 'Décor'].map(
  (label) => ({ label }),
);
const labels = (typed: string) => matches(options, typed).map(({ label }) => label);

it('puts what starts with the text before what has a word that does', () =>
  expect(labels('shoe')).toEqual(['Shoe Accessories', 'Casual Shoes', 'Formal Shoes']));
it('finds the text inside words last', () => expect(labels('suit')).toEqual(['Tracksuits']));
it('asks for neither case nor accents', () => expect(labels('DECOR')).toEqual(['Décor']));
it('gives everything for nothing', () => expect(labels(' ')).toHaveLength(options.length));
it('gives nothing for nonsense', () => expect(labels('zzz')).toEqual([]));

it('puts the chosen one first and keeps the others as they are', () => {
  const values = ['a', 'b', 'c'].map((value) => ({ value }));
  expect(firstOf(values, 'c').map(({ value }) => value)).toEqual(['c', 'a', 'b']);
  expect(firstOf(values, 'none')).toEqual(values);
});

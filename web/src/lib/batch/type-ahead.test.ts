import { expect, it } from 'vitest';

import { meanConfidences, rankChoices } from './type-ahead.ts';

const names = [
  'Casual Shoes',
  'Clutches',
  'Flats',
  'Handbags',
  'Jeans',
  'Sports Shoes',
  'Sweaters',
  'Sweatshirts',
  'Swimwear',
  'Tops',
  'Tshirts',
  'Wallets',
];
const choices = names.map((name) => ({ value: name, label: name }));
const first = (typed: string, confidences = {}) => rankChoices(choices, typed, confidences)[0]?.value;

it.each([
  ['hoodie', 'Sweatshirts'],
  ['hoodies', 'Sweatshirts'],
  ['sneaker', 'Casual Shoes'],
  ['tee', 'Tshirts'],
  ['jumper', 'Sweaters'],
  ['purse', 'Handbags'],
  ['trainers', 'Sports Shoes'],
  ['bikini', 'Swimwear'],
  ['t-shirt', 'Tshirts'],
  ['sne', 'Casual Shoes'],
])('%s means %s', (typed, meant) => expect(first(typed)).toBe(meant));

it('lets the probability decide between meanings', () => {
  expect(first('sneaker', { 'Sports Shoes': 0.6, 'Casual Shoes': 0.2 })).toBe('Sports Shoes');
  expect(first('sw', { Swimwear: 0.5 })).toBe('Swimwear');
});

it('shows the candidates first and then everything while nothing is typed', () => {
  const shown = rankChoices(choices, '', { Tops: 0.7, Tshirts: 0.2 });
  expect(shown.slice(0, 3).map(({ value }) => value)).toEqual(['Tops', 'Tshirts', 'Casual Shoes']);
  expect(shown).toHaveLength(choices.length);
});

it('shows nothing that does not match', () => expect(rankChoices(choices, 'xyz', { Tops: 1 })).toEqual([]));

it('prefers what begins with the text to what holds it', () =>
  expect(rankChoices(choices, 'shirts', {}).map(({ value }) => value)).toEqual(['Sweatshirts', 'Tshirts']));

it('averages probabilities over products', () =>
  expect(
    meanConfidences([[{ value: 'Tops', confidence: 0.8 }], [{ value: 'Jeans', confidence: 0.4 }]]),
  ).toEqual({ Tops: 0.4, Jeans: 0.2 }));

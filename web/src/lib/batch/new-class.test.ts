import { expect, it } from 'vitest';

import { branchesFor, classNameOf, isKnown } from './new-class.ts';

const choices = [
  'Apparel › Topwear › Shirts',
  'Apparel › Bottomwear › Jeans',
  'Footwear › Shoes › Heels',
].map((value) => ({ value, label: value.split(' › ')[2] ?? '' }));

it('names a class as it was typed, with a capital', () => {
  expect(classNameOf('  long   cardigan ')).toBe('Long cardigan');
});

it('knows a class whatever its case', () => {
  expect(isKnown(choices, 'shirts')).toBe(true);
  expect(isKnown(choices, 'cardigan')).toBe(false);
});

it('offers the branch of the product first, then what the model thinks likely', () => {
  const branches = branchesFor(choices, ['Apparel', 'Bottomwear', 'Jeans'], {
    'Footwear › Shoes › Heels': 0.4,
    'Apparel › Topwear › Shirts': 0.5,
  });
  expect(branches.map(({ label }) => label)).toEqual(['Bottomwear', 'Topwear', 'Shoes']);
  expect(branches[0]?.detail).toBe('Apparel');
});

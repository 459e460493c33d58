import { describe, expect, it } from 'vitest';

import { consistent, labelsOfPath, pathOptions } from './taxonomy.ts';

const taxonomy = {
  levels: ['masterCategory', 'subCategory', 'articleType'],
  paths: [
    ['Apparel', 'Topwear', 'Tshirts'],
    ['Apparel', 'Topwear', 'Shirts'],
    ['Apparel', 'Bottomwear', 'Jeans'],
    ['Accessories', 'Wallets', 'Wallets'],
    ['Accessories', 'Bags', 'Wallets'],
    ['Accessories', 'Bags', 'Handbags'],
  ],
  columns: {},
  own: [],
  version: 0,
  names: {},
};
const tee = { masterCategory: 'Apparel', subCategory: 'Topwear', articleType: 'Tshirts' };
const guesses = [
  { value: 'Tshirts', confidence: 0.5 },
  { value: 'Handbags', confidence: 0.2 },
];

describe('consistent', () => {
  it('gives a leaf its parents', () =>
    expect(consistent(taxonomy, { column: 'articleType', value: 'Jeans' }, tee, guesses)).toEqual({
      masterCategory: 'Apparel',
      subCategory: 'Bottomwear',
      articleType: 'Jeans',
    }));

  it('keeps what is below a parent that does not change', () =>
    expect(consistent(taxonomy, { column: 'masterCategory', value: 'Apparel' }, tee, guesses)).toEqual(tee));

  it('gives a parent the leaf that the model finds likeliest', () =>
    expect(consistent(taxonomy, { column: 'masterCategory', value: 'Accessories' }, tee, guesses)).toEqual({
      masterCategory: 'Accessories',
      subCategory: 'Bags',
      articleType: 'Handbags',
    }));

  it('keeps the branch of a leaf that hangs in two places', () => {
    const bag = { masterCategory: 'Accessories', subCategory: 'Bags', articleType: 'Handbags' };
    const change = { column: 'articleType', value: 'Wallets' };
    expect(consistent(taxonomy, change, bag, guesses).subCategory).toBe('Bags');
  });

  it('leaves the category alone for an attribute', () =>
    expect(consistent(taxonomy, { column: 'gender', value: 'Men' }, tee, guesses)).toEqual({
      gender: 'Men',
    }));
});

it('tells apart leaves of one name', () => {
  const wallets = pathOptions(taxonomy).filter(({ label }) => label === 'Wallets');
  expect(wallets.map(({ detail }) => detail)).toEqual(['Accessories › Bags', 'Accessories › Wallets']);
  expect(labelsOfPath(taxonomy, wallets[0]?.value ?? '')).toEqual({
    masterCategory: 'Accessories',
    subCategory: 'Bags',
    articleType: 'Wallets',
  });
});

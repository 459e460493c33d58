import { expect, it } from 'vitest';

import { branchesOf } from './branches.ts';

const taxonomy = {
  levels: ['masterCategory', 'subCategory', 'articleType'],
  paths: [
    ['Accessories', 'Bags', 'Clutches'],
    ['Accessories', 'Bags', 'Backpacks'],
    ['Apparel', 'Topwear', 'Shirts'],
    ['Free Items', 'Bags', 'Backpacks'],
  ],
};

it('groups the labels of a level by their root; one under two roots belongs to the first', () => {
  expect(branchesOf(taxonomy, 'articleType')).toEqual([
    { name: 'Accessories', labels: ['Clutches', 'Backpacks'] },
    { name: 'Apparel', labels: ['Shirts'] },
  ]);
  expect(branchesOf(taxonomy, 'subCategory').map(({ labels }) => labels)).toEqual([['Bags'], ['Topwear']]);
});

it('knows no branches of the root itself, of other columns, or without a taxonomy', () => {
  expect(branchesOf(taxonomy, 'masterCategory')).toEqual([]);
  expect(branchesOf(taxonomy, 'season')).toEqual([]);
  expect(branchesOf(undefined, 'articleType')).toEqual([]);
});

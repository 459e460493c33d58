import { expect, it } from 'vitest';

import type { ShopTaxonomy } from '../api/shop.ts';
import { groupsOf, newClassIn } from './class-list.ts';

const taxonomy: ShopTaxonomy = {
  levels: ['masterCategory', 'subCategory', 'articleType'],
  paths: [
    ['Apparel', 'Topwear', 'Shirts'],
    ['Apparel', 'Topwear', 'Cardigan'],
    ['Footwear', 'Shoes', 'Heels'],
  ],
  columns: { articleType: ['Shirts', 'Cardigan', 'Heels'], gender: ['Men', 'Women'] },
  own: [
    { attribute: 'articleType', name: 'Cardigan', path: ['Apparel', 'Topwear'], products: 3, learnt: false },
  ],
  version: 2,
  names: {},
};

it('groups classes by branch, and values by attribute', () => {
  const groups = groupsOf(taxonomy);
  const [branch, , gender] = groups;
  const none = { attribute: 'none' };
  expect(groups.map(({ title, classes }) => [title, classes.length])).toEqual([
    ['Apparel › Topwear', 2],
    ['Footwear › Shoes', 1],
    ['Gender', 2],
  ]);
  expect(newClassIn(branch?.place ?? none, 'Gilet')).toEqual({ path: ['Apparel', 'Topwear'], name: 'Gilet' });
  expect(newClassIn(gender?.place ?? none, 'Kids')).toEqual({ attribute: 'gender', name: 'Kids' });
});

it('finds by a part of the name, and shows the own classes alone', () => {
  expect(groupsOf(taxonomy, 'CARD').flatMap(({ classes }) => classes.map(({ name }) => name))).toEqual([
    'Cardigan',
  ]);
  const [own, ...rest] = groupsOf(taxonomy, '', true);
  expect([own?.classes[0]?.own?.products, rest]).toEqual([3, []]);
});

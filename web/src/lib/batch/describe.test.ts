import { expect, it } from 'vitest';

import { attributesOf } from './describe.ts';
import { product } from './fake-service.ts';

it('shows every attribute of a product, whatever the others of its batch have in common', () => {
  expect(attributesOf(product('1'))).toEqual(['gender', 'baseColour', 'season', 'usage']);
  expect(attributesOf(product('2', { gender: ['Men', 0.9], season: ['Fall', 0.7] }))).toEqual(['season']);
});

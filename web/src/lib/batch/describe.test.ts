import { expect, it } from 'vitest';

import { askedField } from './attributes.ts';
import { attributesOf, whyWords } from './describe.ts';
import { product } from './fake-service.ts';

it('shows every attribute of a product, whatever the others of its batch have in common', () => {
  expect(attributesOf(product('1'))).toEqual(['gender', 'baseColour', 'season', 'usage']);
  expect(attributesOf(product('2', { gender: ['Men', 0.9], season: ['Fall', 0.7] }))).toEqual(['season']);
});

it('asks about the attribute that a check of the catalogue suspects, and says so', () => {
  const suspected = product('1', undefined, { needs: { attribute: 'gender', why: 'suspected' } });
  expect(askedField(suspected)).toBe('gender');
  expect(whyWords(suspected)).toBe('The gender in the catalogue may be wrong.');
});

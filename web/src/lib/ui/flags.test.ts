import { expect, it } from 'vitest';

import { flagWords } from './flags.ts';

it('says a flag in words, also one of a newer service', () => {
  expect(flagWords('not_a_product')).toBe('Not a product');
  expect(flagWords('upside_down')).toBe('upside down');
});

import { expect, it } from 'vitest';

import { columnName } from './columns.ts';

it('uses the shop’s words', () => expect(columnName('baseColour')).toBe('Colour'));
it('makes words of a name that it does not know', () => {
  expect(columnName('sleeveLength')).toBe('Sleeve length');
  expect(columnName('neck_line')).toBe('Neck line');
});

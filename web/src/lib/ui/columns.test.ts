import { afterEach, expect, it } from 'vitest';

import { words } from '../words/words.svelte.ts';
import { columnName, columnWord, labelName } from './columns.ts';

afterEach(() => (words.names = { columns: {}, labels: {} }));

it('uses the shop’s words, with a capital where they stand alone', () => {
  words.names = {
    columns: { baseColour: 'colour' },
    labels: { articleType: { Tshirts: ['T-shirt', 'T-shirts'], Tunics: ['tunic', 'tunics'] } },
  };
  expect([columnName('baseColour'), columnWord('baseColour')]).toEqual(['Colour', 'colour']);
  expect(labelName('articleType', 'Tshirts')).toBe('T-shirts');
  expect(labelName('articleType', 'Tunics')).toBe('Tunics');
});

it('leaves a label that it has no word for as it is', () => {
  expect(labelName('articleType', 'Wet suits')).toBe('Wet suits');
  expect(labelName('constructor', 'toString')).toBe('toString');
});

it('makes words of a column that it does not know', () => {
  expect(columnName('sleeveLength')).toBe('Sleeve length');
  expect(columnWord('neck_line')).toBe('neck line');
});

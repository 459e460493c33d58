import { expect, it } from 'vitest';

import { cellsOf, readColumn } from './paste.ts';

const choices = ['Men', 'Women', 'Tshirts'].map((value) => ({ value, label: value }));

it('reads the first column of what a spreadsheet copies', () =>
  expect(cellsOf('Men\tx\r\n Women \ty\r\n\r\nMen\r\n')).toEqual(['Men', 'Women', '', 'Men']));

it('gives each product its cell, and leaves those of empty cells', () =>
  expect(readColumn(['men', '', 'tee'], ['a', 'b', 'c'], choices)).toEqual({
    values: { a: 'Men', c: 'Tshirts' },
    unknown: [],
  }));

it('names what is no value, and ignores cells below the last product', () =>
  expect(readColumn(['Ladies', 'Men', 'Men'], ['a', 'b'], choices)).toEqual({
    values: { b: 'Men' },
    unknown: ['Ladies'],
  }));

import { describe, expect, it } from 'vitest';

import { columnsOf, documentOf, moved, newColumn } from './draft.ts';

const DOCUMENT = {
  template: 1,
  destination: 'google',
  countries: ['DE'],
  columns: [
    { from: ['sheet:*'] },
    { name: 'id', from: 'sheet:sku|id', required: true },
    { name: 'gender', from: ['label:gender'], map: { Men: 'male', Women: 'female' }, default: 'unisex' },
  ],
};

describe('a template that is edited', () => {
  it('is the same when nothing was changed', () => {
    const same = documentOf(DOCUMENT, columnsOf(DOCUMENT));
    expect(same).toEqual({
      ...DOCUMENT,
      columns: [DOCUMENT.columns[0], { ...DOCUMENT.columns[1], from: ['sheet:sku|id'] }, DOCUMENT.columns[2]],
    });
  });

  it('takes what is written instead a line each, and passes over what is no pair', () => {
    const column = { ...newColumn('Sex', ['word:gender']), map: 'Men = M\n\nnothing\n = x\nWomen=W = w' };
    expect(documentOf({}, [column]).columns).toEqual([
      { name: 'Sex', from: ['word:gender'], map: { Men: 'M', Women: 'W = w' } },
    ]);
  });

  it('moves columns, and not beyond the ends', () => {
    expect(moved(['a', 'b', 'c'], 0, 1)).toEqual(['b', 'a', 'c']);
    expect(moved(['a', 'b', 'c'], 2, -1)).toEqual(['a', 'c', 'b']);
    expect(moved(['a', 'b', 'c'], 2, 1)).toEqual(['a', 'b', 'c']);
    expect(moved(['a', 'b', 'c'], 0, -1)).toEqual(['a', 'b', 'c']);
  });
});

import { describe, expect, it } from 'vitest';

import { addressOf, changed, cleared, filtersOf, isFiltered, isSame, placeOf } from './filters.ts';

const read = (address: string) => placeOf(new URLSearchParams(address));

describe('the address', () => {
  it('holds the view, the filters and the open product', () => {
    const address = '?view=table&state=to_check&attribute.gender=Women&path=Apparel/Topwear&product=p7';
    const place = read(address);
    expect(place).toEqual({
      view: 'table',
      query: { state: 'to_check', 'attribute.gender': 'Women', path: 'Apparel/Topwear' },
      product: 'p7',
    });
    expect(addressOf(place)).toBe(address);
  });

  it('is empty for all tags', () => expect(addressOf(read(''))).toBe(''));

  it('ignores what it does not know', () =>
    expect(read('view=grid&utm=1&state=&limit=9')).toEqual({ view: 'tags', query: {}, product: null }));

  it('keeps any text that is searched for', () => {
    const place = read(addressOf({ view: 'tags', query: { q: 'a&b = 50% ü/’' }, product: null }));
    expect(place.query.q).toBe('a&b = 50% ü/’');
  });
});

describe('a query', () => {
  it('is filtered by anything but its order', () => {
    expect(isFiltered({ sort: 'name', descending: 'true' })).toBe(false);
    expect(isFiltered({ 'attribute.season': 'Summer' })).toBe(true);
    expect(filtersOf({ sort: 'name', q: 'tee' })).toEqual({ q: 'tee' });
    expect(cleared({ sort: 'name', q: 'tee' })).toEqual({ sort: 'name' });
  });

  it('loses a filter that is emptied', () =>
    expect(changed({ state: 'checked', q: 'tee' }, { state: '' })).toEqual({ q: 'tee' }));

  it('is the same in any order', () => {
    expect(isSame({ a: '1', b: '2' }, { b: '2', a: '1' })).toBe(true);
    expect(isSame({ a: '1' }, { a: '1', b: '2' })).toBe(false);
  });
});

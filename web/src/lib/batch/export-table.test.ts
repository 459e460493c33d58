import { expect, it, vi } from 'vitest';

import { everyProduct } from './every-product.ts';
import { exportTable } from './export-table.ts';
import { product, SHIRT } from './fake-service.ts';

it('has the sheet’s columns typed as they came, then the labels, then how a product stands', () => {
  const row = { SKU: '0042', RRP: 19.95, Stock: 3, Delivered: '2026-10-02' };
  const { columns, rows } = exportTable([product('1', SHIRT, { row })]);
  const types = Object.fromEntries(columns.map(({ name, type }) => [name, type]));
  expect(types).toMatchObject({
    SKU: 'text',
    RRP: 'number',
    Stock: 'integer',
    Delivered: 'date',
    gender_confidence: 'confidence',
    flags: 'list',
  });
  expect(rows[0]?.slice(0, 4)).toEqual(['0042', 19.95, 3, '2026-10-02']);
  expect(rows[0]).toHaveLength(columns.length);
});

it('never has two columns of one name', () => {
  const { columns } = exportTable([product('1', SHIRT, { row: { gender: 'Ladies', name: 'Tee' } })]);
  const names = columns.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toContain('gender (hangtag)');
});

it('asks for all pages of the products', async () => {
  const all = Array.from({ length: 5 }, (_, place) => product(String(place)));
  const ask = vi.fn(async ({ offset }: Record<string, string>) => ({
    items: all.slice(Number(offset), Number(offset) + 2),
    total: all.length,
  }));
  expect(await everyProduct(ask, { q: 'x' })).toHaveLength(5);
  expect(ask).toHaveBeenCalledTimes(3);
});

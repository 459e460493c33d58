import { beforeEach, expect, it, vi } from 'vitest';

import { FakeService, product, SHIRT } from './fake-service.ts';
import { PAGE, ProductList } from './product-list.svelte.ts';

const TOTAL = 2 * PAGE + 10;

let fake: FakeService;
let list: ProductList;
beforeEach(() => {
  fake = new FakeService(Array.from({ length: TOTAL }, (_, place) => product(String(place))));
  list = new ProductList((query) => fake.products('b1', query));
});

it('asks only for the pages that are looked at, each once', async () => {
  await list.load({});
  expect(list.total).toBe(TOTAL);
  expect(list.at(3)?.id).toBe('3');
  expect(list.at(PAGE)).toBeUndefined();
  await Promise.all([list.need(PAGE - 5, PAGE + 5), list.need(PAGE, PAGE + 1)]);
  expect(list.at(PAGE + 2)?.id).toBe(String(PAGE + 2));
  expect(fake.calls).toEqual(['products', 'products']);
});

it('gives the products between two places in either direction, loading what is missing', async () => {
  await list.load({});
  const ids = await list.idsBetween(PAGE + 1, PAGE - 1);
  expect(ids).toEqual([PAGE - 1, PAGE, PAGE + 1].map(String));
});

it('keeps a product in its place when it no longer matches', async () => {
  await list.load({ state: 'to_check' });
  list.put([product('4', SHIRT, { state: 'checked' })]);
  expect(list.at(4)?.id).toBe('4');
  expect(list.strayed).toBe(1);
});

it('loads later pages without a gap after products have left the filter', async () => {
  await list.load({ state: 'to_check' });
  const done = await fake.decide('b1', { products: ['1', '2', '3'] }, { confirm: true });
  list.put(done.products);
  await list.need(PAGE, 2 * PAGE - 1);
  expect(list.at(PAGE)?.id).toBe(String(PAGE));
  expect(list.at(2 * PAGE - 1)?.id).toBe(String(2 * PAGE - 1));
});

it('closes the gap of a product that is deleted', async () => {
  await list.load({});
  list.remove(new Set(['0', '2']));
  expect([list.at(0)?.id, list.at(1)?.id, list.total]).toEqual(['1', '3', TOTAL - 2]);
  expect(list.indexOf('3')).toBe(1);
});

it('shows the newest question’s answer, whichever comes last', async () => {
  const late = Promise.withResolvers<{ items: ReturnType<typeof product>[]; total: number }>();
  vi.spyOn(fake, 'products').mockImplementationOnce(() => late.promise);
  const first = list.load({ q: 'old' });
  await list.load({});
  late.resolve({ items: [product('99')], total: 1 });
  await first;
  expect(list.total).toBe(TOTAL);
});

it('says what is wrong, and keeps what it had on the same question', async () => {
  await list.load({});
  vi.spyOn(fake, 'products').mockRejectedValueOnce(new Error('away'));
  await list.refresh();
  expect(list.problem).toBeTruthy();
  expect(list.at(0)).toBeDefined();
});

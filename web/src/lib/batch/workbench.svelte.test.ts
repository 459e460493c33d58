import { render, screen } from '@testing-library/svelte';
import type { Component } from 'svelte';
import { beforeEach, expect, it, vi } from 'vitest';

import { shopService } from '../api/shop.ts';
import { t } from '../words/words.svelte.ts';
import { FakeService, product } from './fake-service.ts';
import ReviewView from './ReviewView.svelte';
import { setWorkbench, Workbench } from './workbench.svelte.ts';

let fake: FakeService;
let bench: Workbench;
beforeEach(async () => {
  fake = new FakeService([product('0'), product('1')]);
  bench = new Workbench('b1', fake.service, () => undefined);
  vi.spyOn(bench.taxonomy, 'load').mockResolvedValue();
  await bench.desk.open({});
});

/** Shows products one after another. */
function show(view: 'teach' | 'review'): void {
  bench.place = { view, query: {}, product: null };
  const Page: Component = (...given) => {
    setWorkbench(bench);
    return ReviewView(...given);
  };
  render(Page, { context: new Map() });
}

it('asks what to check next once the photos are labelled', async () => {
  const next = vi.spyOn(shopService, 'next').mockResolvedValue({ items: [], left: 0 });
  fake.batch = { ...fake.batch, state: 'labelling' };
  await bench.desk.reloadBatch();
  show('teach');
  await vi.waitFor(() => expect(bench.teaching.isLoaded && bench.teaching.total).toBe(0));
  await screen.findByText(t('teach.waiting'));
  next.mockResolvedValue({ items: [{ product: '1', alike: [], why: 'doubt' }], left: 1 });
  fake.batch = { ...fake.batch, state: 'ready' };
  await bench.desk.reloadBatch();
  await screen.findByText('Product 1');
});

it('shows what was found about the product in review', async () => {
  const found = [
    {
      id: 'c1',
      who: 'hangtag',
      when: '2026-01-05T10:00:00Z',
      text: 'gender: labelled Men (4%), more likely Women (93%)',
    },
  ];
  const comments = vi.fn(async () => ({ items: found }));
  Object.assign(fake, { comments });
  fake.products_ = [product('0', undefined, { comments: 1 }), product('1')];
  await bench.desk.open({});
  show('review');
  await screen.findByText('gender: labelled Men (4%), more likely Women (93%)');
  bench.review.skip();
  await vi.waitFor(() => expect(screen.queryByText(/more likely Women/)).toBeNull());
  await screen.findByText('Product 1');
  expect(comments).toHaveBeenCalledOnce();
});

it('gives a new class to the product that it was made for, though the person has gone on', async () => {
  const made = Promise.withResolvers<never>();
  vi.spyOn(shopService, 'createClass').mockReturnValue(made.promise);
  const cell = document.createElement('td');
  bench.edit('baseColour', { products: ['0'] }, cell);
  const creating = bench.create({ attribute: 'baseColour', name: 'Petrol' }, 'Petrol');
  bench.leave();
  bench.edit('baseColour', { products: ['1'] }, cell);
  made.resolve(undefined as never);
  await creating;
  await vi.waitFor(() => expect(fake.calls).toContain('decide'));
  expect(fake.products_.map(({ label }) => label.baseColour?.value)).toEqual(['Petrol', 'Blue']);
  expect(bench.editing?.target).toEqual({ products: ['1'] });
});

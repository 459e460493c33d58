import { beforeEach, expect, it, vi } from 'vitest';

import { BatchDesk } from './desk.svelte.ts';
import { FakeService, product, SHIRT } from './fake-service.ts';
import { Review } from './review.svelte.ts';

const DOUBTFUL = { ...SHIRT, articleType: ['Shirts', 0.5, 'Tshirts', 'Tops'] } as typeof SHIRT;

let fake: FakeService;
let desk: BatchDesk;
let review: Review;
beforeEach(async () => {
  fake = new FakeService(Array.from({ length: 5 }, (_, place) => product(String(place), DOUBTFUL)));
  desk = new BatchDesk('b1', fake.service);
  await desk.open({ state: 'to_check' });
  review = new Review(desk, (_, field, value) => ({ [field === 'category' ? 'articleType' : field]: value }));
});

it('asks first about what is in doubt', () => {
  expect(review.field).toBe('category');
  expect(review.candidates.map(({ value }) => value)).toEqual(['Shirts', 'Tshirts', 'Tops']);
});

it('takes the candidate of a key and stays; Enter confirms the rest and goes on', async () => {
  review.press('2');
  expect(desk.list.at(0)?.label.articleType?.value).toBe('Tshirts');
  expect(review.index).toBe(0);
  review.press('Enter');
  expect(review.index).toBe(1);
  await vi.waitFor(() => expect(desk.writes.pending).toBe(0));
  expect(fake.products_[0]?.state).toBe('corrected');
  expect(fake.products_[0]?.label.gender?.state).toBe('confirmed');
});

it('has a key for each attribute that no other key takes', () => {
  expect(review.keys).toMatchObject({ category: 't', gender: 'g', baseColour: 'c' });
  expect(Object.values(review.keys)).not.toContain('s');
  review.press('g');
  expect([review.field, review.candidates[1]?.value]).toEqual(['gender', 'Women']);
  review.press('Enter');
  expect(review.field).toBe('category');
});

it('keeps its count although what was checked no longer matches', async () => {
  review.press('Enter');
  review.press('s');
  await vi.waitFor(() => expect(desk.writes.pending).toBe(0));
  expect([review.index, review.total, review.product?.id]).toEqual([2, 5, '2']);
});

it('throws nobody back whose keys were quicker than the list', async () => {
  const coming = review.begin(desk.show({ state: 'to_check', sort: 'name' }));
  review.press('g');
  review.press('2');
  review.press('Enter');
  review.press('c');
  await coming;
  expect([review.index, review.product?.id, review.field]).toEqual([1, '1', 'baseColour']);
  await vi.waitFor(() => expect(desk.writes.pending).toBe(0));
  expect(fake.products_[0]?.label.gender?.value).toBe('Women');
  await review.begin(desk.show({ state: 'to_check' }));
  expect([review.index, review.field]).toEqual([0, 'category']);
});

it('undoes the last decision and shows its product again', async () => {
  review.press('Enter');
  review.press('s');
  await review.undo();
  expect(review.index).toBe(0);
  expect(desk.list.at(0)?.state).toBe('to_check');
});

it('ends after the last product', async () => {
  for (let place = 0; place < 5; place += 1) review.press('Enter');
  expect(review.isDone).toBe(true);
  expect(review.product).toBeUndefined();
  review.press('Enter');
  expect(review.index).toBe(5);
});

it('overrules what the model takes for no product', async () => {
  fake.products_ = [product('0', SHIRT, { not_a_product: { by_model: true, decided: null } })];
  await desk.show({});
  await review.go(0);
  review.press('x');
  expect(desk.list.at(0)?.not_a_product.decided).toBe(false);
});

import { beforeEach, expect, it, vi } from 'vitest';

import type { NextItem } from '../api/shop.ts';
import { BatchDesk } from './desk.svelte.ts';
import { FakeService, product } from './fake-service.ts';
import { Review } from './review.svelte.ts';
import { Teaching } from './teaching.svelte.ts';

const item = (id: string, alike: string[] = []): NextItem => ({ product: id, alike, why: 'doubt' });

let fake: FakeService;
let desk: BatchDesk;
let answers: NextItem[];
let teaching: Teaching;
let review: Review;
beforeEach(async () => {
  fake = new FakeService(Array.from({ length: 8 }, (_, place) => product(String(place))));
  desk = new BatchDesk('b1', fake.service);
  await desk.open({ state: 'checked' }); // none of them is in the list that is shown
  answers = [item('3', ['5', '6', '7']), item('0'), item('2')];
  teaching = new Teaching({
    next: async (limit) => ({ items: answers.slice(0, limit), left: answers.length }),
    fetch: (ids) => desk.fetchAll(ids),
    product: (id) => desk.list.get(id),
  });
  review = new Review(
    desk,
    (_, field, value) => ({ [field]: value }),
    () => teaching,
  );
  await review.go(0);
});

it('goes through products in the order of the service', async () => {
  expect([review.product?.id, review.total]).toEqual(['3', 3]);
  review.press('Enter');
  expect(review.product?.id).toBe('0');
});

it('settles those that look the same with one answer, but for those left out', async () => {
  teaching.toggle('3', '6');
  review.press('Enter');
  await vi.waitFor(() => expect(desk.writes.pending).toBe(0));
  expect(fake.products_.map(({ state }) => state === 'checked')).toEqual([
    ...[false, false, false, true, false, true, false, true],
  ]);
  expect(fake.calls.filter((call) => call === 'decide')).toHaveLength(1);
});

it('undoes the whole answer and shows the product again', async () => {
  review.press('Enter');
  await vi.waitFor(() => expect(desk.writes.pending).toBe(0));
  await review.undo();
  expect(review.product?.id).toBe('3');
  expect(fake.products_.every(({ state }) => state === 'to_check')).toBe(true);
});

it('takes all look-alikes or none with a key', () => {
  review.press('l');
  expect(teaching.together('3')).toEqual([]);
  review.press('l');
  expect(teaching.together('3')).toEqual(['5', '6', '7']);
});

it('asks for others after learning, and keeps what has been gone through', async () => {
  await review.go(1);
  answers = [item('4'), item('1')];
  await teaching.renew(review.index);
  expect([0, 1, 2, 3].map((index) => teaching.at(index)?.id)).toEqual(['3', '0', '4', '1']);
});

it('is done when the service asks for nothing more', async () => {
  answers = [];
  await review.go(3);
  expect(review.isDone).toBe(true);
});

import { beforeEach, expect, it, vi } from 'vitest';

import type { Learnt, Shop, ShopService } from '../api/shop.ts';
import { product, SHIRT } from './fake-service.ts';
import { changedAttributes, Learning } from './learning.svelte.ts';

const LEARNT: Learnt = {
  model: 'm2',
  version: 2,
  checks: 37,
  changed: 140,
  settled: 61,
  batches: { b1: { changed: 112, settled: 58 } },
  undo: true,
};

let shop: Shop;
let learning: Learning;
const undoLearnt = vi.fn(async () => undefined);
beforeEach(async () => {
  shop = {
    enabled: true,
    learn_after: 10,
    checks: { total: 40, since: 3 },
    in_use: {},
    learning: null,
    last: null,
    accuracy: {},
    calibration: {},
    drift: [],
  };
  learning = new Learning('b1', { get: async () => shop, undoLearnt } as unknown as ShopService);
  await learning.load();
});

it('says how many checks are missing, and counts those just made', () => {
  expect(learning.missing).toBe(7);
  learning.count(2);
  expect(learning.missing).toBe(5);
});

it('asks whether hangtag is learning once there are enough checks', async () => {
  vi.useFakeTimers();
  shop = { ...shop, learning: { since: '2026-01-05T10:00:00Z', checks: 10 } };
  learning.count(6);
  await vi.runOnlyPendingTimersAsync();
  expect(learning.isLearning).toBe(false);
  learning.count(1);
  await vi.advanceTimersByTimeAsync(1500);
  expect(learning.isLearning).toBe(true);
  learning.leave();
  vi.useRealTimers();
});

it('says what learning did to this batch alone', () => {
  learning.learnt(LEARNT);
  expect(learning.here).toEqual({ changed: 112, settled: 58 });
});

it('takes learning back, and says so', async () => {
  learning.learnt(LEARNT);
  expect(await learning.undo()).toBe(true);
  expect([undoLearnt.mock.calls.length, learning.undone]).toEqual([1, true]);
});

it('lets only what has changed shimmer, and only once', () => {
  vi.useFakeTimers();
  const before = [product('1'), product('2')];
  const other = product('1', { ...SHIRT, articleType: ['Tshirts', 0.9] });
  learning.compare(before, (id) => (id === '1' ? other : before[1]));
  expect([...(learning.fresh.get('1') ?? [])]).toEqual(['articleType']);
  expect(learning.fresh.has('2')).toBe(false);
  vi.runAllTimers();
  expect(learning.fresh.size).toBe(0);
  vi.useRealTimers();
});

it('takes what a person said for no surprise', () => {
  const set = product('1');
  const label = set.label.gender;
  if (label) set.label.gender = { ...label, value: 'Women', state: 'corrected' };
  expect(changedAttributes(product('1'), set).size).toBe(0);
});

it('finds no change in a product that is gone', () => {
  expect(changedAttributes(product('1'), undefined).size).toBe(0);
});

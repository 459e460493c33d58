import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { CatalogueAbsent } from '../api/types.ts';
import { Waiting } from './waiting.svelte.ts';

const reading: CatalogueAbsent = {
  available: false,
  state: 'reading',
  message: 'reading',
  done: 3,
  total: 9,
};
const there = { available: true as const, products: 9 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('asks until it is there, and then no more', async () => {
  const ask = vi.fn().mockResolvedValueOnce(reading).mockResolvedValue(there);
  const waiting = new Waiting<typeof there>(ask);
  await waiting.load();
  expect(waiting.absent).toEqual(reading);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(waiting.value).toEqual(there);
  expect(waiting.absent).toBeUndefined();
  expect(ask).toHaveBeenCalledTimes(2);
});

it('does not ask again where there is no catalogue', async () => {
  const ask = vi.fn().mockResolvedValue({ ...reading, state: 'absent' });
  await new Waiting<typeof there>(ask).load();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ask).toHaveBeenCalledOnce();
});

it('stops asking when the page is left', async () => {
  const ask = vi.fn().mockResolvedValue(reading);
  const waiting = new Waiting<typeof there>(ask);
  await waiting.load();
  waiting.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ask).toHaveBeenCalledOnce();
});

it('says why it failed, and recovers', async () => {
  const ask = vi.fn().mockRejectedValueOnce(new Error('boom')).mockResolvedValue(there);
  const waiting = new Waiting<typeof there>(ask);
  await waiting.load();
  expect(waiting.problem).toBeTruthy();
  await waiting.load();
  expect([waiting.problem, waiting.value]).toEqual([undefined, there]);
});

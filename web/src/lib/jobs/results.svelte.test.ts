import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { JobResult } from '../api/types.ts';
import { PAGE, Results, type ResultQuery } from './results.svelte.ts';

const TOTAL = 2 * PAGE + 10;
const result = (position: number, photo = `${position}.jpg`) => ({ position, photo }) as JobResult;
const ask = vi.fn(async ({ offset, limit }: ResultQuery) => ({
  total: TOTAL,
  results: Array.from({ length: Math.min(limit, TOTAL - offset) }, (_, index) => result(offset + index)),
}));

let results: Results;
beforeEach(() => {
  ask.mockClear();
  results = new Results(ask);
});

describe('pages', () => {
  it('are asked for when they come into view, and once', async () => {
    await results.need(0, 9);
    await results.need(5, 20);
    expect(ask).toHaveBeenCalledOnce();
    expect(results.total).toBe(TOTAL);
    expect(results.at(7)?.position).toBe(7);
    expect(results.at(PAGE)).toBeUndefined();
    await results.need(PAGE - 1, 2 * PAGE);
    expect(ask).toHaveBeenCalledTimes(3);
    expect(results.at(2 * PAGE)?.position).toBe(2 * PAGE);
  });

  it('are asked for again after a failure', async () => {
    ask.mockRejectedValueOnce(new Error('away'));
    await results.need(0, 9);
    expect(results.problem).toBeTruthy();
    await results.need(0, 9);
    expect(results.problem).toBeUndefined();
    expect(results.at(0)).toBeDefined();
  });

  it('stay while they are asked for anew', async () => {
    await results.need(0, 9);
    const refreshed = results.refresh();
    expect(results.at(0)).toBeDefined();
    await refreshed;
    expect(ask).toHaveBeenCalledTimes(2);
  });
});

describe('the filter', () => {
  it('becomes a query without what is not chosen', async () => {
    await results.choose({ column: 'gender', label: 'Men', status: 'category' });
    const query = {
      column: 'gender',
      label: 'Men',
      status: 'category',
      sort: 'position',
      offset: 0,
      limit: PAGE,
    };
    expect(ask).toHaveBeenLastCalledWith(query);
    expect(results.isFiltered).toBe(true);
  });

  it('asks for a tenth of the confidence without the next one’s first value', async () => {
    await results.choose({ tenth: 0.5 });
    const query = ask.mock.lastCall?.[0];
    expect(query?.min_confidence).toBe(0.5);
    expect(query?.max_confidence).toBeLessThan(0.6);
    await results.choose({ tenth: 0.9 });
    expect(ask.mock.lastCall?.[0].max_confidence).toBe(1);
  });

  it('leaves the old results until the new ones are there', async () => {
    await results.need(0, 9);
    ask.mockResolvedValueOnce({ total: 1, results: [result(99)] });
    const chosen = results.choose({ status: 'failed' });
    expect(results.total).toBe(TOTAL);
    expect(results.at(1)?.position).toBe(1);
    await chosen;
    expect(results.total).toBe(1);
    expect(results.at(0)?.position).toBe(99);
    expect(results.at(1)).toBeUndefined();
  });

  it('leaves no old results where the new ones cannot be had', async () => {
    await results.need(0, 9);
    ask.mockRejectedValueOnce(new Error('away'));
    await results.choose({ status: 'failed' });
    expect(results.problem).toBeTruthy();
    expect(results.total).toBeUndefined();
    expect(results.at(0)).toBeUndefined();
  });

  it('drops an answer to what is no longer asked', async () => {
    let late: (answer: { total: number; results: JobResult[] }) => void = () => undefined;
    ask.mockImplementationOnce(() => new Promise((resolve) => (late = resolve)));
    const first = results.need(0, 9);
    await results.choose({ status: 'failed' });
    late({ total: 1, results: [result(99)] });
    await first;
    expect(results.total).toBe(TOTAL);
    expect(results.at(0)?.position).toBe(0);
  });
});

it('puts a corrected result in its place', async () => {
  await results.need(0, 9);
  results.replace(result(3, 'corrected.jpg'));
  expect(results.at(3)?.photo).toBe('corrected.jpg');
  expect(results.at(4)?.photo).toBe('4.jpg');
});

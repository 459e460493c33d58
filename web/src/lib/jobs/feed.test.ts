import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Job } from '../api/types.ts';
import { JobFeed, type EventStream } from './feed.ts';

class FakeStream implements EventStream {
  onerror: ((event: Event) => void) | null = null;
  readyState = 1;
  closed = false;
  #listener: ((event: MessageEvent<string>) => void) | undefined;

  addEventListener(_: 'progress', listener: (event: MessageEvent<string>) => void): void {
    this.#listener = listener;
  }
  close(): void {
    this.closed = true;
  }
  send(job: Partial<Job>): void {
    this.#listener?.(new MessageEvent('progress', { data: JSON.stringify(job) }));
  }
  fail(readyState: number): void {
    this.readyState = readyState;
    this.onerror?.(new Event('error'));
  }
}

let streams: FakeStream[];
const seen = vi.fn<(job: Job) => void>();
const lost = vi.fn<(lost: boolean) => void>();
const open = () => {
  const stream = new FakeStream();
  streams.push(stream);
  return stream;
};
const stream = (index = 0) => streams[index] as FakeStream;

beforeEach(() => {
  vi.useFakeTimers();
  streams = [];
  seen.mockReset();
  lost.mockReset();
});
afterEach(() => void vi.useRealTimers());

it('passes on every job, and ends with the last state', () => {
  new JobFeed('/events', { onJob: seen, open });
  stream().send({ state: 'running', done: 3 });
  expect(stream().closed).toBe(false);
  stream().send({ state: 'done', done: 9 });
  expect(seen).toHaveBeenCalledTimes(2);
  expect(stream().closed).toBe(true);
});

it('leaves a broken connection to the browser', async () => {
  new JobFeed('/events', { onJob: seen, onLost: lost, open });
  stream().fail(0);
  stream().fail(0);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(streams).toHaveLength(1);
  expect(lost.mock.calls).toEqual([[true]]);
  stream().send({ state: 'running' });
  expect(lost).toHaveBeenLastCalledWith(false);
});

it('connects anew when the browser gave up, each time a little later', async () => {
  new JobFeed('/events', { onJob: seen, onLost: lost, open });
  stream().fail(2);
  await vi.advanceTimersByTimeAsync(1000);
  expect(streams).toHaveLength(2);
  stream(1).fail(2);
  await vi.advanceTimersByTimeAsync(1500);
  expect(streams).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(500);
  expect(streams).toHaveLength(3);
});

it('does not connect any more once it is closed', async () => {
  const feed = new JobFeed('/events', { onJob: seen, open });
  stream().fail(2);
  feed.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(streams).toHaveLength(1);
});

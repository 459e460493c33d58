import { beforeEach, expect, it, vi } from 'vitest';

import type { Job } from '../api/types.ts';
import { JobList } from './job-list.svelte.ts';

const job = (id: string, state: Job['state']) => ({ id, state, done: 0 }) as Job;

let feeds: Record<string, { tell: (job: Job) => void; close: () => void }>;
const follow = (id: string, onJob: (job: Job) => void) => {
  const feed = { tell: onJob, close: vi.fn() };
  feeds[id] = feed;
  return feed;
};
beforeEach(() => {
  feeds = {};
});

it('follows the running job and the oldest one that waits', async () => {
  const jobs = [job('d', 'queued'), job('c', 'queued'), job('b', 'running'), job('a', 'done')];
  await new JobList(async () => ({ jobs, total: 4 }), follow).load();
  expect(Object.keys(feeds).sort()).toEqual(['b', 'c']);
});

it('shows progress at once, and follows the next job when one ends', async () => {
  const jobs = [job('c', 'queued'), job('b', 'queued'), job('a', 'running')];
  const list = new JobList(async () => ({ jobs, total: 3 }), follow);
  await list.load();
  feeds.a?.tell({ ...job('a', 'running'), done: 5 });
  expect(list.jobs?.[2]?.done).toBe(5);
  expect(feeds.c).toBeUndefined();
  feeds.a?.tell(job('a', 'done'));
  expect(feeds.a?.close).toHaveBeenCalled();
  expect(feeds.c).toBeDefined();
});

it('keeps what it has when asking again fails', async () => {
  const ask = vi
    .fn()
    .mockResolvedValueOnce({ jobs: [job('a', 'done')], total: 1 })
    .mockRejectedValue(new Error('x'));
  const list = new JobList(ask, follow);
  await list.load();
  await list.load(20);
  expect(list.jobs).toHaveLength(1);
  expect(list.offset).toBe(0);
  expect(list.problem).toBeTruthy();
});

it('follows nothing once it is closed', async () => {
  const list = new JobList(async () => ({ jobs: [job('a', 'running')], total: 1 }), follow);
  await list.load();
  list.close();
  expect(feeds.a?.close).toHaveBeenCalled();
});

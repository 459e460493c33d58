import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Job, JobDetail } from '../api/types.ts';
import { WatchedJob, type JobCalls } from './watched-job.svelte.ts';

const summary = { by_class: {}, by_reason: [], by_answer: [], by_flag: [], by_confidence: [] };
const job = (state: Job['state'], done = 0) => ({ id: '1', state, done, total: 9 }) as Job;
const detail = (state: Job['state'], done = 0): JobDetail => ({ ...job(state, done), summary });

let tell: (job: Job) => void;
let lose: (lost: boolean) => void;
const close = vi.fn();
const onResults = vi.fn();
const calls = {
  ask: vi.fn<JobCalls['ask']>(),
  cancel: vi.fn<JobCalls['cancel']>(),
  remove: vi.fn<JobCalls['remove']>(),
  follow: vi.fn<JobCalls['follow']>(),
};

let watched: WatchedJob;
beforeEach(() => {
  vi.useFakeTimers();
  vi.resetAllMocks();
  calls.ask.mockResolvedValue(detail('running', 2));
  calls.follow.mockImplementation((onJob, onLost) => {
    [tell, lose] = [onJob, onLost];
    return { close };
  });
  watched = new WatchedJob(calls, onResults);
});
afterEach(() => void vi.useRealTimers());

it('takes up a running job where it is: a reload changes nothing', async () => {
  await watched.load();
  expect(watched.job?.done).toBe(2);
  tell(job('running', 3));
  expect(watched.job?.done).toBe(3);
});

it('does not follow a job that has ended', async () => {
  calls.ask.mockResolvedValue(detail('done', 9));
  await watched.load();
  expect(calls.follow).not.toHaveBeenCalled();
  expect(onResults).toHaveBeenCalledOnce();
});

it('asks for the summary at a calm pace, and at once at the end', async () => {
  await watched.load();
  for (const done of [3, 4, 5]) tell(job('running', done));
  expect(calls.ask).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(2000);
  expect(calls.ask).toHaveBeenCalledTimes(2);
  expect(onResults).toHaveBeenCalledTimes(2);
  tell(job('done', 9));
  await vi.advanceTimersByTimeAsync(0);
  expect(calls.ask).toHaveBeenCalledTimes(3);
});

it('says when the connection is lost, and when it is back', async () => {
  await watched.load();
  lose(true);
  expect(watched.lost).toBe(true);
  lose(false);
  expect(watched.lost).toBe(false);
});

it('can be cancelled, and says why it cannot be removed', async () => {
  await watched.load();
  calls.cancel.mockResolvedValue(job('cancelled', 2));
  await watched.cancel();
  expect(watched.job?.state).toBe('cancelled');
  calls.remove.mockRejectedValue(new Error('no'));
  expect(await watched.remove()).toBe(false);
  expect(watched.problem).toBeTruthy();
  calls.remove.mockResolvedValue(undefined);
  expect(await watched.remove()).toBe(true);
  expect(close).toHaveBeenCalled();
});

it('says no more that the service was away once it answers again', async () => {
  await watched.load();
  calls.ask.mockRejectedValueOnce(new Error('away'));
  await watched.refresh();
  expect(watched.problem).toBeTruthy();
  await watched.refresh();
  expect(watched.problem).toBeUndefined();
  watched.problem = 'not kept';
  await watched.refresh();
  expect(watched.problem).toBe('not kept');
});

it('is quiet once it is closed', async () => {
  await watched.load();
  tell(job('running', 3));
  watched.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(calls.ask).toHaveBeenCalledTimes(1);
});

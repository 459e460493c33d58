import { describe, expect, it, vi } from 'vitest';

import { ProblemError } from '../api/problem.ts';
import { labelled, photoNamed } from './made-up.ts';
import type { Photo } from './photo.svelte.ts';
import { Sending, type Ask } from './sending.svelte.ts';

const photos = (count: number, bytes = 1) =>
  Array.from({ length: count }, (_, position) => photoNamed(`${position}.jpg`, bytes));
const model = { id: 'default', version: '1', name: 'default' };
const reply = (asked: readonly Photo[]) => ({
  model,
  latency_ms: 1,
  photos: asked.map(({ name }) => labelled(name)),
});
const answering = () => vi.fn<Ask>(async (asked) => reply(asked));
const busy = (after: number | null = 1) => new ProblemError('busy', 503, 'queue_full', null, after);
const settled = (sending: Sending) => vi.waitFor(() => expect(sending.running).toBe(false));
const now = () => Promise.resolve();

describe('sending', () => {
  it('gives every photo its own answer, in small requests', async () => {
    const ask = answering();
    const sending = new Sending(ask);
    const all = photos(40);
    sending.add(all);
    await settled(sending);
    expect(all.every((photo) => photo.answer?.photo === photo.name && photo.modelId === 'default')).toBe(
      true,
    );
    const sizes = ask.mock.calls.map(([asked]) => asked.length);
    expect(sizes.slice(0, 3)).toEqual([3, 3, 3]);
    expect(Math.max(...sizes)).toBe(12);
  });

  it('has at most three requests under way', async () => {
    let [underWay, most] = [0, 0];
    const sending = new Sending(async (asked) => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 1));
      underWay -= 1;
      return reply(asked);
    });
    sending.add(photos(30));
    sending.add(photos(30));
    await settled(sending);
    expect(most).toBe(3);
  });

  it('keeps requests of large photos small', async () => {
    const ask = answering();
    const sending = new Sending(ask);
    sending.add(photos(4, 10_000_000));
    await settled(sending);
    expect(Math.max(...ask.mock.calls.map(([asked]) => asked.length))).toBe(2);
  });

  it('waits as long as a busy service asks, then goes on', async () => {
    const ask = answering().mockRejectedValueOnce(busy(7));
    const sleep = vi.fn(now);
    const sending = new Sending(ask, sleep);
    const [photo] = photos(1);
    sending.add(photo ? [photo] : []);
    await settled(sending);
    expect(sleep).toHaveBeenCalledWith(7, expect.anything());
    expect(photo?.answer?.status).toBe('labelled');
    expect(sending.pausedS).toBe(0);
  });

  it('tells a service that is away from a busy one', async () => {
    const ask = answering().mockRejectedValueOnce(busy()).mockRejectedValueOnce(ProblemError.unreachable());
    const seen: boolean[] = [];
    const sending = new Sending(ask, async () => void seen.push(sending.away));
    sending.add(photos(1));
    await settled(sending);
    expect(seen).toEqual([false, true]);
  });

  it('gives up after some tries and says why; resume goes on', async () => {
    const ask = vi.fn<Ask>().mockRejectedValue(ProblemError.unreachable());
    const sending = new Sending(ask, now);
    const all = photos(2);
    sending.add(all);
    await settled(sending);
    expect(ask).toHaveBeenCalledTimes(5);
    expect(sending.problem).toContain('The service isn’t responding.');
    expect(sending.waiting).toEqual(all);
    ask.mockImplementation(async (asked) => reply(asked));
    sending.resume();
    await settled(sending);
    expect(sending.problem).toBeUndefined();
    expect(all.every(({ answer }) => answer)).toBe(true);
  });

  it('finds the photo that a request was refused for', async () => {
    const ask = vi.fn<Ask>(async (asked) => {
      if (asked.some(({ name }) => name === '1.jpg')) throw new ProblemError('too large', 413, 'too_large');
      return reply(asked);
    });
    const sending = new Sending(ask);
    const all = photos(3);
    sending.add(all);
    await settled(sending);
    expect(all.map(({ answer }) => answer?.status)).toEqual(['labelled', 'failed', 'labelled']);
    expect(all[1]?.failure?.reason).toBe('too_many_bytes');
  });

  it('loses no photo of a refused request where the service goes away', async () => {
    const ask = vi.fn<Ask>(async (asked) => {
      if (asked.length > 1) throw new ProblemError('too large', 413, 'too_large');
      throw ProblemError.unreachable();
    });
    const sending = new Sending(ask, now);
    const all = photos(3);
    sending.add(all);
    await settled(sending);
    expect(sending.waiting).toEqual(all);
  });

  it('stops at once, without a problem, and keeps what is left', async () => {
    const ask: Ask = (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const sending = new Sending(ask);
    const all = photos(20);
    sending.add(all);
    sending.stop();
    await settled(sending);
    expect(sending.waiting).toHaveLength(20);
    expect(sending.problem).toBeUndefined();
    expect(all.some((photo) => photo.sending)).toBe(false);
  });

  it('does not ask again about photos that went while they were under way', async () => {
    const ask: Ask = (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const sending = new Sending(ask);
    const all = photos(20);
    sending.add(all);
    sending.stop();
    sending.drop(new Set(all.slice(1)));
    await settled(sending);
    expect(sending.waiting).toEqual(all.slice(0, 1));
  });

  it('asks about a photo once, also where that is said twice', async () => {
    const ask = answering();
    const sending = new Sending(ask);
    const all = photos(20);
    sending.add(all);
    sending.add(all);
    expect(sending.waiting).toHaveLength(20 - 9);
    await settled(sending);
    expect(ask.mock.calls.flatMap(([asked]) => asked)).toHaveLength(20);
  });

  it('forgets photos that are gone', () => {
    const sending = new Sending(answering());
    const all = photos(20);
    sending.waiting = all;
    sending.drop(new Set(all.slice(0, 19)));
    expect(sending.waiting).toEqual(all.slice(19));
  });
});

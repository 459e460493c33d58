import { beforeEach, expect, it, vi } from 'vitest';

import { BatchFeed, type EventStream } from './batch-feed.ts';
import { Presence } from './presence.svelte.ts';
import { BatchDesk } from './desk.svelte.ts';
import { FakeService, product } from './fake-service.ts';

let fake: FakeService;
let desk: BatchDesk;
let presence: Presence;
const event = (ids: string[], versions = {}) =>
  ({ type: 'products', ids, versions, removed: [] as string[], all: false }) as const;

beforeEach(async () => {
  fake = new FakeService([product('0'), product('1')]);
  desk = new BatchDesk('b1', fake.service);
  presence = new Presence(desk, () => 'Anna');
  await desk.open({});
  fake.calls = [];
});

it('brings in what somebody else has changed', async () => {
  await fake.decide('b1', { products: ['1'] }, { set: { gender: 'Women' } });
  presence.receive(event(['1'], { 1: 2 }));
  await vi.waitFor(() => expect(desk.list.at(1)?.label.gender?.value).toBe('Women'));
});

it('asks for nothing after an own change, whose version is known', async () => {
  await desk.decide({ confirm: true }, { products: ['0'] });
  fake.calls = [];
  presence.receive(event(['0'], { 0: 2 }));
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(fake.calls).toEqual([]);
});

it('shows new products where nothing is filtered', async () => {
  fake.products_ = [...fake.products_, product('2')];
  presence.receive(event(['2'], { 2: 1 }));
  await vi.waitFor(() => expect(desk.list.total).toBe(3));
});

it('waits for what it has asked for before it asks again', async () => {
  vi.useFakeTimers();
  const asked: (() => void)[] = [];
  vi.spyOn(fake, 'counts').mockImplementation(
    () => new Promise((_, reject) => asked.push(() => reject(new Error('nothing to count')))),
  );
  presence.receive(event(['1'], { 1: 5 }));
  await vi.advanceTimersByTimeAsync(200);
  presence.receive(event(['1'], { 1: 6 }));
  await vi.advanceTimersByTimeAsync(500);
  expect(asked).toHaveLength(1);
  asked[0]?.();
  await vi.advanceTimersByTimeAsync(400);
  expect(asked).toHaveLength(1); // it took longer than that, and rests as long
  await vi.advanceTimersByTimeAsync(500);
  expect(asked).toHaveLength(2);
  vi.useRealTimers();
});

it('takes away what somebody else has deleted', () => {
  presence.receive({ ...event([]), removed: ['0'] });
  expect([desk.list.total, desk.list.at(0)?.id]).toEqual([1, '1']);
});

it('knows where the others are, but not oneself', () => {
  presence.receive({ type: 'presence', who: 'Ben', product: '1' });
  presence.receive({ type: 'presence', who: 'Anna', product: '0' });
  expect([presence.at('1'), presence.at('0')]).toEqual([['Ben'], []]);
  presence.receive({ type: 'presence', who: 'Ben', product: null });
  expect(presence.everyone).toEqual([]);
});

it('opens a new stream where the browser has given up, and asks for what was missed', () => {
  vi.useFakeTimers();
  const streams: EventStream[] = [];
  const open = () => {
    const stream = { onerror: null, onopen: null, onmessage: null, readyState: 2, close: vi.fn() };
    streams.push(stream);
    return stream;
  };
  const onBack = vi.fn();
  const feed = new BatchFeed('/events', { onEvent: vi.fn(), onBack, open });
  streams[0]?.onerror?.(new Event('error'));
  vi.advanceTimersByTime(1000);
  expect(streams).toHaveLength(2);
  streams[1]?.onopen?.(new Event('open'));
  expect(onBack).toHaveBeenCalledOnce();
  feed.close();
  vi.useRealTimers();
});

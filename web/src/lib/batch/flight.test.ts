import { beforeEach, afterEach, expect, it, vi } from 'vitest';

import { Flight } from './flight.svelte.ts';

let flight: Flight;
const onrest = vi.fn();

beforeEach(() => {
  vi.useFakeTimers();
  onrest.mockClear();
  flight = new Flight(onrest);
});
afterEach(() => vi.useRealTimers());

it('is fast while a window passes in a tenth of a second, and rests soon after', () => {
  flight.move(0, 1000);
  flight.move(240, 1016);
  expect(flight.isFast).toBe(true);
  vi.advanceTimersByTime(90);
  flight.move(480, 1106);
  vi.advanceTimersByTime(90);
  expect(flight.isFast).toBe(true);
  vi.advanceTimersByTime(20);
  expect([flight.isFast, onrest.mock.calls.length]).toEqual([false, 1]);
});

it('is not fast at the speed of a wheel, nor in a single leap', () => {
  flight.move(0, 1000);
  for (let frame = 1; frame < 10; frame += 1) flight.move(frame * 60, 1000 + frame * 16);
  flight.move(90_000, 5000);
  expect(flight.isFast).toBe(false);
});

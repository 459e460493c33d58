import { describe, expect, it } from 'vitest';

import { bytes, count, duration, exactPercent, grouped, percent } from './numbers.ts';

describe('percent', () => {
  it.each([
    [0, '0%'],
    [0.001, '<1%'],
    [0.5, '50%'],
    [0.994, '99%'],
    [0.9999, '99%'],
    [1, '100%'],
  ])('writes %d as %s', (share, text) => expect(percent(share)).toBe(text));

  it('keeps a tenth where a model is judged', () => expect(exactPercent(0.8731)).toBe('87.3%'));
});

describe('count', () => {
  it('knows one from many', () =>
    expect([count(1, 'photo'), count(0, 'photo')]).toEqual(['1 photo', '0 photos']));
  it('groups thousands', () => expect(count(1204, 'class', 'classes')).toBe('1,204 classes'));
});

it('groups thousands', () => expect(grouped(33708)).toBe('33,708'));

describe('bytes', () => {
  it.each([
    [0, '0 bytes'],
    [999, '999 bytes'],
    [7_500_000, '7.5 MB'],
    [2e15, '2,000.0 TB'],
  ])('writes %d as %s', (amount, text) => expect(bytes(amount)).toBe(text));
});

describe('duration', () => {
  it.each([
    [0.2, '1 s'],
    [59, '59 s'],
    [95, '2 min'],
    [7500, '2 h 05 min'],
  ])('writes %d seconds as %s', (seconds, text) => expect(duration(seconds)).toBe(text));
});

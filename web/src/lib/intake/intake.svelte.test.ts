import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { Batch } from '../api/batch.ts';
import { ProblemError } from '../api/problem.ts';
import { meant, nameOf, pasted, requestsOf } from './files.ts';
import { Intake } from './intake.svelte.ts';
import { shrink } from './shrink.ts';

const file = (name: string, bytes = 1) => new File([new Uint8Array(bytes)], name, { type: 'image/jpeg' });
const names = (files: readonly File[]) => files.map(({ name }) => name);

describe('files', () => {
  it('leave out what computers put into folders', () =>
    expect(
      names(meant(['a/.DS_Store', 'a/Thumbs.db', '__MACOSX/a.jpg', 'a/b.jpg'].map((name) => file(name)))),
    ).toEqual(['a/b.jpg']));

  it.each([
    [['Spring/a.jpg', 'Spring/in/b.jpg'], 'Spring'],
    [['a.jpg', 'supplier.zip', 'list.xlsx'], 'supplier'],
    [['a.jpg', 'list.v2.xlsx'], 'list.v2'],
    [['shirt.jpg'], 'shirt'],
    [['a.jpg', 'b.jpg'], undefined],
  ])('%j name the batch %s', (given, name) => expect(nameOf(given.map((one) => file(one)))).toBe(name));

  it('from the clipboard get names that tell them apart', () => {
    const now = new Date('2026-01-05T10:20:30Z');
    expect(names(pasted([file('image.png'), file('image.png')], now))).toEqual([
      'pasted 2026-01-05 10.20.30 (1).png',
      'pasted 2026-01-05 10.20.30 (2).png',
    ]);
    expect(names(pasted([file('shirt.png')], now))).toEqual(['shirt.png']);
  });

  it('go sheets first, the first photos soon, and no request too large', () => {
    const photos = Array.from({ length: 5 }, (_, place) => file(`${place}.jpg`, 30));
    const limits = { first: 2, firstRequests: 1, files: 10, bytes: 100 };
    const requests = requestsOf([...photos, file('list.csv', 1)], limits);
    expect(requests.map(names)).toEqual([['list.csv', '0.jpg'], ['1.jpg', '2.jpg', '3.jpg'], ['4.jpg']]);
  });
});

describe('a photo', () => {
  const drawn = (bytes: number) =>
    vi.fn(async () => new Blob([new Uint8Array(bytes)], { type: 'image/jpeg' }));
  const large = (type: string) => new File([new Uint8Array(800_000)], 'a.png', { type });

  it('is sent smaller where it is large, under its own name', async () => {
    const draw = drawn(10);
    const sent = await shrink(large('image/png'), draw);
    expect([sent.name, sent.type, sent.size]).toEqual(['a.png', 'image/jpeg', 10]);
    expect(draw.mock.calls).toEqual([[expect.any(File), 1600]]);
  });

  it.each([
    ['is small', file('a.jpg', 700_000), drawn(10)],
    ['is of a kind that browsers can’t draw', large('image/heic'), drawn(10)],
    ['would become no smaller', large('image/png'), drawn(800_000)],
    ['can’t be drawn', large('image/png'), vi.fn(() => Promise.reject(new Error('broken')))],
  ])('is sent as it is if it %s', async (_, given, draw) => expect(await shrink(given, draw)).toBe(given));
});

describe('the intake', () => {
  const create = vi.fn(async ({ name }: { name?: string }) => ({ id: 'b1', name }) as Batch);
  const send = vi.fn();
  let intake: Intake;
  beforeEach(() => {
    create.mockClear();
    send.mockReset().mockResolvedValue({ received: [] });
    intake = new Intake(
      { create, send },
      async (given) => given,
      async () => undefined,
    );
  });
  const isHeldBack = () => {
    const leaving = new Event('beforeunload', { cancelable: true });
    intake.holdBack(leaving);
    return leaving.defaultPrevented;
  };
  const done = (batch = 'b1') => vi.waitFor(() => expect(intake.sendings.get(batch)?.isDone).toBe(true));

  it('makes a batch of what is dropped, and sends it there', async () => {
    const batch = await intake.take([file('Spring/a.jpg'), file('Spring/b.jpg')], { name: 'x' });
    expect(batch?.name).toBe('Spring');
    await done();
    expect(send).toHaveBeenCalledOnce();
    expect(intake.isBusy).toBe(false);
  });

  it('makes none of nothing', async () => {
    expect(await intake.take([file('.DS_Store')], { name: 'x' })).toBeUndefined();
    expect(create).not.toHaveBeenCalled();
  });

  it('repeats a request under the same key until the service is there', async () => {
    send.mockRejectedValueOnce(ProblemError.unreachable());
    await intake.take([file('a.jpg')], { batch: 'b1', name: '' });
    await done();
    const keys = send.mock.calls.map(([, , { key }]) => key);
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  it('finds the one file that is to blame, and sends the others', async () => {
    send.mockImplementation(async (_: string, files: File[]) => {
      if (names(files).includes('huge.jpg')) throw new ProblemError('Too large.', 413, 'too_large');
      return { received: [] };
    });
    await intake.take(
      ['a.jpg', 'huge.jpg', 'b.jpg'].map((name) => file(name)),
      { batch: 'b1', name: '' },
    );
    await done();
    expect(intake.sendings.get('b1')?.problems).toMatchObject([{ name: 'huge.jpg', problem: 'Too large.' }]);
    expect(intake.sendings.get('b1')?.sent).toBe(3);
  });

  it('keeps what could not be sent, and sends it when it is asked to', async () => {
    send.mockRejectedValueOnce(new ProblemError('Full.', 507, 'full'));
    await intake.take([file('a.jpg')], { batch: 'b1', name: '' });
    await done();
    expect(intake.sendings.get('b1')?.problem).toBe('Full.');
    expect(isHeldBack()).toBe(true);
    await intake.resume('b1');
    expect([intake.sendings.get('b1')?.sent, intake.sendings.get('b1')?.problem]).toEqual([1, undefined]);
    expect(isHeldBack()).toBe(false);
  });

  it('lets the browser ask before files that are on their way are lost', async () => {
    const { promise, resolve } = Promise.withResolvers();
    send.mockReturnValueOnce(promise);
    expect(isHeldBack()).toBe(false);
    await intake.take([file('a.jpg')], { batch: 'b1', name: '' });
    expect(isHeldBack()).toBe(true);
    resolve({ received: [] });
    await done();
    expect(isHeldBack()).toBe(false);
  });

  it('sends a file that can’t be read once, and offers no second try', async () => {
    const unreadable = { name: 'a.jpg', kind: 'photo', photos: 0, problem: 'not a photo' };
    send.mockResolvedValue({ received: [unreadable] });
    await intake.take([file('a.jpg')], { batch: 'b1', name: '' });
    await done();
    expect(intake.sendings.get('b1')).toMatchObject({ problem: undefined, problems: [unreadable] });
    await intake.resume('b1');
    expect(send).toHaveBeenCalledOnce();
  });

  it('makes photos smaller, unless the originals are to be kept', async () => {
    const smaller = vi.fn(async () => file('small.jpg'));
    const shrinking = new Intake({ create, send }, smaller);
    await shrinking.send('b1', [file('a.jpg')]);
    shrinking.keep(true);
    await shrinking.send('b1', [file('b.jpg')]);
    shrinking.keep(false);
    expect(send.mock.calls.map(([, files]) => names(files))).toEqual([['small.jpg'], ['b.jpg']]);
  });

  it('says why there is no batch', async () => {
    create.mockRejectedValueOnce(new ProblemError('No.', 403, 'forbidden'));
    expect(await intake.take([file('a.jpg')], { name: 'x' })).toBeUndefined();
    expect(intake.problem).toBe('No.');
  });
});

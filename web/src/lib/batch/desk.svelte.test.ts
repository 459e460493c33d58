import { beforeEach, describe, expect, it, vi } from 'vitest';

import { ProblemError } from '../api/problem.ts';
import { BatchDesk } from './desk.svelte.ts';
import { FakeService, product, SHIRT } from './fake-service.ts';

let fake: FakeService;
let desk: BatchDesk;
beforeEach(async () => {
  fake = new FakeService(Array.from({ length: 300 }, (_, place) => product(String(place))));
  desk = new BatchDesk('b1', fake.service);
  await desk.open({});
});

describe('selection', () => {
  it('is the one that was clicked, those added by ctrl, and the range by shift', async () => {
    await desk.selection.click(2);
    expect(desk.selection.target).toEqual({ products: ['2'] });
    await desk.selection.click(5, { toggle: true });
    expect(desk.selection.count).toBe(2);
    await desk.selection.click(8, { shift: true });
    expect(desk.selection.target).toEqual({ products: ['5', '6', '7', '8'] });
  });

  it('reaches over products that are not loaded', async () => {
    await desk.selection.click(10);
    await desk.selection.click(249, { shift: true });
    expect(desk.selection.count).toBe(240);
  });

  it('can be all that match but a few', async () => {
    desk.selection.all();
    await desk.selection.click(3, { toggle: true });
    expect(desk.selection.count).toBe(299);
    expect([desk.selection.has('3'), desk.selection.has('4')]).toEqual([false, true]);
    await desk.decide({ set: { gender: 'Women' } });
    const women = fake.products_.filter(({ label }) => label.gender?.value === 'Women');
    expect(women).toHaveLength(299);
  });

  it('ends with the list that it belongs to', async () => {
    desk.selection.all();
    await desk.show({ q: 'Product 1' });
    expect(desk.selection.isEmpty).toBe(true);
  });
});

describe('a decision', () => {
  it('shows before the service has answered', async () => {
    await desk.selection.click(0);
    const deciding = desk.decide({ set: { gender: 'Women' } });
    expect(desk.list.at(0)?.label.gender?.value).toBe('Women');
    expect(desk.batch?.counts.corrected).toBe(1);
    expect(await deciding).toBe(true);
    expect(desk.list.at(0)?.version).toBe(2);
  });

  it('is taken back where the service refuses it', async () => {
    vi.spyOn(fake, 'decide').mockRejectedValueOnce(new ProblemError('No.', 422, 'validation'));
    await desk.selection.click(0);
    expect(await desk.decide({ set: { gender: 'Women' } })).toBe(false);
    expect(desk.list.at(0)?.label.gender?.value).toBe('Men');
    expect(desk.problem).toBe('No.');
  });

  it('does not overwrite what somebody else has said meanwhile, and says so', async () => {
    fake.products_ = fake.products_.map((item) =>
      item.id === '0' ? product('0', { ...SHIRT, gender: ['Boys', 1] }, { version: 5 }) : item,
    );
    await desk.selection.click(0);
    expect(await desk.decide({ set: { gender: 'Women' } })).toBe(false);
    expect(desk.conflicts).toEqual([{ product: '0', by: 'Ben', value: null }]);
    expect(desk.list.at(0)?.label.gender?.value).toBe('Boys');
  });

  it('keeps a second change that was made before the first one was answered', async () => {
    const first = desk.decide({ set: { gender: 'Women' } }, { products: ['0'] });
    const second = desk.decide({ set: { season: 'Fall' } }, { products: ['0'] });
    await first;
    expect(desk.list.at(0)?.label.season?.value).toBe('Fall');
    expect(await second).toBe(true);
    expect(desk.list.at(0)?.label).toMatchObject({ gender: { value: 'Women' }, season: { value: 'Fall' } });
  });

  it('can be undone and redone in one step, however many products it was about', async () => {
    desk.selection.all();
    await desk.decide({ confirm: true });
    expect(desk.list.at(7)?.state).toBe('checked');
    await desk.undo();
    expect(desk.list.at(7)?.state).toBe('to_check');
    await desk.redo();
    expect(desk.list.at(7)?.state).toBe('checked');
    await desk.redo();
    expect([desk.nothingLeft, desk.problem]).toEqual([1, undefined]);
  });

  it('brings deleted products back to their places', async () => {
    await desk.selection.click(1);
    await desk.decide({ delete: true });
    expect([desk.list.total, desk.list.at(1)?.id]).toEqual([299, '2']);
    await desk.undo();
    expect([desk.list.total, desk.list.at(1)?.id]).toEqual([300, '1']);
  });
});

it('brings in what somebody else has changed', async () => {
  await fake.decide('b1', { products: ['3', '250'] }, { set: { gender: 'Women' } });
  await desk.changedElsewhere(['3', '250']);
  expect(desk.list.at(3)?.label.gender?.value).toBe('Women');
});

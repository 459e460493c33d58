import { beforeEach, expect, it, vi } from 'vitest';

import { ProblemError } from '../api/problem.ts';
import type { Shop, ShopModel, ShopService } from '../api/shop.ts';
import { marginOf, ShopDesk } from './shop-desk.svelte.ts';

const model = (version: number): ShopModel =>
  ({ id: `m${version}`, name: 'Shop', version, base: { id: 'default' }, figures: {} }) as ShopModel;

let desk: ShopDesk;
const promote = vi.fn();
beforeEach(async () => {
  promote.mockReset();
  const service = {
    get: async () => ({ in_use: { default: model(1) }, learning: null }) as unknown as Shop,
    models: async () => ({ items: [model(1), model(2)], total: 2 }),
    rollback: async () => null,
    promote,
  };
  desk = new ShopDesk(service as unknown as ShopService);
  await desk.load();
});

it('knows what is in use', () => {
  expect(desk.inUse).toMatchObject({ base: 'default', model: { version: 1 } });
});

it('keeps a refusal with the classes that are worse, until a reason is given', async () => {
  const refusal = new ProblemError('Worse', 409, 'significantly_worse');
  const tops = { name: 'Tops', checks: 18, right: 9, before_right: 15 };
  refusal.errors = [
    { field: 'articleType', message: 'Tops' },
    { field: 'gender', message: 'all classes' },
  ];
  promote.mockRejectedValueOnce(refusal).mockResolvedValueOnce(model(2));
  await desk.promote({ ...model(2), figures: { articleType: { classes: [tops] } } } as unknown as ShopModel);
  expect(desk.problem).toBeUndefined();
  expect(desk.refused?.worse.map(({ figures }) => figures)).toEqual([tops, null]);
  await desk.promote(model(2), 'Tops come as knitwear');
  expect(promote).toHaveBeenLastCalledWith('m2', 'Tops come as knitwear');
  expect([desk.refused, desk.said]).toEqual([null, 'Shop is in use.']);
});

it('says when the model is used as it came', async () => {
  await desk.rollback('default');
  expect(desk.said).toBe('The original model is in use again.');
});

it('tells the wider side of an interval', () => {
  expect(marginOf({ checked: 140, share: 0.93, low: 0.88, high: 0.96 })).toBe(5);
});

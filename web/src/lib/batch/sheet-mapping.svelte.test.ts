import { beforeEach, expect, it, vi } from 'vitest';

import type { SheetMapping, SheetView } from '../api/batch.ts';
import { ProblemError } from '../api/problem.ts';
import { SheetMapper } from './sheet-mapping.svelte.ts';

const view = (mapping: Partial<SheetMapping>): SheetView => ({
  sheets: ['Styles', 'Prices'],
  chosen: 'Styles',
  columns: ['SKU', 'Title', 'Image', 'Gender'].map((name) => ({ name, type: 'text', samples: [] })),
  mapping: { key: 'SKU', name: 'Title', photos: ['Image'], addresses: [], labels: {}, ...mapping },
  counts: { rows: 2, matched: 2, without_photo: 0, without_row: 0, ambiguous: 0 },
  fetching: { is_allowed: false, addresses: 0, to_fetch: 0, hosts: [], refused_hosts: [] },
  preview: [],
});
const sheet = vi.fn(async () => view({}));
const mapSheet = vi.fn(async (_: string, given: { mapping: SheetMapping; dry_run?: boolean }) =>
  view(given.mapping),
);

let mapper: SheetMapper;
beforeEach(async () => {
  mapSheet.mockClear();
  mapper = new SheetMapper({ sheet, mapSheet }, 'b1');
  await mapper.load();
});

it('knows what each column is', () =>
  expect(['SKU', 'Title', 'Image', 'Gender'].map((name) => mapper.roleOf(name))).toEqual([
    'key',
    'name',
    'photo',
    'show',
  ]));

it('tries a change without making it', async () => {
  await mapper.choose('Gender', 'label.gender');
  expect(mapSheet.mock.lastCall?.[1]).toMatchObject({
    dry_run: true,
    mapping: { labels: { gender: 'Gender' } },
  });
  expect(mapper.roleOf('Gender')).toBe('label.gender');
});

it('gives a column one role, and the key to one column', async () => {
  await mapper.choose('Title', 'key');
  expect([mapper.roleOf('SKU'), mapper.roleOf('Title')]).toEqual(['show', 'key']);
  expect(mapper.view?.mapping.name).toBeNull();
});

it('makes it when a person says so', async () => {
  expect(await mapper.accept()).toBe(true);
  expect(mapSheet.mock.lastCall?.[1]).toMatchObject({ dry_run: false, sheet: 'Styles' });
});

it('says why it could not', async () => {
  mapSheet.mockRejectedValueOnce(new ProblemError('No key.', 422, 'validation'));
  expect(await mapper.accept()).toBe(false);
  expect(mapper.problem).toBe('No key.');
});

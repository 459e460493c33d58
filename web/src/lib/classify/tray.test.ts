import { describe, expect, it, vi } from 'vitest';

import { ProblemError } from '../api/problem.ts';
import { failed, labelled, photoNamed, TEE } from './made-up.ts';
import type { Ask } from './sending.svelte.ts';
import { Tray } from './tray.svelte.ts';
import { Desk, describe as inWords } from './desk.svelte.ts';

const taxonomy = {
  levels: ['masterCategory', 'subCategory', 'articleType'],
  paths: [
    ['Apparel', 'Topwear', 'Tshirts'],
    ['Apparel', 'Topwear', 'Tops'],
    ['Apparel', 'Bottomwear', 'Jeans'],
  ],
  columns: { gender: ['Men', 'Women'] },
};
const files = (count: number) => Array.from({ length: count }, (_, n) => new File(['x'], `${n}.jpg`));

async function filled(count = 3, doubtful: string[] = []) {
  const ask: Ask = async (photos) => ({
    model: { id: 'default', version: '1', name: 'default' },
    latency_ms: 1,
    photos: photos.map(({ name }) => labelled(name, TEE, doubtful)),
  });
  const tray = new Tray(ask);
  vi.spyOn(tray.model, 'knownTaxonomy').mockReturnValue(taxonomy);
  vi.spyOn(tray.model, 'taxonomyOf').mockResolvedValue(taxonomy);
  const photos = tray.add(files(count));
  await vi.waitFor(() => expect(tray.answered).toBe(count));
  return { tray, photos, desk: new Desk(tray) };
}

describe('tray', () => {
  it('sums up how things stand', async () => {
    const { tray } = await filled(2, ['articleType']);
    expect(tray.summary).toBe('2 photos · 2 to check');
    tray.remove(tray.photos[1] as never);
    expect(tray.summary).toBe('1 photo · 1 to check');
  });

  it('lets a leaf bring its parents, and takes it back', async () => {
    const { tray, photos } = await filled(1);
    const [photo] = photos;
    if (!photo) throw new Error('no photo');
    tray.sayPath(photo, 'Apparel › Bottomwear › Jeans');
    expect(inWords(photo)).toBe('Apparel › Bottomwear › Jeans, Men');
    tray.say(photo, 'masterCategory', 'Apparel');
    tray.say(photo, 'gender', 'Women');
    expect(inWords(photo)).toBe('Apparel › Bottomwear › Jeans, Women');
    expect([tray.edits.undo(), tray.edits.undo(), tray.edits.undo(), tray.edits.undo()]).toEqual([
      photo,
      photo,
      photo,
      undefined,
    ]);
    expect(inWords(photo)).toBe('Apparel › Topwear › Tshirts, Men');
  });

  it('takes a category back in levels that only another model knows', async () => {
    const { tray, photos } = await filled(1);
    const [photo] = photos;
    if (!photo) throw new Error('no photo');
    tray.sayPath(photo, 'Apparel › Bottomwear › Jeans');
    tray.say(photo, 'gender', 'Women');
    const coarse = { levels: ['masterCategory'], paths: [['Apparel'], ['Footwear']], columns: {} };
    vi.mocked(tray.model.knownTaxonomy).mockReturnValue(coarse);
    tray.say(photo, 'masterCategory', 'Footwear');
    expect(photo.corrections).toEqual({ masterCategory: 'Footwear', gender: 'Women' });
  });

  it('asks again with a person’s word kept', async () => {
    const { tray, photos } = await filled(1);
    const [photo] = photos;
    if (!photo) throw new Error('no photo');
    tray.say(photo, 'gender', 'Women');
    tray.askAgain([photo]);
    await vi.waitFor(() => expect(photo.answer).toBeDefined());
    expect(photo.labels.gender?.value).toBe('Women');
  });

  it('does not call photos outdated that are being asked about, or while no model is known', async () => {
    const { tray, photos } = await filled(2);
    expect(tray.outdated).toEqual([]);
    tray.model.list.value = [{ id: 'other', name: 'other', is_default: true }] as never;
    expect(tray.outdated).toEqual(photos);
    const refused = photoNamed('refused.jpg');
    refused.answer = failed('refused.jpg');
    tray.photos = [...photos, refused];
    expect(tray.outdated).toEqual(photos);
    tray.askAgain(photos);
    tray.sending.stop();
    expect(tray.outdated).toEqual([]);
  });

  it('counts as lost what is on the table and in no export', async () => {
    const { tray, photos } = await filled(3);
    for (const photo of photos) tray.say(photo, 'gender', 'Women');
    expect(tray.edits.unsaved).toBe(3);
    tray.edits.saving(photos.slice(1))();
    expect(tray.edits.unsaved).toBe(1);
    const saved = tray.edits.saving(photos);
    tray.say(photos[2] as never, 'gender', 'Men');
    saved();
    expect(tray.edits.unsaved).toBe(1);
    tray.edits.undo();
    expect(tray.edits.unsaved).toBe(0);
    tray.edits.undo();
    expect(tray.edits.unsaved).toBe(1);
    tray.remove(photos[2] as never);
    expect(tray.edits.unsaved).toBe(0);
  });

  it('puts a removed photo back where it was, with its picture and its labels', async () => {
    const { tray, photos } = await filled(3);
    const [first, photo] = photos;
    if (!first || !photo) throw new Error('no photo');
    const revoke = vi.spyOn(URL, 'revokeObjectURL');
    photo.thumbnail = 'blob:a';
    tray.say(first, 'gender', 'Women');
    tray.say(photo, 'gender', 'Women');
    tray.remove(photo);
    expect([tray.photos.length, tray.edits.last?.said]).toEqual([2, '1.jpg removed']);
    expect(tray.edits.undo()).toBe(photo);
    expect(tray.photos).toEqual(photos);
    expect([photo.labels.gender?.value, photo.thumbnail]).toEqual(['Women', 'blob:a']);
    expect(revoke).not.toHaveBeenCalled();
    tray.edits.undo();
    expect([photo.edited, first.edited]).toEqual([false, true]);
  });

  it('asks about a photo that came back before it had a label', async () => {
    const { tray, photos } = await filled(1);
    const [photo] = photos;
    if (!photo) throw new Error('no photo');
    photo.answer = undefined;
    tray.remove(photo);
    tray.edits.undo();
    await vi.waitFor(() => expect(photo.answer).toBeDefined());
  });

  it('frees the pictures of removed photos with all others', async () => {
    const { tray, photos } = await filled(2);
    const revoke = vi.spyOn(URL, 'revokeObjectURL');
    for (const photo of photos) photo.thumbnail = `blob:${photo.name}`;
    tray.remove(photos[0] as never);
    tray.clear();
    expect(revoke.mock.calls.flat().sort()).toEqual(['blob:0.jpg', 'blob:1.jpg']);
    expect(tray.edits.undo()).toBeUndefined();
  });

  it('forgets everything', async () => {
    const { tray, photos } = await filled(2);
    tray.say(photos[0] as never, 'gender', 'Women');
    tray.view.filter = 'edited';
    tray.clear();
    expect([tray.photos.length, tray.edits.unsaved, tray.edits.last, tray.view.filter]).toEqual([
      0,
      0,
      undefined,
      'all',
    ]);
  });
});

describe('desk', () => {
  it('gives the keys to the next tag when a filter takes the active one', async () => {
    const { tray, photos, desk } = await filled(3, ['articleType']);
    tray.view.filter = 'look';
    desk.enter(photos[1] as never);
    await desk.pick(photos[1] as never, 1);
    expect(photos[1]?.labels.articleType?.value).toBe('Tops');
    expect(desk.active).toBe(photos[2]);
  });

  it('picks nothing for a tag without doubt', async () => {
    const { photos, desk } = await filled(1);
    await desk.pick(photos[0] as never, 1);
    expect(photos[0]?.edited).toBe(false);
  });

  it('changes nothing and says why while the classes cannot be loaded', async () => {
    const { tray, photos, desk } = await filled(1, ['articleType']);
    const [photo] = photos;
    if (!photo) throw new Error('no photo');
    vi.mocked(tray.model.knownTaxonomy).mockReturnValue(undefined);
    vi.mocked(tray.model.taxonomyOf).mockRejectedValueOnce(ProblemError.unreachable());
    await desk.pick(photo, 1);
    expect(desk.problem).toMatch(/^Nothing was changed.* The service isn’t responding/);
    vi.mocked(tray.model.taxonomyOf).mockRejectedValueOnce(ProblemError.unreachable());
    await desk.edit(photo);
    expect([photo.corrections, desk.editing, tray.edits.last]).toEqual([{}, undefined, undefined]);
    await desk.edit(photo);
    expect([desk.problem, desk.editing?.photo]).toEqual([undefined, photo]);
  });

  it('edits the finest category first', async () => {
    const { photos, desk } = await filled(1);
    await desk.edit(photos[0] as never);
    expect(desk.editing).toEqual({ photo: photos[0], column: 'articleType' });
    desk.leave();
    expect(desk.editing).toBeUndefined();
  });

  it('moves with the arrows and stays on the table when a photo is removed', async () => {
    const { photos, desk } = await filled(3);
    desk.move('End', 2);
    expect(desk.active).toBe(photos[2]);
    desk.remove(photos[2] as never);
    expect(desk.active).toBe(photos[1]);
    expect(desk.move('x', 2)).toBe(false);
  });
});

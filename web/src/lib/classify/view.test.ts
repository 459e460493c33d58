import { describe, expect, it } from 'vitest';

import { failed, labelled, labelledPhoto, photoNamed, TEE } from './made-up.ts';
import { View } from './view.svelte.ts';

const WATCH = {
  masterCategory: ['Accessories', 0.99],
  subCategory: ['Watches', 0.99],
  articleType: ['Watches', 0.99],
} as const;

function made() {
  const tee = labelledPhoto('b10.jpg', TEE, ['gender']);
  const doubt = labelledPhoto('b9.jpg', { ...TEE, articleType: ['Tops', 0.4] }, ['articleType']);
  const watch = labelledPhoto('a.jpg', structuredClone(WATCH) as never);
  watch.answer = labelled('a.jpg', structuredClone(WATCH) as never, [], ['blurred']);
  const broken = photoNamed('c.jpg');
  broken.answer = failed('c.jpg');
  const waiting = photoNamed('d.jpg');
  const photos = [tee, doubt, watch, broken, waiting];
  return { tee, doubt, watch, broken, waiting, photos, view: new View(() => photos) };
}

describe('view', () => {
  it('counts each filter', () => {
    const { view, watch } = made();
    watch.corrections = { articleType: 'Clocks' };
    expect(view.counts).toEqual({ all: 5, look: 1, attributes: 1, flagged: 1, failed: 1, edited: 1 });
  });

  it('shows what passes the filter', () => {
    const { view, doubt, broken, watch } = made();
    view.filter = 'look';
    expect(view.shown).toEqual([doubt]);
    view.filter = 'failed';
    expect(view.shown).toEqual([broken]);
    view.filter = 'flagged';
    expect(view.shown).toEqual([watch]);
  });

  it('drops a tag from its filter when a person settles it', () => {
    const { view, doubt } = made();
    view.filter = 'look';
    doubt.corrections = { articleType: 'Tops' };
    expect(view.shown).toEqual([]);
  });

  it('shows a branch with all that is below it', () => {
    const { view, tee, doubt } = made();
    view.branch = 'Apparel › Topwear';
    expect(view.shown).toEqual([tee, doubt]);
    expect(view.branches).toContainEqual(['Accessories › Watches › Watches', 1]);
  });

  it('keeps the chosen branch when its last photo has gone elsewhere', () => {
    const { view, watch } = made();
    view.branch = 'Accessories › Watches';
    watch.corrections = { masterCategory: 'Apparel', subCategory: 'Topwear', articleType: 'Tops' };
    expect(view.branches).toContainEqual(['Accessories › Watches', 0]);
    view.branch = '';
    expect(view.branches.map(([branch]) => branch)).not.toContain('Accessories › Watches');
  });

  it('sorts names as people do, and doubt before certainty', () => {
    const { view, tee, doubt, watch, broken, waiting } = made();
    view.order = 'name';
    expect(view.shown).toEqual([watch, doubt, tee, broken, waiting]);
    view.order = 'doubt';
    expect(view.shown).toEqual([broken, doubt, tee, watch, waiting]);
    view.order = 'class';
    expect(view.shown.slice(-3)).toEqual([watch, doubt, tee].slice(0, 3));
  });

  it('shows everything again', () => {
    const { view } = made();
    view.filter = 'edited';
    view.branch = 'Footwear';
    view.reset();
    expect(view.shown).toHaveLength(5);
  });
});

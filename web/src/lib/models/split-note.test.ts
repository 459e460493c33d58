import { expect, it } from 'vitest';

import { joinedSets, splitLabel, splitName, splitNote } from './split-note.ts';

it('warns of a random split', () =>
  expect(splitNote({ split: 'test', strategy: 'random' })).toContain('inflates the figures'));
it('says that the validation split was used to choose', () =>
  expect(splitNote({ split: 'validation', strategy: 'grouped' })).toContain('test split is more reliable'));
it('warns of the training photos, however they were split', () =>
  expect(splitNote({ split: 'train', strategy: 'grouped' })).toContain('say little'));
it('admits what the card does not say', () =>
  expect(splitNote({ split: 'test', strategy: null })).toContain('does not say'));
it('does not call a set fair that the model learnt from', () => {
  const joined = joinedSets({ joined: ['custom', 'people'] });
  expect(splitNote({ split: 'custom', strategy: null }, joined)).toContain('was trained on');
  expect(splitNote({ split: 'custom', strategy: null }, joinedSets({}))).toContain('fairest');
});
it('names a data set as its authors do, and any other split in words', () =>
  expect(['fashion_mnist', 'test', 'next_season'].map(splitName)).toEqual([
    'Fashion-MNIST',
    'test',
    'next season',
  ]));
it('begins with a capital where a split stands by itself', () =>
  expect(['test', 'fashion_mnist'].map(splitLabel)).toEqual(['Test split', 'Fashion-MNIST split']));

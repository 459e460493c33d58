import { expect, it } from 'vitest';

import { splitNote } from './split-note.ts';

it('warns of a random split', () =>
  expect(splitNote({ split: 'test', strategy: 'random' })).toContain('flatters the figures'));
it('says that the validation split was used to choose', () =>
  expect(splitNote({ split: 'validation', strategy: 'grouped' })).toContain('test split says more'));
it('warns of the training photos, however they were split', () =>
  expect(splitNote({ split: 'train', strategy: 'grouped' })).toContain('say little'));
it('admits what the card does not say', () =>
  expect(splitNote({ split: 'test', strategy: null })).toContain('does not say'));

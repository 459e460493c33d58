import { afterEach, expect, it } from 'vitest';

import { words } from '../words/words.svelte.ts';
import { findingWords } from './finding-words.ts';

afterEach(() => (words.names = { columns: {}, labels: {} }));

it('names a column as the shop does', () => {
  words.names = { columns: { baseColour: 'colour' }, labels: {} };
  expect(findingWords('baseColour: Brown (12); Red (14)')).toBe('Colour: Brown (12); Red (14)');
});
it('writes a reason as words', () =>
  expect(findingWords('not_an_image: the file is text')).toBe('Not an image: the file is text'));
it('leaves everything else as it is', () => {
  for (const said of ['no photo bears this id', 'line 7: a field too many (too_long)', 'x.jpg is used'])
    expect(findingWords(said)).toBe(said);
});

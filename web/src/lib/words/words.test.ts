import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { de } from './de.ts';
import { enUs } from './en-us.ts';
import { en } from './en.ts';
import { es } from './es.ts';
import { fr } from './fr.ts';
import { date, number, preferred, said, t, words, type Message } from './words.svelte.ts';

const names = { columns: { baseColour: 'Farbe' }, labels: {} };

beforeEach(() => vi.stubGlobal('fetch', async () => Response.json(names)));

type Said = Readonly<Record<string, Message>>;

const placeholders = (message: Message | undefined): string[] => {
  const texts = typeof message === 'string' ? [message] : Object.values(message ?? {});
  return [...new Set(texts.flatMap((text) => text.match(/\{\w+\}/g) ?? []))].sort();
};

describe.each<[string, Said]>([
  ['de', de],
  ['fr', fr],
  ['es', es],
])('the messages of %s', (_, messages) => {
  it('are those of English, in the same order', () => expect(Object.keys(messages)).toEqual(Object.keys(en)));

  it('take the same values', () => {
    const own = Object.entries(messages).map(([key, message]) => [key, placeholders(message)]);
    expect(own).toEqual(Object.entries<Message>(en).map(([key, message]) => [key, placeholders(message)]));
  });

  it('say something', () => {
    const texts = Object.values(messages).flatMap((message) =>
      typeof message === 'string' ? [message] : [message.one, message.other],
    );
    expect(texts.filter((text) => text.trim() === '' || text !== text.trim())).toEqual([]);
  });
});

it('American English replaces messages that there are, with the same values', () => {
  for (const [key, message] of Object.entries(enUs)) {
    expect(placeholders(message)).toEqual(placeholders((en as Said)[key]));
    expect(message).not.toEqual((en as Said)[key]);
  }
});

describe('t', () => {
  afterEach(() => words.choose('en-GB'));

  it('chooses the form by the amount and writes numbers as the language does', async () => {
    expect(t('count.photos', { count: 1 })).toBe('1 photo');
    expect(t('count.photos', { count: 1204 })).toBe('1,204 photos');
    await words.choose('de');
    expect(t('count.photos', { count: 1204 })).toBe('1.204 Fotos');
    await words.choose('fr');
    expect(t('count.photos', { count: 0 })).toBe('0 photo');
    await words.choose('es');
    expect(t('count.photos', { count: 1_000_000 })).toBe('1.000.000 fotos');
  });

  it('takes a value literally, whatever it holds', () =>
    expect(t('ui.no_match', { typed: '{typed} $& $1' })).toBe('No match for “{typed} $& $1”'));

  it('remembers the language and names it to the browser', async () => {
    await words.choose('es');
    expect(document.documentElement.lang).toBe('es');
    expect(localStorage.getItem('hangtag.language')).toBe('es');
    words.language = 'en-GB';
    await words.begin();
    expect(t('ui.undo')).toBe('Deshacer');
  });

  it('brings the names of labels with the language', async () => {
    const asked = vi.spyOn(globalThis, 'fetch');
    await words.choose('de');
    expect(String(asked.mock.calls[0]?.[0])).toMatch(/\/api\/v1\/names\?language=de$/);
    expect(words.names.columns.baseColour).toBe('Farbe');
  });

  it('does without those names where the service can’t give them', async () => {
    vi.stubGlobal('fetch', async () => Promise.reject(new TypeError('away')));
    await words.choose('fr');
    expect(t('ui.undo')).toBe('Annuler');
  });

  it('says American words where they differ and British ones where they don’t', async () => {
    await words.choose('en-US');
    expect([t('shell.catalogue'), t('shell.models')]).toEqual(['Catalog', 'Models']);
  });
});

it('says codes of the API, and those that it does not know as they are', () =>
  expect([said('flag', 'too_dark'), said('flag', 'upside_down')]).toEqual(['Too dark', 'upside down']));

it.each([
  [['de-AT', 'en'], 'de'],
  [['en-AU'], 'en-GB'],
  [['en-US', 'de'], 'en-US'],
  [['en'], 'en-US'],
  [['ja', 'fr-CA'], 'fr'],
  [['ja'], 'en-GB'],
  [[], 'en-GB'],
])('speaks, of %j, %s', (languages, language) => expect(preferred(languages)).toBe(language));

it('writes numbers and dates in the language', async () => {
  await words.choose('de');
  expect(number(1234.5)).toBe('1.234,5');
  expect(date('2026-11-28T12:00:00Z', { dateStyle: 'long', timeZone: 'UTC' })).toBe('28. November 2026');
  await words.choose('en-GB');
  expect(number(1234.5)).toBe('1,234.5');
});

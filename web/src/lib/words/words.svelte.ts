import { displayNames } from '../api/addresses.ts';
import { en } from './en.ts';

/** The languages of the page, each by its own name, in the order in which they are offered. */
export const LANGUAGES = {
  'en-GB': 'English (UK)',
  'en-US': 'English (US)',
  de: 'Deutsch',
  fr: 'Français',
  es: 'Español',
} as const;

export type Language = keyof typeof LANGUAGES;
export type Key = keyof typeof en;

/** The form for one and the form for all other amounts, chosen by the value `count`. */
interface Plural {
  readonly one: string;
  readonly other: string;
}

export type Message = string | Plural;
/** What every language has to say: a text where English has one, two forms where English has two. */
export type Messages = { readonly [K in Key]: (typeof en)[K] extends string ? string : Plural };

/** What columns and their labels are called in one language; a label by its word for one and for several. */
export interface Names {
  readonly columns: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

type Placeholders<Text> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never;
type Taken<Entry> = Entry extends Plural ? 'count' | Placeholders<Entry['other']> : Placeholders<Entry>;
type Values<K extends Key> = [Taken<(typeof en)[K]>] extends [never]
  ? []
  : [values: Readonly<Record<Taken<(typeof en)[K]>, string | number>>];

const KEY = 'hangtag.language';

/** So long a slow service may keep the page waiting for the names of labels. */
const PATIENCE_MS = 400;

const loaders: Record<Language, () => Promise<Partial<Messages>>> = {
  'en-GB': async () => en,
  'en-US': async () => (await import('./en-us.ts')).enUs,
  de: async () => (await import('./de.ts')).de,
  fr: async () => (await import('./fr.ts')).fr,
  es: async () => (await import('./es.ts')).es,
};

/** The language of the page, and what it says in it. */
class Words {
  language = $state<Language>('en-GB');
  messages = $state.raw<Messages>(en);
  names = $state.raw<Names>({ columns: {}, labels: {} });
  readonly plurals = $derived(new Intl.PluralRules(this.language));

  /** Speaks the language that was chosen here before, else the browser's. Awaited before the first paint. */
  async begin(): Promise<void> {
    await this.#speak(stored() ?? preferred(navigator.languages));
  }

  /** Speaks a language from now on and remembers it. */
  async choose(language: Language): Promise<void> {
    await this.#speak(language);
    try {
      localStorage.setItem(KEY, language);
    } catch {
      // Without storage the choice lasts until the page is closed.
    }
  }

  /** Asks again what classes are called, after a person has renamed one. */
  async reload(): Promise<void> {
    this.names = (await namesIn(this.language)) ?? this.names;
  }

  async #speak(language: Language): Promise<void> {
    // A language that can't be fetched leaves the page in the one that it has.
    const names = namesIn(language);
    const said = await loaders[language]().catch(() => null);
    if (said === null) return;
    const soon = await Promise.race([names, pause(PATIENCE_MS)]);
    [this.language, this.messages] = [language, { ...en, ...said }];
    if (soon) this.names = soon;
    else void names.then((late) => late && this.language === language && (this.names = late));
    document.documentElement.lang = language;
  }
}

export const words = new Words();

/** What the page says: `t('ui.photos', { count: 1204 })` gives “1,204 photos”. Numbers are written as the language does. */
export function t<K extends Key>(key: K, ...[values]: Values<K>): string {
  return written(words.messages[key], (values ?? {}) as Readonly<Record<string, string | number>>);
}

/** What is said for a code of the API, as `said('flag', 'blurred')`; the code itself, spaced, if nothing is. */
export function said(group: string, code: string): string {
  const message = (words.messages as Readonly<Record<string, Message>>)[`${group}.${code}`];
  return message === undefined ? code.replaceAll('_', ' ') : written(message, {});
}

function written(message: Message, values: Readonly<Record<string, string | number>>): string {
  const one = typeof message !== 'string' && words.plurals.select(Number(values.count)) === 'one';
  const text = typeof message === 'string' ? message : one ? message.one : message.other;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name] ?? whole;
    return typeof value === 'number' ? number(value) : value;
  });
}

/** A text with a capital at its beginning, for where it stands alone. */
export function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase(words.language) + text.slice(1);
}

const formats = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

/** A number as the language writes it. */
export function number(value: number, options: Intl.NumberFormatOptions = {}): string {
  return kept('number', options, (language) => new Intl.NumberFormat(language, options)).format(value);
}

/** A time as the language writes it, such as `28 Nov 2026, 21:56`. */
export function date(
  value: string | number | Date,
  options: Intl.DateTimeFormatOptions = { dateStyle: 'medium', timeStyle: 'short' },
): string {
  return kept('date', options, (language) => new Intl.DateTimeFormat(language, options)).format(
    new Date(value),
  );
}

/** Making a format takes far longer than using it, and lists have thousands of numbers. */
function kept<Format extends Intl.NumberFormat | Intl.DateTimeFormat>(
  kind: string,
  options: object,
  make: (language: Language) => Format,
): Format {
  const key = `${kind} ${words.language} ${JSON.stringify(options)}`;
  const format = (formats.get(key) as Format | undefined) ?? make(words.language);
  formats.set(key, format);
  return format;
}

async function namesIn(language: Language): Promise<Names | null> {
  try {
    const reply = await fetch(displayNames(language));
    return reply.ok ? ((await reply.json()) as Names) : null;
  } catch {
    return null; // Labels then bear the names that the model has for them.
  }
}

function pause(ms: number): Promise<null> {
  return new Promise((resolve) => setTimeout(resolve, ms, null));
}

function stored(): Language | null {
  try {
    const language = localStorage.getItem(KEY) ?? '';
    return language in LANGUAGES ? (language as Language) : null;
  } catch {
    return null;
  }
}

/** The first of these that the page speaks: `de-AT` is German, `en-AU` British English. */
export function preferred(languages: readonly string[]): Language {
  for (const language of languages) {
    const [base = ''] = language.split('-');
    if (language in LANGUAGES) return language as Language;
    if (base in LANGUAGES) return base as Language;
    if (base === 'en') return language === 'en' ? 'en-US' : 'en-GB';
  }
  return 'en-GB';
}

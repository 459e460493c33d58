import type { Document } from './service.ts';

/** Where the values of a column come from: `word:gender`, `sheet:sku|id`, `text:new`. */
export interface Source {
  kind: 'word' | 'label' | 'sheet' | 'price' | 'computed' | 'text';
  argument: string;
}

/** A column of a template, as it is edited. */
export interface DraftColumn {
  /** Tells columns apart while they are renamed and moved. */
  key: number;
  name: string;
  sources: Source[];
  /** What is written instead of a value, a line each. */
  map: string;
  default: string;
  required: boolean;
}

let last = 0;

/** All columns of the sheet, in the place of this one. */
export const isEveryColumn = (column: DraftColumn): boolean =>
  column.sources.some(({ kind, argument }) => kind === 'sheet' && argument === '*');

export function newColumn(name = '', from: readonly string[] = ['word:articleType']): DraftColumn {
  return { key: ++last, name, sources: from.map(parseSource), map: '', default: '', required: false };
}

export function parseSource(text: string): Source {
  const colon = text.indexOf(':');
  return { kind: text.slice(0, colon) as Source['kind'], argument: text.slice(colon + 1) };
}

/** The columns of a template's document. */
export function columnsOf(document: Document): DraftColumn[] {
  const columns = (document.columns ?? []) as Record<string, unknown>[];
  return columns.map((column) => {
    const from = column.from as string | string[];
    return {
      ...newColumn(String(column.name ?? ''), typeof from === 'string' ? [from] : from),
      map: Object.entries((column.map ?? {}) as Record<string, string>)
        .map(([value, other]) => `${value} = ${other}`)
        .join('\n'),
      default: String(column.default ?? ''),
      required: column.required === true,
    };
  });
}

/** The document of a template whose columns were edited; whatever else it holds stays. */
export function documentOf(document: Document, columns: readonly DraftColumn[]): Document {
  return { ...document, template: 1, columns: columns.map(columnOf) };
}

function columnOf(column: DraftColumn): object {
  const map = Object.fromEntries(pairsOf(column.map));
  return {
    ...(isEveryColumn(column) ? {} : { name: column.name.trim() }),
    from: column.sources.map(({ kind, argument }) => `${kind}:${argument.trim()}`),
    ...(Object.keys(map).length > 0 && { map }),
    ...(column.default && { default: column.default }),
    ...(column.required && { required: true }),
  };
}

function pairsOf(text: string): [string, string][] {
  return text.split('\n').flatMap((line): [string, string][] => {
    const at = line.indexOf('=');
    const value = line.slice(0, at).trim();
    return at > 0 && value ? [[value, line.slice(at + 1).trim()]] : [];
  });
}

/** The list with the item at a place moved by some places; the same list where it can't be. */
export function moved<Item>(items: readonly Item[], place: number, by: number): Item[] {
  const target = place + by;
  if (target < 0 || target >= items.length) return [...items];
  const rest = items.filter((_, index) => index !== place);
  return [...rest.slice(0, target), items[place] as Item, ...rest.slice(target)];
}

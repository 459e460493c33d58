import type { ProductQuery } from '../api/batch.ts';

/** `teach` is a review of what teaches hangtag most. */
export type View = 'tags' | 'table' | 'review' | 'teach';

/** Where a person is in a batch: it is all in the address, so that Back, reload and links work. */
export interface Place {
  view: View;
  query: ProductQuery;
  /** The product that is open. */
  product: string | null;
}

const VIEWS: readonly string[] = ['tags', 'table', 'review', 'teach'];
const FILTERS: readonly string[] = [
  'state',
  'needs',
  'path',
  'flag',
  'who',
  'below',
  'q',
  'like',
  'ids',
  'learnt',
];
const ORDER: readonly string[] = ['sort', 'descending'];
const ATTRIBUTE = 'attribute.';

export function isFilter(name: string): boolean {
  return FILTERS.includes(name) || name.startsWith(ATTRIBUTE);
}

/** Reads the place from an address. What it does not know is left out, so that old links still open. */
export function placeOf(params: Pick<URLSearchParams, 'get' | 'entries'>): Place {
  const view = params.get('view') ?? 'tags';
  const query: ProductQuery = {};
  for (const [name, value] of params.entries())
    if (value && (isFilter(name) || ORDER.includes(name))) query[name] = value;
  return { view: (VIEWS.includes(view) ? view : 'tags') as View, query, product: params.get('product') };
}

/** The address of a place, from its `?`; empty for all tags. */
export function addressOf({ view, query, product }: Place): string {
  const params = new URLSearchParams();
  if (view !== 'tags') params.set('view', view);
  for (const [name, value] of Object.entries(query)) if (value) params.set(name, value);
  if (product) params.set('product', product);
  const text = params.toString().replaceAll('%2F', '/');
  return text && `?${text}`;
}

export function isFiltered(query: ProductQuery): boolean {
  return Object.keys(query).some(isFilter);
}

/** The filters alone, without the order: what a decision over all that match needs. */
export function filtersOf(query: ProductQuery): ProductQuery {
  return Object.fromEntries(Object.entries(query).filter(([name]) => isFilter(name)));
}

/** The query with some filters changed; an empty value takes a filter away. */
export function changed(query: ProductQuery, change: Record<string, string>): ProductQuery {
  return Object.fromEntries(Object.entries({ ...query, ...change }).filter(([, value]) => value !== ''));
}

/** The query without filters, in the same order. */
export function cleared(query: ProductQuery): ProductQuery {
  return Object.fromEntries(Object.entries(query).filter(([name]) => !isFilter(name)));
}

/** The attribute that a filter is about: `attribute.gender` is about `gender`. */
export function attributeOf(filter: string): string | null {
  return filter.startsWith(ATTRIBUTE) ? filter.slice(ATTRIBUTE.length) : null;
}

/** The same query, whatever the order of its parts. */
export function isSame(one: ProductQuery, other: ProductQuery): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => one[name] === other[name]);
}

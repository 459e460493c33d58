import type { Product } from '../api/batch.ts';
import { CATEGORY_COLUMNS } from '../ui/columns.ts';

/** The name under which the whole category path is edited. */
export const CATEGORY = 'category';

const KEYS: Readonly<Record<string, string>> = {
  [CATEGORY]: 't',
  gender: 'g',
  baseColour: 'c',
  season: 's',
  usage: 'u',
};

/** What can be edited of a product: its category path as one, and every other attribute. */
export function fieldsOf(columns: readonly string[]): string[] {
  const others = columns.filter((column) => !CATEGORY_COLUMNS.includes(column));
  return others.length < columns.length ? [CATEGORY, ...others] : [...others];
}

/** The field that an attribute belongs to: a level of the path belongs to the category. */
export function fieldOf(attribute: string): string {
  return CATEGORY_COLUMNS.includes(attribute) ? CATEGORY : attribute;
}

/** The attribute that says what a field is: the leaf of the path for the category. */
export function attributeOfField(product: Product, field: string): string {
  if (field !== CATEGORY) return field;
  return CATEGORY_COLUMNS.findLast((level) => level in product.label) ?? field;
}

/**
 * The key of each field: the letter that people expect, or else the first letter of its name that is still free.
 * `taken` are keys that mean something else where these are used.
 */
export function keysOf(fields: readonly string[], taken: readonly string[] = []): Record<string, string> {
  const used = new Set(taken);
  const keys: Record<string, string> = {};
  for (const field of fields) {
    const wanted = [KEYS[field] ?? '', ...field.toLowerCase().replaceAll(/[^a-z]/g, '')];
    const key = wanted.find((letter) => letter && !used.has(letter));
    if (!key) continue;
    used.add(key);
    keys[field] = key;
  }
  return keys;
}

/** The field that is in doubt; null where nothing is, or where the doubt is about the product as a whole. */
export function doubtfulField({ needs }: Product): string | null {
  return needs?.attribute ? fieldOf(needs.attribute) : null;
}

/** The field where a person is needed, or the one that is looked at first. */
export function askedField(product: Product): string {
  const [first = CATEGORY] = fieldsOf(Object.keys(product.label));
  return doubtfulField(product) ?? first;
}

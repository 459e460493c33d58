import { capital, words } from '../words/words.svelte.ts';

/** The levels of the category path, from the root to the leaf. */
export const CATEGORY_COLUMNS: readonly string[] = ['masterCategory', 'subCategory', 'articleType'];

/** What a column is called where it stands alone: `baseColour` is `Colour`, an unknown `sleeveLength` `Sleeve length`. */
export function columnName(column: string): string {
  return capital(columnWord(column));
}

/** What a column is called within a sentence: `colour`, in German `Farbe`. */
export function columnWord(column: string): string {
  const spaced = column
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .toLowerCase();
  return own(words.names.columns, column) ?? spaced;
}

/** What a label is called in the shop, `T-shirts` for `Tshirts`; one that has no name in this language stays as it is. */
export function labelName(column: string, label: string): string {
  const name = own(own(words.names.labels, column), label)?.at(-1);
  return name === undefined ? label : capital(name);
}

/** A label may bear any name, as `constructor`. */
function own<Value>(values: Readonly<Record<string, Value>> | undefined, key: string): Value | undefined {
  return values && Object.hasOwn(values, key) ? values[key] : undefined;
}

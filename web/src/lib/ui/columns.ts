/** The levels of the category path, from the root to the leaf. */
export const CATEGORY_COLUMNS: readonly string[] = ['masterCategory', 'subCategory', 'articleType'];

const NAMES: Record<string, string> = {
  masterCategory: 'Main category',
  subCategory: 'Category',
  articleType: 'Article type',
  baseColour: 'Colour',
};

/** What a column is called in the shop: `baseColour` is `Colour`, an unknown `sleeveLength` is `Sleeve length`. */
export function columnName(column: string): string {
  const words = column
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .toLowerCase();
  return NAMES[column] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

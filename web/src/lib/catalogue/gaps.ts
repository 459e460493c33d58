import type { CatalogueStatistics } from '../api/types.ts';
import { columnWord, labelName } from '../ui/columns.ts';
import { t } from '../words/words.svelte.ts';

export interface Gap {
  /** What is missing, as `photo` or `colour`. */
  what: string;
  missing: number;
  /** Labels that have far more than their share of the products without it. */
  where: { label: string; column: string; missing: number; products: number }[];
}

/** What is missing, the most frequent first: photos, and the columns with holes. */
export function readGaps(
  statistics: Pick<CatalogueStatistics, 'columns' | 'gaps' | 'products_without_photo'>,
): Gap[] {
  const missing = [
    { what: 'photo', missing: statistics.products_without_photo },
    ...statistics.columns.map(({ name, missing }) => ({ what: name, missing })),
  ];
  return missing
    .filter(({ missing }) => missing > 0)
    .sort((a, b) => b.missing - a.missing)
    .map(({ what, missing }) => ({
      what: what === 'photo' ? t('catalogue.missing.photo') : columnWord(what),
      missing,
      where: statistics.gaps
        .filter((gap) => gap.what === what)
        .map((gap) => ({
          label: labelName(gap.column, gap.label),
          column: columnWord(gap.column),
          missing: gap.missing_in_label,
          products: gap.label_products,
        })),
    }));
}

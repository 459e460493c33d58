import type { CatalogueStatistics } from '../api/types.ts';
import { columnName } from '../ui/columns.ts';

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
      what: what === 'photo' ? what : columnName(what).toLowerCase(),
      missing,
      where: statistics.gaps
        .filter((gap) => gap.what === what)
        .map((gap) => ({
          label: gap.label,
          column: columnName(gap.column).toLowerCase(),
          missing: gap.missing_in_label,
          products: gap.label_products,
        })),
    }));
}

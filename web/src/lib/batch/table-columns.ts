import type { Product } from '../api/batch.ts';
import { CATEGORY_COLUMNS, columnName } from '../ui/columns.ts';
import { t } from '../words/words.svelte.ts';
import { CATEGORY } from './attributes.ts';

/** A column of the table: of the product, of its label, or of the sheet. */
export interface TableColumn {
  id: string;
  name: string;
  kind: 'name' | 'state' | 'field' | 'sheet';
  /** In pixels. */
  width: number;
  /** What the service sorts by; undefined where it can't. */
  sort?: string;
  /** Figures stand at the right. */
  isNumber?: boolean;
}

/** All columns for some products: the labels, then those that came with a sheet. */
export function tableColumns(fields: readonly string[], products: readonly Product[]): TableColumn[] {
  const sheet = new Map<string, boolean>();
  for (const { row } of products)
    for (const [name, value] of Object.entries(row ?? {}))
      sheet.set(name, (sheet.get(name) ?? true) && (typeof value === 'number' || value === null));
  return [
    { id: 'name', name: t('table.product'), kind: 'name', width: 230, sort: 'name' },
    { id: 'state', name: t('table.state'), kind: 'state', width: 104 },
    ...fields.map((field) => fieldColumn(field)),
    ...[...sheet].map(
      ([name, isNumber]) => ({ id: name, name, kind: 'sheet', width: 140, isNumber }) as const,
    ),
  ];
}

function fieldColumn(field: string): TableColumn {
  if (field !== CATEGORY)
    return { id: field, name: columnName(field), kind: 'field', width: 132, sort: field };
  const leaf = CATEGORY_COLUMNS.at(-1) ?? field;
  return { id: field, name: t('batch.category'), kind: 'field', width: 190, sort: leaf };
}

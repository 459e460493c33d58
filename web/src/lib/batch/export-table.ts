import type { Product } from '../api/batch.ts';
import { answered, api } from '../api/client.ts';
import type { Table } from '../api/types.ts';
import { ARROW } from '../api/taxonomy.ts';
import { flagsOf, isNoProduct } from './apply.ts';

type Column = Table['columns'][number];
type Row = Table['rows'][number];

/** A row for each product: what the sheet had, then the labels with their confidence, then how it stands. */
export function exportTable(products: readonly Product[]): Table {
  const sheet = [...new Set(products.flatMap(({ row }) => Object.keys(row ?? {})))];
  const labels = [...new Set(products.flatMap(({ label }) => Object.keys(label)))];
  // A sheet may have a column of the same name as a label: the label's gets another one.
  const name = (column: string) => (sheet.includes(column) ? `${column} (hangtag)` : column);
  const columns: Column[] = [
    ...sheet.map((column): Column => ({ name: column, type: typeOf(products, column) })),
    ...['key', 'name', 'photos'].map((column): Column => ({
      name: name(column),
      type: column === 'photos' ? 'list' : 'text',
    })),
    ...labels.flatMap((column): Column[] => [
      { name: name(column), type: 'text' },
      { name: name(`${column}_confidence`), type: 'confidence' },
    ]),
    ...['path', 'state'].map((column): Column => ({ name: name(column), type: 'text' })),
    { name: name('flags'), type: 'list' },
  ];
  return { columns, rows: products.map((product) => rowOf(product, sheet, labels)) };
}

function rowOf(product: Product, sheet: readonly string[], labels: readonly string[]): Row {
  const flags = flagsOf(product);
  return [
    ...sheet.map((column) => product.row?.[column] ?? null),
    product.key,
    product.name,
    product.photos.map((photo) => photo.name),
    // What a person has set has no confidence.
    ...labels.flatMap((column) => [
      product.label[column]?.value ?? null,
      product.label[column]?.confidence ?? null,
    ]),
    product.path.join(ARROW) || null,
    product.state,
    isNoProduct(product) ? [...flags, 'not_a_product'] : flags,
  ] as Row;
}

/** The type of a column as its cells came, so that figures and dates stay what they were. */
function typeOf(products: readonly Product[], column: string): Column['type'] {
  const values = products.flatMap(({ row }) => row?.[column] ?? []);
  if (values.length === 0) return 'text';
  if (values.every((value) => typeof value === 'boolean')) return 'boolean';
  if (values.every((value) => Number.isInteger(value))) return 'integer';
  if (values.every((value) => typeof value === 'number')) return 'number';
  return values.every((value) => typeof value === 'string' && DATE.test(value)) ? 'date' : 'text';
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** A table as a file: the service renders it with the code that writes all tables of hangtag. */
export async function renderTable(table: Table, format: 'csv' | 'xlsx' | 'tsv'): Promise<Blob> {
  const body = { format, name: 'labels', ...table };
  return (await answered(api.POST('/api/v1/exports', { body, parseAs: 'blob' }))) as Blob;
}

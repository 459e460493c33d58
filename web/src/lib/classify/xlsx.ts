// The package's public way zips large sheets in a worker made of a blob, which the page's policy forbids, and then waits
// for ever. This one zips in place.
import { generateXlsxFileSync } from '../../../node_modules/write-excel-file/modules/export/writeXlsxFileUniversal.js';

import type { Cell, LabelTable } from './table.ts';

/** A table as an Excel workbook: text in text cells, where no formula can start, and numbers as numbers. */
export async function renderXlsx({ header, rows }: LabelTable): Promise<Blob> {
  const head = header.map((name) => ({ value: name, type: String, fontWeight: 'bold' as const }));
  const columns = header.map((name, position) => ({
    width: position === 0 ? 40 : Math.max(12, name.length + 3),
  }));
  const cells = [head, ...rows.map((row) => row.map(cell))];
  return generateXlsxFileSync(cells, { sheet: 'labels', columns, stickyRowsCount: 1 });
}

function cell(value: Cell) {
  if (value === null) return null;
  if (typeof value === 'number') return { value, type: Number, format: '0.0000' };
  return { value, type: String, format: '@' };
}

import writeExcelFile from 'write-excel-file/universal';

import type { Cell, LabelTable } from './table.ts';

/** A table as an Excel workbook: text in text cells, where no formula can start, and numbers as numbers. */
export async function renderXlsx({ header, rows }: LabelTable): Promise<Blob> {
  const head = header.map((name) => ({ value: name, type: String, fontWeight: 'bold' as const }));
  const columns = header.map((name, position) => ({
    width: position === 0 ? 40 : Math.max(12, name.length + 3),
  }));
  const written = writeExcelFile([head, ...rows.map((row) => row.map(cell))], {
    sheet: 'labels',
    columns,
    stickyRowsCount: 1,
  });
  return written.toBlob();
}

function cell(value: Cell) {
  if (value === null) return null;
  if (typeof value === 'number') return { value, type: Number, format: '0.0000' };
  return { value, type: String, format: '@' };
}

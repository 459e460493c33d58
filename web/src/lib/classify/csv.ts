import type { Cell, LabelTable } from './table.ts';

/** What a spreadsheet takes for the start of a formula; the wide signs in East Asian Excel. */
const STARTS_A_FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
const NEEDS_QUOTES = /[",;\t\r\n]|^ | $/;

/** A table as CSV, as `hangtag predict` writes it: UTF-8, and no text that a spreadsheet takes for a formula. */
export function renderCsv({ header, rows }: LabelTable): string {
  const path = header.indexOf('path');
  return [header, ...rows]
    .map((row) => row.map((cell, position) => quote(text(cell, position === path))).join(',') + '\n')
    .join('');
}

/** A table to paste into a spreadsheet: tabs between cells. */
export function renderTabs({ header, rows }: LabelTable): string {
  return [header, ...rows]
    .map((row) => row.map((cell) => text(cell).replace(/[\t\r\n]+/g, ' ')).join('\t'))
    .join('\n');
}

function text(cell: Cell, isPath = false): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return cell.toFixed(4);
  if (!STARTS_A_FORMULA.test(cell)) return cell;
  // `./` before a path names the same file.
  return isPath ? `./${cell}` : `'${cell}`;
}

function quote(field: string): string {
  return NEEDS_QUOTES.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

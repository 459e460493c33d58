/** What `xlsx.ts` needs of a file that write-excel-file neither exports nor types. */
declare module '*/writeXlsxFileUniversal.js' {
  import type { SheetData, SheetOptions } from 'write-excel-file/universal';

  export function generateXlsxFileSync(cells: SheetData, options: SheetOptions<Blob>): Promise<Blob>;
}

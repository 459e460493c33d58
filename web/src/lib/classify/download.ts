import type { Photo } from './photo.svelte.ts';
import { renderCsv, renderTabs } from './csv.ts';
import { labelTable } from './table.ts';

export type Format = 'csv' | 'xlsx';

/** Gives the labels of photos to the person as a file. What only workbooks need is loaded with the first one. */
export async function downloadLabels(photos: readonly Photo[], format: Format): Promise<void> {
  const table = labelTable(photos);
  if (format === 'csv') save(new Blob([renderCsv(table)], { type: 'text/csv;charset=utf-8' }), 'labels.csv');
  else {
    const { renderXlsx } = await import('./xlsx.ts');
    save(await renderXlsx(table), 'labels.xlsx');
  }
}

/** Puts the labels of photos on the clipboard, to be pasted into a spreadsheet. */
export async function copyLabels(photos: readonly Photo[]): Promise<void> {
  const text = renderTabs(labelTable(photos));
  // Browsers keep the clipboard from pages of plain http, save those of the machine itself.
  if (window.isSecureContext) await navigator.clipboard.writeText(text);
  else copyTheOldWay(text);
}

/** Copies where there is no `navigator.clipboard`. Throws where the browser does not let it. */
function copyTheOldWay(text: string) {
  const put = (event: ClipboardEvent) => {
    event.clipboardData?.setData('text/plain', text);
    event.preventDefault();
  };
  document.addEventListener('copy', put, { once: true });
  const copied = document.execCommand('copy');
  document.removeEventListener('copy', put);
  if (!copied) throw new Error('the browser refused to copy');
}

function save(file: Blob, name: string) {
  const address = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // Some browsers begin to read only after the click is over.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

import { answered, api } from '../api/client.ts';
import type { Photo } from './photo.svelte.ts';
import { labelTable } from './table.ts';

export type Format = 'csv' | 'xlsx';

/** Downloads the labels of photos as a file. Throws a `ProblemError`. */
export async function downloadLabels(photos: readonly Photo[], format: Format): Promise<void> {
  save(await render(photos, format), `labels.${format}`);
}

/** Copies the labels of photos, to be pasted into a spreadsheet. Throws where the browser does not allow it. */
export async function copyLabels(photos: readonly Photo[]): Promise<void> {
  const text = render(photos, 'tsv').then((file) => file.text());
  // The clipboard takes the promise: it may be written only while the click is handled.
  const plain = text.then((found) => new Blob([found], { type: 'text/plain' }));
  // Browsers offer the clipboard to secure pages only, which pages of this machine are.
  if (window.isSecureContext) await navigator.clipboard.write([new ClipboardItem({ 'text/plain': plain })]);
  else copyTheOldWay(await text);
}

/** The service renders the table with the code that writes all tables of hangtag. */
async function render(photos: readonly Photo[], format: Format | 'tsv'): Promise<Blob> {
  const body = { format, name: 'labels', ...labelTable(photos) };
  return (await answered(api.POST('/api/v1/exports', { body, parseAs: 'blob' }))) as Blob;
}

/** Copies where there is no `navigator.clipboard`. Throws if the browser refuses. */
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
  // Some browsers start reading only after the click is over.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Saves a file as if a link to it had been clicked. */
export function save(file: Blob, name: string): void {
  const address = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // Some browsers start reading only after the click is over.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Copies a text that is still awaited. Throws where the browser does not allow it. */
export async function copyText(text: Promise<string>): Promise<void> {
  // The clipboard takes the promise: it may be written only while the click is handled.
  const plain = text.then((found) => new Blob([found], { type: 'text/plain' }));
  // Browsers offer the clipboard to secure pages only, which pages of this machine are.
  if (window.isSecureContext) await navigator.clipboard.write([new ClipboardItem({ 'text/plain': plain })]);
  else copyTheOldWay(await text);
}

/** Copies where there is no `navigator.clipboard`. Throws if the browser refuses. */
function copyTheOldWay(text: string): void {
  const put = (event: ClipboardEvent) => {
    event.clipboardData?.setData('text/plain', text);
    event.preventDefault();
  };
  document.addEventListener('copy', put, { once: true });
  const copied = document.execCommand('copy');
  document.removeEventListener('copy', put);
  if (!copied) throw new Error('the browser refused to copy');
}

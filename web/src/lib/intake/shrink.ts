/** Photos below this size are sent as they are: making them smaller costs more than it saves. */
const SMALL_BYTES = 700_000;
/** The longer edge of what is sent, in pixels: enough to zoom into, many times what a network sees. */
const EDGE = 1600;
/** What browsers can decode and would rather not be sent whole. */
const SHRINKABLE = /^image\/(jpeg|png|webp|avif|bmp)$/;

/** Makes a large photo smaller in the browser; gives it back as it is where that isn't possible or no gain. */
export async function shrink(file: File, draw: Draw = drawSmaller): Promise<File> {
  if (file.size <= SMALL_BYTES || !SHRINKABLE.test(file.type)) return file;
  const smaller = await draw(file, EDGE).catch(() => undefined);
  if (!smaller || smaller.size >= file.size) return file;
  return new File([smaller], file.name, { type: smaller.type, lastModified: file.lastModified });
}

export type Draw = (file: File, edge: number) => Promise<Blob>;

async function drawSmaller(file: File, edge: number): Promise<Blob> {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, edge / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
  const context = canvas.getContext('2d');
  if (!context) throw new Error('no canvas');
  context.fillStyle = 'white'; // JPEG knows no transparency: what is transparent would turn black
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.convertToBlob({ type: 'image/jpeg', quality: 0.92 });
}

import type { Photo } from './photo.svelte.ts';

/** Pixels of a thumbnail's height: twice what a tag shows, for fine screens. */
const HEIGHT = 480;
/** Files up to this size are shown as they are: decoding them costs nothing. */
const SMALL_BYTES = 150_000;
const AT_ONCE = 2;

/** Makes thumbnails in the browser, the last ones asked for first: those are in view. */
export class Thumbnails {
  #wanted: Photo[] = [];
  readonly #asked = new WeakSet<Photo>();
  #busy = 0;

  constructor(private readonly shrink: (file: File) => Promise<Blob> = shrinkInBrowser) {}

  need(photo: Photo) {
    if (this.#asked.has(photo)) return;
    this.#asked.add(photo);
    if (photo.file.size <= SMALL_BYTES) photo.thumbnail = URL.createObjectURL(photo.file);
    else {
      this.#wanted.push(photo);
      void this.#work();
    }
  }

  async #work() {
    if (this.#busy >= AT_ONCE) return;
    this.#busy += 1;
    for (let photo = this.#wanted.pop(); photo; photo = this.#wanted.pop()) {
      const picture = await this.shrink(photo.file).catch(() => photo.file);
      photo.thumbnail = URL.createObjectURL(picture);
    }
    this.#busy -= 1;
  }
}

async function shrinkInBrowser(file: File): Promise<Blob> {
  const bitmap = await createImageBitmap(file, { resizeHeight: HEIGHT, resizeQuality: 'medium' });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.convertToBlob({ type: 'image/webp', quality: 0.85 });
}

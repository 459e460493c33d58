import type { Labels, Photo } from './photo.svelte.ts';

interface Edit {
  photo: Photo;
  before: Labels;
  /** What was said, as `Shirts`. */
  said: string;
}

/** What a person changed, the last change last, so that each can be taken back. */
export class Edits {
  #done = $state.raw<Edit[]>([]);
  /** How many changes have not been downloaded yet. */
  unsaved = $state(0);

  readonly last = $derived(this.#done.at(-1));

  apply(photo: Photo, labels: Labels, said: string) {
    this.#done = [...this.#done, { photo, before: photo.corrections, said }];
    photo.corrections = { ...photo.corrections, ...labels };
    this.unsaved += 1;
  }

  /** Takes the last change back and gives its photo. */
  undo(): Photo | undefined {
    const edit = this.#done.at(-1);
    if (!edit) return undefined;
    edit.photo.corrections = edit.before;
    this.#done = this.#done.slice(0, -1);
    this.unsaved = Math.max(0, this.unsaved - 1);
    return edit.photo;
  }

  /** Forgets the changes of photos that were taken off the table. */
  drop(photos: ReadonlySet<Photo>) {
    this.#done = this.#done.filter(({ photo }) => !photos.has(photo));
    if (this.#done.length === 0) this.unsaved = 0;
  }
}

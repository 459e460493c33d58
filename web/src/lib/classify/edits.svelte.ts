import type { Labels, Photo } from './photo.svelte.ts';

interface Change {
  photo: Photo;
  /** What was done, as `Shirts` or `shirt.jpg removed`. */
  said: string;
  takeBack: () => void;
}

/** What a person changed, the last change last, so that each can be taken back. */
export class Edits {
  #done = $state.raw<Change[]>([]);

  constructor(private readonly photos: () => readonly Photo[]) {}

  readonly last = $derived(this.#done.at(-1));
  /** How many photos bear a word that no export has. */
  readonly unsaved = $derived.by(() => this.photos().filter((photo) => photo.unsaved).length);

  apply(photo: Photo, corrections: Labels, said: string) {
    const before = photo.corrections;
    photo.corrections = corrections;
    this.remember({ photo, said, takeBack: () => (photo.corrections = before) });
  }

  remember(change: Change) {
    this.#done = [...this.#done, change];
  }

  /** Takes the last change back and gives its photo. */
  undo(): Photo | undefined {
    const change = this.#done.at(-1);
    if (!change) return undefined;
    this.#done = this.#done.slice(0, -1);
    change.takeBack();
    return change.photo;
  }

  /** Begins an export of photos. What it gives is called when that is done: what was said since then is in no file. */
  saving(photos: readonly Photo[]): () => void {
    const exported = photos.map((photo) => [photo, photo.corrections] as const);
    return () => {
      for (const [photo, said] of exported) photo.saved = said;
    };
  }

  /** Forgets all changes, and gives the photos that only they had kept. */
  forget(): Photo[] {
    const there = new Set(this.photos());
    const kept = this.#done.map(({ photo }) => photo).filter((photo) => !there.has(photo));
    this.#done = [];
    return [...new Set(kept)];
  }
}

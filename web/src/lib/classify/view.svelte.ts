import type { Photo } from './photo.svelte.ts';
import { ARROW } from '../api/taxonomy.ts';

export type Filter = 'all' | 'look' | 'attributes' | 'flagged' | 'failed' | 'edited';
export type Order = 'added' | 'doubt' | 'class' | 'name';

const passes: Record<Filter, (photo: Photo) => boolean> = {
  all: () => true,
  look: (photo) => photo.needsLook,
  attributes: (photo) => !photo.needsLook && photo.doubtful.length > 0,
  flagged: (photo) => photo.flags.length > 0,
  failed: (photo) => photo.failure !== undefined,
  edited: (photo) => photo.edited,
};

const byName = new Intl.Collator('en', { numeric: true });

const orders: Record<Order, (a: Photo, b: Photo) => number> = {
  added: (a, b) => a.id - b.id,
  // What a person said is certain; what has no answer yet comes after everything else.
  doubt: (a, b) => doubtRank(a) - doubtRank(b) || a.id - b.id,
  class: (a, b) => byName.compare(pathOf(a), pathOf(b)) || a.id - b.id,
  name: (a, b) => byName.compare(a.name, b.name) || a.id - b.id,
};

/** Which of the photos are shown, and in which order. */
export class View {
  filter = $state<Filter>('all');
  /** Only photos whose path begins like this; everything where empty. */
  branch = $state('');
  order = $state<Order>('added');

  constructor(private readonly all: () => readonly Photo[]) {}

  readonly counts = $derived.by(() => {
    const counts = { all: 0, look: 0, attributes: 0, flagged: 0, failed: 0, edited: 0 };
    for (const photo of this.all())
      for (const filter of Object.keys(counts) as Filter[]) if (passes[filter](photo)) counts[filter] += 1;
    return counts;
  });

  /** The branches of the taxonomy that occur, each with its number of photos; the chosen one even without any. */
  readonly branches = $derived.by(() => {
    const counts: Record<string, number> = this.branch === '' ? {} : { [this.branch]: 0 };
    for (const photo of this.all()) {
      const labels = photo.levels.map((column) => photo.labels[column]?.value ?? '');
      labels.forEach((_, depth) => {
        const branch = labels.slice(0, depth + 1).join(ARROW);
        counts[branch] = (counts[branch] ?? 0) + 1;
      });
    }
    return Object.entries(counts).sort(([a], [b]) => byName.compare(a, b));
  });

  readonly shown = $derived.by(() =>
    this.all()
      .filter((photo) => passes[this.filter](photo) && this.#inBranch(photo))
      .sort(orders[this.order]),
  );

  reset() {
    this.filter = 'all';
    this.branch = '';
  }

  #inBranch(photo: Photo): boolean {
    const path = pathOf(photo);
    return this.branch === '' || path === this.branch || path.startsWith(this.branch + ARROW);
  }
}

function pathOf(photo: Photo): string {
  return photo.levels.map((column) => photo.labels[column]?.value).join(ARROW);
}

function doubtRank(photo: Photo): number {
  if (photo.failure) return -1;
  return photo.labelled ? (photo.confidence ?? 1) : 2;
}

import { SvelteMap } from 'svelte/reactivity';

import type { BatchEvent } from '../api/batch.ts';
import { isLabelled } from './apply.ts';
import type { BatchDesk } from './desk.svelte.ts';
import { isFiltered } from './filters.ts';
import type { Learning } from './learning.svelte.ts';

/** Changes within this time are fetched together, in milliseconds. */
const TOGETHER_MS = 150;
/** However long the answers take, no change waits longer than that before it is asked for, in milliseconds. */
const LONGEST_REST_MS = 800;

/** The other people in a batch: receives their changes, and knows which product each has open. */
export class Presence {
  readonly #places = new SvelteMap<string, string>();
  #changed = new Set<string>();
  /** Whether more has changed than an event lists. */
  #isAll = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isBringing = false;

  constructor(
    private readonly desk: BatchDesk,
    /** Your own name, which is not shown. */
    private readonly self: () => string | null,
    private readonly learning?: Learning,
  ) {}

  /** Who else has a product open. */
  at(product: string): string[] {
    return [...this.#places].flatMap(([who, place]) => (place === product ? [who] : []));
  }

  readonly everyone = $derived.by(() => [...this.#places.keys()]);

  receive(event: BatchEvent): void {
    if (event.type === 'batch') this.desk.batch = event.batch;
    else if (event.type === 'presence') this.#meet(event.who, event.product);
    else if (event.type === 'deleted') this.desk.isGone = true;
    else if (event.type === 'learnt') this.learning?.learnt(event.learnt);
    else {
      const removed = event.removed.filter((id) => this.desk.list.indexOf(id) >= 0);
      if (removed.length > 0) this.desk.takenElsewhere(removed);
      for (const id of event.ids) if (this.#isNewer(id, event.versions[id])) this.#changed.add(id);
      this.#isAll ||= event.all;
      this.#bringSoon(TOGETHER_MS);
    }
  }

  leave(): void {
    clearTimeout(this.#timer);
    this.#places.clear();
  }

  /** Whether the service has a newer version of a product than the screen. */
  #isNewer(id: string, version: number | undefined): boolean {
    const shown = this.desk.list.get(id);
    return !shown || !isLabelled(shown) || version === undefined || version > shown.version;
  }

  #bringSoon(wait: number): void {
    if (this.#isBringing || (this.#changed.size === 0 && !this.#isAll)) return;
    this.#timer ??= setTimeout(() => void this.#bringAll(), wait);
  }

  /** While a batch is labelled, changes come without end: half of the time belongs to everything else. */
  async #bringAll(): Promise<void> {
    this.#timer = undefined;
    this.#isBringing = true;
    const from = performance.now();
    try {
      await this.#bring();
    } finally {
      this.#isBringing = false;
      const took = performance.now() - from;
      this.#bringSoon(Math.min(Math.max(TOGETHER_MS, took), LONGEST_REST_MS));
    }
  }

  async #bring(): Promise<void> {
    const ids = [...this.#changed];
    const { list } = this.desk;
    // Products that have come in belong at the end, unless a filter says that only the service knows where.
    const isOther = this.#isAll || ids.some((id) => list.indexOf(id) < 0);
    const before = list.loaded;
    this.#changed = new Set();
    this.#isAll = false;
    const listed = isOther && !isFiltered(list.query) ? list.refresh() : undefined;
    await Promise.all([listed, this.desk.changedElsewhere(ids, { withBatch: false })]);
    this.learning?.compare(before, (id) => list.get(id));
  }

  #meet(who: string, product: string | null): void {
    if (who === this.self()) return;
    if (product === null) this.#places.delete(who);
    else this.#places.set(who, product);
  }
}

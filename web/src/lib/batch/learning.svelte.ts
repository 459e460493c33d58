import { SvelteMap } from 'svelte/reactivity';

import type { Product } from '../api/batch.ts';
import { explain } from '../api/problem.ts';
import type { Learnt, Shop, ShopService } from '../api/shop.ts';

/** So long after a check hangtag begins to learn, and so often it is asked whether it still does, in milliseconds. */
const LOOK_MS = 1500;
/** So long a label that learning has changed shimmers, in milliseconds. */
const SHIMMER_MS = 1600;

/** What hangtag learns while people check a batch: how near it is, what it changed, and the way back. */
export class Learning {
  shop = $state.raw<Shop>();
  /** What came of the last learning, as far as this batch goes; null before, and once a person closed the line. */
  last = $state.raw<Learnt | null>(null);
  /** Whether the last learning has been taken back. */
  undone = $state(false);
  busy = $state(false);
  problem = $state<string>();
  /** The attributes that have just changed, by product. */
  readonly fresh = new SvelteMap<string, ReadonlySet<string>>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly batch: string,
    private readonly service: ShopService,
  ) {}

  /** What the last learning did to this batch. */
  readonly here = $derived.by(() => this.last?.batches[this.batch] ?? { changed: 0, settled: 0 });
  readonly isLearning = $derived(this.shop?.learning != null);
  /** How many more checks it takes until hangtag learns by itself; null where it doesn't. */
  readonly missing = $derived.by(() => {
    const { shop } = this;
    return shop?.enabled ? Math.max(1, shop.learn_after - shop.checks.since) : null;
  });

  async load(): Promise<void> {
    try {
      this.shop = await this.service.get();
    } catch {
      this.shop = undefined; // The batch works without: only the line about learning is missing.
    }
  }

  /** Counts checks that were just made, until the service tells the number. */
  count(checks: number): void {
    const { shop } = this;
    if (!shop) return;
    const { total, since } = shop.checks;
    this.shop = { ...shop, checks: { total: total + checks, since: since + checks } };
    if (shop.enabled && since + checks >= shop.learn_after) this.#look();
  }

  learnt(learnt: Learnt): void {
    this.last = learnt;
    this.undone = false;
    if (this.shop) this.shop = { ...this.shop, learning: null, last: learnt };
    void this.load();
  }

  leave(): void {
    clearTimeout(this.#looking);
  }

  dismiss(): void {
    this.last = null;
    this.undone = false;
  }

  /** Takes the last learning back; says whether that went well. */
  async undo(): Promise<boolean> {
    this.busy = true;
    this.problem = undefined;
    try {
      await this.service.undoLearnt();
      this.undone = true;
      await this.load();
      return true;
    } catch (error) {
      this.problem = explain(error);
      return false;
    } finally {
      this.busy = false;
    }
  }

  /** Asks whether hangtag is learning, until it no longer is. */
  #look(): void {
    clearTimeout(this.#looking);
    this.#looking = setTimeout(async () => {
      await this.load();
      if (this.isLearning) this.#look();
    }, LOOK_MS);
  }

  /** Lets the labels shimmer that models have changed between two states of the same products. */
  compare(before: readonly Product[], now: (id: string) => Product | undefined): void {
    for (const product of before) {
      const changed = changedAttributes(product, now(product.id));
      if (changed.size > 0) this.fresh.set(product.id, changed);
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.fresh.clear(), SHIMMER_MS);
  }
}

/** The attributes that a model says otherwise now; what people say is no surprise to them. */
export function changedAttributes(before: Product, now: Product | undefined): Set<string> {
  const names = Object.keys(now?.label ?? {});
  return new Set(
    names.filter((name) => {
      const [old, fresh] = [before.label[name], now?.label[name]];
      return old && fresh?.state === 'predicted' && old.value !== fresh.value;
    }),
  );
}

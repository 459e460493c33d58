import { SvelteMap, SvelteSet } from 'svelte/reactivity';

import type { Product } from '../api/batch.ts';
import { explain } from '../api/problem.ts';
import type { NextItem } from '../api/shop.ts';
import type { Sequence } from './review.svelte.ts';

/** So many products are asked for at once, and again when so few are left of them. */
const LIMIT = 24;
const FEW = 8;

interface Source {
  next(limit: number): Promise<{ items: NextItem[]; left: number }>;
  /** Brings products by their names; those that are gone are missing. */
  fetch(ids: readonly string[]): Promise<void>;
  product(id: string): Product | undefined;
}

/**
 * The products whose checks teach hangtag most, one after another.
 *
 * A few of them are there to measure by, and nobody sees which: the order of the service is kept as it comes.
 */
export class Teaching implements Sequence {
  #items = $state.raw<readonly NextItem[]>([]);
  /** How many more the service would ask for after those that are here. */
  #left = $state(0);
  problem = $state<string>();
  isLoaded = $state(false);
  /** Look-alikes that a person has left out, by the product they look like. */
  readonly #leftOut = new SvelteMap<string, SvelteSet<string>>();
  #asking: Promise<void> | undefined;

  constructor(private readonly source: Source) {}

  readonly total = $derived.by(() => this.#items.length + this.#left);

  at(index: number): Product | undefined {
    const item = this.#items[index];
    return item && this.source.product(item.product);
  }

  indexOf(id: string): number {
    return this.#items.findIndex(({ product }) => product === id);
  }

  async need(_: number, last: number): Promise<void> {
    if (last >= this.#items.length - FEW && (this.#left > 0 || !this.isLoaded)) await this.#ask();
  }

  /** Forgets what has not been looked at: after learning, other products teach more. */
  async renew(index: number): Promise<void> {
    this.#items = this.#items.slice(0, index + 1);
    this.#left = Math.max(1, this.#left);
    await this.#ask();
  }

  /** The products that look the same, whether or not they are to be settled together. */
  alike(id: string): string[] {
    return this.#items.find(({ product }) => product === id)?.alike ?? [];
  }

  /** Those of them that one answer settles. */
  together(id: string): string[] {
    return this.alike(id).filter((other) => !this.isLeftOut(id, other));
  }

  isLeftOut(id: string, other: string): boolean {
    return this.#leftOut.get(id)?.has(other) ?? false;
  }

  toggle(id: string, other: string): void {
    const out = this.#leftOut.get(id) ?? new SvelteSet<string>();
    if (!out.delete(other)) out.add(other);
    this.#leftOut.set(id, out);
  }

  /** Takes all look-alikes in, or leaves all of them out. */
  toggleAll(id: string): void {
    const all = this.alike(id);
    const out = this.together(id).length > 0 ? all : [];
    this.#leftOut.set(id, new SvelteSet(out));
  }

  get #unanswered(): number {
    const isOpen = ({ product }: NextItem) => this.source.product(product)?.state === 'to_check';
    return this.#items.filter(isOpen).length;
  }

  #ask(): Promise<void> {
    this.#asking ??= this.#bring().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #bring(): Promise<void> {
    try {
      // Those that were skipped come again: they are no reason to stop.
      const { items, left } = await this.source.next(LIMIT + this.#unanswered);
      const known = new Set(this.#items.flatMap(({ product, alike }) => [product, ...alike]));
      const fresh = items.filter(({ product }) => !known.has(product));
      await this.source.fetch(fresh.flatMap(({ product, alike }) => [product, ...alike]));
      this.#items = [...this.#items, ...fresh];
      // What is here already and not yet answered is among those that are left.
      this.#left = fresh.length === 0 ? 0 : Math.max(0, left - items.length);
      this.problem = undefined;
    } catch (error) {
      this.problem = explain(error);
    } finally {
      this.isLoaded = true;
    }
  }
}

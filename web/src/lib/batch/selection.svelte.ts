import { SvelteSet } from 'svelte/reactivity';

import type { ProductQuery, Target } from '../api/batch.ts';
import { filtersOf } from './filters.ts';
import type { ProductList } from './product-list.svelte.ts';

/** Which products the next action is for: some, or all that match but a few. The same in every view. */
export class Selection {
  readonly #ids = new SvelteSet<string>();
  /** The filter whose products are all selected but those in `#ids`; null while `#ids` are the selected ones. */
  #matching = $state.raw<ProductQuery | null>(null);
  #anchor = 0;

  constructor(private readonly list: ProductList) {}

  readonly isAll = $derived(this.#matching !== null);
  readonly count = $derived.by(() =>
    this.#matching === null ? this.#ids.size : Math.max(0, (this.list.total ?? 0) - this.#ids.size),
  );
  readonly isEmpty = $derived(this.count === 0);

  has(id: string): boolean {
    return this.#ids.has(id) !== (this.#matching !== null);
  }

  /** What a decision is about. */
  get target(): Target {
    if (this.#matching !== null) return { matching: this.#matching, except: [...this.#ids] };
    return { products: [...this.#ids] };
  }

  /** A click: alone, with ctrl or cmd, or with shift. */
  async click(index: number, keys: { shift?: boolean; toggle?: boolean } = {}): Promise<void> {
    if (keys.shift) return this.#reach(index);
    const id = this.list.order[index];
    if (id === undefined) return;
    this.#anchor = index;
    if (keys.toggle) this.toggle(id);
    else if (this.#matching === null && this.#ids.size === 1 && this.#ids.has(id)) this.clear();
    else this.only([id]);
  }

  toggle(id: string): void {
    if (this.#ids.has(id)) this.#ids.delete(id);
    else this.#ids.add(id);
  }

  only(ids: readonly string[]): void {
    this.#matching = null;
    this.#ids.clear();
    for (const id of ids) this.#ids.add(id);
  }

  /** Everything that matches the filter, whether it is loaded or not. */
  all(): void {
    this.#ids.clear();
    this.#matching = filtersOf(this.list.query);
  }

  clear(): void {
    this.#matching = null;
    this.#ids.clear();
  }

  /** Forgets products that are there no more. */
  drop(ids: Iterable<string>): void {
    for (const id of ids) this.#ids.delete(id);
  }

  async #reach(index: number): Promise<void> {
    this.only(await this.list.idsBetween(this.#anchor, index));
  }
}

import { SvelteMap } from 'svelte/reactivity';

import type { Product, ProductQuery } from '../api/batch.ts';
import { explain } from '../api/problem.ts';
import { isSame } from './filters.ts';
import { stillMatches } from './apply.ts';

export const PAGE = 100;

export type Ask = (query: ProductQuery) => Promise<{ items: Product[]; total: number }>;

/**
 * The products that match a query, of which only the pages that are looked at are asked for.
 *
 * Their order stays as it was when they were asked for: a product that is edited keeps its place, even if it no longer
 * matches, until a person asks for the list again.
 */
export class ProductList {
  query = $state.raw<ProductQuery>({});
  /** How many match; undefined until the service has said it. */
  total = $state<number>();
  problem = $state<string>();
  loading = $state(false);

  #order = $state.raw<readonly (string | undefined)[]>([]);
  readonly #products = new SvelteMap<string, Product>();
  #places = new Map<string, number>();
  #pending = new Set<number>();
  #round = 0;

  constructor(private readonly ask: Ask) {}

  /** The identities in their order, undefined where a page is not there yet. */
  get order(): readonly (string | undefined)[] {
    return this.#order;
  }

  /** How many of those shown no longer match. */
  readonly strayed = $derived.by(
    () => this.#order.filter((id) => id !== undefined && !this.#matches(id)).length,
  );

  at(index: number): Product | undefined {
    const id = this.#order[index];
    return id === undefined ? undefined : this.#products.get(id);
  }

  get(id: string): Product | undefined {
    return this.#products.get(id);
  }

  indexOf(id: string): number {
    return this.#places.get(id) ?? -1;
  }

  /** Asks for another list. The old one stays until the new one is there. */
  async load(query: ProductQuery): Promise<void> {
    const round = ++this.#round;
    const isNew = !isSame(query, this.query);
    this.query = query;
    this.loading = true;
    try {
      const reply = await this.ask({ ...query, offset: '0', limit: String(PAGE) });
      if (round !== this.#round) return;
      this.problem = undefined;
      this.#pending.clear();
      this.#fill(reply.items, 0, Array.from({ length: reply.total }));
      this.total = reply.total;
    } catch (error) {
      if (round !== this.#round) return;
      this.problem = explain(error);
      if (isNew) [this.#order, this.total] = [[], undefined];
    } finally {
      if (round === this.#round) this.loading = false;
    }
  }

  refresh(): Promise<void> {
    return this.load(this.query);
  }

  /** Sees to it that the products from one index to another are there. */
  async need(first: number, last: number): Promise<void> {
    const missing: number[] = [];
    for (let index = Math.max(0, first); index <= Math.min(last, this.#order.length - 1); index += 1)
      if (this.#order[index] === undefined) missing.push(index);
    const pages = new Set(missing.map((index) => Math.floor(index / PAGE)));
    await Promise.all([...pages].map((page) => this.#loadPage(page)));
  }

  /** The identities from one index to another, in any direction, loaded where they are not. */
  async idsBetween(one: number, other: number): Promise<string[]> {
    const [first, last] = [Math.min(one, other), Math.max(one, other)];
    await this.need(first, last);
    return this.#order.slice(first, last + 1).filter((id) => id !== undefined);
  }

  /** Takes newer versions of products; says which of them are not in the list. */
  put(products: readonly Product[]): string[] {
    const strange: string[] = [];
    for (const product of products) {
      if (!this.#places.has(product.id)) strange.push(product.id);
      if (this.#products.has(product.id)) this.#products.set(product.id, product);
    }
    return strange;
  }

  /** Keeps a product that is in no place of the list, such as one that a link names. */
  keep(product: Product): void {
    this.#products.set(product.id, product);
  }

  remove(ids: ReadonlySet<string>): void {
    this.#order = this.#order.filter((id) => id === undefined || !ids.has(id));
    this.total = this.#order.length;
    this.#index();
    for (const id of ids) this.#products.delete(id);
  }

  /** All products that are there, whatever their place. */
  get loaded(): Product[] {
    return this.#order.flatMap((id) => (id === undefined ? [] : (this.#products.get(id) ?? [])));
  }

  async #loadPage(page: number): Promise<void> {
    if (this.#pending.has(page)) return;
    this.#pending.add(page);
    const round = this.#round;
    const first = page * PAGE;
    // The service counts without those that have left the filter since.
    const left = this.#order.slice(0, first).filter((id) => id !== undefined && !this.#matches(id)).length;
    try {
      const offset = String(Math.max(0, first - left));
      const { items } = await this.ask({ ...this.query, offset, limit: String(PAGE) });
      if (round === this.#round) this.#fill(items, first, [...this.#order]);
    } catch (error) {
      if (round === this.#round) this.problem = explain(error);
    } finally {
      this.#pending.delete(page);
    }
  }

  #fill(items: readonly Product[], first: number, order: (string | undefined)[]): void {
    const known = new Set(order.filter((id) => id !== undefined));
    let place = first;
    for (const product of items) {
      this.#products.set(product.id, product);
      if (known.has(product.id)) continue;
      while (place < order.length && order[place] !== undefined) place += 1;
      if (place < order.length) order[place] = product.id;
    }
    this.#order = order;
    this.#index();
  }

  #index(): void {
    this.#places = new Map(this.#order.flatMap((id, place) => (id === undefined ? [] : [[id, place]])));
  }

  #matches(id: string): boolean {
    const product = this.#products.get(id);
    return !product || stillMatches(product, this.query);
  }
}

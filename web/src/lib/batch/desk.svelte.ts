import type {
  Batch,
  BatchService,
  Change,
  Conflict,
  Decided,
  Product,
  ProductCounts,
  ProductQuery,
  Target,
} from '../api/batch.ts';
import { person } from '../api/person.svelte.ts';
import { explain, ProblemError } from '../api/problem.ts';
import { applied } from './apply.ts';
import { filtersOf } from './filters.ts';
import { ProductList } from './product-list.svelte.ts';
import { Selection } from './selection.svelte.ts';
import { Writes } from './writes.svelte.ts';

/** How many similar products are shown at most. */
const SIMILAR = 60;
/** The status of an undo that finds nothing to undo. */
const NOTHING_LEFT = 409;
/** The service returns no more products than this with a decision. */
const RETURNED = 200;

/** A batch and what a person does in it. Every change shows at once, and is taken back where the service refuses it. */
export class BatchDesk {
  batch = $state.raw<Batch>();
  counts = $state.raw<ProductCounts>();
  problem = $state<string>();
  /** Products that somebody else has changed meanwhile, so that a decision did not hold for them. */
  conflicts = $state.raw<readonly Conflict[]>([]);
  /** What came of the last thing that was done, for the line that offers to undo it. */
  last = $state.raw<{ changed: number; undone: boolean } | null>(null);
  /** Whether somebody has deleted the batch. */
  isGone = $state(false);
  /** Counts up whenever the undo or redo had nothing left to do. */
  nothingLeft = $state(0);

  readonly list: ProductList;
  readonly selection: Selection;
  readonly writes = new Writes();
  #countsRound = 0;

  constructor(
    readonly id: string,
    readonly service: BatchService,
  ) {
    this.list = new ProductList((query) => this.#ask(query));
    this.selection = new Selection(this.list);
  }

  async open(query: ProductQuery): Promise<void> {
    await Promise.all([this.#loadBatch(), this.show(query)]);
  }

  /** Shows other products. What was selected belongs to what was shown. */
  async show(query: ProductQuery): Promise<void> {
    this.selection.clear();
    await Promise.all([this.list.load(query), this.loadCounts()]);
  }

  async loadCounts(): Promise<void> {
    const round = ++this.#countsRound;
    try {
      const counts = await this.service.counts(this.id, countable(this.list.query));
      if (round === this.#countsRound) this.counts = counts;
    } catch (error) {
      if (round === this.#countsRound) this.problem = explain(error);
    }
  }

  /** Decides something about the selected products, or about those of `target`. Says whether it holds. */
  async decide(change: Change, target: Target = this.selection.target): Promise<boolean> {
    const before = this.#targeted(target);
    const after = before.map((product) => applied(product, change, person.name));
    if (change.delete || change.move_to) this.#take(before);
    else this.list.put(after);
    this.#countOptimistically(before, after);
    const decided = await this.#write(async () => {
      const versions = 'products' in target ? versionsOf(before, this.list) : undefined;
      const answer = await this.service.decide(this.id, target, change, versions);
      // Before the next decision is sent: it has to name these versions.
      this.#putAnswer(answer, after);
      return answer;
    });
    if (!decided) {
      if (change.delete || change.move_to) await this.list.refresh();
      else this.#restore(before, after);
      return false;
    }
    await this.#accept(decided, before);
    return decided.conflicts.length === 0;
  }

  /** Sets values that differ from product to product: one decision, and one undo. */
  async decideEach(each: Readonly<Record<string, Record<string, string>>>): Promise<void> {
    const products = Object.keys(each);
    if (products.length > 0) await this.decide({ each }, { products });
  }

  undo(): Promise<Decided | undefined> {
    return this.#step('undo');
  }

  redo(): Promise<Decided | undefined> {
    return this.#step('redo');
  }

  /** Takes what somebody else has changed: products that are shown are asked for again. Events bring the batch itself. */
  async changedElsewhere(ids: readonly string[], { withBatch = true } = {}): Promise<void> {
    const shown = ids.filter((id) => this.list.indexOf(id) >= 0);
    await Promise.all([this.#reload(shown), this.loadCounts(), withBatch && this.#loadBatch()]);
  }

  /** Takes away what somebody else has deleted or moved. */
  takenElsewhere(ids: readonly string[]): void {
    const gone = new Set(ids);
    this.list.remove(gone);
    this.selection.drop(gone);
  }

  async rename(name: string): Promise<void> {
    try {
      this.batch = await this.service.patch(this.id, { name });
    } catch (error) {
      this.problem = explain(error);
    }
  }

  /** Brings a product that a link names, whether or not it is in the list. */
  async fetch(id: string): Promise<void> {
    try {
      this.list.keep(await this.service.product(this.id, id));
    } catch (error) {
      this.problem = explain(error);
    }
  }

  /** Brings products wherever they stand, and keeps them. */
  async fetchAll(ids: readonly string[]): Promise<void> {
    for (let first = 0; first < ids.length; first += RETURNED) {
      const query = { ids: ids.slice(first, first + RETURNED).join(','), limit: String(RETURNED) };
      const { items } = await this.service.products(this.id, query);
      for (const product of items) this.list.keep(product);
    }
  }

  async reloadBatch(): Promise<void> {
    await this.#loadBatch();
  }

  async #ask(query: ProductQuery): Promise<{ items: Product[]; total: number }> {
    const { like, ...rest } = query;
    if (!like) return this.service.products(this.id, rest);
    if (Number(rest.offset) > 0) return { items: [], total: SIMILAR };
    const { items } = await this.service.similar(this.id, like, SIMILAR);
    const products = items.map(({ product }) => product).filter(({ id }) => id !== like);
    const found = [await this.service.product(this.id, like), ...products];
    return { items: found, total: found.length };
  }

  async #loadBatch(): Promise<void> {
    try {
      this.batch = await this.service.get(this.id);
    } catch (error) {
      this.problem = explain(error);
    }
  }

  /** The products of a target that are loaded: those are the ones to change on the screen. */
  #targeted(target: Target): Product[] {
    if ('products' in target) return target.products.flatMap((id) => this.list.get(id) ?? []);
    const left = new Set(target.except);
    return this.list.loaded.filter(({ id }) => !left.has(id));
  }

  #take(products: readonly Product[]): void {
    const ids = new Set(products.map(({ id }) => id));
    this.list.remove(ids);
    this.selection.drop(ids);
  }

  /** Puts products back as they were, but for those that have changed again since. */
  #restore(before: readonly Product[], after: readonly Product[]): void {
    const back = before.filter((product, place) => this.list.get(product.id) === after[place]);
    this.list.put(back);
    void this.loadCounts();
  }

  /** Shows products as the service has them. What has changed once more since then stays newer than this answer. */
  #putAnswer({ products }: Decided, after: readonly Product[]): void {
    const expected = new Map(after.map((product) => [product.id, product]));
    this.list.put(
      products.map((product) => {
        const shown = this.list.get(product.id);
        const isNewer = shown !== undefined && shown !== expected.get(product.id);
        return isNewer ? { ...shown, version: product.version } : product;
      }),
    );
  }

  async #accept(decided: Decided, before: readonly Product[]): Promise<void> {
    this.last = { changed: decided.changed, undone: false };
    this.conflicts = decided.conflicts;
    const returned = new Set(decided.products.map(({ id }) => id));
    const unknown = before.filter(({ id }) => !returned.has(id) && this.list.indexOf(id) >= 0);
    await this.#reload(unknown.map(({ id }) => id));
    if (this.writes.pending === 0) await Promise.all([this.loadCounts(), this.#loadBatch()]);
  }

  async #reload(ids: readonly string[]): Promise<void> {
    for (let first = 0; first < ids.length; first += RETURNED) {
      const some = ids.slice(first, first + RETURNED);
      try {
        const query = { ids: some.join(','), limit: String(RETURNED) };
        const { items } = await this.service.products(this.id, query);
        this.list.put(items);
        const found = new Set(items.map(({ id }) => id));
        const gone = some.filter((id) => !found.has(id));
        if (gone.length > 0) this.list.remove(new Set(gone));
      } catch (error) {
        this.problem = explain(error);
      }
    }
  }

  async #step(way: 'undo' | 'redo'): Promise<Decided | undefined> {
    const decided = await this.#write(() => this.service[way](this.id));
    if (!decided) return undefined;
    const strange = this.list.put(decided.products);
    // What comes back, or goes again, has no place that this list knows.
    if (strange.length > 0 || decided.products.length < decided.changed) await this.list.refresh();
    this.last = { changed: decided.changed, undone: way === 'undo' };
    await Promise.all([this.loadCounts(), this.#loadBatch()]);
    return decided;
  }

  async #write(write: () => Promise<Decided>): Promise<Decided | undefined> {
    this.problem = undefined;
    try {
      return await this.writes.run(write);
    } catch (error) {
      if (error instanceof ProblemError && error.status === NOTHING_LEFT) this.nothingLeft += 1;
      else this.problem = explain(error);
      return undefined;
    }
  }

  #countOptimistically(before: readonly Product[], after: readonly Product[]): void {
    if (!this.batch) return;
    const counts = { ...this.batch.counts };
    before.forEach((product, place) => {
      const now = after[place]?.state ?? product.state;
      if (now === product.state) return;
      counts[product.state] -= 1;
      counts[now] += 1;
    });
    this.batch = { ...this.batch, counts };
  }
}

/** The versions that a person has seen, so that a newer one of somebody else is not overwritten. */
function versionsOf(seen: readonly Product[], list: ProductList): Record<string, number> {
  return Object.fromEntries(seen.map(({ id, version }) => [id, list.get(id)?.version ?? version]));
}

/** What is counted for the filters: everything but the states, which are the choices of the first of them. */
function countable(query: ProductQuery): ProductQuery {
  const { like, ...filters } = filtersOf(query);
  void like;
  return filters;
}

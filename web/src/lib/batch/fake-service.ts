import type {
  Attribute,
  Batch,
  BatchService,
  Change,
  Decided,
  Product,
  ProductQuery,
  Target,
} from '../api/batch.ts';
import { ProblemError } from '../api/problem.ts';
import { applied } from './apply.ts';

/** What tests make up: a batch of products in memory that answers as the service does. */

type Labels = Record<string, [value: string, confidence: number, ...others: string[]]>;

export const SHIRT: Labels = {
  masterCategory: ['Apparel', 0.99],
  subCategory: ['Topwear', 0.97],
  articleType: ['Shirts', 0.94, 'Tshirts', 'Tops'],
  gender: ['Men', 0.96, 'Women', 'Unisex'],
  baseColour: ['Blue', 0.83, 'Navy Blue', 'White'],
  season: ['Summer', 0.72, 'Fall'],
  usage: ['Casual', 0.9, 'Formal'],
};

const LEVELS = ['masterCategory', 'subCategory', 'articleType'];

function attribute([value, confidence, ...others]: Labels[string]): Attribute {
  const rest = others.map((other, place) => ({ value: other, confidence: (1 - confidence) / (place + 2) }));
  return {
    value,
    confidence,
    confident: confidence >= 0.8,
    state: 'predicted',
    by: null,
    candidates: [{ value, confidence }, ...rest],
  };
}

export function product(id: string, said: Labels = SHIRT, more: Partial<Product> = {}): Product {
  const label = Object.fromEntries(Object.entries(said).map(([name, given]) => [name, attribute(given)]));
  const doubtful = LEVELS.find((level) => label[level] && !label[level].confident);
  return {
    id,
    batch: 'b1',
    key: `SKU-${id}`,
    name: `Product ${id}`,
    row: null,
    photos: [
      {
        id: `f${id}`,
        name: `SKU-${id}_front.jpg`,
        view: 'front',
        width: 600,
        height: 800,
        flags: [],
        error: null,
        duplicate_of: null,
        is_near_duplicate: false,
        disagrees: [],
      },
    ],
    label,
    path: LEVELS.map((level) => label[level]?.value ?? ''),
    confident_depth: doubtful ? LEVELS.indexOf(doubtful) : LEVELS.length,
    state: 'to_check',
    needs: doubtful ? { attribute: doubtful, why: 'unsure' } : null,
    flags: [],
    not_a_product: { by_model: false, decided: null },
    known: {},
    assigned_to: null,
    comments: 0,
    version: 1,
    updated: '2026-01-05T10:00:00Z',
    ...more,
  };
}

export function batchOf(products: readonly Product[], more: Partial<Batch> = {}): Batch {
  const count = (state: string) => products.filter((item) => item.state === state).length;
  return {
    id: 'b1',
    name: 'Spring',
    model: { id: 'default', name: 'default', version: '1' },
    created: '2026-01-05T10:00:00Z',
    updated: '2026-01-05T10:00:00Z',
    created_by: 'Anna',
    assigned_to: null,
    archived: false,
    state: 'ready',
    message: null,
    progress: null,
    counts: {
      products: products.length,
      photos: products.reduce((sum, { photos }) => sum + photos.length, 0),
      labelled: products.length,
      to_check: count('to_check'),
      checked: count('checked'),
      corrected: count('corrected'),
      not_a_product: 0,
      failed: 0,
    },
    sheet: null,
    grouping: { by: 'sku', pattern: null },
    from_catalogue: false,
    cover: products.slice(0, 4).flatMap(({ photos }) => photos.slice(0, 1).map(({ id }) => id)),
    ...more,
  };
}

type Snapshot = readonly Product[];

/** A batch in memory. Only what tests ask is here: the rest throws. */
export class FakeService implements Partial<BatchService> {
  products_: Product[];
  batch: Batch;
  /** Every call in its order, as `decide` or `products`. */
  calls: string[] = [];
  #undo: Snapshot[] = [];
  #redo: Snapshot[] = [];

  constructor(products: readonly Product[]) {
    this.products_ = [...products];
    this.batch = batchOf(products);
  }

  /** Itself as the whole service, whose other calls a test never makes. */
  get service(): BatchService {
    return this as unknown as BatchService;
  }

  async get(): Promise<Batch> {
    const { name, sheet, state } = this.batch;
    return batchOf(this.products_, { name, sheet, state });
  }

  matching(query: ProductQuery): Product[] {
    const ids = query.ids?.split(',');
    const found = this.products_.filter(
      (item) =>
        (!ids || ids.includes(item.id)) &&
        (!query.state || item.state === query.state) &&
        (!query.q || item.name.toLowerCase().includes(query.q.toLowerCase())) &&
        Object.entries(query).every(
          ([name, value]) =>
            !name.startsWith('attribute.') || item.label[name.slice('attribute.'.length)]?.value === value,
        ),
    );
    return query.descending === 'true' ? found.toReversed() : found;
  }

  async products(_: string, query: ProductQuery) {
    this.calls.push('products');
    const found = this.matching(query);
    const offset = Number(query.offset ?? 0);
    return { items: found.slice(offset, offset + Number(query.limit ?? 50)), total: found.length };
  }

  async counts(_: string, query: ProductQuery) {
    const found = this.matching({ ...query, state: '' });
    const states: Record<string, number> = {};
    for (const { state } of found) states[state] = (states[state] ?? 0) + 1;
    return { total: found.length, states, paths: {}, attributes: {}, flags: {}, who: {} };
  }

  async decide(
    _: string,
    target: Target,
    change: Change,
    versions: Record<string, number> = {},
  ): Promise<Decided> {
    this.calls.push('decide');
    const wanted =
      'products' in target
        ? target.products
        : this.matching(target.matching).flatMap(({ id }) => (target.except.includes(id) ? [] : [id]));
    const stale = (item: Product) => (versions[item.id] ?? item.version) !== item.version;
    const hit = this.products_.filter((item) => wanted.includes(item.id));
    const conflicts = hit.filter(stale).map(({ id }) => ({ product: id, by: 'Ben', value: null }));
    this.#undo.push(this.products_);
    this.#redo = [];
    const changing = new Set(hit.filter((item) => !stale(item)).map(({ id }) => id));
    this.products_ = change.delete
      ? this.products_.filter(({ id }) => !changing.has(id))
      : this.products_.map((item) =>
          changing.has(item.id) ? { ...applied(item, change, null), version: item.version + 1 } : item,
        );
    return this.#answer([...changing], conflicts);
  }

  async undo(): Promise<Decided> {
    const before = this.#undo.pop();
    if (!before) throw new ProblemError('There is nothing to undo.', 409, 'nothing_to_undo');
    this.#redo.push(this.products_);
    return this.#goTo(before);
  }

  async redo(): Promise<Decided> {
    const after = this.#redo.pop();
    if (!after) throw new ProblemError('There is nothing to redo.', 409, 'nothing_to_redo');
    this.#undo.push(this.products_);
    return this.#goTo(after);
  }

  async present() {
    this.calls.push('present');
  }

  #goTo(snapshot: Snapshot): Decided {
    const now = new Map(this.products_.map((item) => [item.id, item]));
    const changed = snapshot.filter((item) => now.get(item.id) !== item).map(({ id }) => id);
    this.products_ = snapshot.map((item) => ({
      ...item,
      version: Math.max(item.version, now.get(item.id)?.version ?? 0) + 1,
    }));
    return this.#answer(changed, []);
  }

  #answer(changed: readonly string[], conflicts: Decided['conflicts']): Decided {
    const products = this.products_.filter(({ id }) => changed.includes(id));
    return { decision: `d${this.#undo.length}`, changed: changed.length, conflicts, products };
  }
}

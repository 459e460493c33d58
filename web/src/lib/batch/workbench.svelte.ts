import { getContext, setContext } from 'svelte';

import type { BatchService, Product, SavedView, Target } from '../api/batch.ts';
import { answered, api } from '../api/client.ts';
import { person } from '../api/person.svelte.ts';
import { explain } from '../api/problem.ts';
import { Resource } from '../api/resource.svelte.ts';
import { shopService, type NewClass } from '../api/shop.ts';
import { ARROW, consistent, labelsOfPath, pathOptions } from '../api/taxonomy.ts';
import type { Taxonomy } from '../api/types.ts';
import { labelName } from '../ui/columns.ts';
import { attributeOfField, CATEGORY, fieldsOf } from './attributes.ts';
import { Presence } from './presence.svelte.ts';
import { BatchDesk } from './desk.svelte.ts';
import { addressOf, isSame, placeOf, type Place } from './filters.ts';
import { Learning } from './learning.svelte.ts';
import { Review } from './review.svelte.ts';
import { Teaching } from './teaching.svelte.ts';
import { meanConfidences, pathConfidences, type Choice } from './type-ahead.ts';

/** What is being edited: a field of some products, beside the element that it was opened from. */
export interface Editing {
  field: string;
  target: Target;
  /** Those of the products that are loaded. */
  products: readonly Product[];
  anchor: DOMRect;
}

/** The service forgets who has said nothing for some time. */
const PRESENT_MS = 20_000;

export type Panel = 'keys' | 'sheet' | 'grouping' | 'name' | 'move' | 'assign' | 'rename' | 'view';

/** Everything that the views of one batch share. */
export class Workbench {
  readonly desk: BatchDesk;
  readonly presence: Presence;
  readonly review: Review;
  readonly learning: Learning;
  readonly teaching: Teaching;
  readonly taxonomy: Resource<Taxonomy>;
  place = $state.raw<Place>({ view: 'tags', query: {}, product: null });
  editing = $state.raw<Editing | null>(null);
  /** The dialog that is open. */
  panel = $state<Panel | null>(null);
  views = $state.raw<readonly SavedView[]>([]);
  #activeId = $state<string>();
  #presenceTimer: ReturnType<typeof setInterval> | undefined;
  /** Counts up when the active product should take the keyboard's focus. */
  focusAsked = $state(0);

  constructor(
    id: string,
    readonly service: BatchService,
    /** Leads to another place of the batch, by the address. */
    private readonly lead: (place: Place, replace: boolean) => void,
  ) {
    this.desk = new BatchDesk(id, service);
    this.learning = new Learning(id, shopService);
    this.presence = new Presence(this.desk, () => person.name, this.learning);
    this.teaching = new Teaching({
      next: (limit) => shopService.next(id, limit),
      fetch: (ids) => this.desk.fetchAll(ids),
      product: (product) => this.desk.list.get(product),
    });
    this.review = new Review(
      this.desk,
      (product, field, value) => this.labelsOf(product, field, value),
      () => (this.place.view === 'teach' ? this.teaching : this.desk.list),
    );
    this.taxonomy = new Resource(() => {
      const query = { model: this.desk.batch?.model.id };
      return answered(api.GET('/api/v1/taxonomy', { params: { query } }));
    });
  }

  /** Loads what does not hang on the address: the batch itself and its saved views. */
  async begin(): Promise<void> {
    await this.desk.reloadBatch();
    void this.taxonomy.need();
    this.views = await this.service.views(this.desk.id).catch(() => []);
  }

  /** Asks again for the list, whose products have become more. */
  async catchUpList(): Promise<void> {
    await Promise.all([this.desk.list.refresh(), this.desk.reloadBatch(), this.desk.loadCounts()]);
  }

  /** Asks again for everything that may have changed while the connection was lost. */
  async catchUp(): Promise<void> {
    const ids = this.desk.list.loaded.map(({ id }) => id);
    await this.desk.changedElsewhere(ids.slice(0, 200));
  }

  /** Follows the address. */
  async arrive(place: Place): Promise<void> {
    const isOther = !isSame(place.query, this.place.query) || this.desk.list.total === undefined;
    this.place = place;
    if (isOther) await this.review.begin(this.desk.show(place.query));
  }

  /** Goes to another place. Only a change of the view or of an open product is a step that Back takes back. */
  go(change: Partial<Place>, { replace = false } = {}): void {
    this.lead({ ...this.place, ...change }, replace);
  }

  readonly activeIndex = $derived.by(() => {
    const found = this.#activeId === undefined ? -1 : this.desk.list.indexOf(this.#activeId);
    return Math.max(0, found);
  });
  readonly active = $derived.by(() => this.desk.list.at(this.activeIndex));
  readonly opened = $derived.by(() =>
    this.place.product === null ? undefined : this.desk.list.get(this.place.product),
  );

  enter(id: string): void {
    this.#activeId = id;
  }

  /** What an action of the keyboard is about: the selection if the active product is in it, else that product alone. */
  targetOf(product: Product): Target {
    const { selection } = this.desk;
    return selection.has(product.id) ? selection.target : { products: [product.id] };
  }

  edit(field: string, target: Target, anchor: Element): void {
    const products =
      'products' in target
        ? target.products.flatMap((id) => this.desk.list.get(id) ?? [])
        : this.desk.list.loaded.filter(({ id }) => !target.except.includes(id));
    this.editing = { field, target, products, anchor: anchor.getBoundingClientRect() };
    void this.taxonomy.need();
  }

  /** Ends editing and gives the focus back to where the person was. */
  leave(): void {
    if (!this.editing) return;
    this.editing = null;
    this.focusAsked += 1;
  }

  say(value: string, editing = this.editing): void {
    const [first] = editing?.products ?? [];
    if (!editing) return;
    const set = first ? this.labelsOf(first, editing.field, value) : this.#labels(editing.field, value);
    if (this.editing === editing) this.leave();
    void this.desk.decide({ set }, editing.target);
  }

  /** Makes a class of the shop's own and sets what is being edited to it, even if the person has gone on meanwhile. */
  async create(given: NewClass, value: string): Promise<void> {
    const { editing } = this;
    try {
      await shopService.createClass(given);
      await this.taxonomy.load();
      this.say(value, editing);
    } catch (error) {
      this.leave();
      this.desk.problem = explain(error);
    }
  }

  /** Tells the others which product is open here. Without a name there is nobody to tell of. */
  present(product: string | null): void {
    clearInterval(this.#presenceTimer);
    if (person.name === null) return;
    const tell = () => void this.service.present(this.desk.id, product).catch(() => undefined);
    tell();
    if (product !== null) this.#presenceTimer = setInterval(tell, PRESENT_MS);
  }

  /** Stops the labelling of the batch, or lets it go on. */
  async setLabelling(labelling: boolean): Promise<void> {
    try {
      await this.service.patch(this.desk.id, { labelling });
      await this.desk.reloadBatch();
    } catch (error) {
      this.desk.problem = explain(error);
    }
  }

  openView(view: SavedView): void {
    this.go(placeOf(new URLSearchParams(view.query)));
  }

  /** Keeps the present filters and order under a name. */
  async saveView(name: string): Promise<void> {
    const query = addressOf({ ...this.place, product: null }).slice(1);
    this.views = [...this.views.filter((view) => view.name !== name), { name, query }];
    await this.service.saveViews(this.desk.id, [...this.views]);
  }

  /** Whether products are looked at one after another. */
  readonly isReview = $derived(this.place.view === 'review' || this.place.view === 'teach');

  async undo(): Promise<void> {
    if (this.isReview) await this.review.undo();
    else await this.desk.undo();
  }

  async redo(): Promise<void> {
    await this.desk.redo();
  }

  /** The fields of the products that are shown. */
  readonly fields = $derived.by(() => {
    const first = this.active ?? this.desk.list.loaded[0];
    if (first) return fieldsOf(Object.keys(first.label));
    return fieldsOf(Object.keys(this.taxonomy.value?.columns ?? {}));
  });

  /** All values of a field to choose from. */
  choicesOf(field: string): Choice[] {
    const taxonomy = this.taxonomy.value;
    if (!taxonomy) return [];
    if (field === CATEGORY) return pathOptions(taxonomy);
    return (taxonomy.columns[field] ?? []).map((value) => ({ value, label: labelName(field, value) }));
  }

  /** The model's probabilities of the choices of a field, over some products. */
  confidencesOf(field: string, products: readonly Product[]): Record<string, number> {
    const candidates = products.map(
      (product) => product.label[attributeOfField(product, field)]?.candidates ?? [],
    );
    const means = meanConfidences(candidates);
    return field === CATEGORY ? pathConfidences(this.choicesOf(field), means) : means;
  }

  /** What has to be set so that a field has a value: a whole path, where the category is concerned. */
  labelsOf(product: Product, field: string, value: string): Record<string, string> {
    const known = Object.entries(this.#labels(field, value, product));
    return Object.fromEntries(known.filter(([column]) => column in product.label));
  }

  #labels(field: string, value: string, product?: Product): Record<string, string> {
    const taxonomy = this.taxonomy.value;
    if (field !== CATEGORY) return { [field]: value };
    const leaf = (product && attributeOfField(product, field)) ?? taxonomy?.levels.at(-1) ?? field;
    if (!taxonomy) return { [leaf]: value };
    if (value.includes(ARROW)) return labelsOfPath(taxonomy, value);
    const current = Object.fromEntries(
      Object.entries(product?.label ?? {}).map(([name, attribute]) => [name, attribute.value]),
    );
    return consistent(taxonomy, { column: leaf, value }, current, product?.label[leaf]?.candidates ?? []);
  }
}

const KEY = Symbol('workbench');

export function setWorkbench(bench: Workbench): Workbench {
  return setContext(KEY, bench);
}

export function useWorkbench(): Workbench {
  return getContext<Workbench>(KEY);
}

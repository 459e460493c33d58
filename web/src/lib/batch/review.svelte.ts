import type { Product } from '../api/batch.ts';
import { isNoProduct } from './apply.ts';
import { askedField, attributeOfField, CATEGORY, fieldsOf, keysOf } from './attributes.ts';
import type { BatchDesk } from './desk.svelte.ts';

/** How many candidates have a key. */
const CHOICES = 9;
/** So many are shown at least, and more only where they are possible at all. */
const LEAST_CHOICES = 4;
const POSSIBLE = 0.01;
/** How many of the next products are loaded ahead. */
const AHEAD = 12;

/** Keys that mean something else in a review. */
export const REVIEW_KEYS: readonly string[] = ['s', 'u', 'x', 'z', 'l', 'o'];

/** The products that a review goes through. */
export interface Sequence {
  /** How many there are, as far as is known. */
  readonly total: number | undefined;
  at(index: number): Product | undefined;
  indexOf(id: string): number;
  /** Sees to it that the products from one index to another are there. */
  need(first: number, last: number): Promise<void>;
  /** Those that one answer settles together with a product. */
  together?(id: string): string[];
  toggleAll?(id: string): void;
}

/** Products one after another: what is asked about each, and where a person is among them. */
export class Review {
  index = $state(0);
  /** The field that a person chose to look at; else the one in doubt. */
  #field = $state<string>();
  /** The product that a person went on to while another list was coming. */
  #wentOnTo: string | undefined;

  constructor(
    readonly desk: BatchDesk,
    /** The values of a category path: a leaf brings its parents. */
    private readonly labelsOf: (product: Product, field: string, value: string) => Record<string, string>,
    private readonly chosen: () => Sequence = () => desk.list,
  ) {}

  readonly sequence = $derived.by(() => this.chosen());
  readonly total = $derived(this.sequence.total ?? 0);
  readonly product = $derived(this.sequence.at(this.index));
  readonly isDone = $derived(this.total > 0 && this.index >= this.total);
  readonly fields = $derived(this.product ? fieldsOf(Object.keys(this.product.label)) : []);
  readonly keys = $derived(keysOf(this.fields, REVIEW_KEYS));
  readonly field = $derived(this.#field ?? (this.product ? askedField(this.product) : CATEGORY));
  readonly attribute = $derived(this.product ? attributeOfField(this.product, this.field) : '');
  readonly candidates = $derived(
    (this.product?.label[this.attribute]?.candidates ?? [])
      .slice(0, CHOICES)
      .filter(({ confidence }, place) => place < LEAST_CHOICES || confidence >= POSSIBLE),
  );
  /** What an answer is about: the product, and those that look the same. */
  readonly target = $derived.by(() => {
    const id = this.product?.id;
    return { products: id === undefined ? [] : [id, ...(this.sequence.together?.(id) ?? [])] };
  });
  /** The products whose photos are worth loading now. */
  readonly next = $derived([1, 2, 3].flatMap((step) => this.sequence.at(this.index + step) ?? []));

  /**
   * Begins with another list, which is on its way. Keys that come meanwhile are about the old one: who went on there,
   * or looked at a field, stays where they are.
   */
  async begin(loading: Promise<void>): Promise<void> {
    [this.index, this.#field, this.#wentOnTo] = [0, undefined, undefined];
    const first = this.product?.id;
    await loading;
    const index = this.#wentOnTo === undefined ? 0 : Math.max(0, this.sequence.indexOf(this.#wentOnTo));
    const stays = this.sequence.at(index)?.id === (this.#wentOnTo ?? first);
    if (!stays) return this.go(index);
    this.index = index;
    await this.sequence.need(index, index + AHEAD);
  }

  async go(index: number): Promise<void> {
    this.index = Math.max(0, Math.min(index, this.total));
    this.#field = undefined;
    await this.sequence.need(this.index, this.index + AHEAD);
  }

  look(field: string): void {
    if (this.fields.includes(field)) this.#field = field;
  }

  /** Picks the candidate of a key, 1 to 9. Does not wait for the service. */
  pick(number: number): void {
    const candidate = this.candidates[number - 1];
    if (candidate) this.say(candidate.value);
  }

  say(value: string): void {
    const { product } = this;
    if (!product) return;
    const field = this.field;
    const set = this.labelsOf(product, field, value);
    // The next doubt may be another one: the field that was answered stays in view until the person moves on.
    this.#field = field;
    void this.desk.decide({ set }, this.target);
  }

  /** Everything on the screen is right: on to the next. */
  confirm(): void {
    const { product } = this;
    if (!product) return;
    void this.desk.decide({ confirm: true }, this.target);
    this.#step(1);
  }

  skip(): void {
    this.#step(1);
  }

  back(): void {
    this.#step(-1);
  }

  #step(by: number): void {
    void this.go(this.index + by);
    this.#wentOnTo = this.product?.id;
  }

  /** Says that it is no product, or that it is one after all; then on to the next. */
  overrule(isNoProduct: boolean): void {
    const { product } = this;
    if (!product) return;
    void this.desk.decide({ not_a_product: isNoProduct }, { products: [product.id] });
    if (isNoProduct) this.#step(1);
  }

  /** Takes the last decision back and shows the product that it was about. */
  async undo(): Promise<void> {
    const decided = await this.desk.undo();
    const places = (decided?.products ?? []).map(({ id }) => this.sequence.indexOf(id));
    const index = places.find((place) => place >= 0) ?? -1;
    if (index >= 0) await this.go(index);
  }

  /** What a key does; false where it does nothing here. */
  press(key: string): boolean {
    if (/^[1-9]$/.test(key)) this.pick(Number(key));
    else if (key === 'Enter') this.confirm();
    else if (key === 's' || key === 'ArrowRight') this.skip();
    else if (key === 'ArrowLeft') this.back();
    else if (key === 'u' || key === 'z') void this.undo();
    else if (key === 'l' && this.sequence.toggleAll) this.sequence.toggleAll(this.product?.id ?? '');
    else if (key === 'x') this.overrule(!(this.product && isNoProduct(this.product)));
    else {
      const field = this.fields.find((known) => this.keys[known] === key);
      if (!field) return false;
      this.look(field);
    }
    return true;
  }
}

import { askedField, attributeOfField, CATEGORY, keysOf } from './attributes.ts';
import { isNoProduct } from './apply.ts';
import type { Workbench } from './workbench.svelte.ts';

/** Keys that mean something else in the lists. */
export const LIST_KEYS: readonly string[] = ['x', 'y', 'z', 'a'];

/** What a key does with the active product or with the selection; false where it does nothing. */
export function pressInList(bench: Workbench, key: string, anchor: Element): boolean {
  const product = bench.active;
  if (!product) return false;
  const target = bench.targetOf(product);
  const keys = keysOf(bench.fields, LIST_KEYS);
  const field = bench.fields.find((known) => keys[known] === key);
  if (key === ' ') void bench.desk.selection.click(bench.activeIndex, { toggle: true });
  else if (key === 'Enter') bench.edit(product.needs ? askedField(product) : CATEGORY, target, anchor);
  else if (key === 'y') void bench.desk.decide({ confirm: true }, target);
  else if (key === 'x') void bench.desk.decide({ not_a_product: !isNoProduct(product) }, target);
  else if (key === 'o') bench.go({ product: product.id });
  else if (/^[1-9]$/.test(key)) pick(bench, Number(key));
  else if (key === 'Delete') void bench.desk.decide({ delete: true }, target);
  else if (field) bench.edit(field, target, anchor);
  else return false;
  return true;
}

/** Sets the field in doubt of the active product to one of its candidates. */
function pick(bench: Workbench, number: number): void {
  const product = bench.active;
  if (!product) return;
  const field = askedField(product);
  const attribute = attributeOfField(product, field);
  const candidate = product.label[attribute]?.candidates[number - 1];
  if (!candidate) return;
  const set = bench.labelsOf(product, field, candidate.value);
  void bench.desk.decide({ set }, { products: [product.id] });
}

/** The name of a key, whatever the state of caps lock. */
export function keyOf({ key }: KeyboardEvent): string {
  return key.length === 1 ? key.toLowerCase() : key;
}

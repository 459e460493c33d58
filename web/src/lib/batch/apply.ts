import type { Attribute, Change, Product, ProductQuery } from '../api/batch.ts';
import { CATEGORY_COLUMNS } from '../ui/columns.ts';

/** A product as it will be once the service has taken a change, so that nobody waits to see it. */
export function applied(before: Product, change: Change, by: string | null): Product {
  const values = { ...change.set, ...change.each?.[before.id] };
  const isSet = Object.keys(values).length > 0;
  const label = { ...before.label };
  for (const [name, value] of Object.entries(values))
    if (label[name]) label[name] = settled(label[name], value, by);
  for (const name of confirmed(change, label)) {
    const attribute = label[name];
    if (attribute?.state === 'predicted')
      label[name] = { ...attribute, state: 'confirmed', confident: true, by };
  }
  const after: Product = { ...before, label, path: pathOf(label) };
  if (isSet) after.state = 'corrected';
  else if (change.confirm === true && before.state === 'to_check') after.state = 'checked';
  if (change.confirm === true || (before.needs?.attribute && isSettled(label[before.needs.attribute])))
    after.needs = null;
  if (after.needs === null && (isSet || change.confirm)) after.confident_depth = after.path.length;
  if (change.not_a_product !== undefined)
    after.not_a_product = { ...before.not_a_product, decided: change.not_a_product };
  if (change.assign_to !== undefined) after.assigned_to = change.assign_to;
  if (change.flag) after.flags = flagged(before.flags, change.flag);
  return after;
}

/** Whether a product is still among those that a filter shows. What only the service can tell counts as yes. */
export function stillMatches(product: Product, query: ProductQuery): boolean {
  if (query.state && product.state !== query.state) return false;
  if (query.flag && !isFlagged(product, query.flag)) return false;
  if (query.needs && !product.needs) return false;
  if (query.path && !(product.path.join('/') + '/').startsWith(`${query.path}/`)) return false;
  return Object.entries(query).every(
    ([name, value]) =>
      !name.startsWith('attribute.') || product.label[name.slice('attribute.'.length)]?.value === value,
  );
}

/** What stands above a label that a person overruled, or nothing: whether the product is none. */
export function isNoProduct({ not_a_product: { by_model, decided } }: Product): boolean {
  return decided ?? by_model;
}

/** Whether a model or a person has said what the product is. */
export function isLabelled(product: Product): boolean {
  return Object.keys(product.label).length > 0;
}

/** All flags of a product and of its photos. */
export function flagsOf(product: Product): string[] {
  const ofPhotos = product.photos.flatMap(({ flags }) => flags);
  return [...new Set([...product.flags, ...ofPhotos, ...repetitionOf(product)])].filter(
    (flag) => flag !== 'not_a_product',
  );
}

/** What a product is whose photos all came before, or show the same picture as one that did. */
function repetitionOf({ photos }: Product): string[] {
  if (photos.length === 0 || photos.some(({ duplicate_of }) => duplicate_of === null)) return [];
  return photos.some(({ is_near_duplicate }) => is_near_duplicate) ? ['near_duplicate'] : ['duplicate'];
}

function isFlagged(product: Product, flag: string): boolean {
  return flag === 'not_a_product' ? isNoProduct(product) : flagsOf(product).includes(flag);
}

function settled(before: Attribute, value: string, by: string | null): Attribute {
  const isSame = before.value === value && before.state !== 'corrected';
  return {
    ...before,
    value,
    confident: true,
    confidence: null,
    state: isSame ? 'confirmed' : 'corrected',
    by,
  };
}

function isSettled(attribute: Attribute | undefined): boolean {
  return attribute !== undefined && attribute.state !== 'predicted';
}

function confirmed({ confirm }: Change, label: Product['label']): readonly string[] {
  return confirm === true ? Object.keys(label) : (confirm ?? []);
}

function pathOf(label: Product['label']): string[] {
  return CATEGORY_COLUMNS.flatMap((level) => label[level]?.value ?? []);
}

function flagged(flags: readonly string[], change: Record<string, boolean>): string[] {
  const on = Object.keys(change).filter((flag) => change[flag]);
  return [...new Set([...flags, ...on])].filter((flag) => change[flag] !== false);
}

import type { Product } from '../api/batch.ts';
import { ARROW } from '../api/taxonomy.ts';
import { CATEGORY_COLUMNS, columnWord, labelName } from '../ui/columns.ts';
import { flagWords } from '../ui/flags.ts';
import { percent } from '../ui/numbers.ts';
import { t } from '../words/words.svelte.ts';
import { flagsOf, isLabelled, isNoProduct } from './apply.ts';

/** The attributes of a product that are not its category path, in their order. */
export function attributesOf(product: Product): string[] {
  const columns = Object.keys(product.label);
  const others = columns.filter((column) => !CATEGORY_COLUMNS.includes(column));
  // Without a category, the first attribute is the tag's title.
  return others.length < columns.length ? others : others.slice(1);
}

/** What an attribute of a product is called in the language of the page. */
export function valueOf(product: Product, column: string): string {
  const value = product.label[column]?.value;
  return value === undefined ? '' : labelName(column, value);
}

/** The category path in the language of the page. */
export function pathWords(product: Product): string {
  const levels = CATEGORY_COLUMNS.filter((level) => level in product.label);
  return levels.map((level) => valueOf(product, level)).join(ARROW);
}

/** What stands large on a tag: the leaf of the path, or the first attribute of a model without categories. */
export function titleOf(product: Product): string {
  const [first] = Object.keys(product.label);
  const column = CATEGORY_COLUMNS.findLast((level) => level in product.label) ?? first;
  return column === undefined ? '' : valueOf(product, column);
}

/** What went wrong, where no photo of a product could be read. */
export function failureOf(product: Product): string | null {
  if (isLabelled(product) || product.photos.length === 0) return null;
  return product.photos.every(({ error }) => error) ? (product.photos[0]?.error?.reason ?? null) : null;
}

/** The name of a state for people. */
export function stateWords(state: Product['state']): string {
  return t(`batch.state.${state}`);
}

/** Why a person is needed, with the values between which there is a choice. */
export function whyWords(product: Product): string {
  const { needs } = product;
  if (!needs) return '';
  const attribute = needs.attribute ? product.label[needs.attribute] : undefined;
  const column = needs.attribute ?? '';
  const name = columnWord(column);
  const [first, second] = attribute?.candidates ?? [];
  if (needs.why === 'photos_disagree') {
    const count = product.photos.filter((photo) => photo.disagrees.includes(needs.attribute ?? '')).length;
    return t('batch.why.photos', { name, count });
  }
  if (needs.why === 'differs_from_sheet')
    return t('batch.why.sheet', { value: labelName(column, product.known[column] ?? '') });
  if (needs.why === 'suspected') return t('batch.why.suspected', { name });
  if (needs.why !== 'unsure') return t(`batch.why.${needs.why}`);
  if (!first || !second) return t('batch.why.unsure', { name });
  return t('batch.why.between', {
    first: labelName(column, first.value),
    share: percent(first.confidence),
    second: labelName(column, second.value),
    other: percent(second.confidence),
  });
}

/** A tag in one line, as a screen reader says it. */
export function describe(product: Product): string {
  const head = product.key && product.key !== product.name ? `${product.name}, ${product.key}` : product.name;
  const attributes = attributesOf(product).map((column) => valueOf(product, column));
  const parts = [pathWords(product), ...attributes];
  if (isNoProduct(product)) parts.push(t('batch.not_a_product'));
  parts.push(stateWords(product.state), whyWords(product), ...flagsOf(product).map(flagWords));
  return `${head}: ${parts.filter(Boolean).join(', ')}`;
}

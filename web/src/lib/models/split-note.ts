import type { SplitFigures } from './figures.ts';

const STRATEGIES: Record<string, string> = {
  grouped:
    'Copies and near copies of a photo lie on one side of the split, so none of these was seen in training.',
  year: 'Its products are of later years than those of the training.',
  random: 'Drawn at random: near copies of training photos may be among them, which flatters the figures.',
};

/** The names of the sets that a model learnt from beside its catalogue, as the data of its card say. */
export function joinedSets({ joined }: Readonly<Record<string, unknown>>): string[] {
  return Array.isArray(joined) ? joined.filter((name) => typeof name === 'string') : [];
}

/** What has to be known about how a split was made before its figures are believed; `joined` are the model's sets. */
export function splitNote(
  { split, strategy }: Pick<SplitFigures, 'split' | 'strategy'>,
  joined: readonly string[] = [],
): string {
  if (joined.includes(split))
    return 'Kept back of a set that the model learnt from: another source is harder than these photos.';
  if (split === 'custom')
    return 'Photos from another source than the training photos: the hardest and fairest test.';
  if (split === 'train') return 'The model was trained on these very photos, so the figures say little.';
  const made = STRATEGIES[strategy ?? ''] ?? 'The card does not say how the split was made.';
  if (split !== 'validation') return made;
  return `${made} The best state and the temperatures were chosen on these photos, so the test split says more.`;
}

/** What a split is called within a sentence: `test`, `Fashion-MNIST`. */
export function splitName(split: string): string {
  return split === 'fashion_mnist' ? 'Fashion-MNIST' : split.replaceAll('_', ' ');
}

/** What a split is called by itself: `Test split`. */
export function splitLabel(split: string): string {
  const name = splitName(split);
  return `${name.charAt(0).toUpperCase()}${name.slice(1)} split`;
}

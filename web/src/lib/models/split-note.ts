import type { SplitFigures } from './figures.ts';

const STRATEGIES: Record<string, string> = {
  grouped:
    'Copies and near copies of a photo are on the same side of the split, so none of these was seen in training.',
  year: 'Its products are from later years than the training products.',
  random: 'Drawn at random. Near copies of training photos may be among them, which inflates the figures.',
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
    return 'Held out from a source that the model was trained on. Photos from other sources are harder.';
  if (split === 'custom')
    return 'Photos from a different source than the training photos: the hardest and fairest test.';
  if (split === 'train') return 'The model was trained on these photos, so the figures say little.';
  const made = STRATEGIES[strategy ?? ''] ?? 'The card does not say how the split was made.';
  if (split !== 'validation') return made;
  return `${made} The checkpoint and the temperatures were chosen on these photos, so the test split is more reliable.`;
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

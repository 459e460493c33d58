import { capital, said, t } from '../words/words.svelte.ts';
import type { SplitFigures } from './figures.ts';

const STRATEGIES = ['grouped', 'year', 'random'] as const;

/** The names of the sets that a model learnt from beside its catalogue, as the data of its card say. */
export function joinedSets({ joined }: Readonly<Record<string, unknown>>): string[] {
  return Array.isArray(joined) ? joined.filter((name) => typeof name === 'string') : [];
}

/** What has to be known about how a split was made before its figures are believed; `joined` are the model's sets. */
export function splitNote(
  { split, strategy }: Pick<SplitFigures, 'split' | 'strategy'>,
  joined: readonly string[] = [],
): string {
  if (joined.includes(split)) return t('split.note.joined');
  if (split === 'custom') return t('split.note.custom');
  if (split === 'train') return t('split.note.train');
  const known = STRATEGIES.find((name) => name === strategy);
  const made = t(`split.note.${known ?? 'unknown'}`);
  return split === 'validation' ? `${made} ${t('split.note.validation')}` : made;
}

/** What a split is called within a sentence: `test`, `Fashion-MNIST`. */
export function splitName(split: string): string {
  return split === 'fashion_mnist' ? 'Fashion-MNIST' : said('split', split);
}

/** What a split is called by itself: `Test split`. */
export function splitLabel(split: string): string {
  return capital(t('models.split.label', { split: splitName(split) }));
}

/** The history of a training: a record for each epoch, free JSON in the API. */

import type { Series } from '../charts/series.ts';
import { t } from '../words/words.svelte.ts';

export type Epoch = Readonly<Record<string, unknown>>;

const COLUMN = /^validation_(.+)_top1_accuracy$/;

/** The columns whose accuracy was noted on its own. */
export function columnsOf(history: readonly Epoch[]): string[] {
  return Object.keys(history[0] ?? {}).flatMap((key) => COLUMN.exec(key)?.[1] ?? []);
}

/** Accuracy over all labels while training and on the validation photos; of one column, on the latter only. */
export function accuracySeries(history: readonly Epoch[], column = ''): Series[] {
  if (column)
    return kept([seriesOf(history, t('curves.validation'), `validation_${column}_top1_accuracy`, 'accent')]);
  return kept([
    seriesOf(history, t('curves.training'), 'train_top1_accuracy', 'ink'),
    seriesOf(history, t('curves.validation'), 'validation_top1_accuracy', 'accent'),
  ]);
}

export function lossSeries(history: readonly Epoch[]): Series[] {
  return kept([
    seriesOf(history, t('curves.training'), 'train_loss', 'ink'),
    seriesOf(history, t('curves.validation'), 'validation_loss', 'accent'),
  ]);
}

function seriesOf(history: readonly Epoch[], name: string, key: string, tone: Series['tone']): Series {
  const points = history.flatMap((epoch, index) => {
    const y = epoch[key];
    return typeof y === 'number' ? [{ x: Number(epoch.epoch ?? index + 1), y }] : [];
  });
  return { name, tone, points };
}

function kept(series: readonly Series[]): Series[] {
  return series.filter(({ points }) => points.length > 0);
}

/** The figures of a model's card: free JSON in the API, read here into what the page shows. */

import type { ModelSummary } from '../api/types.ts';
import type { Series } from '../charts/series.ts';
import { CATEGORY_COLUMNS } from '../ui/columns.ts';
import { t } from '../words/words.svelte.ts';

export type Interval = readonly [low: number, high: number];

export interface ClassFigures {
  label: string;
  support: number;
  answered: number;
  precision: number | null;
  recall: number | null;
  f1: number | null;
}

export interface ReliabilityBin {
  low: number;
  high: number;
  count: number;
  confidence: number;
  accuracy: number;
}

export interface CoveragePoint {
  coverage: number;
  accuracy: number;
  confidence: number;
}

export interface HeadFigures {
  column: string;
  top1_accuracy: number | null;
  interval_95: Interval | null;
  top3_accuracy: number | null;
  macro_f1: number | null;
  expected_calibration_error: number | null;
  support: number;
  classes: number;
  missing_labels: number;
  unknown_labels: number;
  /** What is answered at the head's threshold. Cards of older evaluations lack this and what follows. */
  answered?: { threshold: number | null; coverage: number | null; accuracy: number | null };
  coverage_curve?: CoveragePoint[];
  per_class?: ClassFigures[];
  reliability?: ReliabilityBin[];
}

export interface SplitFigures {
  split: string;
  /** How the split was made, such as `grouped`; null if the card does not say. */
  strategy: string | null;
  photos: number;
  failed: number;
  heads: HeadFigures[];
  mean_top1_accuracy: number | null;
  all_right: { rate: number | null; interval_95: Interval | null; support: number } | null;
}

/**
 * The column that all measured models have a figure for: the deepest of the category levels, else any. By it they can
 * be compared; a mean over one label stands high beside one over seven.
 */
export function sharedColumn(models: readonly Pick<ModelSummary, 'figures'>[]): string | undefined {
  const measured = models.flatMap(({ figures }) => (figures ? [Object.keys(figures.heads)] : []));
  const shared = (measured[0] ?? []).filter((column) =>
    measured.every((columns) => columns.includes(column)),
  );
  return CATEGORY_COLUMNS.findLast((column) => shared.includes(column)) ?? shared[0];
}

/** What an administrator types so that a model's card has all of its figures. */
export function evaluateCommand(model: string): string {
  return ['hangtag', 'evaluate', model, '--write-card'].join(' ');
}

/** The curve of coverage as a chart draws it, in per cent of the photos. */
export function coverageSeries(curve: readonly CoveragePoint[]): Series[] {
  const points = curve.map(({ coverage, accuracy }) => ({
    x: Math.round(1000 * coverage) / 10,
    y: accuracy,
  }));
  return [{ name: t('coverage.series'), points, tone: 'accent' }];
}

type Json = Readonly<Record<string, unknown>>;

/** Splits that say more about a model come first; any other after them. */
const RANK = ['test', 'custom', 'validation', 'train'];

/** The figures by split, the one to quote first. What is not of the expected form is left out. */
export function readFigures(metrics: Json): SplitFigures[] {
  return Object.entries(metrics)
    .filter((entry): entry is [string, Json] => isObject(entry[1]) && isObject(entry[1].heads))
    .map(([split, figures]) => readSplit(split, figures))
    .sort((a, b) => rank(a.split) - rank(b.split));
}

function readSplit(split: string, figures: Json): SplitFigures {
  const photos = isObject(figures.photos) ? figures.photos : {};
  const made = isObject(figures.split) ? figures.split : {};
  const failed = isObject(photos.failed) ? Object.values(photos.failed) : [];
  const heads = Object.entries(figures.heads as Json).filter(([, head]) => isObject(head));
  return {
    split,
    strategy: typeof made.strategy === 'string' ? made.strategy : null,
    photos: Number(photos.labelled ?? 0),
    failed: failed.reduce<number>((sum, count) => sum + Number(count), 0),
    heads: heads.map(([column, head]) => ({ ...(head as HeadFigures), column })),
    mean_top1_accuracy: (figures.mean_top1_accuracy ?? null) as number | null,
    all_right: (figures.all_right ?? null) as SplitFigures['all_right'],
  };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function rank(split: string): number {
  const place = RANK.indexOf(split);
  return place === -1 ? RANK.length : place;
}

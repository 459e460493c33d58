/** The data of the charts, and what is worked out from it without drawing. */

export interface Point {
  x: number;
  y: number;
}

export interface Series {
  name: string;
  points: readonly Point[];
  /** The accent is for the line that the reader came for; ink is for what it is compared with. */
  tone: 'accent' | 'ink';
}

export interface Bar {
  label: string;
  /** What people read, where that is not the label. */
  name?: string;
  value: number;
}

/** Every x of the series once, ascending. */
export function allX(series: readonly Series[]): number[] {
  return [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
}

/** Lowest and highest y over the series, `[0, 1]` where there is none. */
export function extentY(series: readonly Series[]): [number, number] {
  const values = series.flatMap(({ points }) => points.map(({ y }) => y));
  return values.length === 0 ? [0, 1] : [Math.min(...values), Math.max(...values)];
}

/** The entry whose x is the nearest, by index; -1 where there is none. */
export function nearest(xs: readonly number[], x: number): number {
  let best = -1;
  for (const [index, value] of xs.entries()) {
    const before = xs[best];
    if (before === undefined || Math.abs(value - x) < Math.abs(before - x)) best = index;
  }
  return best;
}

/** A table with the x in the first column and a column for each series; null where a series has no such x. */
export function toRows(series: readonly Series[]): { x: number; values: (number | null)[] }[] {
  return allX(series).map((x) => ({
    x,
    values: series.map(({ points }) => points.find((point) => point.x === x)?.y ?? null),
  }));
}

/** Bars, the largest first, those of one size in the order of their labels. */
export function bySize(bars: readonly Bar[]): Bar[] {
  return [...bars].sort((a, b) => b.value - a.value || a.label.localeCompare(b.label));
}

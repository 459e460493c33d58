/** A heat map as a few paths, one for each shade: quick to draw for 141 classes, and sharp on paper. */

export interface Square {
  row: number;
  column: number;
  /** 0 to 1. */
  weight: number;
}

export interface Shade {
  opacity: number;
  path: string;
}

const STEPS = 8;
const FAINTEST = 0.14;

/** Paths of squares with `size` pixels, grouped into shades; the root of the weight, so that small shares show. */
export function toShades(squares: readonly Square[], size: number): Shade[] {
  const paths = new Map<number, string[]>();
  const gap = size >= 12 ? 1 : 0;
  const side = size - gap;
  for (const { row, column, weight } of squares) {
    const step = Math.max(1, Math.ceil(Math.sqrt(weight) * STEPS));
    const square = `M${column * size} ${row * size}h${side}v${side}h${-side}z`;
    paths.set(step, [...(paths.get(step) ?? []), square]);
  }
  return [...paths].map(([step, parts]) => ({
    opacity: FAINTEST + ((1 - FAINTEST) * step) / STEPS,
    path: parts.join(''),
  }));
}

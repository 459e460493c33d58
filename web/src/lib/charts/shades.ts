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

/** Opacities, the faintest first. None lies between the halves, where neither dark nor light figures could be read. */
const OPACITIES = [0.18, 0.26, 0.34, 0.42, 0.5, 0.8, 0.9, 1];
const HALF = 5;

/** Whether a square of this weight is so dark that its count has to be light. */
export function isStrong(weight: number): boolean {
  return stepOf(weight) > HALF;
}

/** Paths of squares with `size` pixels, grouped into shades; the root of the weight, so that small shares show. */
export function toShades(squares: readonly Square[], size: number): Shade[] {
  const paths = new Map<number, string[]>();
  const gap = size >= 12 ? 1 : 0;
  const side = size - gap;
  for (const { row, column, weight } of squares) {
    const step = stepOf(weight);
    const square = `M${column * size} ${row * size}h${side}v${side}h${-side}z`;
    paths.set(step, [...(paths.get(step) ?? []), square]);
  }
  return [...paths].map(([step, parts]) => ({ opacity: OPACITIES[step - 1] ?? 1, path: parts.join('') }));
}

function stepOf(weight: number): number {
  return Math.max(1, Math.ceil(Math.sqrt(weight) * OPACITIES.length));
}

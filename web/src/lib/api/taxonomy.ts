import type { Label, Taxonomy } from './types.ts';

export const ARROW = ' › ';

/** A choice of a whole category path, named by its leaf. */
export interface PathOption {
  /** The path as one text, which tells apart leaves of the same name. */
  value: string;
  label: string;
  detail: string;
}

/** All category paths as choices, by the name of their leaf. */
export function pathOptions(taxonomy: Taxonomy): PathOption[] {
  return taxonomy.paths
    .map((path) => ({
      value: path.join(ARROW),
      label: path.at(-1) ?? '',
      detail: path.slice(0, -1).join(ARROW),
    }))
    .sort((a, b) => a.label.localeCompare(b.label) || a.detail.localeCompare(b.detail));
}

/** The labels of a path that was chosen, by column. */
export function labelsOfPath(taxonomy: Taxonomy, value: string): Record<string, string> {
  const path = value.split(ARROW);
  return Object.fromEntries(taxonomy.levels.map((level, depth) => [level, path[depth] ?? '']));
}

/**
 * What has to be said so that a column has a value and the category stays one path of the taxonomy.
 *
 * A leaf brings its parents, a parent brings a leaf: of the paths through the value, the one that shares most with
 * `current`, then the one whose leaf comes first in `guesses`.
 */
export function consistent(
  taxonomy: Taxonomy,
  change: { column: string; value: string },
  current: Readonly<Record<string, string>>,
  guesses: readonly Label[],
): Record<string, string> {
  const depth = taxonomy.levels.indexOf(change.column);
  const through = depth < 0 ? [] : taxonomy.paths.filter((path) => path[depth] === change.value);
  const wanted = taxonomy.levels.map((level) => current[level]);
  const order = guesses.map(({ value }) => value);
  const [best] = through
    .map((path) => ({
      path,
      shared: path.filter((label, level) => label === wanted[level]).length,
      rank: order.includes(path.at(-1) ?? '') ? order.indexOf(path.at(-1) ?? '') : order.length,
    }))
    .sort((a, b) => b.shared - a.shared || a.rank - b.rank);
  if (!best) return { [change.column]: change.value };
  return Object.fromEntries(taxonomy.levels.map((level, index) => [level, best.path[index] ?? '']));
}

import type { Taxonomy } from '../api/types.ts';
import type { Branch } from './confusion-view.svelte.ts';

/**
 * The labels of a column by the root of their category path, both in the order of the taxonomy's paths.
 *
 * A label that lies under two roots belongs to the first. None for a column that is no level below the root.
 */
export function branchesOf(
  taxonomy: Pick<Taxonomy, 'levels' | 'paths'> | undefined,
  column: string,
): Branch[] {
  const level = taxonomy?.levels.indexOf(column) ?? -1;
  if (!taxonomy || level < 1) return [];
  const branches = new Map<string, string[]>();
  const seen = new Set<string>();
  for (const path of taxonomy.paths) {
    const [root, label] = [path[0], path[level]];
    if (root === undefined || label === undefined || seen.has(label)) continue;
    seen.add(label);
    branches.set(root, [...(branches.get(root) ?? []), label]);
  }
  return [...branches].map(([name, labels]) => ({ name, labels }));
}

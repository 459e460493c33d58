import type { CatalogueStatistics } from '../api/types.ts';
import { bySize, type Bar } from '../charts/series.ts';

/** The way down from a main category to an article type. */
export class Drill {
  /** The chosen labels, from the root; null on a level above a chosen one where all are meant. */
  path = $state<readonly (string | null)[]>([]);

  constructor(private readonly statistics: Pick<CatalogueStatistics, 'levels' | 'paths'>) {}

  readonly levels = $derived.by(() =>
    this.statistics.levels.map((name, depth) => ({ name, bars: this.#bars(depth) })),
  );

  /** The labels that were chosen, from the root. */
  readonly labels = $derived(this.path.filter((label) => label !== null));

  /** The deepest chosen label, and the level that it belongs to. */
  readonly chosen = $derived.by(() => {
    const depth = this.path.length - 1;
    const [level, label] = [this.statistics.levels[depth], this.path[depth] ?? undefined];
    return level === undefined || label === undefined ? null : { level, label };
  });

  /** Chooses a label; the chosen one once more gives it up. What was chosen below is given up either way. */
  choose(depth: number, label: string): void {
    const above = Array.from({ length: depth }, (_, place) => this.path[place] ?? null);
    if (this.path[depth] !== label) {
      this.path = [...above, label];
      return;
    }
    this.path = above.slice(0, above.findLastIndex((one) => one !== null) + 1);
  }

  /** The most frequent label of the deepest level that lies under this label of the root only: what is typical of it. */
  typical(root: string): string | undefined {
    const leaf = this.statistics.levels.length - 1;
    const rootsOf = (label: string) =>
      this.statistics.paths.filter(([path]) => path[leaf] === label).map(([path]) => path[0]);
    return this.#count(leaf, [root]).find(({ label }) => rootsOf(label).every((one) => one === root))?.label;
  }

  #bars(depth: number): Bar[] {
    return this.#count(depth, this.path.slice(0, depth));
  }

  /** The labels of a level under others, with the products that lie there; the largest first. */
  #count(depth: number, above: readonly (string | null)[]): Bar[] {
    const products = new Map<string, number>();
    for (const [path, amount] of this.statistics.paths) {
      const label = path[depth] ?? null;
      if (label === null || above.some((one, place) => one !== null && one !== path[place])) continue;
      products.set(label, (products.get(label) ?? 0) + amount);
    }
    return bySize([...products].map(([label, value]) => ({ label, value })));
  }
}

import type { CatalogueStatistics } from '../api/types.ts';
import type { Bar } from '../charts/series.ts';

/** The way down from a main category to an article type. */
export class Drill {
  /** The chosen labels, from the root. */
  path = $state<readonly string[]>([]);

  constructor(
    private readonly statistics: Pick<CatalogueStatistics, 'levels' | 'columns'>,
    /** Which labels lie under which: category paths from the root to the leaf. */
    private readonly paths: readonly (readonly string[])[],
  ) {}

  readonly levels = $derived.by(() =>
    this.statistics.levels.map((level, depth) => this.#level(level, depth)),
  );

  /** The deepest chosen label, and the level that it belongs to. */
  readonly chosen = $derived.by(() => {
    const depth = this.path.length - 1;
    const [level, label] = [this.statistics.levels[depth], this.path[depth]];
    return level === undefined || label === undefined ? null : { level, label };
  });

  /** Chooses a label; the chosen one once more gives it up. What was chosen below is given up either way. */
  choose(depth: number, label: string): void {
    const above = this.path.slice(0, depth);
    this.path = this.path[depth] === label ? above : [...above, label];
  }

  /** The most frequent label of the deepest level that lies under this label of the root only: what is typical of it. */
  typical(root: string): string | undefined {
    const leaf = this.statistics.levels.length - 1;
    const counts =
      this.statistics.columns.find(({ name }) => name === this.statistics.levels[leaf])?.counts ?? [];
    const rootsOf = (label: string) =>
      this.paths.filter((path) => path[leaf] === label).map((path) => path[0]);
    return counts
      .map(([label]) => label)
      .find((label) => rootsOf(label).length > 0 && rootsOf(label).every((one) => one === root));
  }

  #level(name: string, depth: number): { name: string; bars: Bar[] } {
    const counts = this.statistics.columns.find((column) => column.name === name)?.counts ?? [];
    const bars = counts.map(([label, value]) => ({ label, value }));
    const above = this.path.slice(0, depth);
    if (above.length === 0) return { name, bars };
    const under = this.paths.filter((path) => above.every((label, place) => path[place] === label));
    const labels = under.map((path) => path[depth]);
    return { name, bars: bars.filter(({ label }) => labels.includes(label)) };
  }
}

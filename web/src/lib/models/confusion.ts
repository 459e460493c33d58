/** A confusion matrix: what was true against what a model answered, kept sparse. */

export type Triple = readonly [trueIndex: number, answeredIndex: number, count: number];

export interface Cell {
  row: number;
  column: number;
  count: number;
  /** The share of the row's photos, 0 to 1, over the whole row even where only some columns are shown. */
  share: number;
}

export interface Mistake {
  truth: string;
  answered: string;
  count: number;
  share: number;
}

export class Confusion {
  readonly labels: readonly string[];
  readonly counts: readonly Triple[];
  /** Photos by true label, in the order of `labels`. */
  readonly supports: readonly number[];
  /** Wrong answers in which a label takes part, as the truth or as the answer. */
  readonly wrongs: readonly number[];
  readonly total: number;
  readonly right: number;

  /** `counts` as the API gives them: lists of three, whose length its types do not know. */
  constructor(labels: readonly string[], counts: readonly (readonly number[])[]) {
    this.labels = labels;
    this.counts = counts.map(([truth = 0, answered = 0, count = 0]) => [truth, answered, count]);
    const supports = labels.map(() => 0);
    const wrongs = labels.map(() => 0);
    let right = 0;
    for (const [truth, answered, count] of this.counts) {
      supports[truth] = (supports[truth] ?? 0) + count;
      if (truth === answered) right += count;
      else for (const index of [truth, answered]) wrongs[index] = (wrongs[index] ?? 0) + count;
    }
    this.supports = supports;
    this.wrongs = wrongs;
    this.right = right;
    this.total = supports.reduce((sum, count) => sum + count, 0);
  }

  /** Wrong answers between the kept labels, the most frequent first. */
  mistakes(limit: number, kept: readonly number[] = [...this.labels.keys()]): Mistake[] {
    const within = new Set(kept);
    return this.counts
      .filter(([truth, answered]) => truth !== answered && within.has(truth) && within.has(answered))
      .toSorted((a, b) => b[2] - a[2] || this.#share(b) - this.#share(a))
      .slice(0, limit)
      .map((triple) => ({
        truth: this.labels[triple[0]] ?? '',
        answered: this.labels[triple[1]] ?? '',
        count: triple[2],
        share: this.#share(triple),
      }));
  }

  /** The cells between the kept labels; their row and column count within `kept`, in its order. */
  cells(kept: readonly number[]): Cell[] {
    const place = new Map(kept.map((index, position) => [index, position]));
    return this.counts.flatMap((triple) => {
      const row = place.get(triple[0]);
      const column = place.get(triple[1]);
      if (row === undefined || column === undefined) return [];
      return [{ row, column, count: triple[2], share: this.#share(triple) }];
    });
  }

  /** The labels that take part in the most wrong answers, in the given order. */
  mostConfused(order: readonly number[], limit: number): number[] {
    const worst = order
      .filter((index) => (this.wrongs[index] ?? 0) > 0)
      .toSorted((a, b) => (this.wrongs[b] ?? 0) - (this.wrongs[a] ?? 0))
      .slice(0, limit);
    const chosen = new Set(worst);
    return order.filter((index) => chosen.has(index));
  }

  /** Labels that occur as truth or as answer, in the order of `ranking`, then of the matrix. */
  order(ranking: readonly string[] = []): number[] {
    const rank = new Map(ranking.map((label, position) => [label, position]));
    const answered = new Set(this.counts.flatMap(([truth, answer]) => [truth, answer]));
    return this.labels
      .map((_, index) => index)
      .filter((index) => answered.has(index))
      .toSorted((a, b) => this.#rank(rank, a) - this.#rank(rank, b) || a - b);
  }

  /** Those of an order whose label is one of these. */
  among(order: readonly number[], labels: readonly string[] = []): number[] {
    const wanted = new Set(labels);
    return order.filter((index) => wanted.has(this.labels[index] ?? ''));
  }

  #rank(rank: ReadonlyMap<string, number>, index: number): number {
    return rank.get(this.labels[index] ?? '') ?? Number.MAX_SAFE_INTEGER;
  }

  #share([truth, , count]: Triple): number {
    const support = this.supports[truth] ?? 0;
    return support === 0 ? 0 : count / support;
  }
}

import { Confusion, type Cell } from './confusion.ts';

/** What is shown of a matrix: everything, the classes that are mixed up most, or one branch of the taxonomy. */
export type Filter = { kind: 'all' } | { kind: 'confused' } | { kind: 'branch'; name: string };

export interface Branch {
  name: string;
  labels: readonly string[];
}

export interface Place {
  row: number;
  column: number;
}

export const MOST_CONFUSED = 20;
const LISTED = 12;
/** More classes than this are too many to start with. */
const READABLE = 60;

/** The part of a confusion matrix that is on the screen, and the cell that is looked at. */
export class ConfusionView {
  readonly confusion: Confusion;
  readonly branches: readonly Branch[];
  filter = $state<Filter>({ kind: 'all' });
  /** The cell chosen by click or keyboard, and the one under the pointer. */
  cursor = $state<Place | null>(null);
  hover = $state<Place | null>(null);

  readonly #order: readonly number[];

  /** `branches` group the labels (by master category, say) and say in which order they are shown. */
  constructor(confusion: Confusion, branches: readonly Branch[] = []) {
    this.confusion = confusion;
    this.#order = confusion.order(branches.flatMap(({ labels }) => labels));
    this.branches = branches.filter(({ labels }) => confusion.among(this.#order, labels).length > 1);
    if (this.#order.length > READABLE) this.filter = { kind: 'confused' };
  }

  readonly kept = $derived.by(() => this.#keep(this.filter));
  readonly labels = $derived.by(() => this.kept.map((index) => this.confusion.labels[index] ?? ''));
  readonly cells = $derived.by(() => this.confusion.cells(this.kept));
  readonly mistakes = $derived.by(() => this.confusion.mistakes(LISTED, this.kept));
  readonly chosen = $derived(this.cursor && this.cellAt(this.cursor));
  readonly current = $derived(this.hover ? this.cellAt(this.hover) : this.chosen);

  get classCount(): number {
    return this.#order.length;
  }

  show(filter: Filter): void {
    this.filter = filter;
    this.cursor = null;
    this.hover = null;
  }

  /** The cell at a place of the shown part; one without photos has the count 0. */
  cellAt({ row, column }: Place): Cell {
    const found = this.cells.find((cell) => cell.row === row && cell.column === column);
    return found ?? { row, column, count: 0, share: 0 };
  }

  /** Looks at the cell of two labels, and shows everything if they are hidden now. */
  lookAt(truth: string, answered: string): void {
    if (!this.labels.includes(truth) || !this.labels.includes(answered)) this.show({ kind: 'all' });
    this.cursor = { row: this.labels.indexOf(truth), column: this.labels.indexOf(answered) };
  }

  /** Moves by one key of the keyboard; says whether the key was one of its own. */
  move(key: string): boolean {
    const step = STEPS[key];
    if (!step) return false;
    const last = this.labels.length - 1;
    const clamp = (place: number): number => Math.min(last, Math.max(0, place));
    const { row, column } = this.cursor ?? { row: 0, column: 0 };
    const [down, right] = this.cursor ? step : [0, 0];
    this.cursor = { row: clamp(row + down), column: clamp(column + right) };
    return true;
  }

  #keep(filter: Filter): number[] {
    if (filter.kind === 'confused') return this.confusion.mostConfused(this.#order, MOST_CONFUSED);
    if (filter.kind === 'all') return [...this.#order];
    return this.confusion.among(this.#order, this.branches.find(({ name }) => name === filter.name)?.labels);
  }
}

const STEPS: Record<string, readonly [down: number, right: number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  Home: [0, Number.NEGATIVE_INFINITY],
  End: [0, Number.POSITIVE_INFINITY],
  PageUp: [Number.NEGATIVE_INFINITY, 0],
  PageDown: [Number.POSITIVE_INFINITY, 0],
};

import type { ClassFigures } from './figures.ts';

export type ClassKey = keyof ClassFigures;

/** The rows of a per-class table: searched and sorted. */
export class ClassTable {
  key = $state<ClassKey>('support');
  ascending = $state(false);
  search = $state('');

  readonly #source: () => readonly ClassFigures[];

  readonly #nameOf: (label: string) => string;

  /** `nameOf` says what people call a class: they search and sort by that. */
  constructor(source: () => readonly ClassFigures[], nameOf = (label: string) => label) {
    this.#source = source;
    this.#nameOf = nameOf;
  }

  readonly rows = $derived.by(() => {
    const wanted = this.search.trim().toLowerCase();
    const found = this.#source().filter(({ label }) => this.#nameOf(label).toLowerCase().includes(wanted));
    const direction = this.ascending ? 1 : -1;
    return found.sort((a, b) => compare(this.#value(a), this.#value(b), direction) || b.support - a.support);
  });

  #value(figures: ClassFigures): string | number | null {
    return this.key === 'label' ? this.#nameOf(figures.label) : figures[this.key];
  }

  /** Sorts by a column: names from A, figures from the largest; once more turns the order round. */
  sortBy(key: ClassKey): void {
    this.ascending = key === this.key ? !this.ascending : key === 'label';
    this.key = key;
  }
}

/** What has no value comes last in either direction. */
function compare(a: string | number | null, b: string | number | null, direction: number): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return direction * (typeof a === 'string' ? a.localeCompare(String(b)) : a - Number(b));
}

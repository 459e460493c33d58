import type { JobResult } from '../api/types.ts';
import { explainJob } from './problems.ts';

export const PAGE = 50;

export interface ResultFilter {
  status: 'all' | 'category' | 'attributes' | 'flagged' | 'failed';
  /** The column that `label` belongs to; both empty for all classes. */
  column: string;
  label: string;
  /** Lower bound of a tenth of the confidence scale, null for any confidence. */
  tenth: number | null;
  sort: 'position' | 'confidence';
}

export const EVERYTHING: ResultFilter = {
  status: 'all',
  column: '',
  label: '',
  tenth: null,
  sort: 'position',
};

/** The filter as the API wants it. */
export interface ResultQuery {
  offset: number;
  limit: number;
  column?: string;
  label?: string;
  min_confidence?: number;
  max_confidence?: number;
  status?: 'category' | 'attributes' | 'flagged' | 'failed';
  sort: 'position' | 'confidence';
}

type Ask = (query: ResultQuery) => Promise<{ total: number; results: JobResult[] }>;

/** The results of a job, of which only the pages that are looked at are asked for. */
export class Results {
  filter = $state.raw<ResultFilter>(EVERYTHING);
  /** How many results pass the filter; undefined until the service has said it. */
  total = $state<number>();
  problem = $state<string>();

  #pages = $state.raw<Readonly<Record<number, readonly JobResult[]>>>({});
  #asked: Record<number, boolean> = {};
  #range: readonly [first: number, last: number] = [0, 0];
  #generation = 0;
  /** Which generation the pages are of: the one before, until the first answer to the new filter is there. */
  #drawn = 0;

  constructor(private readonly ask: Ask) {}

  readonly isFiltered = $derived(
    this.filter.status !== 'all' || this.filter.label !== '' || this.filter.tenth !== null,
  );

  at(index: number): JobResult | undefined {
    return this.#pages[Math.floor(index / PAGE)]?.[index % PAGE];
  }

  /** Asks for what is missing between two places of the list, both included. */
  async need(first: number, last: number): Promise<void> {
    this.#range = [Math.floor(first / PAGE), Math.floor(last / PAGE)];
    const missing = this.#inRange().filter((page) => !this.#asked[page]);
    await Promise.all(missing.map((page) => this.#load(page)));
  }

  /** Shows other results, from the first on. The old ones stay until then, so that the page keeps its height. */
  async choose(change: Partial<ResultFilter>): Promise<void> {
    this.filter = { ...this.filter, ...change };
    this.#generation += 1;
    this.#asked = {};
    await this.need(0, 0);
  }

  /** Asks anew for what is looked at; the old answers stay until the new ones are there. */
  async refresh(): Promise<void> {
    const pages = this.#inRange();
    this.#asked = {};
    await Promise.all(pages.map((page) => this.#load(page)));
  }

  /** Puts a corrected result in the place of the old one. */
  replace(result: JobResult): void {
    const pages = Object.entries(this.#pages).map(([page, results]) => [
      page,
      results.map((known) => (known.position === result.position ? result : known)),
    ]);
    this.#pages = Object.fromEntries(pages) as Record<number, readonly JobResult[]>;
  }

  #inRange(): number[] {
    const [first, last] = this.#range;
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  }

  async #load(page: number): Promise<void> {
    const generation = this.#generation;
    this.#asked[page] = true;
    try {
      const { total, results } = await this.ask(toQuery(this.filter, page));
      if (generation !== this.#generation) return;
      this.#dropOld();
      [this.total, this.problem] = [total, undefined];
      this.#pages = { ...this.#pages, [page]: results };
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#dropOld();
      this.#asked[page] = false;
      this.problem = explainJob(error);
    }
  }

  /** Drops what passed the filter before. */
  #dropOld(): void {
    if (this.#drawn === this.#generation) return;
    this.#drawn = this.#generation;
    this.#pages = {};
    this.total = undefined;
  }
}

function toQuery({ status, column, label, tenth, sort }: ResultFilter, page: number): ResultQuery {
  return {
    offset: page * PAGE,
    limit: PAGE,
    sort,
    ...(status !== 'all' && { status }),
    ...(label !== '' && { column, label }),
    // The tenths do not overlap: each holds its lower bound only, and the last one also the 1.
    ...(tenth !== null && { min_confidence: tenth, max_confidence: tenth >= 0.9 ? 1 : tenth + 0.1 - 1e-9 }),
  };
}

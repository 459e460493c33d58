import { explain } from '../api/problem.ts';
import type { CatalogueAbsent } from '../api/types.ts';

const POLL_MS = 1500;

/** Something that the service reads in the background: asked for again and again until it is there, or failed. */
export class Waiting<Ready extends { available: true }> {
  value = $state.raw<Ready>();
  /** Why there is none yet. */
  absent = $state.raw<CatalogueAbsent>();
  problem = $state<string>();

  #timer: ReturnType<typeof setTimeout> | undefined;
  #latest = 0;

  constructor(private readonly ask: () => Promise<Ready | CatalogueAbsent>) {}

  /** Asks (again). Of several calls under way only the last one counts; an old value stays until the new one is there. */
  async load(): Promise<void> {
    const call = ++this.#latest;
    clearTimeout(this.#timer);
    this.problem = undefined;
    try {
      const answer = await this.ask();
      if (call === this.#latest) this.#take(answer);
    } catch (error) {
      if (call === this.#latest) this.problem = explain(error);
    }
  }

  /** Asks no more: for the page that is left. */
  stop(): void {
    this.#latest += 1;
    clearTimeout(this.#timer);
  }

  #take(answer: Ready | CatalogueAbsent): void {
    this.value = answer.available ? answer : undefined;
    this.absent = answer.available ? undefined : answer;
    if (this.absent?.state === 'reading') this.#timer = setTimeout(() => void this.load(), POLL_MS);
  }
}

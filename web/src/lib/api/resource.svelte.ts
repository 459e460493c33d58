import { untrack } from 'svelte';

import { explain } from './problem.ts';

/** Something that a page loads: nothing yet, its value, or a sentence about why there is none. */
export class Resource<Value> {
  value = $state.raw<Value>();
  problem = $state<string>();
  loading = $state(false);
  #latest = 0;

  constructor(private readonly ask: () => Promise<Value>) {}

  /** Asks (again). Of several calls under way only the last one counts; an old value stays until the new one is there. */
  async load(): Promise<void> {
    const call = ++this.#latest;
    this.loading = true;
    try {
      const value = await this.ask();
      if (call === this.#latest) [this.value, this.problem] = [value, undefined];
    } catch (error) {
      if (call === this.#latest) this.problem = explain(error);
    } finally {
      if (call === this.#latest) this.loading = false;
    }
  }

  /**
   * Asks unless there is a value already, or one on its way. An effect that calls it does not depend on how that went:
   * it would run again with each failure, and ask without end.
   */
  async need(): Promise<void> {
    await untrack(async () => {
      if (this.value === undefined && !this.loading) await this.load();
    });
  }
}

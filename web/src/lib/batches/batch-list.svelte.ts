import type { Batch, BatchService } from '../api/batch.ts';
import { explain } from '../api/problem.ts';

/** The batches, newest work first, and what can be done with each. */
export class BatchList {
  batches = $state.raw<readonly Batch[]>();
  total = $state(0);
  problem = $state<string>();
  /** Whether the archived ones are shown. */
  archived = $state(false);
  search = $state('');
  /** The one that was archived or deleted last, so that archiving can be undone. */
  lastArchived = $state.raw<Batch>();
  #round = 0;

  constructor(private readonly service: BatchService) {}

  readonly isEmpty = $derived(this.batches?.length === 0 && !this.archived && this.search === '');

  async load(): Promise<void> {
    const round = ++this.#round;
    try {
      const { items, total } = await this.service.list({
        archived: this.archived,
        q: this.search || undefined,
      });
      if (round !== this.#round) return;
      [this.batches, this.total, this.problem] = [items, total, undefined];
    } catch (error) {
      if (round === this.#round) this.problem = explain(error);
    }
  }

  find(search: string): Promise<void> {
    this.search = search;
    return this.load();
  }

  show(archived: boolean): Promise<void> {
    this.archived = archived;
    return this.load();
  }

  async rename(batch: Batch, name: string): Promise<void> {
    const wanted = name.trim();
    if (!wanted || wanted === batch.name) return;
    this.#put({ ...batch, name: wanted });
    await this.#do(async () => this.#put(await this.service.patch(batch.id, { name: wanted })));
  }

  async archive(batch: Batch): Promise<void> {
    const done = await this.#do(() => this.service.patch(batch.id, { archived: !batch.archived }));
    if (done) this.lastArchived = batch;
    await this.load();
  }

  /** Takes the last archiving back. */
  async undoArchive(): Promise<void> {
    const batch = this.lastArchived;
    this.lastArchived = undefined;
    if (!batch) return;
    await this.#do(() => this.service.patch(batch.id, { archived: batch.archived }));
    await this.load();
  }

  async duplicate(batch: Batch): Promise<Batch | undefined> {
    let copy: Batch | undefined;
    await this.#do(async () => (copy = await this.service.duplicate(batch.id)));
    await this.load();
    return copy;
  }

  async remove(batch: Batch): Promise<void> {
    await this.#do(() => this.service.remove(batch.id));
    await this.load();
  }

  #put(batch: Batch): void {
    this.batches = this.batches?.map((known) => (known.id === batch.id ? batch : known));
  }

  async #do(action: () => Promise<unknown>): Promise<boolean> {
    this.problem = undefined;
    try {
      await action();
      return true;
    } catch (error) {
      await this.load();
      this.problem = explain(error);
      return false;
    }
  }
}

import { explain } from '../api/problem.ts';
import { save } from '../batch/download.ts';
import { t } from '../words/words.svelte.ts';
import {
  templateService as service,
  type ExportCheck,
  type NewExport,
  type TemplateSummary,
} from './service.ts';

const USUAL = 'hangtag';

/** An export of a batch by a template: what would come of it, and its files. */
export class Sale {
  templates = $state.raw<readonly TemplateSummary[]>([]);
  chosen = $state('');
  checked = $state.raw<ExportCheck>();
  problem = $state<string>();
  /** What came of filling a sheet. */
  told = $state<string>();
  busy = $state(false);
  readonly template = $derived(this.templates.find(({ id }) => id === this.chosen));
  #latest = 0;

  constructor(private readonly batch: string) {}

  /** Asks for the templates. The shop's own comes first. */
  async load(): Promise<void> {
    await this.#do(async () => {
      this.templates = (await service.templates()).items;
      const own = this.templates.find(({ built_in }) => !built_in);
      if (!this.template) this.chosen = own?.id ?? USUAL;
    });
  }

  /** Checks every row; of several checks under way only the last one counts. */
  async check(wanted: NewExport): Promise<void> {
    const call = ++this.#latest;
    [this.checked, this.problem] = [undefined, undefined];
    try {
      const checked = await service.check(this.batch, wanted);
      if (call === this.#latest) this.checked = checked;
    } catch (error) {
      if (call === this.#latest) this.problem = explain(error);
    }
  }

  /** Saves the export, or the list of what is to be checked in it. */
  async download(wanted: NewExport, part: 'export' | 'to_check', batch: string): Promise<void> {
    await this.#do(async () => {
      const file = await service.file(this.batch, { ...wanted, part });
      const name = `${batch} ${this.template?.name ?? ''}`.trim();
      const format = this.template?.format ?? 'csv';
      save(file, part === 'export' ? `${name}.${format}` : `${name} – ${t('sale.to_check')}.csv`);
    });
  }

  /** Fills the empty cells of the shop's own sheet and saves it. */
  async fill(sheet: File): Promise<void> {
    this.told = undefined;
    await this.#do(async () => {
      const { filled, cells, rows, all } = await service.fill(this.batch, sheet);
      save(filled, sheet.name);
      this.told = t('sale.filled', { count: cells, rows, all });
    });
  }

  async #do(action: () => Promise<void>): Promise<void> {
    this.busy = true;
    try {
      await action();
    } catch (error) {
      this.problem = explain(error);
    } finally {
      this.busy = false;
    }
  }
}

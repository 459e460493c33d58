import type { BatchService, SheetMapping, SheetView } from '../api/batch.ts';
import { explain } from '../api/problem.ts';

/** What a column of a sheet is: the key, the name, photos, addresses of photos, a known label, or just shown. */
export type Role = 'show' | 'key' | 'name' | 'photo' | 'address' | `label.${string}`;

/** How a sheet is understood, with what comes of it, until a person says that it is right. */
export class SheetMapper {
  view = $state.raw<SheetView>();
  problem = $state<string>();
  /** Whether the service is working out what the present mapping comes to. */
  asking = $state(false);
  #round = 0;

  constructor(
    private readonly service: Pick<BatchService, 'sheet' | 'mapSheet'>,
    private readonly batch: string,
  ) {}

  async load(): Promise<void> {
    await this.#ask(() => this.service.sheet(this.batch));
  }

  roleOf(column: string): Role {
    const mapping = this.view?.mapping;
    if (!mapping) return 'show';
    if (mapping.key === column) return 'key';
    if (mapping.name === column) return 'name';
    if (mapping.photos.includes(column)) return 'photo';
    if (mapping.addresses.includes(column)) return 'address';
    const label = Object.entries(mapping.labels).find(([, mapped]) => mapped === column)?.[0];
    return label ? `label.${label}` : 'show';
  }

  /** Says what a column is, and shows what that comes to. Another column gives up a role that only one can have. */
  async choose(column: string, role: Role): Promise<void> {
    if (!this.view) return;
    const mapping = mapped(this.view.mapping, column, role);
    this.view = { ...this.view, mapping };
    await this.#put(mapping, true);
  }

  async chooseSheet(sheet: string): Promise<void> {
    const mapping = this.view?.mapping;
    if (!mapping) return;
    await this.#ask(() => this.service.mapSheet(this.batch, { sheet, mapping: nothing(), dry_run: true }));
  }

  /** Takes the mapping as it is. Says whether the service did. */
  async accept(): Promise<boolean> {
    if (!this.view) return false;
    await this.#put(this.view.mapping, false);
    return this.problem === undefined;
  }

  async #put(mapping: SheetMapping, isTrial: boolean): Promise<void> {
    const sheet = this.view?.chosen;
    await this.#ask(() => this.service.mapSheet(this.batch, { sheet, mapping, dry_run: isTrial }));
  }

  async #ask(call: () => Promise<SheetView>): Promise<void> {
    const round = ++this.#round;
    this.asking = true;
    try {
      const view = await call();
      if (round === this.#round) [this.view, this.problem] = [view, undefined];
    } catch (error) {
      if (round === this.#round) this.problem = explain(error);
    } finally {
      if (round === this.#round) this.asking = false;
    }
  }
}

function nothing(): SheetMapping {
  return { key: null, name: null, photos: [], addresses: [], labels: {} };
}

function mapped(before: SheetMapping, column: string, role: Role): SheetMapping {
  const without = (columns: readonly string[]) => columns.filter((known) => known !== column);
  const labels = Object.fromEntries(Object.entries(before.labels).filter(([, known]) => known !== column));
  const mapping: SheetMapping = {
    key: before.key === column ? null : before.key,
    name: before.name === column ? null : before.name,
    photos: without(before.photos),
    addresses: without(before.addresses),
    labels,
  };
  if (role === 'key') mapping.key = column;
  else if (role === 'name') mapping.name = column;
  else if (role === 'photo') mapping.photos.push(column);
  else if (role === 'address') mapping.addresses.push(column);
  else if (role !== 'show') mapping.labels[role.slice('label.'.length)] = column;
  return mapping;
}

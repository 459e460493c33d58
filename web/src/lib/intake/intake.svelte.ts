import { SvelteMap } from 'svelte/reactivity';

import type { BatchService, ReceivedFile } from '../api/batch.ts';
import { newKey } from '../api/ask.ts';
import { batchService } from '../api/batch-service.ts';
import { explain, ProblemError } from '../api/problem.ts';
import { isSheet, isZip, meant, nameOf, requestsOf } from './files.ts';
import { shrink } from './shrink.ts';

/** Requests that are under way at the same time. */
const LANES = 2;
const TRIES = 6;
const REFUSED = ['too_large', 'too_many_files', 'unsupported_media', 'validation'];
const KEEP = 'hangtag.keepOriginals';

/** The files that are on their way into a batch. */
export class Sending {
  total = $state(0);
  sent = $state(0);
  /** Files that the service could do nothing with, and why. */
  problems = $state.raw<readonly ReceivedFile[]>([]);
  /** Why it stopped, where it did. */
  problem = $state<string>();
  /** Whether it waits for a service that is busy or away. */
  waiting = $state(false);

  readonly isDone = $derived(this.sent >= this.total || this.problem !== undefined);
  readonly left: File[][] = [];
}

/** Where all files go that are dropped, pasted, picked or photographed: into a batch, at once. */
export class Intake {
  /** Files under way, by batch. They go on while a person walks between pages. */
  readonly sendings = new SvelteMap<string, Sending>();
  /** Why no batch could be made. */
  problem = $state<string>();
  /** Whether photos go as they are, instead of only as large as anyone needs them. */
  keepOriginals = $state(stored());

  constructor(
    private readonly service: Pick<BatchService, 'create' | 'send'>,
    private readonly smaller: (file: File) => Promise<File> = shrink,
    private readonly pause: (seconds: number) => Promise<void> = sleep,
  ) {}

  /** Whether files would be lost with the page: those under way, and those that wait to be sent again. */
  readonly isBusy = $derived.by(() => [...this.sendings.values()].some(({ sent, total }) => sent < total));

  /** Lets the browser ask before it leaves a page whose files would be lost. */
  holdBack(event: Event): void {
    if (this.isBusy) event.preventDefault();
  }

  /** Takes files into a batch: the given one, or a new one that they name. Undefined where there is nothing to take. */
  async take(files: Iterable<File>, into: { batch?: string; model?: string; name: string }) {
    const wanted = meant(files);
    if (wanted.length === 0) return undefined;
    this.problem = undefined;
    if (into.batch) {
      void this.send(into.batch, wanted);
      return undefined;
    }
    try {
      const batch = await this.service.create({ name: nameOf(wanted) ?? into.name, model: into.model });
      void this.send(batch.id, wanted);
      return batch;
    } catch (error) {
      this.problem = explain(error);
      return undefined;
    }
  }

  /** Sends files into a batch, after those that are under way to it. */
  async send(batch: string, files: readonly File[]): Promise<void> {
    const known = this.sendings.get(batch);
    const sending = known && !known.isDone ? known : new Sending();
    this.sendings.set(batch, sending);
    sending.total += files.length;
    const isIdle = sending.left.length === 0;
    sending.left.push(...requestsOf(files));
    if (isIdle) await this.#drain(batch, sending);
  }

  /** Sends again what was left when the service could not be reached. */
  async resume(batch: string): Promise<void> {
    const sending = this.sendings.get(batch);
    if (!sending?.problem) return;
    sending.problem = undefined;
    await this.#drain(batch, sending);
  }

  forget(batch: string): void {
    this.sendings.delete(batch);
  }

  keep(originals: boolean): void {
    this.keepOriginals = originals;
    try {
      localStorage.setItem(KEEP, String(originals));
    } catch {
      // Without storage the choice lasts until the page is closed.
    }
  }

  async #drain(batch: string, sending: Sending): Promise<void> {
    // A sheet is there before the photos, whose products it names.
    while (sending.left[0]?.some(isSheet)) await this.#next(batch, sending);
    await Promise.all(Array.from({ length: LANES }, () => this.#lane(batch, sending)));
  }

  async #lane(batch: string, sending: Sending): Promise<void> {
    while (sending.left.length > 0 && !sending.problem) await this.#next(batch, sending);
  }

  async #next(batch: string, sending: Sending): Promise<void> {
    const files = sending.left.shift();
    if (!files) return;
    try {
      const small = this.keepOriginals ? files : await Promise.all(files.map((file) => this.smaller(file)));
      await this.#post(batch, small, sending);
      sending.sent += files.length;
    } catch (error) {
      sending.left.unshift(files);
      sending.problem = explain(error);
    }
  }

  /** Sends files, patiently; where the request itself is refused, one by one, to learn which file is to blame. */
  async #post(batch: string, files: readonly File[], sending: Sending): Promise<void> {
    const key = newKey();
    for (let tried = 1; ; tried += 1) {
      try {
        const { received } = await this.service.send(batch, files, { key });
        const refused = received.filter(({ problem }) => problem);
        if (refused.length > 0) sending.problems = [...sending.problems, ...refused];
        return;
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        if (REFUSED.includes(error.code)) return this.#blame(batch, files, sending, error);
        if (!error.passing || tried >= TRIES) throw error;
        sending.waiting = true;
        await this.pause(error.retryAfterS ?? Math.min(8, 2 ** (tried - 1)));
        sending.waiting = false;
      }
    }
  }

  async #blame(batch: string, files: readonly File[], sending: Sending, error: ProblemError): Promise<void> {
    const [only] = files;
    if (files.length > 1) for (const file of files) await this.#post(batch, [file], sending);
    else if (only) {
      const kind = isSheet(only) ? 'sheet' : isZip(only) ? 'zip' : 'photo';
      const refused = { name: only.name, kind, photos: 0, problem: explain(error) };
      sending.problems = [...sending.problems, refused];
    }
  }
}

function stored(): boolean {
  try {
    return localStorage.getItem(KEEP) === 'true';
  } catch {
    return false;
  }
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** The one of the page. */
export const intake = new Intake(batchService);

import type { Job } from '../api/types.ts';
import { announcer } from '../layout/announcer.svelte.ts';
import { Upload, type NewJob } from './upload.svelte.ts';

/** The batch that is put together and sent. It lasts while a person walks between pages, and so does its sending. */
export class Draft {
  files = $state.raw<readonly File[]>([]);
  /** Told of the new job by whoever shows this batch; nobody is led away from another page. */
  onstart: ((job: Job) => void) | undefined;

  constructor(readonly upload = new Upload()) {}

  add(more: Iterable<File>): void {
    this.files = [...this.files, ...more];
    this.upload.forget();
  }

  clear(): void {
    this.files = [];
    this.upload.forget();
  }

  async send(choice: Omit<NewJob, 'files'>): Promise<void> {
    const sent = new Set(this.files);
    const job = await this.upload.send({ files: this.files, ...choice });
    if (job) this.files = this.files.filter((file) => !sent.has(file));
    if (job && this.onstart) this.onstart(job);
    else if (!this.onstart) announcer.say(job ? `Batch ${job.title} sent` : (this.upload.problem ?? ''));
  }
}

/** The one of the page. */
export const draft = new Draft();

import type { Job, JobDetail } from '../api/types.ts';
import type { JobFeed } from './feed.ts';
import { isFinished } from './job.ts';
import { explainJob } from './problems.ts';

/** How often a summary is asked for while the job runs. */
const SUMMARY_MS = 2000;

export interface JobCalls {
  ask: () => Promise<JobDetail>;
  cancel: () => Promise<Job>;
  remove: () => Promise<unknown>;
  follow: (onJob: (job: Job) => void, onLost: (lost: boolean) => void) => Pick<JobFeed, 'close'>;
}

/** One job while somebody looks at it: its state is live, its summary follows at a calmer pace. */
export class WatchedJob {
  job = $state.raw<Job>();
  summary = $state.raw<JobDetail['summary']>();
  problem = $state<string>();
  /** Whether the connection is lost for now, so that what is shown may be old. */
  lost = $state(false);

  #feed: Pick<JobFeed, 'close'> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  /** The problem that asking had, which is over with the next answer. */
  #unanswered: string | undefined;

  constructor(
    private readonly calls: JobCalls,
    /** Told when there are new results. */
    private readonly onResults: () => void = () => undefined,
  ) {}

  async load(): Promise<void> {
    this.problem = undefined;
    await this.#try(async () => {
      this.#take(await this.calls.ask());
      this.onResults();
      if (this.job && !isFinished(this.job) && !this.#closed) this.#follow();
    });
  }

  /** Ends the job early. */
  async cancel(): Promise<void> {
    await this.#try(async () => {
      this.job = await this.calls.cancel();
    });
  }

  /** Removes the job with its photos and results; says whether it is gone. */
  async remove(): Promise<boolean> {
    return this.#try(async () => {
      await this.calls.remove();
      this.close();
    });
  }

  /** Asks for the summary anew, after a correction say. */
  async refresh(): Promise<void> {
    const isAnswered = await this.#try(async () => this.#take(await this.calls.ask()));
    if (!isAnswered) this.#unanswered = this.problem;
    else if (this.problem === this.#unanswered) this.problem = undefined;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#feed?.close();
  }

  #take({ summary, ...job }: JobDetail): void {
    [this.job, this.summary] = [job, summary];
  }

  #follow(): void {
    this.#feed?.close();
    this.#feed = this.calls.follow(
      (job) => this.#receive(job),
      (lost) => (this.lost = lost),
    );
  }

  #receive(job: Job): void {
    const isNews = job.done !== this.job?.done || job.state !== this.job?.state;
    this.job = job;
    if (isFinished(job)) this.#summarise(0);
    else if (isNews && this.#timer === undefined) this.#summarise(SUMMARY_MS);
  }

  #summarise(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.onResults();
      void this.refresh();
    }, wait);
  }

  async #try(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.problem = explainJob(error);
      return false;
    }
  }
}

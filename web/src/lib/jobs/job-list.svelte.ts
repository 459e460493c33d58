import { explain } from '../api/problem.ts';
import type { Job } from '../api/types.ts';
import { JobFeed } from './feed.ts';
import { isFinished } from './job.ts';

export const PAGE = 20;

type Follow = (id: string, onJob: (job: Job) => void) => Pick<JobFeed, 'close'>;

export interface JobPage {
  jobs: Job[];
  total: number;
}

/** A page of the jobs. The first unfinished ones are followed live; as soon as one ends, the next is. */
export class JobList {
  jobs = $state.raw<readonly Job[]>();
  total = $state(0);
  offset = $state(0);
  problem = $state<string>();

  #feeds: Record<string, Pick<JobFeed, 'close'>> = {};

  /** A browser opens only six connections to a server, and the page needs some for itself. */
  static readonly FOLLOWED = 2;

  constructor(
    private readonly ask: (offset: number) => Promise<JobPage>,
    private readonly follow: Follow,
  ) {}

  async load(offset = this.offset): Promise<void> {
    this.problem = undefined;
    try {
      const { jobs, total } = await this.ask(offset);
      [this.jobs, this.total, this.offset] = [jobs, total, offset];
      this.#followSome();
    } catch (error) {
      this.problem = explain(error);
    }
  }

  close(): void {
    for (const feed of Object.values(this.#feeds)) feed.close();
    this.#feeds = {};
  }

  #followSome(): void {
    const open = (this.jobs ?? []).filter((job) => !isFinished(job));
    // Those at work first, then those whose turn is next: the list has the newest first.
    const next = [...open.filter(({ state }) => state === 'running'), ...open.toReversed()].map(
      ({ id }) => id,
    );
    const wanted = next.filter((id, index) => next.indexOf(id) === index).slice(0, JobList.FOLLOWED);
    const feeds = Object.entries(this.#feeds);
    for (const [id, feed] of feeds) if (!wanted.includes(id)) feed.close();
    this.#feeds = Object.fromEntries(feeds.filter(([id]) => wanted.includes(id)));
    for (const id of wanted) this.#feeds[id] ??= this.follow(id, (job) => this.#update(job));
  }

  #update(job: Job): void {
    const before = this.jobs?.find(({ id }) => id === job.id);
    this.jobs = this.jobs?.map((known) => (known.id === job.id ? job : known));
    if (before?.state !== job.state) this.#followSome();
  }
}

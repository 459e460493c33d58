import type { Job } from '../api/types.ts';
import { isFinished } from './job.ts';

/** The part of `EventSource` that a feed needs; tests pass their own. */
export interface EventStream {
  onerror: ((event: Event) => void) | null;
  readonly readyState: number;
  addEventListener(type: 'progress', listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

const CLOSED = 2;
const RETRY_MS = [1000, 2000, 5000, 10_000];

export interface FeedOptions {
  onJob: (job: Job) => void;
  /** Told true when the connection is lost and false when it is back. */
  onLost?: (lost: boolean) => void;
  open?: (url: string) => EventStream;
}

/**
 * Follows one job by server-sent events until it has finished.
 *
 * The browser reconnects by itself after a broken connection, but gives up after an answer that is no event stream
 * (a proxy's 502 while the server restarts, say); then this opens a new one, at growing intervals.
 */
export class JobFeed {
  readonly #url: string;
  readonly #options: FeedOptions;
  #stream: EventStream | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;

  constructor(url: string, options: FeedOptions) {
    this.#url = url;
    this.#options = options;
    this.#connect();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = null;
  }

  #connect(): void {
    const open = this.#options.open ?? ((url: string): EventStream => new EventSource(url));
    const stream = open(this.#url);
    this.#stream = stream;
    stream.addEventListener('progress', (event) => this.#receive(JSON.parse(event.data) as Job));
    stream.onerror = (): void => this.#lose(stream);
  }

  #receive(job: Job): void {
    if (this.#failures > 0) this.#options.onLost?.(false);
    this.#failures = 0;
    if (isFinished(job)) this.close();
    this.#options.onJob(job);
  }

  #lose(stream: EventStream): void {
    if (this.#stream !== stream) return;
    if (this.#failures === 0) this.#options.onLost?.(true);
    const wait = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)];
    this.#failures += 1;
    if (stream.readyState !== CLOSED) return;
    this.#timer = setTimeout(() => this.#connect(), wait);
  }
}

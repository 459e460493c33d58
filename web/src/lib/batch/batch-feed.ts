import type { BatchEvent } from '../api/batch.ts';

/** The part of `EventSource` that is used; tests pass their own. */
export interface EventStream {
  onerror: ((event: Event) => void) | null;
  onopen: ((event: Event) => void) | null;
  readonly readyState: number;
  onmessage: ((event: MessageEvent<string>) => void) | null;
  close(): void;
}

const CLOSED = 2;
const RETRY_MS = [1000, 2000, 5000, 10_000];

export interface FeedOptions {
  onEvent: (event: BatchEvent) => void;
  /** The connection is back after it was lost: what happened meanwhile has to be asked for. */
  onBack?: () => void;
  /** Told true when the connection is lost and false when it is back. */
  onLost?: (lost: boolean) => void;
  open?: (url: string) => EventStream;
}

/**
 * What happens in a batch, as it happens.
 *
 * The browser reconnects by itself after a broken connection, but gives up after an answer that is no event stream
 * (a proxy's 502 while the server restarts, say); then this opens a new one, at growing intervals.
 */
export class BatchFeed {
  #stream: EventStream | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;

  constructor(
    private readonly url: string,
    private readonly options: FeedOptions,
  ) {
    this.#connect();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = null;
  }

  #connect(): void {
    const open = this.options.open ?? ((url: string): EventStream => new EventSource(url));
    const stream = open(this.url);
    this.#stream = stream;
    stream.onmessage = (event) => this.options.onEvent(JSON.parse(event.data) as BatchEvent);
    stream.onopen = () => this.#opened();
    stream.onerror = () => this.#lost(stream);
  }

  #opened(): void {
    if (this.#failures > 0) {
      this.options.onLost?.(false);
      this.options.onBack?.();
    }
    this.#failures = 0;
  }

  #lost(stream: EventStream): void {
    if (this.#stream !== stream) return;
    if (this.#failures === 0) this.options.onLost?.(true);
    const wait = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)];
    this.#failures += 1;
    if (stream.readyState === CLOSED) this.#timer = setTimeout(() => this.#connect(), wait);
  }
}

import { explain, ProblemError } from '../api/problem.ts';
import type { Predictions } from '../api/types.ts';
import type { Photo } from './photo.svelte.ts';

/** Asks the service about some photos, and gives its answers in their order. */
export type Ask = (photos: readonly Photo[], signal: AbortSignal) => Promise<Predictions>;

/** Small requests let tags appear one after the other; the first ones are smaller still. */
const PHOTOS_A_REQUEST = 12;
const PHOTOS_AT_FIRST = 3;
const BYTES_A_REQUEST = 24_000_000;
const LANES = 3;
const TRIES = 5;

/** Sends photos in small requests, a few at a time, and waits where the service asks it to. */
export class Sending {
  /** Photos that nobody has asked about yet. */
  waiting = $state.raw<Photo[]>([]);
  running = $state(false);
  /** Seconds until the next try, while the service is busy or away. */
  pausedS = $state(0);
  /** Whether the service did not answer at all when it was last asked in vain. */
  away = $state(false);
  /** Why sending stopped before the end. */
  problem = $state<string>();
  /** Photos that were taken off the table while they were under way: they are not sent again. */
  readonly #gone = new WeakSet<Photo>();
  #stop = new AbortController();
  #lanes = 0;
  #sent = 0;

  constructor(
    private readonly ask: Ask,
    private readonly sleep: (seconds: number, signal: AbortSignal) => Promise<void> = pause,
  ) {}

  /** Asks about photos, about each once, however often it is said. */
  add(photos: readonly Photo[]) {
    for (const photo of photos) this.#gone.delete(photo);
    const waiting = new Set(this.waiting);
    const added = photos.filter((photo) => !photo.sending && !waiting.has(photo));
    this.waiting = [...this.waiting, ...added];
    this.resume();
  }

  /** Resumes what waits: after `stop`, or after a problem. */
  resume() {
    this.problem = undefined;
    if (this.#stop.signal.aborted) this.#stop = new AbortController();
    while (this.#lanes < LANES && this.#lanes < Math.ceil(this.waiting.length / PHOTOS_AT_FIRST))
      void this.#lane();
  }

  /** Ends what is under way; the photos without an answer wait. */
  stop() {
    this.#stop.abort();
  }

  /** Forgets photos that were taken off the table. */
  drop(photos: ReadonlySet<Photo>) {
    for (const photo of photos) this.#gone.add(photo);
    this.waiting = this.waiting.filter((photo) => !photos.has(photo));
  }

  async #lane() {
    const { signal } = this.#stop;
    this.#lanes += 1;
    this.running = true;
    let photos: readonly Photo[] = [];
    try {
      for (photos = this.#take(); photos.length > 0 && !signal.aborted; photos = this.#take())
        await this.#send(photos, signal);
    } catch (error) {
      this.#wait(photos);
      if (!signal.aborted) {
        this.problem = explain(error);
        this.stop();
      }
    } finally {
      this.#lanes -= 1;
      this.running = this.#lanes > 0;
    }
  }

  #take(): Photo[] {
    if (this.#stop.signal.aborted) return [];
    const most = this.#sent < PHOTOS_AT_FIRST * LANES ? PHOTOS_AT_FIRST : PHOTOS_A_REQUEST;
    let [count, bytes] = [0, 0];
    for (const { file } of this.waiting.slice(0, most)) {
      bytes += file.size;
      if (count > 0 && bytes > BYTES_A_REQUEST) break;
      count += 1;
    }
    const taken = this.waiting.slice(0, count);
    this.waiting = this.waiting.slice(count);
    this.#sent += count;
    return taken;
  }

  async #send(photos: readonly Photo[], signal: AbortSignal) {
    for (const photo of photos) photo.sending = true;
    try {
      const answer = await this.#patiently(photos, signal);
      for (const [position, photo] of photos.entries()) {
        photo.answer = answer.photos[position];
        photo.modelId = answer.model.id;
        photo.fresh = true;
      }
    } catch (error) {
      if (!(await this.#sentSingly(error, photos, signal))) throw error;
    } finally {
      for (const photo of photos) photo.sending = false;
    }
  }

  /** Lets photos that have been asked about in vain wait before all others. */
  #wait(photos: readonly Photo[]) {
    const waiting = new Set(this.waiting);
    const again = photos.filter((photo) => !photo.answer && !this.#gone.has(photo) && !waiting.has(photo));
    this.waiting = [...again, ...this.waiting];
  }

  /** Asks again, a little later each time, while the service is busy or away. */
  async #patiently(photos: readonly Photo[], signal: AbortSignal): Promise<Predictions> {
    for (let tried = 1; ; tried += 1) {
      try {
        return await this.ask(photos, signal);
      } catch (error) {
        if (!(error instanceof ProblemError) || !error.passing || tried >= TRIES) throw error;
        this.away = error.code === 'unreachable';
        this.pausedS = error.retryAfterS ?? Math.min(8, 2 ** (tried - 1));
        await this.sleep(this.pausedS, signal);
        this.pausedS = 0;
      }
    }
  }

  /** Where a request itself was refused, finds out which of its photos is to blame. */
  async #sentSingly(error: unknown, photos: readonly Photo[], signal: AbortSignal): Promise<boolean> {
    if (!(error instanceof ProblemError) || !REFUSED.includes(error.code)) return false;
    const [only] = photos;
    if (photos.length === 1 && only) only.answer = failure(only, error);
    else for (const photo of photos) await this.#send([photo], signal);
    return true;
  }
}

const REFUSED = ['too_large', 'too_many_files', 'unsupported_media', 'validation'];

function failure(photo: Photo, error: ProblemError) {
  const reason = error.code === 'too_large' ? 'too_many_bytes' : 'unreadable';
  return { status: 'failed', photo: photo.name, reason, detail: error.message } as const;
}

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new DOMException('stopped', 'AbortError'));
    });
  });
}

import { csrf, CSRF_HEADER } from '../api/csrf.ts';
import { jobs } from '../api/addresses.ts';
import { formOf } from '../api/client.ts';
import { ProblemError } from '../api/problem.ts';
import type { Job } from '../api/types.ts';
import { explainJob } from './problems.ts';

const ASKED = 'Several columns of the table list photos. Choose the right one and start again.';

export interface NewJob {
  files: readonly File[];
  title?: string;
  model?: string;
  /** Which column of the table names the photos, where the service asked. */
  photoColumn?: string;
}

/** The part of `XMLHttpRequest` that is used, which can tell how far an upload is; `fetch` cannot. */
export type Request = Pick<
  XMLHttpRequest,
  'open' | 'setRequestHeader' | 'send' | 'abort' | 'status' | 'responseText'
> & {
  upload: Pick<XMLHttpRequestUpload, 'addEventListener'>;
  addEventListener: XMLHttpRequest['addEventListener'];
  getResponseHeader: XMLHttpRequest['getResponseHeader'];
};

/** Sends the files of a new job. */
export class Upload {
  /** Bytes sent and to send, null while nothing is sent. */
  progress = $state.raw<{ sent: number; total: number } | null>(null);
  problem = $state<string>();
  /** The columns that could name the photos, once the service has asked which one does. */
  columns = $state.raw<readonly string[]>([]);

  #request: Request | null = null;

  constructor(private readonly open: () => Request = () => new XMLHttpRequest()) {}

  /** The new job; undefined where it was refused (`problem` says why) or given up. */
  async send({ files, title, model, photoColumn }: NewJob): Promise<Job | undefined> {
    this.problem = undefined;
    const total = files.reduce((sum, { size }) => sum + size, 0);
    this.progress = { sent: 0, total };
    globalThis.addEventListener('beforeunload', warn);
    try {
      const fields = { model, title: title || undefined, photo_column: photoColumn, files };
      return await this.#post(formOf(fields), total);
    } catch (error) {
      this.#refuse(error);
      return undefined;
    } finally {
      globalThis.removeEventListener('beforeunload', warn);
      this.progress = null;
      this.#request = null;
    }
  }

  cancel(): void {
    this.#request?.abort();
  }

  /** Forgets what was said of files that are other ones now. */
  forget(): void {
    [this.problem, this.columns] = [undefined, []];
  }

  #refuse(error: unknown): void {
    if (error instanceof DOMException) return;
    const columns = error instanceof ProblemError ? choicesOf(error, 'photo_column') : [];
    if (columns.length > 0) this.columns = columns;
    this.problem = columns.length > 0 ? ASKED : explainJob(error);
  }

  #post(form: FormData, total: number): Promise<Job> {
    const request = this.open();
    this.#request = request;
    return new Promise((resolve, reject) => {
      request.upload.addEventListener('progress', (event) => {
        // The form is a little larger than its files.
        this.progress = { sent: Math.min(total, (event as ProgressEvent).loaded), total };
      });
      request.addEventListener('load', () => {
        if (request.status === 202) resolve(JSON.parse(request.responseText) as Job);
        else reject(problemOf(request));
      });
      request.addEventListener('error', () => reject(ProblemError.unreachable()));
      request.addEventListener('abort', () => reject(new DOMException('given up', 'AbortError')));
      request.open('POST', jobs);
      if (csrf.value !== null) request.setRequestHeader(CSRF_HEADER, csrf.value);
      request.send(form);
    });
  }
}

/** Lets the browser ask before it closes the page, which would end the sending. */
function warn(event: Event): void {
  event.preventDefault();
}

function choicesOf({ errors }: ProblemError, field: string): readonly string[] {
  return errors.find((error) => error.field === field)?.choices ?? [];
}

function problemOf(request: Request): ProblemError {
  const headers = { 'Retry-After': request.getResponseHeader('Retry-After') ?? '' };
  return ProblemError.from(
    new Response(null, { status: request.status, headers }),
    read(request.responseText),
  );
}

function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

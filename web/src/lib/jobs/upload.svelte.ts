import { formOf } from '../api/client.ts';
import { explain, ProblemError } from '../api/problem.ts';
import type { Job } from '../api/types.ts';

const ADDRESS = '/api/v1/jobs';

export interface NewJob {
  files: readonly File[];
  title?: string;
  model?: string;
}

/** The part of `XMLHttpRequest` that is used, which can tell how far an upload is; `fetch` cannot. */
export type Request = Pick<XMLHttpRequest, 'open' | 'send' | 'abort' | 'status' | 'responseText'> & {
  upload: Pick<XMLHttpRequestUpload, 'addEventListener'>;
  addEventListener: XMLHttpRequest['addEventListener'];
  getResponseHeader: XMLHttpRequest['getResponseHeader'];
};

/** Sends the files of a new job. */
export class Upload {
  /** Bytes sent and to send, null while nothing is sent. */
  progress = $state.raw<{ sent: number; total: number } | null>(null);
  problem = $state<string>();

  #request: Request | null = null;

  constructor(private readonly open: () => Request = () => new XMLHttpRequest()) {}

  /** The new job; undefined where it was refused (`problem` says why) or given up. */
  async send({ files, title, model }: NewJob): Promise<Job | undefined> {
    this.problem = undefined;
    const total = files.reduce((sum, { size }) => sum + size, 0);
    this.progress = { sent: 0, total };
    try {
      return await this.#post(formOf({ model, title: title || undefined, files }), total);
    } catch (error) {
      if (!(error instanceof DOMException)) this.problem = explain(error);
      return undefined;
    } finally {
      this.progress = null;
      this.#request = null;
    }
  }

  cancel(): void {
    this.#request?.abort();
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
      request.open('POST', ADDRESS);
      request.send(form);
    });
  }
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

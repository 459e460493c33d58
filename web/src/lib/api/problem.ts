import { t } from '../words/words.svelte.ts';

/** A value of the request that cannot be; `choices` are those that can, where the service asks for one. */
export interface InvalidValue {
  field: string;
  message: string;
  choices?: string[];
}

interface ProblemBody {
  code?: string;
  detail?: string;
  fix?: string | null;
  errors?: InvalidValue[];
}

/** Why the service did not do what it was asked to: a stable code for the page, a sentence for people. */
export class ProblemError extends Error {
  /** Which values of the request cannot be. */
  errors: readonly InvalidValue[] = [];

  constructor(
    /** The sentence for people. */
    detail: string,
    readonly status: number,
    readonly code: string,
    readonly fix: string | null = null,
    /** How long the service asks to wait before the next try. */
    readonly retryAfterS: number | null = null,
  ) {
    super(detail);
    this.name = 'ProblemError';
  }

  static from(response: Response, body: unknown): ProblemError {
    const known = isProblem(body) ? body : {};
    const wait = Number(response.headers.get('Retry-After') ?? NaN);
    const errors = known.errors ?? [];
    // The names of the fields are for programs: a person is told the messages alone.
    const said = errors.length > 0 ? errors.map(({ message }) => message).join('; ') : known.detail;
    const detail = said ?? t('problem.service');
    const problem = new ProblemError(
      detail,
      response.status,
      known.code ?? 'http_error',
      known.fix ?? null,
      Number.isFinite(wait) ? wait : null,
    );
    problem.errors = errors;
    return problem;
  }

  static unreachable(): ProblemError {
    return new ProblemError(t('problem.unreachable'), 0, 'unreachable', t('problem.unreachable.fix'));
  }

  /** Whether the same request may go well a little later. */
  get passing(): boolean {
    return this.status === 503 || this.status === 429 || this.code === 'unreachable';
  }
}

function isProblem(body: unknown): body is ProblemBody {
  return typeof body === 'object' && body !== null && 'code' in body;
}

/** One or two sentences about anything that was thrown. */
export function explain(error: unknown): string {
  if (!(error instanceof ProblemError)) return t('problem.page');
  return [error.message, error.fix].filter(Boolean).map(sentence).join(' ');
}

function sentence(text: string | null): string {
  if (!text) return '';
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

import { explain, ProblemError } from '../api/problem.ts';

/** There is no such batch, or none any more. */
export const GONE = 'This batch doesn’t exist. It may have been deleted, or the address may be wrong.';

const WORDS: Readonly<Record<string, string>> = {
  job_not_found: GONE,
  model_not_found: 'The chosen model no longer exists. Reload the page and choose another.',
};

/** What went wrong with a batch, in words of the page: those of the API name its addresses. */
export function explainJob(error: unknown): string {
  return (error instanceof ProblemError && WORDS[error.code]) || explain(error);
}

import { explain, ProblemError } from '../api/problem.ts';

/** There is no such batch, or none any more. */
export const GONE = 'This batch is not here. It was deleted, or its address is mistyped.';

const WORDS: Readonly<Record<string, string>> = {
  job_not_found: GONE,
  model_not_found: 'The model that was chosen is not here any more. Reload the page and choose another one.',
};

/** What went wrong with a batch, in words of the page: those of the API name its addresses. */
export function explainJob(error: unknown): string {
  return (error instanceof ProblemError && WORDS[error.code]) || explain(error);
}

import { expect, it } from 'vitest';

import { ProblemError } from '../api/problem.ts';
import { explainJob, GONE } from './problems.ts';

it('does not speak of addresses of the API', () => {
  const gone = new ProblemError('there is no job', 404, 'job_not_found', 'GET /api/v1/jobs lists them.');
  expect(explainJob(gone)).toBe(GONE);
  expect(explainJob(ProblemError.unreachable())).toBe(
    'The service isn’t responding. Check that it is still running.',
  );
});

/** What is asked of the service about jobs. */

import { jobEvents } from '../api/addresses.ts';
import { answered, api } from '../api/client.ts';
import type { Job, JobDetail, JobResult } from '../api/types.ts';
import { JobFeed } from './feed.ts';
import { JobList, PAGE } from './job-list.svelte.ts';
import { Results, type ResultQuery } from './results.svelte.ts';
import { WatchedJob } from './watched-job.svelte.ts';

export function openJobList(): JobList {
  const ask = (offset: number) =>
    answered(api.GET('/api/v1/jobs', { params: { query: { offset, limit: PAGE } } }));
  return new JobList(ask, (id, onJob) => new JobFeed(jobEvents(id), { onJob }));
}

export function watchJob(id: string, onResults: () => void): WatchedJob {
  const params = { path: { job_id: id } };
  return new WatchedJob(
    {
      // The client's types forget how long a pair is.
      ask: () => answered(api.GET('/api/v1/jobs/{job_id}', { params })) as Promise<JobDetail>,
      cancel: () => answered(api.POST('/api/v1/jobs/{job_id}/cancel', { params })),
      remove: () => answered(api.DELETE('/api/v1/jobs/{job_id}', { params })),
      follow: (onJob: (job: Job) => void, onLost: (lost: boolean) => void) =>
        new JobFeed(jobEvents(id), { onJob, onLost }),
    },
    onResults,
  );
}

export function openResults(id: string): Results {
  return new Results((query: ResultQuery) =>
    answered(api.GET('/api/v1/jobs/{job_id}/results', { params: { path: { job_id: id }, query } })),
  );
}

/** Says what is right; the answer is the corrected result. */
export function correct(id: string, position: number, labels: Record<string, string>): Promise<JobResult> {
  const params = { path: { job_id: id, position } };
  return answered(api.PATCH('/api/v1/jobs/{job_id}/results/{position}', { params, body: { labels } }));
}

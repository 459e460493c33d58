/** What is said of a job. */

import type { Job } from '../api/types.ts';
import { count, duration } from '../ui/numbers.ts';

const STATES: Record<Job['state'], string> = {
  queued: 'Queued',
  running: 'Labelling',
  done: 'Done',
  cancelled: 'Cancelled',
  failed: 'Failed',
};

const dates = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });

export function isFinished({ state }: Pick<Job, 'state'>): boolean {
  return state !== 'queued' && state !== 'running';
}

export function stateWords({ state }: Pick<Job, 'state'>): string {
  return STATES[state];
}

/** `3.1 photos a second, 2 min left`, as far as it is known. */
export function paceWords(job: Pick<Job, 'images_per_s' | 'seconds_left' | 'failed'>): string {
  const parts = [
    job.images_per_s && `${job.images_per_s.toFixed(1)} photos a second`,
    job.seconds_left !== null && `${duration(job.seconds_left)} left`,
    job.failed > 0 && failedWords(job.failed),
  ];
  return parts.filter(Boolean).join(', ');
}

export function failedWords(failed: number): string {
  return `${count(failed, 'photo')} could not be read`;
}

/** When a job was started, or sent in. */
export function whenWords({ started, created }: Pick<Job, 'started' | 'created'>): string {
  return dates.format(new Date(started ?? created));
}

import { expect, it } from 'vitest';

import { isFinished, paceWords } from './job.ts';

it('knows which states are the last', () => {
  const states = ['queued', 'running', 'done', 'cancelled', 'failed'] as const;
  expect(states.filter((state) => isFinished({ state }))).toEqual(['done', 'cancelled', 'failed']);
});

it('says what it knows of the pace', () => {
  expect(paceWords({ images_per_s: 3.14, seconds_left: 130, failed: 1 })).toBe(
    '3.1 photos a second, 2 min left, 1 photo could not be read',
  );
  expect(paceWords({ images_per_s: null, seconds_left: null, failed: 0 })).toBe('');
});

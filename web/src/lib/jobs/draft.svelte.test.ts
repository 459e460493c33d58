import { beforeEach, expect, it, vi } from 'vitest';

import type { Job } from '../api/types.ts';
import { announcer } from '../layout/announcer.svelte.ts';
import { Draft } from './draft.svelte.ts';
import { Upload } from './upload.svelte.ts';

const job = { id: '7', title: 'Spring' } as Job;
const [one, other] = [new File(['1'], 'a.jpg'), new File(['2'], 'b.jpg')];

let answer: (job: Job | undefined) => void;
let draft: Draft;
beforeEach(() => {
  announcer.say('');
  const upload = new Upload();
  vi.spyOn(upload, 'send').mockReturnValue(new Promise((resolve) => (answer = resolve)));
  draft = new Draft(upload);
  draft.add([one]);
});

it('tells the page of the new job, and keeps what came meanwhile', async () => {
  draft.onstart = vi.fn();
  const sending = draft.send({ title: 'Spring' });
  draft.add([other]);
  answer(job);
  await sending;
  expect(draft.onstart).toHaveBeenCalledExactlyOnceWith(job);
  expect(draft.files).toEqual([other]);
});

it('only announces the new job where the page was left', async () => {
  const onstart = vi.fn();
  draft.onstart = onstart;
  const sending = draft.send({});
  draft.onstart = undefined;
  answer(job);
  await sending;
  expect(onstart).not.toHaveBeenCalled();
  expect(announcer.message).toBe('Batch Spring sent');
});

it('keeps the files of a batch that was refused', async () => {
  const sending = draft.send({});
  answer(undefined);
  await sending;
  expect(draft.files).toEqual([one]);
});

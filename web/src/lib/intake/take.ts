import { goto } from '$app/navigation';
import { resolve } from '$app/paths';

import { date, t } from '../words/words.svelte.ts';
import { intake } from './intake.svelte.ts';

/** Makes a batch of files and goes there; files that nobody meant make none. */
export async function take(files: File[]): Promise<void> {
  const batch = await intake.take(files, { name: t('intake.unnamed', { when: date(new Date()) }) });
  if (batch) await goto(resolve('/batches/[id]', { id: batch.id }));
}

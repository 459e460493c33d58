import { flushSync } from 'svelte';
import { expect, it, vi } from 'vitest';

import { ProblemError } from './problem.ts';
import { Resource } from './resource.svelte.ts';

it('is asked for once by an effect that needs it, also where that fails', async () => {
  let calls = 0;
  // The fifth call would stay without an answer, so that a loop ends.
  const ask = vi.fn(() =>
    ++calls < 5 ? Promise.reject(ProblemError.unreachable()) : new Promise(() => undefined),
  );
  const resource = new Resource(ask);
  const end = $effect.root(() => {
    $effect(() => void resource.need());
  });
  flushSync();
  for (let turn = 0; turn < 20; turn += 1) {
    await Promise.resolve();
    flushSync();
  }
  expect([resource.problem, resource.loading]).toEqual([
    'The service isn’t responding. Check that it is still running.',
    false,
  ]);
  expect(ask).toHaveBeenCalledOnce();
  end();
});

it('is asked for again by whoever needs it after a failure', async () => {
  const ask = vi.fn(async () => 1).mockRejectedValueOnce(ProblemError.unreachable());
  const resource = new Resource(ask);
  await resource.need();
  await resource.need();
  await resource.need();
  expect([resource.value, resource.problem]).toEqual([1, undefined]);
  expect(ask).toHaveBeenCalledTimes(2);
});

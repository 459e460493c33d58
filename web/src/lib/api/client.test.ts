import { describe, expect, it, vi } from 'vitest';

import { answered, api, formOf } from './client.ts';
import { explain, ProblemError } from './problem.ts';

function reply(body: unknown, init: ResponseInit = {}) {
  const type = init.status && init.status >= 400 ? 'application/problem+json' : 'application/json';
  const response = new Response(JSON.stringify(body), {
    ...init,
    headers: { 'Content-Type': type, ...init.headers },
  });
  return vi.spyOn(globalThis, 'fetch').mockResolvedValue(response);
}

describe('answered', () => {
  it('gives what the service answered', async () => {
    reply({ models: [] });
    expect(await answered(api.GET('/api/v1/models'))).toEqual({ models: [] });
  });

  it('throws a problem with its code, its fix and how long to wait', async () => {
    const body = {
      title: 'x',
      status: 503,
      code: 'queue_full',
      detail: 'too many photos wait',
      fix: 'try again soon',
    };
    reply(body, { status: 503, headers: { 'Retry-After': '2' } });
    const error = await answered(api.GET('/api/v1/models')).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 503, code: 'queue_full', retryAfterS: 2, passing: true });
    expect(explain(error)).toBe('Too many photos wait. Try again soon.');
  });

  it('leaves the names of fields to programs', async () => {
    const errors = [{ field: 'files', message: 'the zip cannot be read' }];
    reply({ code: 'validation', detail: 'files: the zip cannot be read', errors }, { status: 422 });
    const error = await answered(api.GET('/api/v1/models')).catch((thrown: unknown) => thrown);
    expect(explain(error)).toBe('The zip cannot be read.');
  });

  it('has words for a service that is away', async () => {
    vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('Failed to fetch'));
    const error = await answered(api.GET('/api/v1/models')).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ProblemError);
    expect(explain(error)).toBe('The service isn’t responding. Check that it is still running.');
  });

  it('has words for an answer that is no problem document', async () => {
    vi.spyOn(globalThis, 'fetch').mockResolvedValue(new Response('<h1>502</h1>', { status: 502 }));
    const error = await answered(api.GET('/api/v1/models')).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 502, code: 'http_error', passing: false });
  });

  it('lets an abort through, which is nobody’s failure', async () => {
    const abort = new DOMException('aborted', 'AbortError');
    vi.spyOn(globalThis, 'fetch').mockRejectedValue(abort);
    await expect(answered(api.GET('/api/v1/models'))).rejects.toBe(abort);
  });
});

it('writes a form: lists repeat the field, undefined is left out', () => {
  const form = formOf({ models: ['a', 'b'], top_k: 3, model: undefined, photo: new File(['x'], 'tee.jpg') });
  expect(form.getAll('models')).toEqual(['a', 'b']);
  expect(form.get('top_k')).toBe('3');
  expect(form.has('model')).toBe(false);
  expect((form.get('photo') as File).name).toBe('tee.jpg');
});

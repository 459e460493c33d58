import createClient from 'openapi-fetch';

import { basePath } from './addresses.ts';
import { csrf, withCsrf } from './csrf.ts';
import { ProblemError } from './problem.ts';
import type { paths } from './schema.d.ts';

/** The API, typed from its own document: `answered(api.GET('/api/v1/models'))`. */
export const api = createClient<paths>({
  baseUrl: (globalThis.location?.origin ?? '') + basePath,
  // Looked up at each call, so that a test can stand in for the network.
  fetch: (request) => globalThis.fetch(withCsrf(request)),
});

interface Reply<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** What the service answered. Throws a `ProblemError` for anything else, also where it cannot be reached. */
export async function answered<Data>(call: Promise<Reply<Data>>): Promise<Data> {
  let reply: Reply<Data>;
  try {
    reply = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw ProblemError.unreachable();
  }
  if (reply.response.status === 401) csrf.onSignedOut();
  if (!reply.response.ok) throw ProblemError.from(reply.response, reply.error);
  return reply.data as Data;
}

/** A multipart body: `undefined` values are left out, a list becomes the same field several times. */
export function formOf(
  fields: Record<string, string | boolean | number | Blob | readonly Blob[] | readonly string[] | undefined>,
) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one instanceof Blob) form.append(name, one, one instanceof File ? one.name : 'photo');
      else form.append(name, String(one));
    }
  }
  return form;
}

import { basePath } from './addresses.ts';
import { csrf, withCsrf } from './csrf.ts';
import { person } from './person.svelte.ts';
import { ProblemError } from './problem.ts';

const ROOT = `${basePath}/api/v1`;

type Query = Record<string, string | number | boolean | undefined>;

export interface Call {
  method?: string;
  query?: Query;
  /** Sent as JSON, or as it is where it is a form. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Asks the service. Throws a `ProblemError` for everything but an answer. */
async function send(path: string, { method, query = {}, body, headers, signal }: Call): Promise<Response> {
  const isForm = body instanceof FormData;
  const address = ROOT + path + queryText(query);
  const request = new Request(new URL(address, globalThis.location.origin), {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    body: body === undefined || isForm ? body : JSON.stringify(body),
    headers: {
      ...(body === undefined || isForm ? {} : { 'Content-Type': 'application/json' }),
      ...person.headers,
      ...headers,
    },
    signal,
  });
  const response = await fetch(withCsrf(request)).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw ProblemError.unreachable();
  });
  if (response.status === 401) csrf.onSignedOut();
  if (!response.ok) throw ProblemError.from(response, await response.json().catch(() => undefined));
  return response;
}

export async function ask<Answer>(path: string, call: Call = {}): Promise<Answer> {
  const response = await send(path, call);
  return (response.status === 204 ? undefined : await response.json()) as Answer;
}

function queryText(query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

/** A key that says that a repeated request is the same one. */
export function newKey(): string {
  // `randomUUID` is for secure pages only, which a page in the office's network need not be.
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}

/** What makes a repeated request the same one. */
export const once = () => ({ 'Idempotency-Key': newKey() });

import { basePath } from './addresses.ts';
import type { BatchService, SavedView, Target } from './batch.ts';
import { csrf, withCsrf } from './csrf.ts';
import { person } from './person.svelte.ts';
import { ProblemError } from './problem.ts';

const ROOT = `${basePath}/api/v1`;

type Query = Record<string, string | number | boolean | undefined>;

interface Call {
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

async function ask<Answer>(path: string, call: Call = {}): Promise<Answer> {
  const response = await send(path, call);
  return (response.status === 204 ? undefined : await response.json()) as Answer;
}

function queryText(query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

const at = (batch: string, rest = '') => `/batches/${encodeURIComponent(batch)}${rest}`;
const of = (batch: string, product: string, rest = '') =>
  at(batch, `/products/${encodeURIComponent(product)}${rest}`);

/** A key that says that a repeated request is the same one. */
export function newKey(): string {
  // `randomUUID` is for secure pages only, which a page in the office's network need not be.
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}

/** Which products a decision is about, as the service wants it. */
export function targetBody(target: Target): object {
  if ('products' in target) return target;
  const { below, ids, ...rest } = target.matching;
  const attributes: Record<string, string> = {};
  const matching: Record<string, unknown> = { attributes };
  for (const [name, value] of Object.entries(rest))
    if (name.startsWith(ATTRIBUTE)) attributes[name.slice(ATTRIBUTE.length)] = value;
    else matching[name] = value;
  if (below) matching.below = Number(below);
  if (ids) matching.ids = ids.split(',');
  return target.except.length > 0 ? { matching, except: target.except } : { matching };
}

const ATTRIBUTE = 'attribute.';

const once = () => ({ 'Idempotency-Key': newKey() });

/** The batches of the service. */
export const batchService: BatchService = {
  list: (query) => ask('/batches', { query }),
  create: (given) => ask('/batches', { body: given, headers: once() }),
  get: (batch) => ask(at(batch)),
  patch: (batch, change) => ask(at(batch), { method: 'PATCH', body: change }),
  remove: (batch) => ask(at(batch), { method: 'DELETE' }),
  duplicate: (batch) => ask(at(batch, '/duplicate'), { method: 'POST', headers: once() }),
  send: (batch, files, { key, signal }) => {
    const form = new FormData();
    for (const file of files) form.append('files', file, file.name);
    return ask(at(batch, '/files'), { body: form, headers: { 'Idempotency-Key': key }, signal });
  },
  sheet: (batch) => ask(at(batch, '/sheet')),
  mapSheet: (batch, given) => ask(at(batch, '/sheet'), { method: 'PUT', body: given }),
  groupings: (batch) => ask(at(batch, '/groupings')),
  group: (batch, by, pattern) => ask(at(batch, '/grouping'), { method: 'PUT', body: { by, pattern } }),
  merge: (batch, products) => ask(at(batch, '/merge'), { body: { products }, headers: once() }),
  split: (batch, product, photos) => ask(at(batch, '/split'), { body: { product, photos }, headers: once() }),
  products: (batch, query) => ask(at(batch, '/products'), { query }),
  counts: (batch, query) => ask(at(batch, '/counts'), { query }),
  product: (batch, product) => ask(of(batch, product)),
  similar: (batch, product, limit) => ask(of(batch, product, '/similar'), { query: { limit } }),
  decide: (batch, target, change, versions) =>
    ask(at(batch, '/decisions'), {
      body: { ...(change.each ? {} : targetBody(target)), ...change, versions },
      headers: once(),
    }),
  undo: (batch) => ask(at(batch, '/undo'), { method: 'POST', headers: once() }),
  redo: (batch) => ask(at(batch, '/redo'), { method: 'POST', headers: once() }),
  decisions: (batch, product) => ask(at(batch, '/decisions'), { query: { product } }),
  comments: (batch, product) => ask(of(batch, product, '/comments')),
  comment: (batch, product, text) =>
    ask(of(batch, product, '/comments'), { body: { text }, headers: once() }),
  views: async (batch) => (await ask<{ items: SavedView[] }>(at(batch, '/views'))).items,
  saveViews: (batch, views) => ask(at(batch, '/views'), { method: 'PUT', body: views }),
  present: (batch, product) => ask(at(batch, '/presence'), { method: 'PUT', body: { product } }),
};

import { ask, once } from './ask.ts';
import type { BatchService, SavedView, Target } from './batch.ts';

const at = (batch: string, rest = '') => `/batches/${encodeURIComponent(batch)}${rest}`;
const of = (batch: string, product: string, rest = '') =>
  at(batch, `/products/${encodeURIComponent(product)}${rest}`);

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

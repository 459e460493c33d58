import { afterEach, expect, test, vi } from 'vitest';

import { answered, api } from '../api/client.ts';
import { csrf, CSRF_HEADER } from '../api/csrf.ts';
import { Session, type SessionView } from './session.svelte.ts';

const signedIn: SessionView = {
  accounts: true,
  name: 'Rui',
  role: 'reviewer',
  actions: ['label', 'read'],
  via: 'session',
  source: 'password',
  csrf: 'secret',
  single_sign_on: null,
  needs_setup: false,
};

afterEach(() => {
  vi.unstubAllGlobals();
  csrf.value = null;
});

/** A service that answers so, in turn; returns the requests that it gets. */
function answering(...replies: readonly [status: number, body: unknown][]): Request[] {
  const seen: Request[] = [];
  const left = [...replies];
  vi.stubGlobal('fetch', (request: Request) => {
    seen.push(request);
    const [status, body] = left.shift() ?? [500, {}];
    return Promise.resolve(Response.json(body, { status }));
  });
  return seen;
}

test('a change carries the token against other sites, a look does not', async () => {
  const seen = answering([200, signedIn], [200, {}], [201, {}]);
  const session = new Session();
  await session.load();
  await api.GET('/api/v1/tokens');
  await api.POST('/api/v1/tokens', { body: { name: 'x', scopes: ['read'] } });
  expect(seen.map((request) => request.headers.get(CSRF_HEADER))).toEqual([null, null, 'secret']);
});

test('whoever is signed out has to sign in again', async () => {
  answering([200, signedIn], [401, { code: 'not_signed_in', detail: 'sign in first' }]);
  const session = new Session();
  await session.load();
  expect([session.shut, session.can('label'), session.can('administer')]).toEqual([false, true, false]);
  await expect(answered(api.GET('/api/v1/models'))).rejects.toThrow();
  expect([session.shut, session.name]).toEqual([true, null]);
});

test('without accounts nothing is shut', async () => {
  answering([200, { ...signedIn, accounts: false, name: null }]);
  const session = new Session();
  await session.load();
  expect(session.shut).toBe(false);
});

test('a service that does not answer shuts nobody out', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')));
  const session = new Session();
  await session.load();
  expect([session.shut, session.can('administer')]).toEqual([false, true]);
});

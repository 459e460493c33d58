/** What every change has to carry where people sign in: another site can send the cookie, but does not know this. */
export const csrf = {
  value: null as string | null,
  /** Called when the service does not know (any more) who is asking. */
  onSignedOut: (): void => undefined,
};

export const CSRF_HEADER = 'X-CSRF-Token';
const SAFE = new Set(['GET', 'HEAD']);

/** Adds the header to a request that changes something. */
export function withCsrf(request: Request): Request {
  if (csrf.value !== null && !SAFE.has(request.method)) request.headers.set(CSRF_HEADER, csrf.value);
  return request;
}

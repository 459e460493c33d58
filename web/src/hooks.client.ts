import type { HandleClientError } from '@sveltejs/kit/hooks';

/** What Chromium, Firefox and Safari say of a part of the page that could not be fetched; and Vite, where it is a style. */
const NOT_FETCHED = /dynamically imported module|Importing a module script failed|Unable to preload/i;

/** Tells a page that could not be fetched from one that broke. */
export const handleError: HandleClientError = ({ kind, error }) => {
  if (kind !== 'unknown') return {};
  if (error instanceof Error && NOT_FETCHED.test(error.message)) return { isAway: true };
  console.error(error);
  return {};
};

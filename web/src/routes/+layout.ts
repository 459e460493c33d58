import { session } from '#lib/accounts/session.svelte.ts';
import { words } from '#lib/words/words.svelte.ts';

// The page is one application that talks to the API: nothing of it is rendered before it reaches the browser.
export const ssr = false;
export const prerender = false;

/**
 * The page speaks, and knows who uses it, before it is painted: nothing changes under the eyes. The label's serif is
 * there before a label is.
 */
export const load = () => {
  void document.fonts?.load('1rem "Source Serif 4"').catch(() => []);
  return Promise.all([words.begin(), session.load()]);
};

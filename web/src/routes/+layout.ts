import { words } from '#lib/words/words.svelte.ts';

// The page is one application that talks to the API: nothing of it is rendered before it reaches the browser.
export const ssr = false;
export const prerender = false;

/** The page speaks before it is painted: no word changes under the eyes. */
export const load = () => words.begin();

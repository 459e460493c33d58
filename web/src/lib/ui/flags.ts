import { said } from '../words/words.svelte.ts';

/** What may be wrong with a photo, as a person would say it; the codes are the API's. */
export function flagWords(code: string): string {
  return said('flag', code);
}

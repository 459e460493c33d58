import { said } from '../words/words.svelte.ts';

/** Why a photo has no label, in the shop's words; the codes are the API's. */
export function reasonWords(code: string): string {
  return said('reason', code);
}

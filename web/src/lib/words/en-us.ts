import type { Messages } from './words.svelte.ts';

/** Where American English differs from British. */
export const enUs: Partial<Messages> = {
  'shell.catalogue': 'Catalog',
};

import type { Messages } from './words.svelte.ts';

/** Where American English differs from British. */
export const enUs: Partial<Messages> = {
  'shell.catalogue': 'Catalog',
  'catalogue.lead': 'What your catalog contains',
  'catalogue.reading': 'Reading the catalog',
  'catalogue.failed': 'The catalog could not be read',
  'catalogue.absent': 'No catalog is loaded',
  'catalogue.sizes.note': 'Width and height in pixels of {photos}, sampled from the catalog.',
  'batch.why.suspected': 'The {name} in the catalog may be wrong.',
  'finding.greyscale': 'the file has no colors',
  'finding.cmyk': 'the file uses printing colors (CMYK)',
  'facts.licence': 'License',
  'confusion.right': '{truth}: recognized in {count} of {photos} ({share}).',
};

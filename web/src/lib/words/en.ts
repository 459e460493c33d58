import type { Message } from './words.svelte.ts';

/**
 * What the page says, in British English. Keys are grouped by place; within a group they stand in the order of the page.
 * `{name}` is replaced by a value; a message with `one` and `other` is chosen by the value `count`.
 */
export const en = {
  // what stands around every page
  'shell.skip': 'Skip to content',
  'shell.places': 'Places',
  'shell.home': 'hangtag start page',
  'shell.classify': 'Classify',
  'shell.jobs': 'Jobs',
  'shell.catalogue': 'Catalogue',
  'shell.models': 'Models',
  'shell.settings': 'Settings',
  'shell.loading': 'Loading',

  // the theme
  'theme.label': 'Theme',
  'theme.system': 'System',
  'theme.light': 'Light',
  'theme.dark': 'Dark',
  'theme.button': 'Theme: {current}. Switch to {next}',

  // pages that can't be shown
  'error.away': 'No connection',
  'error.away.title': 'The service isn’t responding',
  'error.away.text': 'The page could not be loaded. Check that hangtag is still running.',
  'error.away.still': 'The service still isn’t responding',
  'error.missing': 'Not found',
  'error.missing.title': 'Page not found',
  'error.missing.text': 'Check the address, or go back to the start page.',
  'error.broken': 'Error',
  'error.broken.title': 'Something went wrong',
  'error.broken.text': 'Reload the page. If it happens again, tell your administrator what you did.',
  'error.start': 'Go to the start page',

  // what the service or the page could not do
  'problem.page': 'Something went wrong on this page. Reload it and try again.',
  'problem.service':
    'Something went wrong in the service. Try again. If it happens again, tell your administrator.',
  'problem.unreachable': 'The service isn’t responding.',
  'problem.unreachable.fix': 'Check that it is still running.',

  // small words that every page uses
  'ui.retry': 'Try again',
  'ui.close': 'Close',
  'ui.close_message': 'Close this message',
  'ui.cancel': 'Cancel',
  'ui.save': 'Save',
  'ui.undo': 'Undo',
  'ui.redo': 'Redo',
  'ui.delete': 'Delete',
  'ui.edit': 'Edit',
  'ui.previous': 'Previous',
  'ui.next': 'Next',
  'ui.chosen': 'chosen',
  'ui.no_match': 'No match for “{typed}”',
  'ui.more_options': {
    one: '{count} more. Type part of the name.',
    other: '{count} more. Type part of the name.',
  },
  'ui.confidence_of': '{label}, confidence {percent}',
  'ui.drop_here': 'Drop to label these photos',
  'ui.flags': 'Flags',
  'ui.pages': 'Pages',
  'ui.range': '{first}–{last} of {total}',
  'ui.of': '{done} of {total}',
  'ui.yes': 'yes',
  'ui.no': 'no',

  // amounts
  'count.photos': { one: '{count} photo', other: '{count} photos' },
  'count.products': { one: '{count} product', other: '{count} products' },
  'count.findings': { one: '{count} finding', other: '{count} findings' },
  'count.classes': { one: '{count} class', other: '{count} classes' },
  'count.files': { one: '{count} file', other: '{count} files' },
  'count.results': { one: '{count} result', other: '{count} results' },
  'count.jobs': { one: '{count} job', other: '{count} jobs' },
  'unit.bytes': { one: '{count} byte', other: '{count} bytes' },
  'unit.seconds': '{seconds} s',
  'unit.minutes': '{minutes} min',
  'unit.hours': '{hours} h {minutes} min',

  // what may be wrong with a photo, by the API's codes
  'flag.not_a_product': 'Not a product',
  'flag.blank': 'Blank',
  'flag.too_small': 'Too small',
  'flag.too_dark': 'Too dark',
  'flag.blurred': 'Blurred',

  // why a photo has no label, by the API's codes
  'reason.not_found': 'file not found',
  'reason.unreadable': 'file can’t be read',
  'reason.empty': 'file is empty',
  'reason.too_many_bytes': 'file is too large',
  'reason.too_many_pixels': 'photo has too many pixels',
  'reason.too_expensive': 'photo takes too long to open; save it as JPEG',
  'reason.too_small': 'photo is too small',
  'reason.not_a_photo': 'not a photo',
  'reason.unsupported_format': 'format not supported; save it as JPEG',
  'reason.truncated': 'file is cut off; copy it again',
  'reason.corrupt': 'file is damaged',
  'reason.private_address': 'address is in a private network',
} as const satisfies Readonly<Record<string, Message>>;

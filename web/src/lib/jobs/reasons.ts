/** Why a photo has no label, as a person would say it; the codes are the API's. */
const WORDS: Record<string, string> = {
  not_found: 'no such file',
  unreadable: 'cannot be read',
  empty: 'empty file',
  too_many_bytes: 'file too large',
  too_many_pixels: 'too many pixels',
  too_small: 'too small to show anything',
  not_a_photo: 'not a photo',
  unsupported_format: 'format not known',
  truncated: 'file is cut off',
  corrupt: 'file is damaged',
};

export function reasonWords(code: string): string {
  return WORDS[code] ?? code.replaceAll('_', ' ');
}

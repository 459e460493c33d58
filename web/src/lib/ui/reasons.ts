/** Why a photo has no label, in the shop's words; the codes are the API's. */
const WORDS: Readonly<Record<string, string>> = {
  not_found: 'file not found',
  unreadable: 'file can’t be read',
  empty: 'file is empty',
  too_many_bytes: 'file is too large',
  too_many_pixels: 'photo has too many pixels',
  too_small: 'photo is too small',
  not_a_photo: 'not a photo',
  unsupported_format: 'format not supported; save it as JPEG',
  truncated: 'file is cut off; copy it again',
  corrupt: 'file is damaged',
};

export function reasonWords(code: string): string {
  return WORDS[code] ?? code.replaceAll('_', ' ');
}

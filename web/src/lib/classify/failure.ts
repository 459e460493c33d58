import type { FailedPhoto } from '../api/types.ts';

const WORDS: Partial<Record<FailedPhoto['reason'], string>> = {
  not_found: 'the file is gone',
  unreadable: 'the file cannot be read',
  empty: 'the file is empty',
  too_many_bytes: 'the file is too large',
  too_many_pixels: 'the photo has too many pixels',
  too_small: 'the photo is too small to show anything',
  not_a_photo: 'this is not a photo',
  unsupported_format: 'hangtag does not read this format; save the photo as JPEG',
  truncated: 'the file is cut off; copy it again',
  corrupt: 'the file is damaged',
};

/** Why a photo could not be opened, in the shop's words. */
export function failureWords(failure: FailedPhoto): string {
  return WORDS[failure.reason] ?? failure.detail;
}

/** What may be wrong with a photo, as a person would say it; the codes are the API's. */
const WORDS: Record<string, string> = {
  not_a_product: 'Not a product',
  blank: 'Blank',
  too_small: 'Too small',
  too_dark: 'Too dark',
  blurred: 'Blurred',
};

export function flagWords(code: string): string {
  return WORDS[code] ?? code.replaceAll('_', ' ');
}

/** Folds case and accents, so that typing `tees` or `blusen` needs neither. */
function fold(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}

/**
 * The options that a typed text may mean, the likeliest first: those that start with it, those with a word that
 * starts with it, those that contain it. All of them, in their own order, for an empty text.
 */
export function matches<Option extends { label: string }>(
  options: readonly Option[],
  typed: string,
): Option[] {
  const wanted = fold(typed.trim());
  if (!wanted) return [...options];
  const ranked = options.map((option) => ({ option, rank: rank(fold(option.label), wanted) }));
  return ranked
    .filter(({ rank }) => rank < 3)
    .sort((a, b) => a.rank - b.rank)
    .map(({ option }) => option);
}

/** All options in their own order, save that the one with this value stands first: it is looked for most. */
export function firstOf<Option extends { value: string }>(
  options: readonly Option[],
  value: string,
): Option[] {
  const chosen = options.filter((option) => option.value === value);
  return [...chosen, ...options.filter((option) => option.value !== value)];
}

function rank(label: string, wanted: string): number {
  if (label.startsWith(wanted)) return 0;
  if (label.split(/[^\p{L}\p{N}]+/u).some((word) => word.startsWith(wanted))) return 1;
  return label.includes(wanted) ? 2 : 3;
}

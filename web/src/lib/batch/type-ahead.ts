import { ARROW } from '../api/taxonomy.ts';
import { SHOP_WORDS } from './shop-words.ts';

/** A choice of the type-ahead: a class, or a whole category path named by its leaf. */
export interface Choice {
  value: string;
  label: string;
  /** Where it belongs, as `Apparel › Topwear`. */
  detail?: string;
}

/** A choice that may be meant, with the model's probability where it has one. */
export interface Ranked extends Choice {
  confidence: number | null;
}

/** How much a way of matching counts, beside which the probabilities, which add up to 1, decide. */
const EXACT = 4;
const START = 3;
const SHOP_WORD = 2.5;
const WORD_START = 2;
const INSIDE = 1;

/**
 * The choices that a typed text may mean, the likeliest first: how it matches decides, then the model's probability.
 * Without a text these are the model's candidates and then all others in their order.
 */
export function rankChoices(
  choices: readonly Choice[],
  typed: string,
  confidences: Readonly<Record<string, number>>,
): Ranked[] {
  const wanted = fold(typed);
  const meant = wanted ? meanings(wanted) : [];
  return choices
    .map((choice, place) => {
      const confidence = confidences[choice.value] ?? null;
      return { choice, confidence, place, match: wanted ? matchOf(choice, wanted, meant) : INSIDE };
    })
    .filter(({ match }) => match > 0)
    .sort((a, b) => scoreOf(b) - scoreOf(a) || a.place - b.place)
    .map(({ choice, confidence }) => ({ ...choice, confidence }));
}

function scoreOf({ match, confidence }: { match: number; confidence: number | null }): number {
  return match + (confidence ?? 0);
}

function matchOf(choice: Choice, wanted: string, meant: readonly string[]): number {
  const label = fold(choice.label);
  const named = choice.value.split(ARROW).at(-1) ?? '';
  const meaning = meant.indexOf(named);
  if (singular(label) === singular(wanted) || singular(fold(named)) === singular(wanted)) return EXACT;
  if (label.startsWith(wanted)) return START;
  // Of several meanings, the first is the usual one.
  if (meaning >= 0) return SHOP_WORD - meaning / 100;
  if (label.split(/[^\p{L}\p{N}]+/u).some((word) => word.startsWith(wanted))) return WORD_START;
  if (label.includes(wanted)) return INSIDE;
  return choice.detail && fold(choice.detail).startsWith(wanted) ? INSIDE / 2 : 0;
}

/** The classes that a shop's word means; a part of the word is enough once it is as long as `sne`. */
function meanings(wanted: string): readonly string[] {
  const bare = singular(wanted).replaceAll(/[\s-]/g, '');
  const exact = SHOP_WORDS[bare] ?? SHOP_WORDS[wanted];
  if (exact) return exact;
  if (bare.length < 3) return [];
  const begun = Object.keys(SHOP_WORDS).filter((word) => word.startsWith(bare));
  return [...new Set(begun.flatMap((word) => SHOP_WORDS[word] ?? []))];
}

function singular(word: string): string {
  return word.endsWith('s') && !word.endsWith('ss') ? word.slice(0, -1) : word;
}

/** Without case, accents and the hyphen of `T-shirt`. */
function fold(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().replaceAll('-', '').trim();
}

/** The probabilities of several products together, by value: their mean. */
export function meanConfidences(
  candidates: readonly (readonly { value: string; confidence: number }[])[],
): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const some of candidates)
    for (const { value, confidence } of some)
      sums[value] = (sums[value] ?? 0) + confidence / Math.max(1, candidates.length);
  return sums;
}

/** The probability of whole paths, from those of their leaves. */
export function pathConfidences(
  choices: readonly Choice[],
  leaves: Readonly<Record<string, number>>,
): Record<string, number> {
  const known = choices.flatMap(({ value }) => {
    const confidence = leaves[value.split(ARROW).at(-1) ?? ''];
    return confidence === undefined ? [] : [[value, confidence] as const];
  });
  return Object.fromEntries(known);
}

import type { Mapping, Rule } from './service.ts';

export const LEVELS = ['masterCategory', 'subCategory', 'articleType'] as const;

/** A line on the left of the editor: a path of the model, or a level of it that stands for the rest of itself. */
export interface Place {
  /** The labels by column, as many levels as it names; none for “anything else”. */
  labels: Readonly<Record<string, string>>;
  path: readonly string[];
  isLeaf: boolean;
}

export type Labels = Readonly<Record<string, string>>;

/** The paths of the model with all levels above them, as a list in which each level comes before what is in it. */
export function placesOf(paths: readonly Mapping['paths'][number][]): Place[] {
  const seen = new Map<string, Place>();
  const keep = (path: readonly string[], isLeaf: boolean) => {
    const key = path.join('\n');
    if (!seen.has(key)) seen.set(key, { labels: labelsOf(path), path, isLeaf });
  };
  keep([], false);
  const sorted = [...paths].sort((a, b) => a.path.join('\n').localeCompare(b.path.join('\n')));
  for (const { path } of sorted)
    for (let depth = 1; depth <= path.length; depth++) keep(path.slice(0, depth), depth === path.length);
  return [...seen.values()];
}

function labelsOf(path: readonly string[]): Record<string, string> {
  return Object.fromEntries(path.map((label, depth) => [LEVELS[depth] ?? '', label]));
}

export const isSame = (a: Labels, b: Labels): boolean =>
  Object.keys(a).length === Object.keys(b).length &&
  Object.entries(a).every(([name, label]) => b[name] === label);

/** The rule that is exactly about these labels. */
export function ownRule(rules: readonly Rule[], labels: Labels): Rule | undefined {
  return rules.find((rule) => isSame(rule.labels, labels));
}

/** The rules about a place and some more labels, as one for women. */
export function partRules(rules: readonly Rule[], labels: Labels): Rule[] {
  const size = Object.keys(labels).length;
  return rules.filter(
    (rule) =>
      Object.keys(rule.labels).length > size &&
      Object.entries(labels).every(([name, label]) => rule.labels[name] === label) &&
      Object.keys(rule.labels).every((name) => name in labels || !LEVELS.includes(name as never)),
  );
}

/** The rule that counts for labels: of those that fit, the one with most levels, then with most other labels. */
export function findRule(rules: readonly Rule[], labels: Labels): Rule | undefined {
  const weight = ({ labels: asked }: Rule) => {
    const names = Object.keys(asked);
    const levels = names.filter((name) => LEVELS.includes(name as never)).length;
    return levels * 100 + names.length - levels;
  };
  return rules
    .filter((rule) => Object.entries(rule.labels).every(([name, label]) => labels[name] === label))
    .reduce<Rule | undefined>(
      (best, rule) => (best === undefined || weight(rule) > weight(best) ? rule : best),
      undefined,
    );
}

export type Change = Partial<Omit<Rule, 'labels'>> | null;

/** The rules with one for these labels changed, added, or, for null, taken away. */
export function withRule(rules: readonly Rule[], labels: Labels, change: Change): Rule[] {
  if (change === null) return rules.filter((rule) => !isSame(rule.labels, labels));
  const usual: Rule = { labels: { ...labels }, id: '', path: '', confidence: 'exact', note: '' };
  const known = ownRule(rules, labels);
  if (known === undefined) return [...rules, { ...usual, ...change }];
  return rules.map((rule) => (rule === known ? { ...rule, ...change } : rule));
}

/** What a category is called: its path, or its id where it has none. */
export const categoryOf = (rule: Rule | undefined): string => rule?.path || rule?.id || '';

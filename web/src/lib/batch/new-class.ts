import { ARROW } from '../api/taxonomy.ts';
import type { Choice } from './type-ahead.ts';

/** What a class of the shop's own is called: as it was typed, with a capital and single spaces. */
export function classNameOf(typed: string): string {
  const name = typed.trim().replaceAll(/\s+/g, ' ');
  return name.charAt(0).toLocaleUpperCase() + name.slice(1);
}

/** Whether there is a class of this name already, so that none is made twice. */
export function isKnown(choices: readonly Choice[], typed: string): boolean {
  const wanted = classNameOf(typed).toLocaleLowerCase();
  const names = choices.flatMap(({ value, label }) => [label, value.split(ARROW).at(-1) ?? '']);
  return names.some((name) => name.toLocaleLowerCase() === wanted);
}

/**
 * The branches that a new class can belong to, as choices of their whole path: the branch of the product first, then
 * those that the model thinks likely, then all others in their order.
 */
export function branchesFor(
  choices: readonly Choice[],
  current: readonly string[],
  confidences: Readonly<Record<string, number>>,
): Choice[] {
  const likely = new Map<string, number>();
  for (const { value } of choices) {
    const branch = value.split(ARROW).slice(0, -1).join(ARROW);
    if (branch) likely.set(branch, (likely.get(branch) ?? 0) + (confidences[value] ?? 0));
  }
  const own = current.slice(0, -1).join(ARROW);
  if (likely.has(own)) likely.set(own, Infinity);
  return [...likely]
    .sort(([, one], [, other]) => other - one)
    .map(([branch]) => {
      const path = branch.split(ARROW);
      return { value: branch, label: path.at(-1) ?? '', detail: path.slice(0, -1).join(ARROW) };
    });
}

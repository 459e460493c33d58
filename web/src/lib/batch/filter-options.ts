import { CATEGORY_COLUMNS, labelName } from '../ui/columns.ts';

export interface Option {
  value: string;
  label: string;
}

/** A choice for each value, the most frequent first, below the one that filters nothing. */
export function countOptions(
  all: string,
  amounts: Record<string, number> | undefined,
  name = (value: string) => value,
): Option[] {
  const found = Object.entries(amounts ?? {}).sort(([, amount], [, other]) => other - amount);
  return [
    { value: '', label: all },
    ...found.map(([value, amount]) => ({ value, label: `${name(value)} (${amount})` })),
  ];
}

/** Paths in their order, each level a step further in, below the choice that filters nothing. */
export function pathOptions(all: string, amounts: Record<string, number> | undefined): Option[] {
  const paths = Object.entries(amounts ?? {}).sort(([path], [other]) => path.localeCompare(other));
  return [
    { value: '', label: all },
    ...paths.map(([path, amount]) => {
      const depth = path.split('/').length - 1;
      const name = labelName(CATEGORY_COLUMNS[depth] ?? '', path.split('/').at(-1) ?? '');
      return { value: path, label: `${'\u2003'.repeat(depth)}${name} (${amount})` };
    }),
  ];
}

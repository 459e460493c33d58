import { rankChoices, type Choice } from './type-ahead.ts';

/** What a pasted column comes to: the values by product, and the texts that are no value. */
export interface Pasted {
  values: Record<string, string>;
  unknown: string[];
}

/** The cells of a pasted column; of several columns the first one. A last line break ends no further cell. */
export function cellsOf(text: string): string[] {
  const lines = text.replaceAll('\r\n', '\n').replace(/\n$/, '').split('\n');
  return lines.map((line) => (line.split('\t')[0] ?? '').trim());
}

/** Gives each product, from the first one on, the value of a cell. An empty cell leaves its product as it is. */
export function readColumn(
  cells: readonly string[],
  products: readonly string[],
  choices: readonly Choice[],
): Pasted {
  const pasted: Pasted = { values: {}, unknown: [] };
  cells.forEach((cell, place) => {
    const id = products[place];
    if (!cell || id === undefined) return;
    const value = valueOf(cell, choices);
    if (value === undefined) pasted.unknown.push(cell);
    else pasted.values[id] = value;
  });
  return pasted;
}

function valueOf(cell: string, choices: readonly Choice[]): string | undefined {
  const written = choices.find(({ value, label }) => value === cell || label === cell);
  if (written) return written.value;
  const same = choices.find(({ label }) => label.toLowerCase() === cell.toLowerCase());
  // A shop's word counts where it can mean only one thing.
  const [first, second] = rankChoices(choices, cell, {});
  return (same ?? (second === undefined ? first : undefined))?.value;
}

/** What is said of a result: the model's labels, with a person's in their place. */

import type { JobResult } from '../api/types.ts';
import { CATEGORY_COLUMNS } from '../ui/columns.ts';

export type LabelledResult = Extract<JobResult, { status: 'labelled' }>;

export interface Said {
  column: string;
  value: string;
  isDoubtful: boolean;
  /** Of the path: whether the answer, or a person, reaches down to here. */
  isSure: boolean;
}

export interface Description {
  path: Said[];
  attributes: Said[];
  /** The confidence of the leaf; of the first column where the model answers no category. */
  confidence: number | null;
  isDoubtful: boolean;
  /** Whether a person said or confirmed the category. */
  isCorrected: boolean;
}

export function describeResult(result: LabelledResult): Description {
  const columns = Object.keys(result.labels);
  const levels = CATEGORY_COLUMNS.filter((column) => columns.includes(column));
  const path = levels.map((column, depth) => say(result, column, depth < result.answer.length));
  const leaf = levels.at(-1) ?? columns[0] ?? '';
  return {
    path,
    attributes: columns
      .filter((column) => !levels.includes(column))
      .map((column) => say(result, column, true)),
    confidence: result.labels[leaf]?.confidence ?? null,
    isDoubtful: path.some(({ isDoubtful, isSure }) => isDoubtful || !isSure),
    isCorrected: levels.some((column) => column in (result.corrections ?? {})),
  };
}

/** The value of a column: a person's, or the model's. */
export function valueOf(result: LabelledResult, column: string): string {
  return result.corrections?.[column] ?? result.labels[column]?.value ?? '';
}

function say(result: LabelledResult, column: string, isAnswered: boolean): Said {
  const isCorrected = column in (result.corrections ?? {});
  return {
    column,
    value: valueOf(result, column),
    isDoubtful: !isCorrected && result.doubtful.includes(column),
    isSure: isCorrected || isAnswered,
  };
}

/** What is shown of a result. Its path, answer and doubts come from the service, corrections included. */

import { consistent } from '../api/taxonomy.ts';
import type { JobResult, Taxonomy } from '../api/types.ts';
import { CATEGORY_COLUMNS } from '../ui/columns.ts';

export type LabelledResult = Extract<JobResult, { status: 'labelled' }>;

export interface Said {
  column: string;
  value: string;
  isDoubtful: boolean;
  /** Of the path: whether the answer reaches down to here. */
  isSure: boolean;
}

export interface Description {
  path: Said[];
  attributes: Said[];
  /** The confidence of the leaf; of the first column where the model answers no category. */
  confidence: number | null;
  isDoubtful: boolean;
  /** Whether a person corrected or confirmed the category. */
  isCorrected: boolean;
}

export function describeResult(result: LabelledResult): Description {
  const columns = Object.keys(result.labels);
  const levels = CATEGORY_COLUMNS.filter((column) => columns.includes(column));
  const path = levels.map((column, depth) => describe(result, column, depth < result.answer.length));
  const leaf = levels.at(-1) ?? columns[0] ?? '';
  return {
    path,
    attributes: columns
      .filter((column) => !levels.includes(column))
      .map((column) => describe(result, column, true)),
    confidence: result.labels[leaf]?.confidence ?? null,
    isDoubtful: path.some(({ isDoubtful, isSure }) => isDoubtful || !isSure),
    isCorrected: levels.some((column) => column in (result.corrections ?? {})),
  };
}

/** The value of a column: a person's, or the model's. */
export function valueOf(result: LabelledResult, column: string): string {
  return result.corrections?.[column] ?? result.labels[column]?.value ?? '';
}

/** The labels to set so that a column gets a value: a category label brings the rest of its path. */
export function correctionOf(
  result: LabelledResult,
  taxonomy: Taxonomy,
  column: string,
  value: string,
): Record<string, string> {
  const columns = Object.keys(result.labels);
  const current = Object.fromEntries(columns.map((one) => [one, valueOf(result, one)]));
  const leaf = taxonomy.levels.findLast((level) => level in result.labels) ?? column;
  const labels = consistent(taxonomy, { column, value }, current, result.labels[leaf]?.candidates ?? []);
  // The taxonomy may have levels that this model does not answer.
  return Object.fromEntries(Object.entries(labels).filter(([one]) => one in result.labels));
}

function describe(result: LabelledResult, column: string, isSure: boolean): Said {
  return { column, value: valueOf(result, column), isDoubtful: result.doubtful.includes(column), isSure };
}

import type { Comparison, LabelledPhoto, ModelName } from '../api/types.ts';

/** One line of the table: a column, and what each model says about it. */
export interface ComparedColumn {
  column: string;
  /** In the order of the models; undefined where a model does not answer the column. */
  labels: ({ value: string; confidence: number } | undefined)[];
  /** Whether the models that answer it say different things. */
  split: boolean;
}

export interface Compared {
  models: (ModelName & { latencyMs: number })[];
  columns: ComparedColumn[];
}

/** What several models say about a photo, side by side: a line per column. */
export function compare(comparison: Comparison): Compared {
  const answers = comparison.answers.map(({ answer }) => (answer.status === 'labelled' ? answer : undefined));
  const columns = [...new Set(answers.flatMap((answer) => Object.keys(answer?.labels ?? {})))];
  return {
    models: comparison.answers.map(({ model, latency_ms }) => ({ ...model, latencyMs: latency_ms })),
    columns: columns.map((column) => compareColumn(column, answers)),
  };
}

function compareColumn(column: string, answers: readonly (LabelledPhoto | undefined)[]): ComparedColumn {
  const labels = answers.map((answer) => answer?.labels[column]);
  const said = new Set(labels.flatMap((label) => (label ? [label.value] : [])));
  return { column, labels, split: said.size > 1 };
}

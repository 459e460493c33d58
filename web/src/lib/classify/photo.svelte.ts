import type { FailedPhoto, LabelledPhoto, Label, PhotoAnswer } from '../api/types.ts';
import { CATEGORY_COLUMNS } from '../ui/columns.ts';

/** Labels by column. */
export type Labels = Readonly<Record<string, string>>;

/** A label as a tag shows it: set by a person, or the model's with its confidence. */
export interface ShownLabel {
  value: string;
  /** The model's, 0 to 1; null if a person set the label. */
  confidence: number | null;
  doubtful: boolean;
}

let next = 0;

/** A photo: its file, the model's answer, and a person's corrections. */
export class Photo {
  readonly id = ++next;
  /** An address of the picture that the browser can show, once there is one. */
  thumbnail = $state<string>();
  sending = $state(false);
  /** Just answered: the tag settles into its place. */
  fresh = $state(false);
  answer = $state.raw<PhotoAnswer>();
  /** The model that answered last; its classes are what can be said while another one is asked. */
  modelId = $state<string>();
  /** The labels a person set or confirmed, by column. */
  corrections = $state.raw<Labels>({});
  /** The corrections at the time of the last export. */
  saved = $state.raw<Labels>({});

  constructor(readonly file: File) {}

  get name(): string {
    return this.file.name;
  }

  readonly labelled = $derived<LabelledPhoto | undefined>(
    this.answer?.status === 'labelled' ? this.answer : undefined,
  );
  readonly failure = $derived<FailedPhoto | undefined>(
    this.answer?.status === 'failed' ? this.answer : undefined,
  );
  readonly labels = $derived(showLabels(this.labelled, this.corrections));
  /** The columns that a person should look at, and has not yet. */
  readonly doubtful = $derived(
    (this.labelled?.doubtful ?? []).filter((column) => !(column in this.corrections)),
  );
  /** The category's columns that this photo has an answer for, from the root to the leaf. */
  readonly levels = $derived(CATEGORY_COLUMNS.filter((column) => column in this.labels));
  /** How many of them, from the root on, are sure: the service's answer reaches that far, or a person set them. */
  readonly sure = $derived(sureLevels(this.levels, this.labelled, this.doubtful, this.corrections));
  /** What is wrong with the photo, as the API's codes. */
  readonly flags = $derived<readonly string[]>(this.labelled?.flags ?? []);
  readonly attributes = $derived(
    Object.keys(this.labels).filter((column) => !CATEGORY_COLUMNS.includes(column)),
  );
  /** Whether the category is in doubt (of a model without one: any label). */
  readonly needsLook = $derived(
    this.levels.length === 0 ? this.doubtful.length > 0 : this.sure < this.levels.length,
  );
  /** The column to pick a guess for: the finest of the category, or the first that is not sure where the finest is. */
  readonly asked = $derived.by(() => {
    const finest = this.levels.at(-1) ?? this.attributes[0] ?? '';
    return this.doubtful.includes(finest) ? finest : (this.levels[this.sure] ?? finest);
  });
  /** Whether a person said something else than the model. */
  readonly edited = $derived(
    Object.entries(this.corrections).some(
      ([column, value]) => this.labelled?.labels[column]?.value !== value,
    ),
  );
  readonly unsaved = $derived(!alike(this.corrections, this.saved));
  /** The confidence of the finest category label, or of the first label where there is none. */
  readonly confidence = $derived(
    this.labels[this.levels.at(-1) ?? this.attributes[0] ?? '']?.confidence ?? null,
  );

  /** The model's best guesses for a column, the likeliest first. */
  guesses(column: string): readonly Label[] {
    const candidates = this.labelled?.labels[column]?.candidates ?? [];
    return [...candidates].sort((a, b) => b.confidence - a.confidence);
  }

  /** Forgets the answer, so that the photo can be asked about again. A person's word stays. */
  reset() {
    this.answer = undefined;
  }

  /** Frees the picture's memory. */
  dispose() {
    if (this.thumbnail) URL.revokeObjectURL(this.thumbnail);
    this.thumbnail = undefined;
  }
}

function alike(some: Labels, others: Labels): boolean {
  const columns = Object.keys(some);
  return (
    columns.length === Object.keys(others).length &&
    columns.every((column) => some[column] === others[column])
  );
}

function sureLevels(
  levels: readonly string[],
  answer: LabelledPhoto | undefined,
  doubtful: readonly string[],
  corrections: Labels,
): number {
  const first = levels.findIndex(
    (column, depth) =>
      doubtful.includes(column) || (depth >= (answer?.answer.length ?? 0) && !(column in corrections)),
  );
  return first < 0 ? levels.length : first;
}

function showLabels(answer: LabelledPhoto | undefined, corrections: Labels): Record<string, ShownLabel> {
  const shown: Record<string, ShownLabel> = {};
  const wrong = CATEGORY_COLUMNS.findIndex((column) => contradicts(answer, column, corrections));
  const below: readonly string[] = wrong < 0 ? [] : CATEGORY_COLUMNS.slice(wrong + 1);
  for (const [column, { value, confidence }] of Object.entries(answer?.labels ?? {}))
    // What the model found below a class that a person took back belongs to no path.
    if (!below.includes(column) || column in corrections)
      shown[column] = { value, confidence, doubtful: !!answer?.doubtful.includes(column) };
  // Also in columns that the answer lacks: it may come from a model that knows fewer.
  for (const [column, value] of Object.entries(corrections))
    shown[column] = { value, confidence: null, doubtful: false };
  return shown;
}

function contradicts(answer: LabelledPhoto | undefined, column: string, corrections: Labels): boolean {
  const found = answer?.labels[column]?.value;
  return found !== undefined && column in corrections && corrections[column] !== found;
}

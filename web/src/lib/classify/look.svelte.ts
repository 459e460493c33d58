import { answered, api, formOf } from '../api/client.ts';
import { ProblemError } from '../api/problem.ts';
import { Resource } from '../api/resource.svelte.ts';
import type { ExplainedLabel, ExplainedPhoto } from '../api/types.ts';
import { columnName } from '../ui/columns.ts';
import type { Photo } from './photo.svelte.ts';

/** The choice that shows the photo itself. */
export const PHOTO = 'photo';

/** What the model looked at in a photo: a picture for each explained label, of which one is shown. */
export class Look {
  readonly answer: Resource<ExplainedPhoto>;
  /** A column, or the photo itself; the first column until something is chosen. */
  #chosen = $state<string>();

  constructor(readonly photo: Photo) {
    this.answer = new Resource(() => askWhatItLookedAt(photo));
  }

  readonly labels = $derived.by<readonly ExplainedLabel[]>(() => this.answer.value?.labels ?? []);
  readonly options = $derived([
    ...this.labels.map(({ column }) => ({ value: column, label: columnName(column) })),
    { value: PHOTO, label: 'The photo' },
  ]);
  /** The label whose picture is shown; undefined while the photo itself is. */
  readonly label = $derived(this.labels.find(({ column }) => column === this.chosen));

  get chosen(): string {
    return this.#chosen ?? this.labels[0]?.column ?? PHOTO;
  }

  set chosen(value: string) {
    this.#chosen = value;
  }
}

/** Pictures of what the labels of a photo rest on. Throws a `ProblemError`. */
async function askWhatItLookedAt(photo: Photo): Promise<ExplainedPhoto> {
  const form = formOf({ photo: photo.file, model: photo.modelId });
  const call = api.POST('/api/v1/explanations', { body: form as never, bodySerializer: () => form });
  const answer = await answered(call);
  if (answer.status === 'failed') throw new ProblemError(answer.detail, 200, answer.reason);
  return answer;
}

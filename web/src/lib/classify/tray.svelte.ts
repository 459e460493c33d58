import { answered, api, formOf } from '../api/client.ts';
import type { Predictions, Taxonomy } from '../api/types.ts';
import { CATEGORY_COLUMNS } from '../ui/columns.ts';
import { count } from '../ui/numbers.ts';
import { ChosenModel } from './chosen-model.svelte.ts';
import { Edits } from './edits.svelte.ts';
import { Photo, type Labels } from './photo.svelte.ts';
import { Sending, type Ask } from './sending.svelte.ts';
import { consistent, labelsOfPath } from '../api/taxonomy.ts';
import { Thumbnails } from './thumbnails.ts';
import { View } from './view.svelte.ts';

/** The photos on the table and everything that can be done with them. */
export class Tray {
  photos = $state.raw<Photo[]>([]);
  readonly model = new ChosenModel();
  readonly thumbnails = new Thumbnails();
  readonly edits = new Edits(() => this.photos);
  readonly view = new View(() => this.photos);
  readonly sending: Sending;

  constructor(ask?: Ask) {
    this.sending = new Sending(ask ?? ((photos, signal) => askService(this.model.id, photos, signal)));
  }

  readonly answered = $derived(this.photos.filter((photo) => photo.answer).length);
  /** Photos that another model than the chosen one has labelled. */
  readonly outdated = $derived.by(() => {
    const { id } = this.model;
    if (id === undefined) return [];
    return this.photos.filter(({ answer, modelId = id }) => answer && modelId !== id);
  });
  /** One sentence about how things stand. */
  readonly summary = $derived.by(() => {
    const { look, failed } = this.view.counts;
    const parts = [`${count(this.photos.length, 'photo')}`];
    if (look) parts.push(`${look} to check`);
    if (failed) parts.push(`${failed} could not be opened`);
    return parts.join(' · ');
  });

  add(files: readonly File[]): Photo[] {
    const added = files.map((file) => new Photo(file));
    this.photos = [...this.photos, ...added];
    this.sending.add(added);
    return added;
  }

  /** Takes a photo off the table. It keeps its picture and its labels, since that can be taken back. */
  remove(photo: Photo) {
    this.#takeOff(new Set([photo]));
    this.edits.remember({ photo, said: `${photo.name} removed`, takeBack: () => this.#putBack(photo) });
  }

  /** Takes everything off the table, for good. */
  clear() {
    this.sending.stop();
    const gone = [...this.photos, ...this.edits.forget()];
    this.#takeOff(new Set(gone));
    for (const photo of gone) photo.dispose();
    this.view.reset();
  }

  #takeOff(gone: ReadonlySet<Photo>) {
    this.photos = this.photos.filter((photo) => !gone.has(photo));
    this.sending.drop(gone);
  }

  #putBack(photo: Photo) {
    this.photos = [...this.photos, photo].sort((a, b) => a.id - b.id);
    if (!photo.answer) this.sending.add([photo]);
  }

  /** Asks again about photos: after a failure, or with another model. */
  askAgain(photos: readonly Photo[]) {
    for (const photo of photos) photo.reset();
    this.sending.add(photos);
  }

  /** A person says that a column has a value; the category stays one path. */
  say(photo: Photo, column: string, value: string) {
    const taxonomy = this.model.knownTaxonomy(photo.modelId);
    if (!taxonomy) return;
    const current = Object.fromEntries(
      Object.entries(photo.labels).map(([name, label]) => [name, label.value]),
    );
    const leaf = taxonomy.levels.at(-1) ?? '';
    const labels = consistent(taxonomy, { column, value }, current, photo.guesses(leaf));
    this.#apply(photo, taxonomy, labels, value);
  }

  /** A person says where in the taxonomy a photo belongs: `Apparel › Topwear › Shirts`. */
  sayPath(photo: Photo, path: string) {
    const taxonomy = this.model.knownTaxonomy(photo.modelId);
    if (!taxonomy) return;
    const labels = labelsOfPath(taxonomy, path);
    this.#apply(photo, taxonomy, labels, Object.values(labels).at(-1) ?? path);
  }

  #apply(photo: Photo, { levels }: Taxonomy, labels: Labels, said: string) {
    // A word about the category takes the place of the one before, also in levels that only another model knows.
    const old = levels.some((level) => level in labels) ? CATEGORY_COLUMNS : [];
    const kept = Object.entries(photo.corrections).filter(([column]) => !old.includes(column));
    this.edits.apply(photo, { ...Object.fromEntries(kept), ...labels }, said);
  }
}

function askService(
  model: string | undefined,
  photos: readonly Photo[],
  signal: AbortSignal,
): Promise<Predictions> {
  const form = formOf({ photos: photos.map(({ file }) => file), model, top_k: 5 });
  const body = form as never; // the document describes the form's fields; the form is made here
  return answered(api.POST('/api/v1/predictions', { body, bodySerializer: () => form, signal }));
}

/** The one that lasts while a person walks between pages. */
export const tray = new Tray();

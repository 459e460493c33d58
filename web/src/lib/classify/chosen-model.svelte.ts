import { answered, api } from '../api/client.ts';
import { Resource } from '../api/resource.svelte.ts';
import type { Taxonomy } from '../api/types.ts';

const KEY = 'hangtag.model';

/** Which model labels the photos, and the classes that it knows. */
export class ChosenModel {
  readonly list = new Resource(async () => (await answered(api.GET('/api/v1/models'))).models);
  #chosen = $state(remembered());
  #taxonomies = $state.raw<Record<string, Taxonomy>>({});

  readonly models = $derived(this.list.value ?? []);
  /** The chosen model; the service's own choice where that is gone, or nothing was chosen. */
  readonly current = $derived(
    this.models.find(({ id }) => id === this.#chosen) ?? this.models.find((model) => model.is_default),
  );
  readonly id = $derived(this.current?.id);

  choose(id: string) {
    this.#chosen = id;
    try {
      localStorage.setItem(KEY, id);
    } catch {
      // Without storage the choice lasts until the page is closed.
    }
  }

  /** The classes of a model, asked for once. */
  async taxonomyOf(model: string): Promise<Taxonomy> {
    const known = this.#taxonomies[model];
    if (known) return known;
    const taxonomy = await answered(api.GET('/api/v1/taxonomy', { params: { query: { model } } }));
    this.#taxonomies = { ...this.#taxonomies, [model]: taxonomy };
    return taxonomy;
  }

  /** The same, where it is there already. */
  knownTaxonomy(model: string | undefined): Taxonomy | undefined {
    return model === undefined ? undefined : this.#taxonomies[model];
  }
}

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

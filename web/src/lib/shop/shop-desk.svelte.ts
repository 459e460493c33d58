import { explain, ProblemError, type InvalidValue } from '../api/problem.ts';
import { Resource } from '../api/resource.svelte.ts';
import type { Accuracy, ClassFigures, Shop, ShopModel, ShopService } from '../api/shop.ts';
import { t } from '../words/words.svelte.ts';

/** The code of a refusal because classes would be worse. */
const WORSE = 'significantly_worse';
/** So often the page asks how far learning is, in milliseconds. */
const POLL_MS = 1500;

/** What a version is clearly worse at, with its figures; those of all classes together have none. */
export interface WorseClass {
  attribute: string;
  name: string;
  figures: ClassFigures | null;
}

/** The models of the shop and what people do with them. */
export class ShopDesk {
  readonly shop: Resource<Shop>;
  readonly models: Resource<readonly ShopModel[]>;
  problem = $state<string>();
  /** What came of the last action. */
  said = $state<string>();
  busy = $state(false);
  /** A version that was refused, and what it is worse at. */
  refused = $state.raw<{ model: ShopModel; worse: readonly WorseClass[] } | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly service: ShopService) {
    this.shop = new Resource(() => service.get());
    this.models = new Resource(async () => (await service.models()).items);
  }

  /** The version in use, and the base model it belongs to; the first where there are several bases. */
  readonly inUse = $derived.by(() => {
    const uses = Object.entries(this.shop.value?.in_use ?? {});
    const [base, model] = uses.find(([, used]) => used) ?? uses[0] ?? [undefined, null];
    return { base, model };
  });

  async load(): Promise<void> {
    await Promise.all([this.shop.load(), this.models.load()]);
    if (this.shop.value?.learning) this.#watch();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async set(change: { enabled?: boolean; learn_after?: number }): Promise<void> {
    await this.#act(() => this.service.patch(change));
  }

  async learn(): Promise<void> {
    await this.#act(async () => {
      await this.service.learn();
      this.said = t('shop.learn.began');
    });
    this.#watch();
  }

  /** Uses a version from now on; keeps the refusal where classes would be worse and nobody gave a reason. */
  async promote(model: ShopModel, reason?: string): Promise<void> {
    await this.#act(async () => {
      try {
        const { name } = await this.service.promote(model.id, reason);
        this.refused = null;
        this.said = t('version.promoted', { name });
      } catch (error) {
        if (!(error instanceof ProblemError) || error.code !== WORSE || reason) throw error;
        this.refused = { model, worse: error.errors.map((worse) => worseOf(model, worse)) };
      }
    });
  }

  async rollback(base: string): Promise<void> {
    await this.#act(async () => {
      const now = await this.service.rollback(base);
      this.said = now ? t('version.rolled_back', { name: now.name }) : t('version.rolled_back.base');
    });
  }

  async archive(model: ShopModel): Promise<void> {
    await this.#act(() => this.service.archive(model.id));
  }

  async #act(action: () => Promise<unknown>): Promise<void> {
    [this.problem, this.said, this.busy] = [undefined, undefined, true];
    try {
      await action();
    } catch (error) {
      this.problem = explain(error);
    }
    await Promise.all([this.shop.load(), this.models.load()]);
    this.busy = false;
  }

  /** Asks again and again while hangtag is learning. */
  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      await this.shop.load();
      if (this.shop.value?.learning) this.#watch();
      else await this.models.load();
    }, POLL_MS);
  }
}

/** A refusal names the attribute and the class; their numbers are among the figures of the version. */
function worseOf(model: ShopModel, { field, message }: InvalidValue): WorseClass {
  const figures = model.figures[field]?.classes.find(({ name }) => name === message) ?? null;
  return { attribute: field, name: message, figures };
}

/** Half of an interval, in whole points: what stands behind the `±`. The wider side counts. */
export function marginOf({ share, low, high }: Accuracy): number {
  return Math.max(1, Math.round(100 * Math.max(high - share, share - low)));
}

/** From so many random checks on, a share says something. */
export const ENOUGH = 10;

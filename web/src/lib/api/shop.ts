/** What hangtag has learnt in this shop, as the service speaks of it. */

import { ask, once } from './ask.ts';
import { basePath } from './addresses.ts';
import type { Batch } from './batch.ts';
import type { Taxonomy } from './types.ts';

/** How often labels were right, as a share of those that were checked at random, with its 95 % interval. */
export interface Accuracy {
  checked: number;
  share: number;
  low: number;
  high: number;
}

/** The accuracy of an attribute, and how many more checks would bring it to a round figure. */
export interface ShopAccuracy extends Accuracy {
  effort: { target: number; checks: number } | null;
}

export interface ClassFigures {
  name: string;
  checks: number;
  right: number;
  before_right: number;
}

export interface AttributeFigures {
  /** On the shop's random checks: this version, and the model that it was made from. */
  shop: Accuracy | null;
  before: Accuracy | null;
  /** By cross-validation on checks that people chose, which are harder than most; null before for a new attribute. */
  learnt: { labels: number; before: number | null; after: number } | null;
  /** On the photos that the base model was tested with. */
  base: { accuracy: number | null; change: number | null } | null;
  classes: ClassFigures[];
  /** Classes that are significantly worse than before. */
  worse: string[];
}

export type Stage = 'candidate' | 'in_use' | 'archived';

/** A model that hangtag has adapted to the shop. */
export interface ShopModel {
  id: string;
  base: { id: string; name: string; version: string };
  version: number;
  name: string;
  stage: Stage;
  created: string;
  created_by: string | null;
  learnt_from: {
    checks: number;
    batches: { id: string; name: string; checks: number }[];
    new_classes: Record<string, string[]>;
  };
  figures: Record<string, AttributeFigures>;
  forgetting: { mean_change: number; told: boolean } | null;
  /** Why a person used it although classes are worse. */
  override_reason?: string | null;
  sha256: string;
  size_bytes: number;
}

/** What came of learning: how many labels changed, and how many products no longer need a person. */
export interface Learnt {
  model: string;
  version: number;
  checks: number;
  changed: number;
  settled: number;
  batches: Record<string, { changed: number; settled: number }>;
  undo: boolean;
}

export interface DriftWeek {
  week: string;
  products: number;
  mean_confidence: number | null;
  ood_share: number;
  corrected_share: number;
  classes: Record<string, Record<string, number>>;
}

export interface Shop {
  enabled: boolean;
  learn_after: number;
  /** All checks, and those since hangtag last learnt. */
  checks: { total: number; since: number };
  in_use: Record<string, ShopModel | null>;
  learning: { since: string; checks: number } | null;
  last: Learnt | null;
  accuracy: Record<string, ShopAccuracy>;
  calibration: Record<string, { stated: number; right: number; checked: number }>;
  drift: DriftWeek[];
}

/** A product to check next, with those that look the same and are settled with it. */
export interface NextItem {
  product: string;
  alike: string[];
  why: 'kind' | 'doubt' | 'control';
}

/** A class of the shop's own. */
export interface OwnClass {
  attribute: string;
  name: string;
  path: string[] | null;
  products: number;
  learnt: boolean;
}

/** The classes of a model and those of the shop. */
export type ShopTaxonomy = Taxonomy & { own: OwnClass[]; version: number; names: OwnNames };

/** What people of the shop call classes, by language, attribute and class. */
export type OwnNames = Record<string, Record<string, Record<string, string>>>;

/** The languages in which classes can be named. */
export const NAMED_IN = ['en', 'de', 'fr', 'es'] as const;

export type NewClass =
  | { path: string[]; name: string }
  | { attribute: string; name: string }
  | { attribute: string; values: string[] };

/** How often two people said the same about products that both have checked. */
export interface Agreement {
  attribute: string;
  people: [string, string];
  both: number;
  kappa: number | null;
}

export interface Imported {
  rows: number;
  applied: number;
  unchanged: number;
  skipped: { line: number; reason: string }[];
  agreement: Agreement[];
}

export type CheckFormat = 'csv' | 'label-studio';
export type CatalogueFinding = 'suspects' | 'duplicates' | 'missing';

const model = (id: string, rest = '') => `/shop/models/${encodeURIComponent(id)}${rest}`;
const post = { method: 'POST' };

/** Everything that the page asks of the service about learning. Each throws a `ProblemError`. */
export const shopService = {
  get: () => ask<Shop>('/shop'),
  patch: (change: { enabled?: boolean; learn_after?: number }) =>
    ask<Shop>('/shop', { method: 'PATCH', body: change }),
  models: () => ask<{ items: ShopModel[]; total: number }>('/shop/models'),
  learn: () => ask<unknown>('/shop/models', { body: {}, headers: once() }),
  promote: (id: string, reason?: string) =>
    ask<ShopModel>(model(id, '/promote'), { body: reason ? { override_reason: reason } : {} }),
  archive: (id: string) => ask<ShopModel>(model(id, '/archive'), post),
  rollback: (base: string) => ask<ShopModel | null>('/shop/rollback', { body: { base } }),
  undoLearnt: () => ask<unknown>('/shop/learnt/undo', post),
  next: (batch: string, limit: number) =>
    ask<{ items: NextItem[]; left: number }>(`/batches/${encodeURIComponent(batch)}/next`, {
      query: { limit },
    }),
  taxonomy: () => ask<ShopTaxonomy>('/taxonomy'),
  createClass: (given: NewClass) => ask<ShopTaxonomy>('/taxonomy/classes', { body: given, headers: once() }),
  removeClass: (attribute: string, name: string) =>
    ask<unknown>('/taxonomy/classes', { method: 'DELETE', query: { attribute, name } }),
  rename: (given: { attribute: string; class: string | null; language: string; name: string }) =>
    ask<unknown>('/taxonomy/names', { method: 'PUT', body: given }),
  agreement: () => ask<{ items: Agreement[] }>('/decisions/agreement'),
  importChecks: (file: File) => {
    const form = new FormData();
    form.append('file', file, file.name);
    return ask<Imported>('/decisions/import', { body: form, headers: once() });
  },
  review: (finding: CatalogueFinding) =>
    ask<Batch>('/catalogue/reviews', { body: { finding }, headers: once() }),
};

export type ShopService = typeof shopService;

const root = `${basePath}/api/v1`;

/** The file of a shop model: a bundle, which every command of hangtag takes. */
export const bundleFile = (id: string): string => `${root}${model(id, '/bundle')}`;
/** All checks as a file. */
export const checksFile = (format: CheckFormat): string => `${root}/decisions/export?format=${format}`;
export const taxonomyFile: string = `${root}/taxonomy/export`;
/** The corrected `styles.csv` of a batch that was made from the catalogue. */
export const correctionsFile = (batch: string): string =>
  `${root}/batches/${encodeURIComponent(batch)}/corrections`;

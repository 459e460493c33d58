/** Batches and their products, as the service speaks of them. */

import type { Learnt } from './shop.ts';

export type BatchState = 'receiving' | 'labelling' | 'stopped' | 'ready' | 'failed';
export type ProductState = 'to_check' | 'checked' | 'corrected';
export type GroupingKind = 'sku' | 'name' | 'folder' | 'photo';

export interface BatchCounts {
  products: number;
  photos: number;
  labelled: number;
  to_check: number;
  checked: number;
  corrected: number;
  not_a_product: number;
  failed: number;
}

export interface Batch {
  id: string;
  name: string;
  model: { id: string; name: string; version: string };
  created: string;
  updated: string;
  created_by: string | null;
  assigned_to: string | null;
  archived: boolean;
  state: BatchState;
  /** Why the labelling failed. */
  message: string | null;
  counts: BatchCounts;
  /** What is left to label, null when nothing is. */
  progress: {
    waiting: number;
    to_fetch: number;
    photos_per_s: number | null;
    seconds_left: number | null;
  } | null;
  sheet: { name: string; rows: number; mapped: boolean } | null;
  grouping: { by: GroupingKind; pattern: string | null } | null;
  /** Whether it reviews findings of the catalogue's check. */
  from_catalogue: boolean;
  /** Photos for its cover, at most four. */
  cover: string[];
}

export interface Candidate {
  value: string;
  confidence: number;
}

export interface Attribute {
  value: string;
  confidence: number | null;
  confident: boolean;
  state: 'predicted' | 'confirmed' | 'corrected';
  by: string | null;
  candidates: Candidate[];
  /** The model that predicted it, also where a person has decided since. */
  made_by?: { id: string; name: string; version: string } | null;
}

export interface BatchPhoto {
  id: string;
  name: string;
  view: 'front' | 'back' | 'detail' | 'side' | null;
  width: number | null;
  height: number | null;
  flags: string[];
  error: { reason: string; message: string } | null;
  duplicate_of: { batch: string; product: string; photo: string } | null;
  /** Whether it is another file that shows the same picture as that. */
  is_near_duplicate: boolean;
  /** The attributes that this photo alone would have had differently. */
  disagrees: string[];
}

/** Why a person is needed. */
export type Why =
  | 'unsure'
  | 'photos_disagree'
  | 'differs_from_sheet'
  | 'suspected'
  | 'not_a_product'
  | 'no_photo'
  | 'unreadable';

export type Cell = string | number | boolean | null;

export interface Product {
  id: string;
  batch: string;
  key: string | null;
  name: string;
  /** The row of the sheet, by column. */
  row: Record<string, Cell> | null;
  photos: BatchPhoto[];
  label: Record<string, Attribute>;
  path: string[];
  confident_depth: number;
  state: ProductState;
  /** What a person should look at, and why; null where nothing is in doubt. */
  needs: { attribute: string | null; why: Why } | null;
  flags: string[];
  not_a_product: { by_model: boolean; decided: boolean | null };
  /** The labels that the sheet states. */
  known: Record<string, string>;
  assigned_to: string | null;
  comments: number;
  version: number;
  updated: string;
}

/** The query of a list of products: the same words in the address of the page and of the API. */
export type ProductQuery = Record<string, string>;

/** What a person decides about products. */
export interface Change {
  set?: Record<string, string>;
  /** Labels that differ from product to product, by its id. */
  each?: Readonly<Record<string, Record<string, string>>>;
  confirm?: true | string[];
  not_a_product?: boolean | null;
  flag?: Record<string, boolean>;
  move_to?: string;
  delete?: true;
  assign_to?: string | null;
}

/** Which products: named ones, or all that match but a few. */
export type Target = { products: string[] } | { matching: ProductQuery; except: string[] };

export interface Conflict {
  product: string;
  by: string | null;
  value: string | null;
}

export interface Decided {
  decision: string | null;
  changed: number;
  conflicts: Conflict[];
  products: Product[];
  said?: string | null;
}

export interface DecisionRecord {
  id: string;
  who: string | null;
  when: string;
  product: string | null;
  kind?: string;
  before: unknown;
  after: unknown;
}

export interface ProductCounts {
  total: number;
  states: Record<string, number>;
  paths: Record<string, number>;
  attributes: Record<string, Record<string, number>>;
  flags: Record<string, number>;
  who: Record<string, number>;
}

export interface SheetMapping {
  key: string | null;
  name: string | null;
  photos: string[];
  addresses: string[];
  labels: Record<string, string>;
}

export interface SheetView {
  sheets: string[];
  chosen: string;
  columns: { name: string; type: string; samples: string[] }[];
  mapping: SheetMapping;
  counts: { rows: number; matched: number; without_photo: number; without_row: number; ambiguous: number };
  preview: { key: string | null; name: string | null; photos: string[]; row: Record<string, Cell> }[];
  fetching: {
    is_allowed: boolean;
    addresses: number;
    to_fetch: number;
    hosts: string[];
    refused_hosts: string[];
  };
}

export interface Grouping {
  by: GroupingKind;
  pattern: string | null;
  products: number;
  examples: { name: string; photos: string[] }[];
}

export interface Comment {
  id: string;
  who: string | null;
  when: string;
  text: string;
}

export interface SavedView {
  name: string;
  query: string;
}

export interface ReceivedFile {
  name: string;
  kind: string;
  photos: number;
  problem: string | null;
}

export type BatchEvent =
  | {
      type: 'products';
      ids: string[];
      versions: Record<string, number>;
      removed: string[];
      all: boolean;
    }
  | { type: 'learnt'; learnt: Learnt }
  | { type: 'batch'; batch: Batch }
  | { type: 'presence'; who: string; product: string | null }
  | { type: 'deleted' };

/** Everything that the page asks of the service about batches. Each throws a `ProblemError`. */
export interface BatchService {
  list(query: { archived?: boolean; q?: string }): Promise<{ items: Batch[]; total: number }>;
  create(given: { name?: string; model?: string }): Promise<Batch>;
  get(batch: string): Promise<Batch>;
  patch(
    batch: string,
    change: Partial<Pick<Batch, 'name' | 'archived' | 'assigned_to'> & { model: string; labelling: boolean }>,
  ): Promise<Batch>;
  remove(batch: string): Promise<void>;
  duplicate(batch: string): Promise<Batch>;
  send(
    batch: string,
    files: readonly File[],
    options: { key: string; signal?: AbortSignal },
  ): Promise<{ received: ReceivedFile[] }>;
  sheet(batch: string): Promise<SheetView>;
  mapSheet(
    batch: string,
    given: { sheet?: string; mapping: SheetMapping; dry_run?: boolean },
  ): Promise<SheetView>;
  groupings(batch: string): Promise<Grouping[]>;
  group(batch: string, by: GroupingKind, pattern: string | null): Promise<void>;
  merge(batch: string, products: string[]): Promise<void>;
  split(batch: string, product: string, photos: string[]): Promise<void>;
  products(
    batch: string,
    query: ProductQuery & { offset?: string; limit?: string },
  ): Promise<{ items: Product[]; total: number }>;
  counts(batch: string, query: ProductQuery): Promise<ProductCounts>;
  product(batch: string, product: string): Promise<Product>;
  similar(
    batch: string,
    product: string,
    limit?: number,
  ): Promise<{ items: { product: Product; similarity: number }[] }>;
  decide(batch: string, target: Target, change: Change, versions?: Record<string, number>): Promise<Decided>;
  undo(batch: string): Promise<Decided>;
  redo(batch: string): Promise<Decided>;
  decisions(batch: string, product: string): Promise<{ items: DecisionRecord[] }>;
  comments(batch: string, product: string): Promise<{ items: Comment[] }>;
  comment(batch: string, product: string, text: string): Promise<{ items: Comment[] }>;
  views(batch: string): Promise<SavedView[]>;
  saveViews(batch: string, views: SavedView[]): Promise<void>;
  present(batch: string, product: string | null): Promise<void>;
}

import type { components } from './schema.d.ts';

type Schemas = components['schemas'];

export type Label = Schemas['Label'];
export type ChosenLabel = Schemas['ChosenLabel'];
export type LabelledPhoto = Schemas['LabelledPhoto'];
export type FailedPhoto = Schemas['FailedPhoto'];
export type PhotoAnswer = LabelledPhoto | FailedPhoto;
export type Predictions = Schemas['Predictions'];
export type Comparison = Schemas['Comparison'];
export type ExplainedLabel = Schemas['ExplainedLabel'];
export type ExplainedPhoto = Schemas['ExplainedPhoto'];
export type ModelName = Schemas['ModelName'];
export type ModelSummary = Schemas['ModelSummary'];
export type ModelDetail = Schemas['ModelDetail'];
export type Confusion = Schemas['Confusion'];
export type Taxonomy = Schemas['TaxonomyView'];
export type CatalogueStatistics = Schemas['CatalogueStatistics'];
export type CatalogueAbsent = Schemas['CatalogueAbsent'];
export type Findings = Schemas['Findings'];
export type Status = Schemas['Status'];
export type Table = Pick<Schemas['Export'], 'columns' | 'rows'>;

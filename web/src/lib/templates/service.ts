import { answered, api } from '../api/client.ts';
import { person } from '../api/person.svelte.ts';
import type { components } from '../api/schema.d.ts';

type Schemas = components['schemas'];
export type Template = Schemas['TemplateWithDocument'];
export type TemplateSummary = Schemas['ExportTemplate'];
export type Templates = Schemas['ExportTemplates'];
export type Choices = Schemas['TemplateChoices'];
export type Mapping = Schemas['TaxonomyMapping'];
export type MappingSummary = Schemas['TaxonomySummary'];
export type Rule = Schemas['TaxonomyRule'];
export type ExportCheck = Schemas['ExportCheck'];
export type NewExport = Schemas['NewExport'];
export type Document = Template['document'];

const template = (id: string) => ({ params: { path: { template_id: id } } });
const taxonomy = (id: string) => ({ params: { path: { taxonomy_id: id } } });
const who = () => ({ headers: person.headers });
/** A file goes as it is; its name says its form. */
const bytes = (file: File) => ({
  params: { query: { filename: file.name } },
  body: file as unknown as string,
  bodySerializer: (body: unknown) => body as Blob,
  headers: { 'Content-Type': 'application/octet-stream' },
});

/** The templates and mappings of the service. */
export const templateService = {
  templates: () => answered(api.GET('/api/v1/export-templates')),
  template: (id: string) => answered(api.GET('/api/v1/export-templates/{template_id}', template(id))),
  add: (body: Schemas['NewTemplate']) => answered(api.POST('/api/v1/export-templates', { body, ...who() })),
  change: (id: string, body: Schemas['ChangedTemplate']) =>
    answered(api.PUT('/api/v1/export-templates/{template_id}', { ...template(id), body, ...who() })),
  copy: (id: string) =>
    answered(
      api.POST('/api/v1/export-templates/{template_id}/duplicate', { ...template(id), body: {}, ...who() }),
    ),
  remove: (id: string) => answered(api.DELETE('/api/v1/export-templates/{template_id}', template(id))),
  draft: (file: File) => answered(api.POST('/api/v1/template-drafts', bytes(file))),

  mappings: () => answered(api.GET('/api/v1/taxonomies')),
  mapping: (id: string) => answered(api.GET('/api/v1/taxonomies/{taxonomy_id}', taxonomy(id))),
  addMapping: (body: Schemas['NewTaxonomy']) => answered(api.POST('/api/v1/taxonomies', { body, ...who() })),
  changeMapping: (id: string, body: Schemas['ChangedTaxonomy']) =>
    answered(api.PUT('/api/v1/taxonomies/{taxonomy_id}', { ...taxonomy(id), body, ...who() })),
  copyMapping: (id: string) =>
    answered(api.POST('/api/v1/taxonomies/{taxonomy_id}/duplicate', { ...taxonomy(id), body: {}, ...who() })),
  removeMapping: (id: string) => answered(api.DELETE('/api/v1/taxonomies/{taxonomy_id}', taxonomy(id))),
  draftMapping: (categories: string[]) =>
    answered(api.POST('/api/v1/taxonomy-drafts', { body: { categories } })),
  readMapping: (file: File) => answered(api.POST('/api/v1/taxonomy-tables', bytes(file))),

  /** The shop's own sheet with its empty cells filled, and how many were, in how many rows. */
  fill: async (batch: string, file: File) => {
    const call = api.POST('/api/v1/batches/{batch_id}/sheet-fillings', {
      ...bytes(file),
      params: { path: { batch_id: batch }, query: { filename: file.name } },
      parseAs: 'blob' as const,
    });
    const filled = (await answered(call)) as unknown as Blob;
    const [cells, rows, all] = (await call).response.headers.get('X-Hangtag-Filled')?.match(/\d+/g) ?? [];
    return { filled, cells: Number(cells), rows: Number(rows), all: Number(all) };
  },
  check: (batch: string, body: NewExport) =>
    answered(
      api.POST('/api/v1/batches/{batch_id}/exports/check', { params: { path: { batch_id: batch } }, body }),
    ),
  file: async (batch: string, body: NewExport) =>
    (await answered(
      api.POST('/api/v1/batches/{batch_id}/exports', {
        params: { path: { batch_id: batch } },
        body,
        parseAs: 'blob',
      }),
    )) as Blob,
};

/** A name for something that comes from a file: that of the file without its ending. */
export function nameOf(file: File): string {
  return file.name.replace(/\.[^.]+$/, '').slice(0, 100) || file.name;
}

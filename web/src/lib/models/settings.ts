import { number, t } from '../words/words.svelte.ts';

type Json = Readonly<Record<string, unknown>>;

export interface SettingGroup {
  /** Empty for the entries that belong to no group. */
  name: string;
  entries: [key: string, value: string][];
}

/** Nested settings as groups of names and written values; deeper levels become `split counts` and the like. */
export function toGroups(settings: Json): SettingGroup[] {
  const plain: SettingGroup = { name: '', entries: [] };
  const groups: SettingGroup[] = [];
  for (const [key, value] of Object.entries(settings)) {
    if (isObject(value)) groups.push({ name: key, entries: flatten(value) });
    else plain.entries.push([key, write(value)]);
  }
  return [plain, ...groups].filter(({ entries }) => entries.length > 0);
}

function flatten(settings: Json, prefix = ''): [string, string][] {
  return Object.entries(settings).flatMap(([key, value]): [string, string][] =>
    isObject(value) ? flatten(value, `${prefix}${key} `) : [[prefix + key, write(value)]],
  );
}

function write(value: unknown): string {
  if (typeof value === 'boolean') return value ? t('ui.yes') : t('ui.no');
  if (typeof value === 'number') return number(value, { maximumSignificantDigits: 6 });
  return Array.isArray(value) ? value.map(write).join(', ') : String(value ?? '–');
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

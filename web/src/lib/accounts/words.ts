import type { components } from '../api/schema.d.ts';
import { t, words } from '../words/words.svelte.ts';
import type { Action } from './session.svelte.ts';

export type Role = components['schemas']['Role'];

export const ROLES: readonly Role[] = ['viewer', 'reviewer', 'administrator'];
export const SCOPES = [
  'read',
  'label',
  'review',
  'metrics',
  'administer',
] as const satisfies readonly Action[];

export function roleName(role: Role): string {
  return t(`accounts.role.${role}`);
}

export function scopeName(scope: Action): string {
  return scope === 'account' ? scope : t(`accounts.scope.${scope}`);
}

/** A moment as people write it, in the language of the page; a dash for none. */
export function moment(at: string | null | undefined): string {
  if (!at) return '–';
  const form = new Intl.DateTimeFormat(words.language, { dateStyle: 'medium', timeStyle: 'short' });
  return form.format(new Date(at));
}

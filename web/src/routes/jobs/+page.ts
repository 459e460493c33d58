import { redirect } from '@sveltejs/kit';

import { resolve } from '$app/paths';

/** The jobs of the first edition are batches now. */
export function load(): never {
  redirect(308, resolve('/'));
}

import { redirect } from '@sveltejs/kit';

import { resolve } from '$app/paths';

import type { PageLoad } from './$types';

/** A job of the first edition is a batch with the same id. */
export const load: PageLoad = ({ params }) => {
  redirect(308, resolve('/batches/[id]', { id: params.id }));
};

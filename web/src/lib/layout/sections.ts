import Boxes from '@lucide/svelte/icons/boxes';
import LibraryBig from '@lucide/svelte/icons/library-big';
import Store from '@lucide/svelte/icons/store';
import Settings from '@lucide/svelte/icons/settings-2';
import Tag from '@lucide/svelte/icons/tag';
import Users from '@lucide/svelte/icons/users';

/** The places of the page, in the order of the rail; `name` is the message that names it. */
export const sections = [
  { path: '/', name: 'batches.title', icon: Tag },
  { path: '/shop', name: 'shop.title', icon: Store },
  { path: '/catalogue', name: 'shell.catalogue', icon: LibraryBig },
  { path: '/models', name: 'shell.models', icon: Boxes },
  { path: '/settings', name: 'shell.settings', icon: Settings },
] as const;

/** The place of people, tokens and one's own account, where people sign in. */
export const team = { path: '/team', name: 'shell.team', icon: Users } as const;

/** Whether an address belongs to a section: `/models/7` to Models, and a batch to the batches. */
export function belongsTo(address: string, path: string): boolean {
  if (path.endsWith('/') && address.startsWith(`${path}batches/`)) return true;
  return address === path || (!path.endsWith('/') && address.startsWith(`${path}/`));
}

import type { Desk } from './desk.svelte.ts';

const KEY = 'hangtag.singleKeys';

/** Every key that speaks to the focused tag, in the words of the dialog that `?` opens. */
export const tagKeys: readonly { keys: readonly string[]; does: string; single?: boolean }[] = [
  { keys: ['←', '→', '↑', '↓'], does: 'Move between tags' },
  { keys: ['Home', 'End'], does: 'Go to the first or last tag' },
  { keys: ['Enter'], does: 'Edit the category' },
  { keys: ['1', '2'], does: 'Choose the first or second guess', single: true },
  { keys: ['D'], does: 'Show all probabilities', single: true },
  { keys: ['C'], does: 'Compare models', single: true },
  { keys: ['L'], does: 'Show what the model looked at', single: true },
  { keys: ['Delete'], does: 'Remove the photo' },
  { keys: ['Ctrl', 'Z'], does: 'Undo' },
  { keys: ['?'], does: 'Show keyboard shortcuts', single: true },
];

/** The keys that are a single character. Some people's software types for them, so that they can be turned off. */
class SingleKeys {
  on = $state(stored());

  turn(on: boolean) {
    this.on = on;
    try {
      localStorage.setItem(KEY, on ? 'on' : 'off');
    } catch {
      // Without storage the choice lasts until the page is closed.
    }
  }

  /** What a key does with the active tag; undefined where it does nothing. */
  find(key: string, desk: Desk): (() => void) | undefined {
    const photo = desk.active;
    if (!photo) return undefined;
    if (key === 'Enter') return () => void desk.edit(photo);
    if (key === 'Delete') return () => desk.remove(photo);
    if (!this.on) return undefined;
    const actions: Record<string, () => void> = {
      '1': () => void desk.pick(photo, 0),
      '2': () => void desk.pick(photo, 1),
      d: () => (desk.details = photo.labelled ? photo : undefined),
      c: () => (desk.comparing = photo.labelled ? photo : undefined),
      l: () => (desk.looking = photo.labelled ? photo : undefined),
    };
    return actions[key.toLowerCase()];
  }
}

function stored(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'off';
  } catch {
    return true;
  }
}

export const singleKeys = new SingleKeys();

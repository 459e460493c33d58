import { explain } from '../api/problem.ts';
import { announcer } from '../layout/announcer.svelte.ts';
import type { Photo } from './photo.svelte.ts';
import { step } from './steps.ts';
import { ARROW } from '../api/taxonomy.ts';
import { flagWords } from '../ui/flags.ts';
import { reasonWords } from '../ui/reasons.ts';
import { tray, type Tray } from './tray.svelte.ts';

/** What a person is doing with the tags: where they are, what they edit, what they have opened. */
export class Desk {
  #activeId = $state<number>();
  /** Where the active tag stood, for when a filter takes it away. */
  #place = 0;
  editing = $state.raw<{ photo: Photo; column: string }>();
  details = $state.raw<Photo>();
  comparing = $state.raw<Photo>();
  looking = $state.raw<Photo>();
  keysOpen = $state(false);
  /** Why what a person asked for last was not done. */
  problem = $state<string>();
  /** Counts up when the active tag should take the keyboard's focus. */
  focusAsked = $state(0);

  constructor(readonly tray: Tray) {}

  readonly activeIndex = $derived.by(() => {
    const { shown } = this.tray.view;
    const found = shown.findIndex(({ id }) => id === this.#activeId);
    return found >= 0 ? found : Math.min(this.#place, shown.length - 1);
  });
  readonly active = $derived.by<Photo | undefined>(() => this.tray.view.shown[this.activeIndex]);

  /** Makes a tag the one that keys speak to. */
  enter(photo: Photo) {
    this.#activeId = photo.id;
    this.#place = Math.max(0, this.tray.view.shown.indexOf(photo));
  }

  /** Moves to another tag; says whether the key was one that moves. */
  move(key: string, columns: number): boolean {
    const to = step(key, this.activeIndex, columns, this.tray.view.shown.length);
    const photo = to === undefined ? undefined : this.tray.view.shown[to];
    if (!photo) return false;
    this.enter(photo);
    this.focusAsked += 1;
    return true;
  }

  async edit(photo: Photo, column?: string) {
    if (!photo.labelled) return;
    this.enter(photo);
    if (!(await this.#knowsClasses(photo))) return;
    this.editing = { photo, column: column ?? photo.levels.at(-1) ?? photo.attributes[0] ?? '' };
  }

  /** Ends editing and gives the focus back to the tag, or to the next one where it is no longer shown. */
  leave() {
    this.editing = undefined;
    this.focusAsked += 1;
  }

  async say(photo: Photo, column: string, value: string) {
    this.enter(photo);
    if (!(await this.#knowsClasses(photo))) return;
    this.tray.say(photo, column, value);
    this.#settled(photo);
  }

  sayPath(photo: Photo, path: string) {
    this.enter(photo);
    this.tray.sayPath(photo, path);
    this.#settled(photo);
  }

  /** Picks the first or second guess of a tag whose category is in doubt. */
  async pick(photo: Photo, position: number) {
    const guess = photo.guesses(photo.asked)[position];
    if (photo.needsLook && guess) await this.say(photo, photo.asked, guess.value);
  }

  undo() {
    const photo = this.tray.edits.undo();
    if (!photo) return;
    announcer.say(`Undone. ${photo.name}: ${describe(photo)}`);
    this.enter(photo);
    this.focusAsked += 1;
  }

  remove(photo: Photo) {
    this.enter(photo);
    this.tray.remove(photo);
    announcer.say(`${photo.name} removed`);
    this.focusAsked += 1;
  }

  /** Whether the classes that a photo can have are there: without them, a label may end in a path that is none. */
  async #knowsClasses(photo: Photo): Promise<boolean> {
    this.problem = undefined;
    try {
      await this.tray.model.taxonomyOf(photo.modelId ?? '');
      return true;
    } catch (error) {
      this.problem = `Nothing was changed because the classes could not be loaded. ${explain(error)}`;
      return false;
    }
  }

  #settled(photo: Photo) {
    announcer.say(`${photo.name}: ${describe(photo)}`);
    this.leave();
  }
}

/** A tag in one line, as a screen reader says it. */
export function describe(photo: Photo): string {
  if (photo.failure) return `can’t open: ${reasonWords(photo.failure.reason)}`;
  if (!photo.labelled) return 'not labelled yet';
  const path = photo.levels.map((column) => photo.labels[column]?.value).join(ARROW);
  const attributes = photo.attributes.map((column) => photo.labels[column]?.value);
  const flags = photo.flags.map((flag) => flagWords(flag).toLowerCase());
  return [path, ...attributes, photo.needsLook ? 'to check' : '', ...flags].filter(Boolean).join(', ');
}

export const desk = new Desk(tray);

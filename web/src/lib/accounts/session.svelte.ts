import { answered, api } from '../api/client.ts';
import { csrf } from '../api/csrf.ts';
import type { components } from '../api/schema.d.ts';

export type SessionView = components['schemas']['SessionView'];
export type Action = SessionView['actions'][number];

/** Who uses the page, and what they may do. */
export class Session {
  view = $state.raw<SessionView>();
  /** Whether somebody has to sign in before there is anything to see. */
  readonly shut = $derived(this.view?.accounts === true && this.view.name === null);
  readonly name = $derived(this.view?.name ?? null);

  /** Asks the service. Where it does not answer, the pages say so themselves. */
  async load(): Promise<void> {
    csrf.onSignedOut = () => this.#expire();
    try {
      this.use(await answered(api.GET('/api/v1/session')));
    } catch {
      this.view = undefined;
    }
  }

  /** Takes over what the service says about the session. */
  use(view: SessionView): void {
    this.view = view;
    csrf.value = view.csrf;
  }

  /** Whether the person may do this; without accounts everyone may do everything. */
  can(action: Action): boolean {
    return this.view === undefined || this.view.actions.includes(action);
  }

  async signIn(name: string, password: string): Promise<void> {
    this.use(await answered(api.POST('/api/v1/session', { body: { name, password } })));
  }

  async signOut(): Promise<void> {
    await answered(api.DELETE('/api/v1/session'));
    await this.load();
  }

  #expire(): void {
    if (this.view?.accounts) this.view = { ...this.view, name: null, role: null, actions: [], csrf: null };
    csrf.value = null;
  }
}

export const session = new Session();

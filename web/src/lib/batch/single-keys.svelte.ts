const KEY = 'hangtag.singleKeys';

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

  /** Whether a key may do something: those with a name always, those of one character unless they are turned off. */
  allows(key: string): boolean {
    return this.on || key.length > 1 || key === ' ';
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

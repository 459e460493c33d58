const KEY = 'hangtag.person';

/** Who is working here, as colleagues see it. Asked for once, and kept in this browser. */
class Person {
  name = $state(remembered());
  /** Whether a person said that they want no name. */
  declined = $state(remembered() === null && declinedBefore());

  /** Takes a name, or an empty text for none. */
  choose(name: string): void {
    this.name = name.trim() || null;
    this.declined = this.name === null;
    try {
      localStorage.setItem(KEY, this.name ?? '');
    } catch {
      // Without storage the name lasts until the page is closed.
    }
  }

  get headers(): Record<string, string> {
    if (this.name === null) return {};
    // A header has no letters beyond Latin ones; the service reads them as in an address.
    const isPlain = /^[\x20-\x24\x26-\x7e]*$/.test(this.name);
    return { 'X-Hangtag-User': isPlain ? this.name : encodeURIComponent(this.name) };
  }
}

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY) || null;
  } catch {
    return null;
  }
}

function declinedBefore(): boolean {
  try {
    return localStorage.getItem(KEY) === '';
  } catch {
    return false;
  }
}

export const person = new Person();

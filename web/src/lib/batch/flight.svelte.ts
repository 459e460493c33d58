/** Faster than this nobody reads what passes, in pixels a millisecond: a window in a tenth of a second. */
const FAST = 8;
/** For so long the page has to be slow before what stands there is drawn, in milliseconds. */
const REST_MS = 100;

/** How fast the page is scrolled. `onrest` is called once it is slow again. */
export class Flight {
  isFast = $state(false);
  #offset = 0;
  #at = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly onrest: () => void) {}

  /** Takes the new place of the page, in pixels. A single leap, as of a jump to the end, is no flight. */
  move(offset: number, now = performance.now()): void {
    const passed = now - this.#at;
    const isFast = passed < REST_MS && Math.abs(offset - this.#offset) > FAST * passed;
    this.#offset = offset;
    this.#at = now;
    if (!isFast && !this.isFast) return;
    this.isFast = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.isFast = false;
      this.onrest();
    }, REST_MS);
  }
}

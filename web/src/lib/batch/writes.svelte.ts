/** Runs one write after the other in the order in which they were asked for. */
export class Writes {
  /** How many are under way or wait. */
  pending = $state(0);
  #last: Promise<unknown> = Promise.resolve();

  async run<Value>(write: () => Promise<Value>): Promise<Value> {
    this.pending += 1;
    const turn = this.#last.then(write, write);
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.pending -= 1;
    }
  }
}

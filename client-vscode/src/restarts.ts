// How often a program that ends by itself is started again. Pure.

const MOST = 4;
const WITHIN_MS = 3 * 60 * 1000;

export class Restarts {
  #times: number[] = [];

  /** Say whether it may start again at `now` (milliseconds), and count it. */
  mayRestart(now: number): boolean {
    this.#times = this.#times.filter((time) => now - time < WITHIN_MS);
    if (this.#times.length >= MOST) {
      return false;
    }
    this.#times.push(now);
    return true;
  }
}

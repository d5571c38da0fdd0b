// The questions that wait for this person, one at a time. Pure: how a question is shown is handed in.
//
// Everything but a deliberate click on "allow" is a no: a closed dialog, a failed one, a question that ran out.

import { visible } from "./visible";

/** A question as the broker sends it. */
export interface Question {
  readonly id: string;
  readonly title: string;
  readonly lines: readonly string[];
  /** Seconds for which a yes may stand for exactly this; 0: this once only. */
  readonly mayStandFor: number;
  /** The new name for which a person types a value; "" for a question that is answered by a button. */
  readonly valueFor: string;
}

export type Decision = "allow" | "allow-content" | "deny";

/** What a person did with a dialog: pressed a button, or closed it. */
export type Pressed = Decision | "closed";

export interface Ways {
  /** Show a question and wait. */
  ask(title: string, detail: string, hours: number): Promise<Pressed>;
  /** Let the person type a value for a new name, and store it. True when it is stored. */
  store(name: string, title: string, detail: string): Promise<boolean>;
  /** Send the decision to the broker; a yes that stands, for so many seconds. */
  answer(id: string, decision: Decision, standsFor: number): void;
  /** Tell the person that a yes came too late to count. */
  tooLate(): void;
  /** Milliseconds, never going back. */
  now(): number;
}

/** A button pressed sooner than this was meant for the editor that the dialog covered. */
export const TOO_SOON = 500;
const MAX_LINES = 40;
const MAX_WAITING = 20;

export class Approvals {
  readonly #ways: Ways;
  readonly #waiting: Question[] = [];
  readonly #over = new Set<string>();
  #current: string | undefined;

  constructor(ways: Ways) {
    this.#ways = ways;
  }

  /** Take a question; it is shown when those before it are answered. */
  add(question: Question): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#ways.answer(question.id, "deny", 0);
      return;
    }
    this.#waiting.push(question);
    if (this.#current === undefined) {
      void this.#work();
    }
  }

  /** The question is settled or void: show it no more, and let a dialog that is still open count for nothing. */
  cancel(id: string): void {
    const index = this.#waiting.findIndex((question) => question.id === id);
    if (index >= 0) {
      this.#waiting.splice(index, 1);
    } else if (id === this.#current) {
      this.#over.add(id);
    }
  }

  /** The channel is gone: nothing can be answered any more. */
  cancelAll(): void {
    this.#waiting.length = 0;
    if (this.#current !== undefined) {
      this.#over.add(this.#current);
    }
  }

  async #work(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#current = next.id;
      const decision = await this.#decide(next);
      if (!this.#over.delete(next.id)) {
        this.#ways.answer(next.id, decision, decision === "allow-content" ? standing(next) : 0);
      } else if (decision !== "deny") {
        this.#ways.tooLate();
      }
    }
    this.#current = undefined;
  }

  async #decide(question: Question): Promise<Decision> {
    const lines = question.lines.slice(0, MAX_LINES).map((line) => label(visible(line)));
    if (question.lines.length > MAX_LINES) {
      return "deny"; // more than a person can read is more than a person can allow
    }
    if (question.valueFor !== "") {
      try {
        return (await this.#ways.store(question.valueFor, visible(question.title), lines.join("; "))) ? "allow" : "deny";
      } catch {
        return "deny";
      }
    }
    for (;;) {
      const shown = this.#ways.now();
      let pressed: Pressed;
      try {
        pressed = await this.#ways.ask(visible(question.title), lines.join("\n"), Math.floor(standing(question) / 3600));
      } catch {
        return "deny";
      }
      if (pressed === "closed") {
        return "deny";
      }
      if (this.#over.has(question.id) || this.#ways.now() - shown >= TOO_SOON) {
        return pressed;
      }
    }
  }
}

/** Seconds that are offered for a yes that stands. */
const STANDS_FOR = 12 * 3600;

function standing(question: Question): number {
  return Math.min(question.mayStandFor, STANDS_FOR);
}

/** Columns are for a terminal; a dialog's letters are of different widths. */
function label(line: string): string {
  return line.replace(/^(\S+(?: \S+)?) {2,}/, "$1: ");
}

/** Read a question out of a message; undefined when it is none. */
export function readQuestion(raw: unknown): Question | undefined {
  if (typeof raw !== "object" || raw === null) {
    return undefined;
  }
  const { id, title, lines } = raw as Record<string, unknown>;
  if (typeof id !== "string" || typeof title !== "string" || !Array.isArray(lines)) {
    return undefined;
  }
  const may = (raw as Record<string, unknown>)["may_stand_for"];
  const named = (raw as Record<string, unknown>)["value_for"];
  const valueFor = typeof named === "string" ? named : "";
  const mayStandFor = typeof may === "number" && Number.isSafeInteger(may) && may > 0 ? may : 0;
  return lines.every((line) => typeof line === "string") ? { id, title, lines, mayStandFor, valueFor } : undefined;
}

// What is lent out right now: the status bar item and the command that ends a lease. Names only, never a value.

import type { ControlState } from "./control";
import { visible } from "./visible";
import { type Choice, createStatus, type Disposable, pick, showNote, type StatusItem } from "./vscodeapi";

interface Lease {
  readonly id: string;
  readonly what: string;
  readonly names: string;
  readonly expiresIn: number;
}

const APPROVALS: Record<ControlState, string> = {
  here: "Approvals: this window asks you.",
  elsewhere: "Approvals: another editor or terminal.",
  failed: "Approvals: none here; see Locum: Show Output.",
};

/** Whether there is a program to talk to. */
export type Program = "on" | "off";

export class Leases implements Disposable {
  readonly #status: StatusItem;
  #leases: readonly Lease[] = [];
  #level = "";
  #approvals = "";
  #program: Program = "on";

  constructor(command: string) {
    this.#status = createStatus(command);
    this.#show();
  }

  /** Take what the broker or the server reports: `{leases: […], level?}`. */
  update(raw: unknown): void {
    const { leases, level } = (raw ?? {}) as { leases?: unknown; level?: unknown };
    if (Array.isArray(leases)) {
      this.#leases = leases.map(readLease).filter((lease) => lease !== undefined);
    }
    if (typeof level === "string") {
      this.#level = visible(level, 20);
    }
    this.#show();
  }

  updateApprovals(state: ControlState): void {
    this.#approvals = APPROVALS[state];
    this.#show();
  }

  updateProgram(program: Program): void {
    this.#program = program;
    this.#show();
  }

  /** Let the person pick a lease to end; the lease's id, or undefined. */
  async choose(): Promise<string | undefined> {
    if (this.#leases.length === 0) {
      showNote(["Nothing is lent out right now.", this.#approvals].filter(Boolean).join(" "));
      return undefined;
    }
    const choices = this.#leases.map((lease): Choice<string> => ({
      label: lease.what,
      description: `${lease.names} · ${minutes(lease.expiresIn)} left`,
      value: lease.id,
    }));
    return pick("End which lease? Its task is stopped.", choices);
  }

  dispose(): void {
    this.#status.dispose();
  }

  #show(): void {
    if (this.#program === "off") {
      this.#status.show("$(key) Locum: off", "The program `locum` was not found.");
      return;
    }
    const count = this.#leases.length;
    const text = `$(key) Locum: ${count} ${count === 1 ? "lease" : "leases"}`;
    const lines = [...this.#leases.map((lease) => `${lease.what}: ${lease.names}`), this.#approvals];
    this.#status.show(this.#level === "" ? text : `${text} · ${this.#level}`, lines.filter(Boolean).join("\n"));
  }
}

function readLease(raw: unknown): Lease | undefined {
  const { id, task, argv, env, files, expires_in: expiresIn } = (raw ?? {}) as Record<string, unknown>;
  if (typeof id !== "string") {
    return undefined;
  }
  const what = typeof task === "string" && task !== "" ? task : strings(argv).join(" ");
  return {
    id,
    what: visible(what, 80),
    names: visible([...strings(env), ...strings(files)].join(", "), 120),
    expiresIn: typeof expiresIn === "number" ? expiresIn : 0,
  };
}

function strings(raw: unknown): string[] {
  return Array.isArray(raw) ? raw.filter((part) => typeof part === "string") : [];
}

function minutes(seconds: number): string {
  return seconds < 60 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

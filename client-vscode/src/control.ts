// The control channel: this extension starts the broker and holds the other end of an inherited descriptor, on which
// the broker asks and is answered. Knows processes and frames; what a question looks like, it does not know.

import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { encode, FrameReader, type Message } from "./frames";

/** The broker's exit code when an editor or a terminal task has it already. */
const BUSY = 4;
const RETRY_MS = 30_000;

export type ControlState = "here" | "elsewhere" | "failed";

export interface ControlEvents {
  onMessage(message: Message): void;
  onState(state: ControlState): void;
  log(line: string): void;
}

export class ControlChannel {
  readonly #events: ControlEvents;
  #program: string | undefined;
  #process: ChildProcess | undefined;
  #channel: Duplex | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Asked to share the channel of another editor, and not let in: that is not asked again while it holds it. */
  #refused = false;

  constructor(events: ControlEvents) {
    this.#events = events;
  }

  /** Start, or start again with another program. */
  open(program: string): void {
    this.close();
    this.#program = program;
    this.#refused = false;
    this.#start(program, "start");
  }

  /** Give the channel up; the broker then refuses what it still asks. */
  close(): void {
    clearTimeout(this.#retry);
    this.#program = undefined;
    this.#drop();
  }

  send(message: Message): void {
    this.#channel?.write(encode(message));
  }

  #start(program: string, how: "start" | "pair"): void {
    // In a session of its own: a Ctrl-C in the terminal that runs the editor is not meant for the broker.
    const child = spawn(program, ["broker", how, "--control-fd", "3"], {
      cwd: "/",
      detached: true,
      stdio: ["ignore", "ignore", "pipe", "pipe"],
    });
    const channel = child.stdio[3] as Duplex;
    this.#process = child;
    this.#channel = channel;
    const reader = new FrameReader();
    channel.on("data", (data: Buffer) => {
      let messages: Message[];
      try {
        messages = reader.feed(data);
      } catch (error) {
        this.#events.log(String(error));
        channel.destroy();
        return;
      }
      for (const message of messages) {
        this.#receive(child, message);
      }
    });
    channel.on("error", () => channel.destroy());
    channel.on("close", () => this.#ended(child, null));
    child.stderr?.on("data", (data: Buffer) => this.#events.log(`broker: ${data.toString("utf8").trimEnd()}`));
    child.on("error", (error) => {
      this.#events.log(`broker: ${error.message}`);
      this.#ended(child, null);
    });
    child.on("exit", (code) => {
      // A parent that only starts the broker leaves the channel open; a refused start closes it.
      if (code !== 0) {
        this.#refused ||= how === "pair";
        this.#ended(child, code);
      }
    });
  }

  #receive(child: ChildProcess, message: Message): void {
    if (child !== this.#process) {
      return;
    }
    if (message["event"] === "hello") {
      this.#refused = false;
      this.#events.onState("here");
    }
    this.#events.onMessage(message);
  }

  #ended(child: ChildProcess, code: number | null): void {
    if (child !== this.#process) {
      return;
    }
    if (code === null && child.exitCode === null && child.pid !== undefined && this.#channel?.destroyed === true) {
      // The channel closed first; the exit code, which says why, follows at once if the process is ending.
      setTimeout(() => this.#settle(child, child.exitCode), 200);
      return;
    }
    this.#settle(child, code ?? child.exitCode);
  }

  #settle(child: ChildProcess, code: number | null): void {
    if (child !== this.#process) {
      return;
    }
    this.#drop();
    this.#events.onState(code === BUSY ? "elsewhere" : "failed");
    if (code !== BUSY) {
      this.#events.log(`broker: the control channel closed (exit code ${code ?? "none"}); trying again in 30 s`);
    }
    const program = this.#program;
    if (program === undefined) {
      return;
    }
    if (code === BUSY && !this.#refused) {
      this.#start(program, "pair");
    } else {
      this.#retry = setTimeout(() => this.#start(program, "start"), RETRY_MS);
    }
  }

  #drop(): void {
    this.#process = undefined;
    this.#channel?.destroy();
    this.#channel = undefined;
  }
}

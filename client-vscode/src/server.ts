// The language server's life: found, started, asked, restarted. One entry point for every start, so that a start, a
// restart and a changed setting cannot run into each other.

import { homedir } from "node:os";
import {
  CloseAction,
  type CloseHandlerResult,
  ErrorAction,
  type ErrorHandler,
  type ErrorHandlerResult,
  type Executable,
  LanguageClient,
  RevealOutputChannelOn,
  State,
} from "vscode-languageclient/node";
import { Restarts } from "./restarts";
import { askAndWait, createNoTrace, type Output, type Question, showFile } from "./vscodeapi";

const STOP_MS = 3000;

export interface ServerEvents {
  onLeases(params: unknown): void;
  onRunning(): void;
  /** It ran, ended by itself again and again, and is not started any more. */
  onGivenUp(): void;
}

/** A client that writes its errors down and leaves it to us to show one of them, once. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }

  override info(message: string, data?: unknown): void {
    super.info(message, data, false);
  }
}

/** Start a server that ran and ended again, but not one that never came up, nor one that ends all the time. */
class Again implements ErrorHandler {
  readonly #restarts = new Restarts();
  readonly #onGivenUp: () => void;
  ran = false;

  constructor(onGivenUp: () => void) {
    this.#onGivenUp = onGivenUp;
  }

  error(): ErrorHandlerResult {
    return { action: ErrorAction.Continue, handled: true };
  }

  closed(): CloseHandlerResult {
    if (this.ran && this.#restarts.mayRestart(performance.now())) {
      return { action: CloseAction.Restart, handled: true };
    }
    if (this.ran) {
      this.#onGivenUp();
    }
    return { action: CloseAction.DoNotRestart, handled: true };
  }
}

export class Server {
  readonly #output: Output;
  readonly #events: ServerEvents;
  #client: LanguageClient | undefined;
  #queue: Promise<void> = Promise.resolve();

  constructor(output: Output, events: ServerEvents) {
    this.#output = output;
    this.#events = events;
  }

  /** Stop what runs and start `program`; undefined only stops. Rejects when the server does not come up. */
  restart(program: string | undefined): Promise<void> {
    const next = this.#queue.then(async () => {
      await this.#stop();
      if (program !== undefined) {
        await this.#start(program);
      }
    });
    this.#queue = next.catch(() => undefined);
    return next;
  }

  /** Ask the server to do one of its commands. Undefined when no server runs. */
  async command(name: string, ...args: unknown[]): Promise<unknown> {
    if (this.#client?.state !== State.Running) {
      return undefined;
    }
    return this.#client.sendRequest("workspace/executeCommand", { command: name, arguments: args });
  }

  async #start(program: string): Promise<void> {
    // The home folder is no workspace: nothing that the server starts is looked up in a folder that somebody sent.
    const run: Executable = { command: program, args: ["lsp", "--stdio"], options: { cwd: homedir() } };
    const again = new Again(() => this.#events.onGivenUp());
    const client = new QuietClient("locum", "Locum", { run, debug: run }, {
      documentSelector: [
        { scheme: "file" },
        { scheme: "untitled" },
        { scheme: "vscode-scm" }, // the box for a commit message
        { scheme: "vscode-notebook-cell" }, // synced as notebooks; this lets their cells have diagnostics and actions
        { scheme: "vscode-chat-code-block" }, // what an AI agent wrote
        { scheme: "vscode-userdata" }, // the user's own settings and MCP servers
        // Not "git": the old side of a diff is read-only, and would show each secret twice. Not "output": logs grow.
      ],
      initializationOptions: { approvals: "client" },
      outputChannel: this.#output,
      traceOutputChannel: createNoTrace(),
      errorHandler: again,
      initializationFailedHandler: () => false,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      markdown: { isTrusted: false, supportHtml: false },
      middleware: {
        window: {
          showDocument: async (params, token, next) =>
            params.external === true ? next(params, token) : { success: await showFile(params.uri, params.takeFocus === true) },
        },
      },
    });
    client.onRequest("window/showMessageRequest", (question: Question) => askAndWait(question));
    client.onNotification("locum/leases", (params: unknown) => this.#events.onLeases(params));
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Running) {
        again.ran = true;
        this.#events.onRunning();
      }
    });
    this.#client = client;
    await client.start();
  }

  async #stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) {
      await client.dispose(STOP_MS).catch(() => undefined);
    }
  }
}

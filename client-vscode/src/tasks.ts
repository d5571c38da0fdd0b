// The project's tasks, as tasks of the editor. The server reads the manifest, `locum run` runs the task: no value and
// no command line of a task passes through here.

import type { Disposable, Folder, Task } from "./vscodeapi";
import { type Choice, findFolder, makeTask, pick, provideTasks, runTask, showNote } from "./vscodeapi";
import { visible } from "./visible";

export const TYPE = "locum";

interface Listed {
  readonly name: string;
  readonly folder: Folder;
  readonly secrets: string;
}

export interface TaskSource {
  /** Ask the server; undefined when none runs. */
  command(name: string): Promise<unknown>;
  /** The `locum` program. */
  program(): string | undefined;
}

export class Tasks {
  readonly #source: TaskSource;

  constructor(source: TaskSource) {
    this.#source = source;
  }

  register(): Disposable {
    return provideTasks(TYPE, () => this.#all(), (folder, name) => this.#make(folder, name));
  }

  /** Let the person pick a task and run it. */
  async choose(): Promise<void> {
    const listed = await this.#list();
    if (listed.length === 0) {
      showNote("This workspace's locum.toml has no [tasks].");
      return;
    }
    const chosen = await pick(
      "Run which task?",
      listed.map((task): Choice<Listed> => ({ label: task.name, description: task.secrets, value: task })),
    );
    const task = chosen && this.#make(chosen.folder, chosen.name);
    if (task) {
      runTask(task);
    }
  }

  async #all(): Promise<Task[]> {
    return (await this.#list()).map(({ folder, name }) => this.#make(folder, name)).filter((task) => task !== undefined);
  }

  async #list(): Promise<Listed[]> {
    const answer = (await this.#source.command("locum.tasks")) as { tasks?: unknown } | null | undefined;
    return Array.isArray(answer?.tasks) ? answer.tasks.map(readTask).filter((task) => task !== undefined) : [];
  }

  #make(folder: Folder, name: string): Task | undefined {
    const program = this.#source.program();
    return program === undefined ? undefined : makeTask(folder, TYPE, name, program, ["run", "--task", name]);
  }
}

function readTask(raw: unknown): Listed | undefined {
  const { name, folder: uri, secrets } = (raw ?? {}) as Record<string, unknown>;
  const folder = typeof uri === "string" ? findFolder(uri) : undefined;
  // A name that is not fit to be shown would not be fit to be chosen by.
  if (typeof name !== "string" || folder === undefined || visible(name) !== name || name.startsWith("-")) {
    return undefined;
  }
  return { name, folder, secrets: Array.isArray(secrets) ? visible(secrets.join(", ")) : "" };
}

// The commands of the palette. The server's own commands are registered by the language client; these have other names.

import type { Leases } from "./leases";
import type { Server } from "./server";
import type { Tasks } from "./tasks";
import { type Disposable, isTrusted, onCommand, type Output, showError, showNote } from "./vscodeapi";

export interface Parts {
  restart(): Promise<void>;
  readonly output: Output;
  readonly leases: Leases;
  readonly server: Server;
  readonly tasks: Tasks;
}

export function registerCommands(parts: Parts): Disposable[] {
  return [
    onCommand("locum.restart", () => parts.restart()),
    onCommand("locum.showOutput", () => parts.output.show()),
    onCommand("locum.pickTask", () => (isTrusted() ? parts.tasks.choose() : showNote("Tasks run in a trusted workspace only."))),
    onCommand("locum.moveWorkspace", () => moveWorkspace(parts)),
    onCommand("locum.endLease", () => endLease(parts)),
  ];
}

/** The server asks once, with progress before and a note afterwards: here is nothing to show but that it could not be asked. */
async function moveWorkspace({ server }: Parts): Promise<void> {
  try {
    await server.command("locum.moveAllToVault", { scope: "workspace" });
  } catch {
    void showError("Locum: the secrets could not be moved. Nothing was changed.", {});
  }
}

async function endLease({ leases, server }: Parts): Promise<void> {
  const id = await leases.choose();
  if (id === undefined) {
    return;
  }
  try {
    await server.command("locum.revokeLease", id);
  } catch {
    void showError("Locum: the lease could not be ended; it may be over already.", {});
  }
}

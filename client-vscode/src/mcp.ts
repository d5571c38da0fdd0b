// Offers `locum mcp` to the editor's own AI agents: one server a workspace, which may name all its folders.

import type { Disposable } from "./vscodeapi";
import { folderPaths, isTrusted, provideMcpServer } from "./vscodeapi";

export interface Tools extends Disposable {
  /** The program, or what the editor has open, is another one now. */
  changed(): void;
}

export function offerTools(program: () => string | undefined): Tools {
  return provideMcpServer("locum", "Locum", () => {
    const [first, ...others] = folderPaths();
    const found = program();
    // A task of a workspace that nobody trusts is not run, neither by a person nor by an agent.
    if (found === undefined || first === undefined || !isTrusted()) {
      return undefined;
    }
    return { command: found, args: ["mcp", ...[first, ...others].map((folder) => `--root=${folder}`)], cwd: first };
  });
}

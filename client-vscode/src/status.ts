// What the broker says of itself, asked through the program's own command. No editor here.

import { execFile } from "node:child_process";

/** Return the level of protection (`L0`…) that the running broker works at; undefined when none answers. */
export function askLevel(program: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, ["broker", "status", "--format", "json"], { cwd: "/", timeout: 10_000 }, (error, stdout) => {
      resolve(error === null ? readLevel(stdout) : undefined);
    });
  });
}

/** Read the level out of the command's answer. */
export function readLevel(answer: string): string | undefined {
  try {
    const { level } = JSON.parse(answer) as { level?: unknown };
    return typeof level === "string" ? level : undefined;
  } catch {
    return undefined;
  }
}

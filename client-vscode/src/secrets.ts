// Hands a value that a person typed to `locum secret set`: on its standard input, not over the control channel nor in an
// argument, which every process could see.

import { spawn } from "node:child_process";

/** Store a value under a new name. False when it is not stored. */
export function storeSecret(program: string, name: string, value: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(program, ["secret", "set", name, "--stdin"], { cwd: "/", stdio: ["pipe", "ignore", "ignore"] });
    child.on("error", () => resolve(false));
    child.on("exit", (code) => resolve(code === 0));
    child.stdin.on("error", () => undefined);
    child.stdin.end(value);
  });
}

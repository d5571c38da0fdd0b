// Which program runs. The answer never comes from a workspace: neither from its settings nor from its folders.

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

/** The program, or why there is none. */
export type Found = { readonly path: string } | { readonly problem: string };

/** Find `locum`: the configured absolute path, else the first one on an absolute folder of PATH. */
export function findProgram(configured: string, path: string = process.env["PATH"] ?? ""): Found {
  if (configured !== "") {
    if (!isAbsolute(configured)) {
      return { problem: "The setting locum.path must be an absolute path." };
    }
    return isProgram(configured) ? { path: configured } : { problem: `There is no program at ${configured} (setting locum.path).` };
  }
  const name = process.platform === "win32" ? "locum.exe" : "locum";
  for (const folder of path.split(delimiter)) {
    // A relative entry would be looked up in whatever folder is open.
    if (isAbsolute(folder) && isProgram(join(folder, name))) {
      return { path: join(folder, name) };
    }
  }
  return { problem: "The program `locum` is not on PATH. Install it, or say in the setting locum.path where it is." };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

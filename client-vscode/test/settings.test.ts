import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, relative } from "node:path";
import { after, test } from "node:test";
import { findProgram } from "../src/settings";

const folder = mkdtempSync(join(tmpdir(), "locum-settings-"));
after(() => rmSync(folder, { recursive: true }));
const program = join(folder, "locum");
writeFileSync(program, "#!/bin/sh\n");
chmodSync(program, 0o755);

test("the configured program comes first", () => {
  assert.deepEqual(findProgram(program, ""), { path: program });
});

test("a configured path that leads nowhere is a problem, not a search", () => {
  for (const configured of ["locum", "./locum", join(folder, "absent"), folder]) {
    assert.ok("problem" in findProgram(configured, folder), configured);
  }
});

test("PATH is searched in order, for programs only", () => {
  const empty = join(folder, "empty");
  mkdirSync(join(empty, "locum"), { recursive: true });
  assert.deepEqual(findProgram("", [empty, folder].join(delimiter)), { path: program });
});

test("a relative entry of PATH is not followed: it would lead into the open folder", () => {
  for (const path of [relative(process.cwd(), folder), ".", ""]) {
    assert.ok("problem" in findProgram("", path), path);
  }
});

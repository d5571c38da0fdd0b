import assert from "node:assert/strict";
import { test } from "node:test";
import { askLevel, readLevel } from "../src/status";

test("the level is read, and nothing else is made of it", () => {
  assert.equal(readLevel('{"running": true, "level": "L1"}'), "L1");
  for (const answer of ["", "null", "[]", '{"running": false}', '{"level": 2}', "No broker is running."]) {
    assert.equal(readLevel(answer), undefined);
  }
});

test("a program that fails or is not there gives no level", async () => {
  assert.equal(await askLevel("/bin/false"), undefined);
  assert.equal(await askLevel("/nonexistent/locum"), undefined);
});

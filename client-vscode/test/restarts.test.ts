import assert from "node:assert/strict";
import { test } from "node:test";
import { Restarts } from "../src/restarts";

const MINUTE = 60_000;

test("a program that ends now and then is always started again", () => {
  const restarts = new Restarts();
  for (let time = 0; time < 100 * MINUTE; time += MINUTE) {
    assert.ok(restarts.mayRestart(time));
  }
});

test("a program that ends at once every time is given up, and given a chance later", () => {
  const restarts = new Restarts();
  const answers = [0, 1, 2, 3, 4, 5].map((second) => restarts.mayRestart(second * 1000));
  assert.deepEqual(answers, [true, true, true, true, false, false]);
  assert.ok(restarts.mayRestart(10 * MINUTE));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { visible } from "../src/visible";

test("plain text stays as it is, in any script", () => {
  for (const text of ["pytest -q", "žluťoučký kůň", "日本語", "naïve café", "a/b_c-d.e:f", "🔑"]) {
    assert.equal(visible(text), text);
  }
});

test("what cannot be seen is shown as an escape", () => {
  const hostile = ["\n", "\r", "\t", "\0", "\u001b", "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u00a0", "\u2028", "\u3164", "\u{e0041}", "\u0301"];
  for (const char of hostile) {
    const shown = visible(`a${char}b`);
    assert.ok(!shown.includes(char), `U+${char.codePointAt(0)?.toString(16)} is gone`);
    assert.match(shown, /^a\\u\{[0-9a-f]+\}b$/);
  }
});

test("a lone surrogate is shown as an escape", () => {
  assert.equal(visible("a\ud800b"), "a\\u{d800}b");
});

test("long text keeps its beginning and its end", () => {
  const shown = visible(`begin${"x".repeat(5000)}end`, 100);
  assert.ok(shown.length <= 100);
  assert.ok(shown.startsWith("begin") && shown.endsWith("end") && shown.includes(" … "));
});

"""Rewritten JavaScript gives what the original gave: hundreds of literals, run by the real Node in one process."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from typing import Any

import pytest

from locum.rewrite.plan import Refusal
from support.marked import applied, plan_for, value_of

_HARD = [
    "'",
    '"',
    "`",
    "\\",
    "$",
    "${",
    "{",
    "}",
    "/",
    "//",
    "/*",
    "é",
    "🔑",
    "\n",
    "\t",
    "a",
    "Z",
    "9",
    "%",
    " ",
    "</",
    "<a>",
]
_FORMS = (
    "result = {0};",
    "result = [1 / 2, {0}, /['\"`]/][1]",
    "function f() {{ return{0} }} result = f()",
    "const o = {{ a: `it's`, k: {0} }}; result = o.k",
    "/* it's */ result = ((x) => x)({0}) // `",
    "result = `${{[{0}].map((x) => `${{x}}`)[0]}}`",
    "if (true) /[/'\"]/.test(''); result = {0}",
)
_RUN = """
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map(([before, after, value]) => {
  process.env.NAME = value;
  const run = (text) => new Function("process", `let result; ${text}\\n; return result;`)(process);
  return [run(before), run(after)];
})));
"""

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node here")


def _spelt(chance: random.Random, text: str, quote: str) -> str:
    parts: list[str] = []
    for char in text:
        ways = [f"\\u{{{ord(char):x}}}"]
        if ord(char) < 0x10000:
            ways.append(f"\\u{ord(char):04x}")
        if char == quote or char == "\\" or (char == "$" and quote == "`"):
            ways += ["\\" + char] * 5
        elif char == "\n":
            ways += ["\\n"] * 5 + (["\n"] * 5 if quote == "`" else [])
        else:
            ways += [char] * 9
        parts.append(chance.choice(ways))
    return "".join(parts)


def _drawn(chance: random.Random, least: int, most: int) -> str:
    return "".join(chance.choice(_HARD) for _ in range(chance.randint(least, most)))


@needs_node
def test_javascript_runs_as_before():
    chance = random.Random(5)
    cases: list[tuple[str, str, str]] = []
    refused = 0
    for _ in range(600):
        quote = chance.choice("'\"`")
        left, secret, right = _drawn(chance, 0, 6), _drawn(chance, 6, 14), _drawn(chance, 0, 6)
        if chance.random() < 0.3:
            left = right = ""
        spelt = [_spelt(chance, part, quote) for part in (left, secret, right)]
        form = chance.choice(_FORMS)
        head, _, _ = form.partition("{0}")
        before = form.format(quote + "".join(spelt) + quote)
        start = len(head.format()) + 1 + len(spelt[0])
        made = plan_for(before, start, start + len(spelt[1]), path="a.js")
        if isinstance(made, Refusal):
            refused += 1
            continue
        assert value_of(made).decode() == secret
        after = applied(before, made)
        if before.count(spelt[1]) == 1:
            assert spelt[1] not in after
        cases.append((before, after, secret))
    assert refused < 10
    done = subprocess.run(["node", "-e", _RUN], input=json.dumps(cases), capture_output=True, text=True, check=True)
    results: list[Any] = json.loads(done.stdout)
    assert len(results) == len(cases)
    for (before, after, _), (first, second) in zip(cases, results, strict=True):
        assert first == second, (before, after)


@needs_node
def test_an_entity_or_element_is_never_cut():
    text = 'const x = <a k="tulip&quot;9Zk">tulip-9Zk</a>;'
    start = text.index("tulip&")
    assert isinstance(plan_for(text, start, start + 14, path="a.jsx"), Refusal)

"""A formatter may write a statement over several lines; what was silenced before is silenced after. With the real formatters."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from detect_cases import github_body

from locum.detect.engine import default_engine
from locum.detect.statements import Lines
from support.bed import need_bed

SOURCE = random.Random(5)
PYTHON = [
    'T = "[]"  {}',  'some_object.attribute["key"] = "[] aaaaaaaaaaaaaaaa"  {}',
    'requests.get("https://example.com/some/path", headers={{"Authorization": "token []"}}, timeout=30)  {}',
    'foo("[]", "bbbbbbbbbbbbbbbbbbbbbb", "cccccccccccccccccccccc")  {}', 'x = foo("[]", "bbbbbb", "ccccccc", ["d", {{"e": "[]"}}])  {}',
    'if token == "[]" and something_else_that_is_long(with_arguments):  {}\n    pass', 'x = "[]" + "[]"  {}',
    'assert token == "[]", "the message that is here, long enough"  {}', 'd = {{"a": "[]", "bbbbbbb": "sdfsdfsdf", "cccccccccccc": 1}}  {}',
    'def f(a, token="[]", another_argument=None, third=None):  {}\n    return a', 'a = 1; b = "[]"  {}', 'def g(): return "[]"  {}',
    'def h():\n    return client.connect("[]").do_something(1).and_more(2, 3)  {}', 'xs = ["[]", "[]", "[]"]  {}',
    'with open("[]") as aaaaaaaaaaaaaaaa, open("[]") as b:  {}\n    pass', 'raise ValueError("[] and what else there is to say about it, all of it") from None  {}',
    'assert some_function_name(arguments) == "[] aaaaaaaaaaa"  {}', 'foo("[]",  {}\n  1)',
    'x = foo("a")["[]"] if some_condition_holds_here else other_thing  {}', 'del a[0], b["[]"], ccccccccccccccccccccccccccc["d"]  {}',
    'x = lambda: "[] aaaaaaaaaaaaaaaaaaaaaaaaaaaaa".format()  {}', 'class A:\n  x: Dict[str, str] = {{"key": "[]", "other": "value"}}  {}',
]  # fmt: skip
SCRIPT = [
    'const t = "[] aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"; {}', 'foo("[]", "bbbbbbbbbbbbbbbbbbbbbbbbbb", "ccccccccccccccc"); {}',
    'const cfg = {{ token: "[]", other: "bbbbbbbbbbbbbbbbbbbbbbbbbb" }}; {}', 'const x = cond ? "[]" : "[]"; {}', 'const y = "[]" + "[]" + z; {}',
    'fetch("https://example.com/some/path", {{ headers: {{ Authorization: "[]" }} }}); {}', 'class A {{ token = "[]"; {}\n }}',
    'client.connect("[]").then((r) => r.json()).then((j) => j.x).catch(() => 1); {}', 'const {{ a = "[]", bbbbbbbbbbbb, cccccccc }} = props; {}',
    'if (token === "[]" && somethingElse(withArguments, andMore)) {{ {}\n  foo();\n}}', 'const e = <Foo token="[]" other="bbbbbbbbbbbbbbbbb" />; {}',
    'function f(a, token = "[]", anotherArgument = null, third) {{ {}\n  return a;\n}}', 'setTimeout(() => {{ connect("[]") }}, 100); {}',
    'const g = (a) => ({{ token: "[]", aaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 1 }}); {}',
    'export const aVeryLongNameForTheConstantThatIsHere: SomeLongTypeName<WithArguments> = process.env.X || "[]"; {}',
    'const obj = {{\n  aVeryLongKeyNameForTheConstantThatIsHereAndSoOn: "[]", {}\n}};', 'x = [\n"[]", {}\n"b"]',
]  # fmt: skip
YAML = [
    'a:   "[]"    {}',
    'l: [a, "[]", "[]", bbbbbbbb] {}',
    'm: {{a: "[]", b: "[]"}} {}',
    'aVeryLongKeyNameForTheConstantThatIsHere: "Bearer [] and more" {}',
]
HTML = ['<input value="[]" type=text class="aaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbb"> {}', "<p>Some text of many words  [] and so on and on</p> {}",
        '<div data-token="[]" class="aaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbb"> {}\n<p>x</p></div>']  # fmt: skip
CSS = ['a {{ background: url("https://user:[]@host.example/aaaaaaaaaaaaaaaaaaaaaaaaaaaa") no-repeat; }} {}']
MARKERS = [
    "locum:allow",
    "gitleaks:allow",
    "trufflehog:ignore",
    "pragma: allowlist secret",
    "ggignore -- made up for the tests, nothing opens with it",
]
BEFORE = ["locum:allow-next-line", "pragma: allowlist nextline secret", "secretlint-disable-next-line -- made up"]


def format_python(text: str) -> str:
    return _run([sys.executable, "-m", "ruff", "format", "--isolated", "--no-cache", "-"], text)


def prettier(text: str, suffix: str) -> str:
    bed = need_bed()
    return _run([bed.node24, bed.prettier, "--no-config", "--no-editorconfig", "--stdin-filepath", f"a.{suffix}"], text)


def _run(command: list[str], text: str) -> str:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=60).stdout


def filled(text: str) -> str:
    while "[]" in text:
        text = text.replace("[]", "ghp" + "_" + github_body(SOURCE), 1)
    return text


def left(text: str, path: str) -> tuple[int, int]:
    result = default_engine().scan(text.encode(), path=path)
    return len(result.findings), len(result.suppressed)


def samples(templates: list[str], comment: str) -> str:
    """Put every template into one text, with a marker behind and with one before; what is not silenced stands between."""
    parts: list[str] = []
    for number, template in enumerate(templates):
        parts.append(template.format(comment.format(MARKERS[number % len(MARKERS)])))
        head, _, rest = template.format("\0").partition("\0")
        if "\n" not in head and "; " not in head.removesuffix("; "):
            parts.append(comment.format(BEFORE[number % len(BEFORE)]) + "\n" + head.rstrip() + rest)
    return filled("\n".join(parts) + "\n")


def check(before: str, after: str, path: str) -> None:
    silenced = left(before, path)
    assert silenced[0] == 0
    assert before != after
    result = default_engine().scan(after.encode(), path=path)
    lines = after.split("\n")
    shown = [
        lines[max(0, row - 3) : row + 3] for row in (after.encode()[: f.start].count(b"\n") for f in result.findings)
    ]
    assert (len(result.findings), len(result.suppressed)) == silenced, shown


def test_ruff() -> None:
    before = samples(PYTHON, "# {}")
    check(before, format_python(before), "a.py")


@pytest.mark.parametrize("suffix", ["tsx", "yaml", "html", "css"])
def test_prettier(suffix: str) -> None:
    templates, comment = {
        "tsx": (SCRIPT, "// {}"),
        "yaml": (YAML, "# {}"),
        "html": (HTML, "<!-- {} -->"),
        "css": (CSS, "/* {} */"),
    }[suffix]
    before = samples([*templates], comment)
    if suffix == "yaml":  # a key may stand once
        before = "".join(
            f"{line[0]}{number}{line[1:]}\n" if line[0].isalpha() else line + "\n"
            for number, line in enumerate(before.splitlines())
        )
    check(before, prettier(before, suffix), f"a.{suffix}")


# -- and no further -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        'key = "[]"\nfoo(\n    1,\n)  # locum:allow\n',
        'foo(\n    1,\n)  # locum:allow\nkey = "[]"\n',
        'def f():\n    key = "[]"\n    if x:  # locum:allow\n        pass\n',
        "A=[]=\nB=1 # locum:allow\n",
        '> "[]"\n> more <!-- locum:allow -->\n',
        '- "[]"\n- more # locum:allow\n',
        "* []\n* more # locum:allow\n",
        '# locum:allow-next-line\ndef f():\n    x = 1\n    key = "[]"\n',
        '// locum:allow-next-line\nfunction f() {\n  x = 1;\n  key = "[]";\n}\n',
        '# locum:allow-next-line\nenv:\n  a: 1\n  key: "[]"\n',
        '# locum:allow-next-line\nx = 1\nkey = "[]"\n',
        '# locum:allow-next-line\nx = foo(\n    1\n)\nkey = "[]"\n',
        'x = "[]"\n# locum:allow\ny = 1\n',
        'x = "[]"\n<p>1</p>\n<!-- locum:allow -->\n',
        "if (x) {\n  // locum:allow\n  y = '[]';\n}\n",
        'x = "[]"; y = f(\n  ") # locum:allow"\n)\n',
    ],
)
def test_what_stands_beside_is_not_silenced(text: str) -> None:
    assert left(filled(text), "")[0] == 1


def test_a_statement_is_looked_for_on_few_lines() -> None:
    near, far = ("foo(\n" + "    1,\n" * count + "    '[]',\n)  # locum:allow\n" for count in (30, 60))
    assert left(filled(near), "") == (0, 1)
    assert left(filled(far), "") == (1, 0)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines(end: bytes) -> None:
    data = end.join([b"ab", b"", b"c", b"d"])
    lines = Lines(data)
    starts = [0]
    while (after := lines.after(starts[-1])) < len(data):
        starts.append(after)
    assert [data[start : lines.end(start)] for start in starts] == [b"ab", b"", b"c", b"d"]
    assert [lines.start(start) for start in starts] == starts
    assert [lines.before(start) for start in starts[1:]] == starts[:-1]
    assert lines.start(1) == 0

"""What holds for every text: the stored value is the one the program had, and the text no longer holds it."""

from __future__ import annotations

import ast
import io
import json
import os
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from locum.rewrite.naming import choose_name, is_environment_name
from locum.rewrite.plan import Plan, Refusal
from locum.rewrite.planner import plan
from locum.text.edits import Edit, apply_edits
from locum.text.source import SourceText
from support.marked import applied, finding_at, plan_for, value_of

# What makes literals hard; no NUL and no surrogates, which no environment variable can hold.
_HARD = st.sampled_from([*"'\"\\{}$`#%@:/ &<>=!,;?", "\t", "é", "✓", "🔑", "\u2028", "${", "{{", "\\n", "''"])
_PLAIN = st.characters(min_codepoint=33, max_codepoint=126)
_TEXT = st.lists(_HARD | _PLAIN, max_size=12).map("".join)
_SECRET = st.lists(_HARD | _PLAIN, min_size=6, max_size=24).map("".join)
_LANGUAGES = ["a.py", "a.js", "a.tsx", ".env", "a.json", ".mcp.json", "a.yml", "compose.yml", "a.go", "a.rs", "a.java", "a.kt", "a.cs",
              "a.rb", "a.php", "a.swift", "a.c", "a.cpp", "a.pl", "a.lua", "a.scala", "a.sh", "a.ps1", "Dockerfile", "a.tf", "a.tfvars", "a.ini", "a.properties", ".npmrc", ".netrc",
              ".pgpass", ".my.cnf", "requirements.txt", "a.xml", "nuget.config", ".gitlab-ci.yml", "azure-pipelines.yml", "site.yml",
              "application.yml", ".vscode/tasks.json", ".vscode/launch.json", "gradle.properties", "a.toml", ".codex/config.toml",
              "opencode.json", ""]  # fmt: skip


@st.composite
def python_literals(draw: st.DrawFn) -> tuple[str, str, str, str]:
    """Draw prefix and opening quote, left, secret and right of a literal, spelt with escapes by chance."""
    prefix = draw(st.sampled_from(["", "", "u", "b", "B", "r", "rb"]))
    quote = draw(st.sampled_from(['"', "'", '"""', "'''"]))
    parts = [draw(_TEXT), draw(_SECRET), draw(_TEXT)]
    if "b" in prefix.lower():
        parts = [part.encode("ascii", "ignore").decode() for part in parts]
    if "r" in prefix:
        parts = [part.replace("\\", "").replace(quote[0], "") for part in parts]
        spelt = parts
    else:
        spelt = ["".join(_python_spelling(draw, char, quote, "b" in prefix.lower()) for char in part) for part in parts]
    assume(len(parts[1]) > 4)
    return prefix + quote, *spelt  # type: ignore[return-value]


def _python_spelling(draw: st.DrawFn, char: str, quote: str, is_bytes: bool) -> str:
    number = ord(char)
    ways = [f"\\x{number:02x}"] if number < 256 else []
    if not is_bytes:
        ways += [f"\\U{number:08x}"]
    if char not in f"{quote[0]}\\\r\n":
        ways += [char] * 6
    elif char in "\\'\"":
        ways += ["\\" + char] * 4
    return draw(st.sampled_from(ways))


@settings(max_examples=250, deadline=None)
@given(python_literals())
def test_python_runs_as_before(literal: tuple[str, str, str, str]):
    opening, left, secret, right = literal
    closing = opening.lstrip("burBUR")
    before = f"import sys\nresult = {opening}"
    text = f"{before}{left}{secret}{right}{closing}\n"
    start = len(before) + len(left)
    made = plan_for(text, start, start + len(secret), path="a.py")
    expected = ast.literal_eval(f"{opening}{left}{secret}{right}{closing}")
    if isinstance(made, Refusal):
        assert secret in "import os\nos.environ['NAME'].encode()" or "reference" in made.reason, made.reason
        return
    changed = applied(text, made)
    assert _python_result(changed, value_of(made)) == expected
    if text.count(secret) == 1:
        assert secret not in changed
    piece = ast.literal_eval(f"{opening}{secret}{closing}") if secret[-1] != closing[0] else None
    if piece is not None:
        assert value_of(made) == (piece if isinstance(piece, bytes) else piece.encode())


def _python_result(text: str, value: bytes) -> Any:
    scope: dict[str, Any] = {}
    os.environb[b"NAME"] = value
    try:
        exec(compile(text, "rewritten", "exec"), scope)
    finally:
        del os.environ["NAME"]
    return scope["result"]


@settings(max_examples=150, deadline=None)
@given(_TEXT, _SECRET, _TEXT)
def test_python_f_strings_run_as_before(left: str, secret: str, right: str):
    left, secret, right = (part.replace("\\", "").replace('"', "") for part in (left, secret, right))
    assume(len(secret) > 4)
    doubled = [part.replace("{", "{{").replace("}", "}}") for part in (left, secret, right)]
    head = 'who = "it"\nresult = f"{who!r:>4}'
    text = f'{head}{"".join(doubled)}{{who}}"\n'
    start = len(head) + len(doubled[0])
    made = plan_for(text, start, start + len(doubled[1]), path="a.py")
    if isinstance(made, Plan):
        assert value_of(made) == secret.encode()
        assert _python_result(applied(text, made), value_of(made)) == f"{'it'!r:>4}{left}{secret}{right}it"


@settings(max_examples=150, deadline=None)
@given(_TEXT, _SECRET, _SECRET, st.booleans())
def test_python_formats_take_any_later_value(left: str, secret: str, later: str, by_sign: bool):
    left, secret = (part.replace("\\", "").replace('"', "") for part in (left, secret))
    assume(len(secret) > 4)
    signs = "%" if by_sign else "{}"
    parts = ["".join(char * 2 if char in signs else char for char in part) for part in (left, secret)]
    head = f'result = "{"%s" if by_sign else "{}"}{parts[0]}'
    text = f'{head}{parts[1]}"{" % 7" if by_sign else ".format(7)"}\n'
    made = plan_for(text, len(head), len(head) + len(parts[1]), path="a.py")
    if isinstance(made, Plan):
        changed = applied(text, made)
        encodes = "quote(" in changed  # then the text is a URL
        assert encodes or value_of(made).decode() == secret
        assert _python_result(changed, value_of(made)) == _python_result(text, b"x") or encodes
        assert encodes or _python_result(changed, later.encode()) == f"7{left}{later}"


@settings(max_examples=150, deadline=None)
@given(st.lists(_SECRET, min_size=2, max_size=4), _TEXT, _TEXT)
def test_python_rows_run_as_before(rows: list[str], left: str, right: str):
    rows, (left, right) = [json.dumps(row)[1:-1] for row in rows], [json.dumps(part)[1:-1] for part in (left, right)]
    head, joint = f'result = ("{left}', '"\n  "'
    text = f'{head}{joint.join(rows)}{right}")\n'
    made = plan_for(text, len(head), len(head) + len(joint.join(rows)), path="a.py")
    if isinstance(made, Plan):
        assert _python_result(applied(text, made), value_of(made)) == _python_result(text, b"x")


_JSON_KEYS = st.text("abcKEY_", min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(_SECRET, st.dictionaries(_JSON_KEYS, _TEXT, max_size=3), st.booleans(), st.sampled_from([None, 2]))
def test_json_stays_json(secret: str, others: dict[str, str], ascii_only: bool, indent: int | None):
    document = {**others, "the key": [secret]}
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    spelt = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
    start = text.rindex(f'"{spelt}"') + 1
    made = plan_for(text, start, start + len(spelt), path="a.json")
    assert value_of(made) == secret.encode()
    assert json.loads(applied(text, made)) == {**others, "the key": ["locum://NAME"]}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text(min_size=1, max_size=8).filter(lambda text: text.isprintable()), max_size=3),
    st.lists(_SECRET, min_size=1, max_size=3, unique=True),
    st.sampled_from([None, 2, "\t"]),
)
def test_mcp_servers_are_wrapped_once(args: list[str], secrets: list[str], indent: Any):
    assume(not any("${" in secret or "{env:" in secret or secret.startswith("locum:") for secret in secrets))
    names = [f"KEY_{number}" for number in range(len(secrets))]
    server = {"type": "stdio", "command": "npx", "args": args, "env": dict(zip(names, secrets, strict=True))}
    text = json.dumps({"mcpServers": {"one": server}}, indent=indent)
    for name, secret in zip(names, secrets, strict=True):
        spelt = json.dumps(secret)
        start = text.index(f'"{name}": {spelt}') + len(name) + 5
        made = plan_for(text, start, start + len(spelt) - 2, path=".mcp.json", name=name)
        assert value_of(made) == secret.encode()
        text = applied(text, made)
    changed = json.loads(text)["mcpServers"]["one"]
    assert changed["command"] == "locum"
    assert changed["args"] == ["run", "--ttl", "8h", "--", "npx", *args]
    assert changed["env"] == {name: f"locum://{name}" for name in names}


@settings(max_examples=200, deadline=None)
@given(_SECRET, st.sampled_from(["", "'", '"']))
@example("back\\slash", '"')
def test_dotenv_as_python_reads_it(secret: str, quote: str):
    dotenv = pytest.importorskip("dotenv")
    assume(not set("$`\t\u2028") & set(secret))
    if quote:
        assume("\\" not in secret and quote not in secret)
    else:
        secret = secret.strip()
        assume(secret and secret[0] not in "'\"#=" and " #" not in secret and "\\" not in secret)
    text = f"A=1\nKEY={quote}{secret}{quote}\nB=2\n"
    start = text.index(secret, text.index("KEY="))
    made = plan_for(text, start, start + len(secret), path=".env")
    assert value_of(made).decode() == dotenv.dotenv_values(stream=io.StringIO(text), interpolate=False)["KEY"]
    after = dotenv.dotenv_values(stream=io.StringIO(applied(text, made)), interpolate=False)
    assert after == {"A": "1", "KEY": "locum://NAME", "B": "2"}


@settings(max_examples=200, deadline=None)
@given(_SECRET, _TEXT, st.sampled_from(["plain", "single", "double", "flow"]))
def test_yaml_stays_yaml(secret: str, other: str, style: str):
    yaml = pytest.importorskip("yaml")
    assume("\u2028" not in secret + other)  # a line end for YAML 1.1, none for 1.2
    spelt = secret
    if style == "single":
        spelt = secret.replace("'", "''")
    elif style == "double":
        spelt = json.dumps(secret, ensure_ascii=False)[1:-1]
    quote = {"single": "'", "double": '"'}.get(style, "")
    value = f"{quote}{spelt}{quote}"
    line = f"[{value}, 1]" if style == "flow" else value
    text = f"other: {json.dumps(other, ensure_ascii=True)}\nkey: {line}\nlast: it's\n"
    try:
        read = yaml.safe_load(text)["key"]
    except (yaml.YAMLError, TypeError, KeyError, ValueError):
        return assume(False)
    assume(read == (secret if style != "flow" else [secret, 1]))
    start = text.index(f"key: {line}") + 5 + len(quote) + (style == "flow")
    made = plan_for(text, start, start + len(spelt), path="a.yml")
    if isinstance(made, Refusal):
        return assume(False)
    assert value_of(made) == secret.encode()
    after = yaml.safe_load(applied(text, made))
    expected = "locum://NAME" if style != "flow" else ["locum://NAME", 1]
    if other.isascii():
        assert after["other"] == other
    assert (after["key"], after["last"]) == (expected, "it's")
    return None


_BROKEN = st.lists(
    st.sampled_from(
        ["'", '"', "`", '"""', "f'", "{", "}", "(", ")", "[", "]", "\\", "\n", "\r\n", "#", "//", "/*", "*/", "<a ", "/>", "</a>",
         "=", ":", ": ", "- ", "|\n", ">-\n", "  ", ",", "${", "$", "tulip-9Zk", "KEY", "import os\n", "mcpServers", "mcp_servers", "env", "args", "url", "🔑", "\ud800",
         "\x00", "\x0c", "case ", "/", "r'", "b'", "&", "!", "---\n",
         "<![CDATA[", "<!--", "kind: Secret\n", "data:", "variables:", "password ", "machine ", "a:b:c:d:", ";", "%", '{"tasks":[{']
    ),
    max_size=40,
).map("".join)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(_BROKEN, st.data(), st.sampled_from(_LANGUAGES))
def test_no_text_is_too_broken(text: str, data: st.DataObject, path: str):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    made = plan_for(text, start, end, path=path)
    if isinstance(made, Refusal):
        assert "tulip" not in made.reason
        return
    changed = applied(text, made)
    assert "locum" in changed or "environ" in changed or "process.env" in changed or "NAME" in changed.upper()
    assert "tulip" not in repr(made)
    assert [edit for edit in made.edits if text[start:end] in edit.new_text] == []


# Texts whose secret stands at `@`, in every format that is no program.
_CONFIGURATIONS = [
    ("a.ini", "[a]\n  k = @  ; c\nb = '1'\n"), ("a.properties", "# c\n  k : @\nb=1\n"), (".npmrc", "; c\n//r/:_authToken=@\nb=1\n"),
    ("requirements.txt", "# c\n--index-url https://u:@@h/s\nx # y\n"), (".netrc", "# c\nmachine h\n\tlogin u\n\tpassword @\n\nmachine i\n"),
    (".pgpass", "#c\na:b:c:d:@\n*:*:*:*:x\n"), (".my.cnf", "[a]\nk = '@' # c\nb\n"), ("a.xml", "<a>\n\t<b c='@' d=\"1\"/>\n</a>\n"),
    ("b.xml", "<a>\n\t<!-- c --><b>\n@\n</b></a>\n"), ("pom.xml", "<project><modelVersion/><b>@</b>\n</project>\n"),
    (".gitlab-ci.yml", "a:\n    variables: {B: '@'} # c\n"), ("group_vars/a.yml", "a:\n   - b: @ # c\n   - d\n"),
    (".vscode/launch.json", '{\n\t// c\n\t"a": ["@"],\n}\n'), ("secret.yaml", "kind: Secret\nstringData:\n    a: @ # c\n    b: x\n"),
    ("application.properties", "a.b=x@y\n\n"), (".yarnrc.yml", 'a: "@"\n'), ("pip.conf", "[global]\nindex-url = @\n"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "text"), _CONFIGURATIONS, ids=lambda part: part if "\n" not in part else "")
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("ending", ["kept", "none"])
def test_nothing_else_in_the_file_changes(path: str, text: str, newline: str, mark: str, ending: str):
    text = mark + (text.rstrip("\n") if ending == "none" else text).replace("\n", newline)
    start = text.index("@")
    before, after = text[:start], text[start + 1 :]
    whole = f"{before}tulip-9Zk{after}"
    made = plan_for(whole, start, start + 9, path=path)
    assert isinstance(made, Plan), made
    assert value_of(made) == b"tulip-9Zk"
    changed = applied(whole, made)
    left = before.rstrip("'\"") if "lookup" in changed else before
    assert changed.startswith(left)
    assert changed.endswith(after)
    assert "NAME" in changed[len(left) : len(changed) - len(after)]
    (edit,) = made.edits
    undone = apply_edits(changed, [Edit(edit.start, edit.start + len(edit.new_text), whole[edit.start : edit.end])])
    assert undone == whole


def test_positions_that_no_longer_fit_are_refused():
    source = SourceText('k = "é"')
    for first, last in [(5, 99), (3, 3), (-1, 2), (6, 7)]:
        finding = finding_at(SourceText("x" * 100), 0, 1)
        moved = type(finding)(**{**{f: getattr(finding, f) for f in finding.__slots__}, "start": first, "end": last})
        assert isinstance(plan(source, moved, path="a.py", language="", name="NAME"), Refusal)


@given(st.text(max_size=20), st.lists(st.text("ABab_2", max_size=4), max_size=5))
def test_names_are_valid_and_new(wanted: str, taken: list[str]):
    finding = finding_at(SourceText("x"), 0, 1, wanted)
    name = choose_name(finding, taken)
    assert is_environment_name(name)
    assert name.upper() not in {other.upper() for other in taken}


@pytest.mark.parametrize(
    ("wanted", "taken", "expected"),
    [
        ("GITHUB_TOKEN", [], "GITHUB_TOKEN"),
        ("GITHUB_TOKEN", ["GITHUB_TOKEN", "github_token_2"], "GITHUB_TOKEN_3"),
        ("my key!", [], "MY_KEY"),
        ("2fa", [], "SECRET_2FA"),
        ("", [], "SECRET"),
        ("PATH", [], "SECRET_PATH"),
        ("git_token", [], "SECRET_GIT_TOKEN"),
        ("HTTPS_PROXY", [], "SECRET_HTTPS_PROXY"),
        ("LD_PRELOAD", [], "SECRET_LD_PRELOAD"),
    ],
)
def test_names(wanted: str, taken: list[str], expected: str):
    assert choose_name(finding_at(SourceText("x"), 0, 1, wanted), taken) == expected


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A.B", "A B", "A" * 200])
def test_a_name_that_is_no_variable_is_refused(name: str):
    assert isinstance(plan_for('k = "tulip-9Zk"', 5, 14, path="a.py", name=name), Refusal)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("path", "line"),
    [("a.rb", 'x = "#{\n'), ("a.kt", 'x = "${\n'), ("a.tf", 'a = "${\n'), ("a.tf", "a = <<X\n"), ("a.rb", "x = <<~ABC\n"),
     ("Dockerfile", "RUN cat <<X\n"), ("a.js", 'x = "https://a?b=https://a?b=\n'), ("a.py", 'x = f"{\n')],
)  # fmt: skip
def test_broken_texts_are_read_in_little_time(path: str, line: str):
    head = line * (20_000 // len(line))
    text = f'{head}k = "tulip-9Zk"\n'
    assert isinstance(plan_for(text, len(head) + 5, len(head) + 14, path=path), Plan | Refusal)

"""For every MCP server: after all fixes it is started or reached with the very values that it had, and the text holds none.

So it is after a secret is renamed as well.
"""

from __future__ import annotations

import json
import tomllib
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from locum.agents.bridge_target import bridge_target
from locum.refs.reference import find
from locum.refs.uses import uses_in, written_for
from locum.rewrite.idioms.mcp_variables import unexpanded
from locum.text.edits import Edit, apply_edits
from support.marked import applied, plan_for, value_of

_CHARS = st.sampled_from([*"'\"\\{}#%@:/ &<>=!,;?[]", "\t", "é", "🔑", "\x7f", "\u2028"]) | st.characters(
    min_codepoint=33, max_codepoint=126
)
_SECRET = st.lists(_CHARS, min_size=6, max_size=20).map(lambda chars: f"s{''.join(chars)}e")
_PLAIN = st.text("abcXYZ019-_.", min_size=1, max_size=8)
_INDENT = st.sampled_from([None, 2, "\t"])


def spelt_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {spelt_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(spelt_toml, value)) + "]"
    return (
        json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        if isinstance(value, str)
        else json.dumps(value)
    )


def tables(name: str, value: dict[str, Any]) -> str:
    """Spell a server as tables, as people do."""
    flat = [f"{json.dumps(key)} = {spelt_toml(item)}" for key, item in value.items() if not isinstance(item, dict)]
    text = f"[{name}]\n" + "\n".join(flat) + "\n"
    return text + "".join("\n" + tables(f"{name}.{key}", item) for key, item in value.items() if isinstance(item, dict))


def fix_all(text: str, path: str, secrets: dict[str, str], spell: Any) -> tuple[str, dict[bytes, bytes]]:
    """Fix one after the other; return the text and what the vault has then."""
    vault: dict[bytes, bytes] = {}
    for name, secret in secrets.items():
        spelt = spell(secret)
        start = text.index(spelt)
        made = plan_for(text, start, start + len(spelt), path=path, name=name)
        text = applied(text, made)
        vault[name.encode()] = value_of(made)
    return text, vault


@settings(max_examples=150, deadline=None)
@given(
    st.lists(_SECRET, min_size=1, max_size=3, unique=True), _SECRET, st.booleans(),
    st.dictionaries(_PLAIN.map(lambda name: f"X-{name}".replace(".", "")), _PLAIN, max_size=2), _INDENT,
    st.sampled_from([".mcp.json", ".cursor/mcp.json", "opencode.json", "x.json", ".codex/config.toml", "inline.toml"]),
    st.booleans(),
)  # fmt: skip
def test_a_remote_server_is_sent_what_it_was_sent(
    secrets: list[str],
    key: str,
    with_key: bool,
    others: dict[str, str],
    indent: Any,
    path: str,
    renamed: bool,
) -> None:
    secrets = [secret for secret in secrets if secret != key]
    assume(all("$" not in text and "{env:" not in text and "{file:" not in text for text in (*secrets, key)))
    assume(not any(one in other for one in (*secrets, key) for other in (*secrets, key) if one != other))
    headers = {f"Key-{number}": f"Bearer {secret}" for number, secret in enumerate(secrets)} | others
    url = f"https://me@h/mcp?a=1&key={quote(key, safe='')}&b=2" if with_key else "https://h/mcp"
    named = {f"SECRET_{number}": secret for number, secret in enumerate(secrets)}
    is_toml = path.endswith("toml")
    server = {"url": url, "http_headers" if is_toml else "headers": headers, "timeout": 9}
    if path == "opencode.json":
        text = json.dumps({"mcp": {"x": {"type": "remote", **server}}}, indent=indent)
    elif path == ".codex/config.toml":
        text = tables("mcp_servers.x", server)
    elif is_toml:
        text = f"mcp_servers.x = {spelt_toml(server)}\n"
    else:
        text = json.dumps({"mcpServers": {"x": {"type": "http", **server}}}, indent=indent, ensure_ascii=False)
    assume(all(text.count(json.dumps(s, ensure_ascii=path == "opencode.json")[1:-1]) <= 1 for s in secrets))

    def spell(secret: str) -> str:
        if is_toml:
            return spelt_toml(secret)[1:-1]
        return (
            json.dumps(secret, ensure_ascii=path == "opencode.json")[1:-1] if secret != quote(key, safe="") else secret
        )

    try:
        fixed, vault = fix_all(text, path, named, spell)
        if with_key:
            assume(fixed.count(quote(key, safe="")) == 1)
            fixed, more = fix_all(fixed, path, {"KEY": quote(key, safe="")}, lambda secret: secret)
            vault |= more
    except ValueError:
        return assume(False)
    if renamed:
        uses = [use for use in uses_in(fixed, path) if use.name == "SECRET_0"]
        fixed = apply_edits(fixed, [Edit(use.start, use.end, written_for(use, "OTHER", fixed)) for use in uses])
        vault = {{b"SECRET_0": b"OTHER"}.get(name, name): value for name, value in vault.items()}
    assert all(item.reference is not None for item in find(fixed))
    assert list(unexpanded(fixed, path)) == []
    assert "${" not in fixed
    read = tomllib.loads(fixed) if is_toml else json.loads(fixed)
    (found,) = read[{"opencode.json": "mcp"}.get(path, "mcp_servers" if is_toml else "mcpServers")].values()
    words = found["command"] if isinstance(found["command"], list) else [found["command"], *found["args"]]
    assert words[:4] == ["locum", "run", "--ttl", "8h"]
    options, task = words[4 : words.index("--")], words[words.index("--") + 1 :]
    assert {option for option in options if option != "--secret"} == {name.decode() for name in vault}
    assert task[:2] == ["locum", "bridge"]
    target = bridge_target(task[2], task[4::2], vault)
    assert set(task[3::2]) <= {"--header"}
    assert unquote(target.url) == unquote(url)
    assert {name.decode(): value.decode() for name, value in target.headers} == {
        k: v.strip(" \t") for k, v in headers.items()
    }
    assert found["timeout"] == 9
    assert set(found) <= {"type", "command", "args", "timeout"}
    return None


@settings(max_examples=200, deadline=None)
@given(
    _SECRET,
    st.lists(_PLAIN, max_size=3),
    st.sampled_from([("-e", "{}"), ("--env={}",), ("-e{}",)]),
    _INDENT,
    st.booleans(),
)
def test_a_containers_variable_has_the_value_that_it_had(
    secret: str, others: list[str], form: tuple[str, ...], indent: Any, is_toml: bool
) -> None:
    assume("$" not in secret and "{env:" not in secret and "{file:" not in secret)
    words = ["run", "-i", *(word.replace("{}", f"KEY={secret}") for word in form), "image", *others]
    server = {"command": "docker", "args": words}
    text = tables("mcp_servers.x", server) if is_toml else json.dumps({"mcpServers": {"x": server}}, indent=indent)
    spelt = spelt_toml(secret)[1:-1] if is_toml else json.dumps(secret)[1:-1]
    start = text.index(spelt)
    made = plan_for(text, start, start + len(spelt), path="config.toml" if is_toml else ".mcp.json")
    assert value_of(made) == secret.encode()
    fixed = applied(text, made)
    found = tomllib.loads(fixed)["mcp_servers"]["x"] if is_toml else json.loads(fixed)["mcpServers"]["x"]
    assert found["command"] == "locum"
    assert found["args"] == [
        "run",
        "--ttl",
        "8h",
        "--",
        "docker",
        "run",
        "-i",
        *(word.replace("{}", "KEY") for word in form),
        "image",
        *others,
    ]
    assert found["env"] == {"KEY": "locum://NAME"}


_KEY = st.text("abcAB_-", min_size=1, max_size=6) | st.sampled_from(['"a.b"', "'a b'", '"\\u0041"'])
_STYLES = ("basic", "literal", "lines", "literal lines")


def _toml_string(draw: Any, text: str, style: str) -> str:
    if style == "literal":
        assume("'" not in text)
        return f"'{text}'"
    if style == "literal lines":
        assume("''" not in text and not text.endswith("'"))
        return f"'''{text}'''"
    spelt = "".join(f"\\U{ord(char):08x}" if draw(st.integers(0, 5)) == 0 else spelt_toml(char)[1:-1] for char in text)
    return f'"""{spelt}"""' if style == "lines" else f'"{spelt}"'


@settings(max_examples=200, deadline=None)
@given(
    st.data(),
    _SECRET,
    st.sampled_from(_STYLES),
    st.sampled_from(["pair", "table", "inline", "list", "dotted", "tables"]),
)
def test_toml_stays_toml(data: st.DataObject, secret: str, style: str, place: str) -> None:
    assume("\x7f" not in secret or "literal" not in style)
    spelt = _toml_string(data.draw, secret, style)
    key, other = data.draw(_KEY), data.draw(_KEY)
    assume(len({"first", "last", key, other}) == 4)
    line = {
        "pair": f"{key} = {spelt} # after", "table": f"[{other}]\n  {key} = {spelt}", "inline": f"{key} = {{ a = 1, {other} = {spelt}, z = 2 }}",
        "list": f"{key} = [\n  1, # one\n  {spelt},\n]", "dotted": f"{other} . {key} = {spelt}", "tables": f"[[{other}]]\na = 1\n[[{other}]]\n{key} = {spelt}",
    }[place]  # fmt: skip
    text = f'first = "# not [a] comment"\n{line}\n# {{ last\n[last]\nx = 1979-05-27T07:32:00Z\n'
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return assume(False)
    width = 3 if "lines" in style else 1
    start = text.index(spelt) + width
    made = plan_for(text, start, start + len(spelt) - 2 * width, path="a.toml")
    assert value_of(made) == secret.encode()
    after = tomllib.loads(applied(text, made))
    assert json.loads(json.dumps(after, default=str)) == json.loads(
        json.dumps(before, default=str).replace(json.dumps(secret), '"locum://NAME"')
    )
    return None


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_key_over_lines_keeps_its_lines(newline: str) -> None:
    pem = newline.join(["line one", "line two", ""])
    text = f'key = """{newline}{pem}"""{newline}b = 1{newline}'
    start = text.index("line one")
    made = plan_for(text, start, start + len(pem), path="a.toml")
    assert value_of(made) == b"line one\nline two\n"
    assert applied(text, made) == f'key = "locum://NAME"{newline}b = 1{newline}'

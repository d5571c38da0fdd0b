"""The pure parts of the MCP server: arguments, pages of output, `.env` files, and what the tools say of themselves."""

from __future__ import annotations

import json
import random
import re
import string
import unicodedata
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.agents.mcp import teaching
from locum.agents.mcp.env_file import looks_secret, variables, with_references
from locum.agents.mcp.output import KEPT, Output, marked
from locum.agents.mcp.places import Places
from locum.agents.mcp.schema import MAX_ARGUMENTS, check
from locum.agents.mcp.tools import TOOLS, Tool
from locum.errors import UsageProblem
from locum.refs.manifest import add_environment, parse_manifest
from support.home import canary
from support.tokens import MAKERS, github_token

NO_VALUE = re.compile(r"value|secret_value|password|plaintext", re.IGNORECASE)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tool_is_well_described(tool: Tool) -> None:
    jsonschema.Draft202012Validator.check_schema(tool.takes)
    jsonschema.Draft202012Validator.check_schema(tool.gives)
    assert tool.takes["type"] == tool.gives["type"] == "object"
    assert re.fullmatch("[a-z_]{1,32}", tool.name)
    assert not [name for name in tool.takes["properties"] if NO_VALUE.fullmatch(name)], "no tool takes a value"
    assert all(schema.get("description") for schema in tool.takes["properties"].values())
    assert len(tool.description) < 700, "clients cut long ones off"
    assert not (tool.reads_only and tool.destructive)
    said = tool.description + json.dumps(tool.takes, ensure_ascii=False) + teaching.INSTRUCTIONS + teaching.SETUP_TEXT
    assert not [char for char in said if unicodedata.category(char) in {"Cf", "Co", "Cn"}]


def test_tools_that_change_nothing_say_so() -> None:
    assert {tool.name for tool in TOOLS if tool.reads_only} == {"list_secrets", "list_tasks", "scan", "lease_status"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(TOOLS),
)
def test_what_is_taken_is_what_the_schema_says(arguments: object, tool: Tool) -> None:
    try:
        found = check(tool.takes, arguments)
    except UsageProblem:
        return
    jsonschema.validate(found, tool.takes)


def test_too_much_is_refused_without_being_repeated() -> None:
    value = canary()
    for arguments in ({"path": value + "x" * MAX_ARGUMENTS}, {"path": value + "\u200b"}, {"no": value}, [value]):
        with pytest.raises(UsageProblem) as problem:
            check(TOOLS[2].takes, arguments)
        assert value not in problem.value.explain()


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_a_token_is_taken_out_however_it_comes(kind: str) -> None:
    source = random.Random(kind)
    token = MAKERS[kind](source)
    if kind == "password":
        pytest.skip("a password alone looks like any word")
    data = f"first\nkey: {token}\nlast\n".encode()
    if marked(data.decode()) == data.decode():
        pytest.skip("no rule is sure of this one without its surroundings")
    whole = None
    for _ in range(20):
        output, at = Output(), 0
        while at < len(data):
            step = source.randint(1, 40)
            output.add(data[at : at + step])
            at += step
        output.add(b"", last=True)
        text = output.page(0, 10_000).text
        assert token not in text
        assert whole in {None, text}
        whole = text


@given(st.lists(st.text(string.ascii_letters + "\n", max_size=30), max_size=20), st.integers(1, 50))
def test_pages_give_the_whole(chunks: list[str], size: int) -> None:
    output = Output()
    for chunk in chunks:
        output.add(chunk.encode())
    output.add(b"", last=True)
    text, at = "", 0
    while at < output.total:
        page = output.page(at, size)
        text, at = text + page.text, page.next_offset
    assert text == "".join(chunks)
    end = output.page(None, size)
    assert (end.text, end.next_offset) == (text[-size:], len(text))


def test_what_is_lost_is_counted() -> None:
    output = Output()
    for _ in range(KEPT // 1000 + 10):
        output.add(b"x" * 999 + b"\n")
    page = output.page(0, 10)
    assert page.lost == page.offset == output.total - KEPT > 0


def test_half_a_character_and_no_text_at_all() -> None:
    output = Output()
    for byte in "\u2039ü\u203a\n".encode() + b"\xff\n":
        output.add(bytes([byte]))
    output.add(b"", last=True)
    assert output.page(0, 100).text == "\u2039ü\u203a\n\ufffd\n"


ENV = """\
# how it was
PORT=3000
export API_TOKEN={one} # note
  DB_PASSWORD = "{two}"
MULTI='{one}
{two}'
URL=https://$HOST/
REF=locum://X
MAX_TOKENS=1000
SESSION_SECRET=changeme
PIN=12
not a line
EMPTY_TOKEN=
LAST_TOKEN={three}"""


def test_an_env_file_becomes_references_and_nothing_else_changes() -> None:
    one, two, three = canary(), canary(), canary()
    text = ENV.format(one=one, two=two, three=three)
    found = list(variables(text))
    assert [item.line for item in found if item.name == "DB_PASSWORD"] == [4]
    chosen = [item for item in found if looks_secret(item, found=item.name == "MULTI", also=["PIN"])]
    assert [item.name for item in chosen] == ["API_TOKEN", "DB_PASSWORD", "MULTI", "PIN", "LAST_TOKEN"]
    after = with_references(text, {item: f"locum://{item.name}" for item in chosen})
    assert after == (
        "# how it was\nPORT=3000\nexport API_TOKEN=locum://API_TOKEN # note\n  DB_PASSWORD = locum://DB_PASSWORD\n"
        "MULTI=locum://MULTI\nURL=https://$HOST/\nREF=locum://X\nMAX_TOKENS=1000\nSESSION_SECRET=changeme\n"
        "PIN=locum://PIN\nnot a line\nEMPTY_TOKEN=\nLAST_TOKEN=locum://LAST_TOKEN"
    )
    assert [item.expands for item in found if item.name == "URL"] == [True]
    for value in (one, two, three):
        assert value not in repr(found)


def test_line_ends_stay() -> None:
    text = f"A_TOKEN={canary()}\r\nB=1\r\n"
    (chosen,) = [item for item in variables(text) if item.name == "A_TOKEN"]
    assert with_references(text, {chosen: "locum://A_TOKEN"}) == "A_TOKEN=locum://A_TOKEN\r\nB=1\r\n"


@pytest.mark.parametrize(
    "text",
    [
        "[secrets.A]\n", '[secrets.A]\nsource = "local"  # here\n\n[tasks.t]\ncommand = ["x"]\n',
        '[secrets.A.env]\nprod = "op://v/i/f"\n', '[secrets]\nA = { source = "local" }\n',
    ],
)  # fmt: skip
def test_an_environment_is_added_to_a_manifest(text: str) -> None:
    added = add_environment(text, "A", "dev")
    before, after = parse_manifest(text), parse_manifest(added)
    assert after.secrets["A"].environments == {**before.secrets["A"].environments, "dev": "local"}
    assert after.tasks == before.tasks
    assert add_environment(added, "A", "dev") == added
    assert "# here" in added or "# here" not in text


def test_places(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        (folder / "sub").mkdir(parents=True)
    (one / "file").write_text(github_token())
    (one / "to-two").symlink_to(two)
    (one / "out").symlink_to(tmp_path)
    places = Places([one, two])
    assert places.file("sub/../file") == one / "file"
    assert places.folder("to-two") == two
    assert places.shown(two / "sub") == "sub"
    for text in ("out", "out/one/../x", str(tmp_path), "..", "sub/../../x", "a\0"):
        with pytest.raises(UsageProblem):
            places.either(text)
    with pytest.raises(UsageProblem):
        Places([Path("/")])
    with pytest.raises(UsageProblem):
        Places([one / "file"])

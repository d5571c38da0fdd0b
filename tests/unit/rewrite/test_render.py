"""The way back: whatever value a reference stands for, the file's own reader gets it, and nothing else changes for it."""

from __future__ import annotations

import base64
import configparser
import io
import json
import netrc
import random
import re
import shutil
import subprocess
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from locum.rewrite.idioms.yaml_scanner import keys_above
from locum.rewrite.plan import Plan
from locum.rewrite.render import references_in, render
from locum.rewrite.target import NoSafeEdit
from locum.secret import SecretBytes
from support.marked import applied, plan_for, value_of

yaml = pytest.importorskip("yaml")
dotenv = pytest.importorskip("dotenv")

REFERENCE = "locum://NAME"
VALUES = st.lists(
    st.sampled_from([*"'\"\\{}$`#%@:/ &<>=!,;?[]|*-~.\t\n", "é", "✓", "🔑", "\u2028", "\x85", "\ufeff", "${", "\\n", "]]>", " #", ": ", "\r",
                     "''", '"""', "true", "null", "0x1", "12", "1.5", "2024-01-01", "---", "- "])
    | st.characters(min_codepoint=33, max_codepoint=126),
    min_size=1,
    max_size=16,
).map("".join)  # fmt: skip


def rendered(text: str, kind: str, value: str | bytes, reference: str = REFERENCE) -> str:
    data = value if isinstance(value, bytes) else value.encode()
    return bytes(render(text, kind, {reference: SecretBytes(data)}).view()).decode()


def attempted(text: str, kind: str, value: str) -> str | None:
    """Return None for a refusal."""
    try:
        return rendered(text, kind, value)
    except NoSafeEdit as problem:
        told = len(value) > 6 and value in problem.reason
    assert not told, "a refusal holds no part of the value"
    return None


def read_ini(text: str) -> Any:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return dict(parser["a"])


def read_xml(text: str) -> Any:
    return [(node.tag, node.attrib, node.text) for node in ET.fromstring(text).iter()]


def read_netrc(text: str) -> Any:
    with tempfile.NamedTemporaryFile("w", newline="") as file:
        file.write(text)
        file.flush()
        return netrc.netrc(file.name).hosts


def read_env(text: str) -> Any:
    return dotenv.dotenv_values(stream=io.StringIO(text, newline=""), interpolate=False)


def read_expanded_env(text: str) -> Any:
    return dotenv.dotenv_values(stream=io.StringIO(text, newline=""), interpolate=True)


def read_pgpass(text: str) -> Any:
    """As libpq does: a backslash takes the next character as it is, a colon ends a field."""
    return [
        [re.sub(r"\\(.)", r"\1", field) for field in re.findall(r"(?:\\.|[^\\:])+", line)]
        for line in text.split("\n")
        if line and not line.startswith("#")
    ]


class Template(NamedTuple):
    title: str
    kind: str
    text: str
    read: Callable[[str], Any]
    expect: Callable[[str], Any]
    """What `read` makes of the text with a value."""
    always: bool = False
    """Whether every value can stand there."""


TEMPLATES = [
    Template("json", "json", '{"a": "@", "b": ["x"]}', json.loads, lambda v: {"a": v, "b": ["x"]}, always=True),
    Template("json, a part", "json", '["a \\"@ b"]', json.loads, lambda v: [f'a "{v} b'], always=True),
    Template("yaml", "yaml", "a: @ # c\nb: x\n", yaml.safe_load, lambda v: {"a": v, "b": "x"}, always=True),
    Template("yaml, a part", "yaml", "a: x @ y # c\n", yaml.safe_load, lambda v: {"a": f"x {v} y"}, always=True),
    Template("yaml, flow", "yaml", "{a: @, b: [x, @]}\n", yaml.safe_load, lambda v: {"a": v, "b": ["x", v]}, always=True),
    Template("yaml, single", "yaml", "a: 'it''s @'\n", yaml.safe_load, lambda v: {"a": f"it's {v}"}, always=True),
    Template("yaml, double", "yaml", 'a: "\\t@"\n', yaml.safe_load, lambda v: {"a": f"\t{v}"}, always=True),
    Template("yaml, list", "yaml", "- KEY=@\n- x\n", yaml.safe_load, lambda v: [f"KEY={v}", "x"], always=True),
    Template("yaml, block", "yaml", "a: |\n  x\n   @\n  y\n", yaml.safe_load, lambda v: {"a": f"x\n {v}\ny\n"}),
    Template("yaml, block alone", "yaml", "- |-\n    @\n- b\n", yaml.safe_load, lambda v: [v, "b"]),
    Template("yaml, folded", "yaml", "a: >-\n  @\nb: 1\n", yaml.safe_load, lambda v: {"a": v, "b": 1}),
    Template("yaml, folded with indent", "yaml", "a: >2-\n  @\nb: 1\n", yaml.safe_load, lambda v: {"a": v, "b": 1}),
    Template("toml", "toml", 'a = "@" # c\nb = 1\n', tomllib.loads, lambda v: {"a": v, "b": 1}, always=True),
    Template("toml, literal", "toml", "a = '@'\n", tomllib.loads, lambda v: {"a": v}, always=True),
    Template("toml, lines", "toml", 'a = """\n@"""\n', tomllib.loads, lambda v: {"a": v}, always=True),
    Template("toml, literal lines", "toml", "a = '''\n@'''\n", tomllib.loads, lambda v: {"a": v}, always=True),
    Template("ini", "ini", "[a]\nb = @\nc = 1\n", read_ini, lambda v: {"b": v, "c": "1"}),
    Template("ini, quoted", "ini", '[a]\nb = "@"\nc = 1\n', read_ini, lambda v: {"b": f'"{v}"', "c": "1"}),
    Template("xml, attribute", "xml", '<a b="@" c="1"/>', read_xml, lambda v: [("a", {"b": v, "c": "1"}, None)]),
    Template("xml, single quotes", "xml", "<a b='@'>x</a>", read_xml, lambda v: [("a", {"b": v}, "x")]),
    Template("xml, text", "xml", "<a>@</a>", read_xml, lambda v: [("a", {}, v)]),
    Template("xml, CDATA", "xml", "<a><![CDATA[@]]></a>", read_xml, lambda v: [("a", {}, v)]),
    Template("netrc", "netrc", "machine h login u password @\nmachine i login u password p\n", read_netrc, lambda v: {"h": ("u", "", v), "i": ("u", "", "p")}),
    Template("netrc, quoted", "netrc", 'default login u password "@"\n', read_netrc, lambda v: {"default": ("u", "", v)}),
    Template("env", "dotenv", "A=1\nB=@ # c\nC=2\n", read_env, lambda v: {"A": "1", "B": v, "C": "2"}),
    Template("env, single", "dotenv", "B='@' # c\nC=2\n", read_env, lambda v: {"B": v, "C": "2"}),
    Template("env, double", "dotenv", 'export B="@"\nC=2\n', read_expanded_env, lambda v: {"B": v, "C": "2"}),
    Template("pgpass", "pgpass", "a:b:c:d:@\n*:*:*:*:x\n", read_pgpass, lambda v: [["a", "b", "c", "d", v], ["*", "*", "*", "*", "x"]]),
]  # fmt: skip


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.title)
@settings(max_examples=150, deadline=None)
@given(value=VALUES)
def test_the_files_reader_gets_the_value(template: Template, value: str):
    text = template.text.replace("@", REFERENCE)
    assert references_in(text, template.kind) == [REFERENCE]
    after = attempted(text, template.kind, value)
    assert after is not None or not template.always
    if after is not None:
        assert template.read(after) == template.expect(value), "the reader got something else"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.title)
def test_simple_values_change_nothing_else(template: Template):
    text = template.text.replace("@", REFERENCE)
    assert rendered(text, template.kind, "tulip-9Zk") == template.text.replace("@", "tulip-9Zk")
    windows = text.replace("\n", "\r\n")
    assert rendered(windows, template.kind, "tulip-9Zk") == windows.replace(REFERENCE, "tulip-9Zk")


def _java(value: str) -> str:
    return json.dumps(value)[1:-1].replace('\\"', '"')


SPELT: list[tuple[str, str, str, Callable[[str], str | None], Callable[[str], Any]]] = [
    ("json", "a.json", '{"a": "@", "b": 1}', lambda v: json.dumps(v)[1:-1], json.loads),
    ("yaml", "a.yml", "a: @\nb: 1\n", lambda v: v if _is_yaml(v) else None, yaml.safe_load),
    ("yaml", "a.yml", "a: '@'\nb: 1\n", lambda v: v.replace("'", "''") if v.isprintable() else None, yaml.safe_load),
    ("yaml", "a.yml", 'a: ["@", 1]\n', lambda v: json.dumps(v)[1:-1] if v.isprintable() else None, yaml.safe_load),
    ("yaml", "a.yml", "a: |-\n  @\nb: 1\n", lambda v: v.replace("\n", "\n  ") if v.replace("\n", "").isprintable() else None, yaml.safe_load),
    ("ini", "a.ini", "[a]\nb = @\nc = 1\n", lambda v: v if v.isprintable() and v == v.strip() else None, read_ini),
    ("xml", "a.xml", '<a b="@">x</a>', lambda v: _xml(v).replace('"', "&#34;"), read_xml),
    ("xml", "a.xml", "<a>@</a>", lambda v: _xml(v) if v == v.strip() else None, read_xml),
    ("xml", "a.xml", "<a><![CDATA[@]]></a>", lambda v: v if "]]>" not in v and v.isprintable() else None, read_xml),
    ("netrc", ".netrc", 'machine h login u password "@"\n', lambda v: re.sub(r"([\\\"])", r"\\\1", v) if v.isprintable() else None, read_netrc),
    ("dotenv", ".env", "A=1\nB=@\nC=2\n", lambda v: v if re.fullmatch(r"[^\s'\"#$`\\][^\s$`\\]*", v) else None, read_env),
    ("dotenv", ".env", "A=1\nB='@'\nC=2\n", lambda v: v if not set(v) & set("'\\\r$") else None, read_env),
    ("dotenv", ".env", 'A=1\nB="@"\nC=2\n', lambda v: v if not set(v) & set('"\\\r$`') else None, read_env),
    ("pgpass", ".pgpass", "a:b:c:d:@\n", lambda v: re.sub(r"([\\:])", r"\\\1", v) if v.isprintable() else None, read_pgpass),
]  # fmt: skip


def _is_yaml(value: str) -> bool:
    try:
        return yaml.safe_load(f"a: {value}\nb: 1\n") == {"a": value, "b": 1} and value == value.strip()
    except (yaml.YAMLError, ValueError):
        return False


def _xml(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace("\r", "&#13;").replace("\n", "&#xA;").replace("\t", "&#9;").replace("]]>", "]]&gt;")  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "path", "text", "spell", "read"), SPELT, ids=lambda part: part if isinstance(part, str) else ""
)
@settings(max_examples=120, deadline=None)
@given(value=VALUES)
def test_there_and_back(
    kind: str, path: str, text: str, spell: Callable[[str], str | None], read: Callable[[str], Any], value: str
):
    spelt = spell(value)
    assume(spelt and spelt.strip() == spelt and REFERENCE not in text)
    assert spelt is not None
    start = text.index("@")
    before = text.replace("@", spelt)
    try:
        expected = read(before)
    except (yaml.YAMLError, ET.ParseError, configparser.Error, netrc.NetrcParseError):
        return assume(False)
    made = plan_for(before, start, start + len(spelt), path=path)
    if not isinstance(made, Plan):
        return assume(False)
    stored = value_of(made)
    after = rendered(applied(before, made), kind, stored)
    assert read(after) == expected
    return None


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\ndata:\n  # ours\n  a: @\n  b: eA==\nstringData:\n  c: d\n",
        'kind: "Secret" # x\ndata: {b: eA==, a: "@"}\n',
        "data:\n  a: @\nkind: Secret\n---\nkind: ConfigMap\ndata:\n  a: x\n",
        "items:\n- apiVersion: v1\n  kind: Secret\n  data:\n    a: @\n- kind: ConfigMap\n  data:\n    a: x\n",
        "items:\n  - kind: Secret\n    data:\n      a: '@'\n",
        "kind: Secret\ndata:\n  a: |\n    @\n",
    ],
)
@given(value=st.binary(min_size=8, max_size=40).filter(lambda value: b"\0" not in value))
def test_the_data_of_a_secret_is_stored_without_base64(text: str, value: bytes):
    spelt = base64.b64encode(value).decode()
    before = text.replace("@", spelt)
    start = text.index("@")
    made = plan_for(before, start, start + len(spelt), path="secret.yaml")
    assert value_of(made) == value
    after = rendered(applied(before, made), "yaml", value)
    assert list(yaml.safe_load_all(after)) == [
        document if not isinstance(document.get("data", {}).get("a"), str) else _stripped(document)
        for document in yaml.safe_load_all(before)
    ]


def _stripped(document: Any) -> Any:
    document["data"]["a"] = document["data"]["a"].strip()
    return document


def test_the_data_of_a_secret_in_json():
    text = '{"apiVersion": "v1", "kind": "Secret", "data": {"a": "@"}, "stringData": {"b": "@"}}'
    changed = rendered(text.replace("@", REFERENCE), "json", "tulip")
    assert json.loads(changed) == {"apiVersion": "v1", "kind": "Secret", "data": {"a": "dHVsaXA="}, "stringData": {"b": "tulip"}}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", '// locum://NAME\n{"a": 1}'), ("yaml", "a: 1 # locum://NAME\n"), ("ini", "; locum://NAME\na = 1 # locum://NAME\n"),
        ("toml", "a = 1 # locum://NAME\n"), ("xml", "<a><!-- locum://NAME --></a>"), ("netrc", "# locum://NAME\n"),
        ("properties", "! locum://NAME\n"), ("mysql", "a = b # locum://NAME"), ("npmrc", "; locum://NAME"), ("pgpass", "#a:b:c:d:locum://NAME"),
        ("dotenv", "A=1 # locum://NAME\n"), ("requirements", "a # locum://NAME\n"),
    ],
)  # fmt: skip
def test_comments_stay(kind: str, text: str):
    assert references_in(text, kind) == []
    assert rendered(text, kind, "tulip") == text


@pytest.mark.parametrize(
    ("kind", "text", "value", "after"),
    [
        ("properties", "a = locum://NAME\n", " x\\y=é🔑\n ", "a = \\ x\\\\y=\\u00e9\\ud83d\\udd11\\n\\u0020\n"),
        ("mysql", "login=locum://NAME # c\n", 'a#"\\', 'login="a#\\"\\\\" # c\n'),
        ("mysql", "login='locum://NAME'\n", "it's", "login='it\\'s'\n"),
        ("npmrc", "a=locum://NAME\n", "x;y#z\\", "a=x\\;y\\#z\\\\\n"),
        ("npmrc", 'a="locum://NAME"\n', 'x"', 'a="x\\""\n'),
        ("redis", "requirepass locum://NAME\n", "tulip", "requirepass tulip\n"),
        ("redis", "requirepass locum://NAME\n", 'tu"l ip\n', 'requirepass "tu\\"l ip\\n"\n'),
        ("redis", 'requirepass "locum://NAME"\n', "tu\\lip", 'requirepass "tu\\\\lip"\n'),
        ("requirements", "--index-url https://u:locum://NAME\n", "tulip", "--index-url https://u:tulip\n"),
        ("whatever", "x locum://NAME, locum://OTHER", "tulip", "x tulip, locum://OTHER"),
        ("yaml", "a: locum://NAME_2\nb: locum://NAME\n", "tulip", "a: locum://NAME_2\nb: tulip\n"),
        ("json", '["locum:\\/\\/NAME"]', "tulip", '["tulip"]'),
    ],
)
def test_spellings(kind: str, text: str, value: str, after: str):
    assert rendered(text, kind, value) == after


@pytest.mark.parametrize(
    ("kind", "text", "value", "reason"),
    [
        ("whatever", "x locum://NAME", "tul\nip", "does not know how"),
        ("whatever", "x locum://NAME", 'tul"ip', "does not know how"),
        ("whatever", "x locum://NAME", "tul${ip}", "does not know how"),
        ("json", '["locum://NAME", "\ud800"]', "tulip", "no text in UTF-8"),
        ("redis", "requirepass locum://NAME", "tul\x01ip", "control characters"),
        ("ini", "a = locum://NAME", "tul\nip", "line ends"),
        ("ini", "a = locum://NAME", " tulip", "begins or ends with a space"),
        ("ini", "a = locum://NAME", "tul ;ip", "put the reference in quotes"),
        ("ini", "a = 'locum://NAME'", "tul'ip", "same quote"),
        ("netrc", "password locum://NAME", "tul\nip", "line ends"),
        ("pgpass", "a:b:c:d:locum://NAME", "tul\nip", "line ends"),
        ("xml", "<a>locum://NAME</a>", "tul\x01ip", "control characters"),
        ("npmrc", "a=locum://NAME", "${tulip}", "npm would take apart"),
        ("requirements", "a locum://NAME", "tulip # x", "pip would take apart"),
        ("dotenv", "A=locum://NAME", "${tulip}", "differ about"),
        ("mysql", "a=locum://NAME", "tul\x01ip", "control characters"),
        ("yaml", "a: |\n  locum://NAME\n", "tulip\n", "in quotes"),
        ("yaml", "a: >\n  x locum://NAME\n", "tul\nip", "in quotes"),
        ("yaml", "a: x\n  locum://NAME\n", "tulip", "several lines"),
        ("yaml", "kind: Secret\ndata:\n  a: x locum://NAME\n", "tulip", "base64"),
        ("json", '{"a": "locum://NAME"', "tulip", "no valid JSON"),
        ("json", '["locum://NAME"]', b"tulip\xff", "no text"),
    ],
)
def test_what_cannot_stand_there_is_refused(kind: str, text: str, value: str | bytes, reason: str):
    with pytest.raises(NoSafeEdit) as caught:
        rendered(text, kind, value)
    assert reason in caught.value.reason
    assert "tul" not in caught.value.reason
    assert "valid" in reason or "UTF-8" in reason or REFERENCE in caught.value.reason


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([REFERENCE, "locum://", "'", '"', "{", "}", "[", "]", "\\", "\n", "\r\n", "#", "<!--", "<a ", ">", "<![CDATA[", "=", ": ",
                         "- ", "|\n", ">-\n", "  ", ",", "$", "kind: Secret\n", "data:", "password ", "a:b:c:d:", "\ud800", "\x00", "'''", '"""'])
    ).map("".join),
    st.sampled_from(["json", "yaml", "toml", "ini", "properties", "mysql", "npmrc", "requirements", "netrc", "pgpass", "xml", "dotenv", ""]),
)  # fmt: skip
def test_no_text_is_too_broken(text: str, kind: str):
    assume("\ud800" not in text)  # a file that was read as UTF-8 has none
    after = attempted(text, kind, "tulip")
    assert after is None or after.replace("tulip", "").count("locum://NAME") <= text.count("locum://NAME")


_READ_PROPERTIES = """
import java.io.*; import java.nio.file.*; import java.util.*;
public class Read { public static void main(String[] files) throws Exception { for (String file : files) {
  Properties all = new Properties(); all.load(new FileInputStream(file));
  System.out.println(Base64.getEncoder().encodeToString((all.getProperty("k") + all.getProperty("z")).getBytes("UTF-8"))); } } }
"""


def some_values(count: int) -> list[str]:
    """Return hard values, the same ones every time: one process reads them all."""
    chosen = random.Random(7)
    letters = [*"'\"\\{}$`#%@:/ &<>=!,;?[]\t\n\fabc9", "é", "🔑", "\u2028", "\\u", "${"]
    return ["".join(chosen.choices(letters, k=chosen.randint(1, 12))) for _ in range(count)]


@pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java here")
def test_java_reads_properties(tmp_path: Path):
    (tmp_path / "Read.java").write_text(_READ_PROPERTIES)
    values = some_values(300)
    for number, value in enumerate(values):
        sign = ("=", ": ", " ", " = ")[number % 4]
        text = rendered(f"# c\nk{sign}{REFERENCE}\nz=1\n", "properties", value)
        (tmp_path / f"{number}").write_text(text, newline="")
    files = [str(tmp_path / f"{number}") for number in range(len(values))]
    read = subprocess.run(["java", str(tmp_path / "Read.java"), *files], capture_output=True, text=True, check=True)
    assert [base64.b64decode(line).decode() for line in read.stdout.split()] == [f"{value}1" for value in values]


_INI = Path("/usr/lib/node_modules/npm/node_modules/ini")


@pytest.mark.skipif(not _INI.is_dir() or shutil.which("node") is None, reason="npm's reader is not here")
def test_npm_reads_its_settings():
    templates = (f"k={REFERENCE}\nz=1\n", f'k="{REFERENCE}"\nz=1\n', f"k = {REFERENCE} ; c\nz=1\n")
    attempts = [(value, attempted(text, "npmrc", value)) for value in some_values(200) for text in templates]
    texts = [text for _, text in attempts if text is not None]
    script = f"const ini = require({json.dumps(str(_INI))}); const texts = JSON.parse(require('fs').readFileSync(0));"
    script += "console.log(JSON.stringify(texts.map((text) => ini.parse(text))));"
    read = subprocess.run(["node", "-e", script], input=json.dumps(texts), capture_output=True, text=True, check=True)
    assert json.loads(read.stdout) == [{"k": value, "z": "1"} for value, text in attempts if text is not None]
    assert len(texts) > 100


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("a: @", "a"),
        ("a:\n  b: @", "a/b"),
        ("a:\n  c: 1\n\n  # d:\n  b: @", "a/b"),
        ("a:\n  c:\n    d: 1\n  b: @", "a/b"),
        ("a:\n- b: 1\n  c: @", "a/c"),
        ("a:\n  - b: 1\n  - c: @", "a/c"),
        ("a:\n  - b:\n      - x\n      - @", "a/b"),
        ("a:\n- x\n- @", "a"),
        ("a:\n  b: {c: 1, d: @}", "a/b/d"),
        ('"a":\r\n  \'b\': "@', "a/b"),
        ("@", ""),
    ],
)
def test_the_way_of_keys(text: str, keys: str):
    assert keys_above(text, text.index("@")) == keys


@pytest.mark.parametrize("unit", ["kind: Secret\n", "- kind: Secret\n  data:\n    x: locum://NAME\n", "kind: Secret\ndata:\n x: locum://NAME\n---\n"])  # fmt: skip
def test_many_secrets_take_no_time(unit: str):
    """A reading of all lines for each of them took a minute."""
    text = unit * (60_000 // len(unit))
    before = time.process_time()
    rendered(text, "yaml", "tulip")
    assert time.process_time() - before < 5

"""The rule for URLs: what is stored is the value that the URL means, and what an encoder makes of it is the same URL."""

from __future__ import annotations

import json
import shutil
import subprocess
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.rewrite.idioms.code_languages import LANGUAGES
from locum.rewrite.urls import UNRESERVED, encoded, part_of_url
from support.marked import plan_for, value_of

_KEEPS = sorted({UNRESERVED, "-_.!~*'()", *(row.encoder.keeps for row in LANGUAGES.values() if row.encoder)})
_VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
_SUB_DELIMS = "!$&'()*+,;=:"


@st.composite
def spellings(draw: st.DrawFn, free: str) -> tuple[str, str]:
    """Draw a value and a spelling of it: escapes in either case, also where none is needed; `free` may stand as it is."""
    value = draw(_VALUES)
    spelt = ""
    for byte in value.encode():
        char = chr(byte)
        ways = [f"%{byte:02X}", f"%{byte:02x}"]
        if byte < 0x80 and (char.isalnum() or char in free):
            ways += [char] * 4
        spelt += draw(st.sampled_from(ways))
    return value, spelt


@given(_VALUES, st.sampled_from(_KEEPS))
def test_what_is_encoded_decodes_to_the_same(value: str, keeps: str) -> None:
    for part in (part_of_url("postgres://app:", "@db"), part_of_url("https://h/?k=", "")):
        assert part is not None
        again = encoded(value, keeps)
        assert part.decoded(again, keeps) == value
        assert unquote(again) == value


@given(_VALUES)
def test_it_is_the_standard_encoding(value: str) -> None:
    assert encoded(value) == quote(value, safe="")


@given(spellings(UNRESERVED + _SUB_DELIMS), st.sampled_from(_KEEPS))
def test_another_spelling_means_the_same_password(drawn: tuple[str, str], keeps: str) -> None:
    value, spelt = drawn
    part = part_of_url("postgres://app:", "@db/x")
    assert part is not None
    plain = part.decoded(spelt, keeps)
    if plain is None:  # nothing shows that its reader undoes escapes: it stays as it is
        assert "%" not in spelt
        return
    assert plain == value
    if "%" not in spelt:
        assert encoded(plain, keeps) == spelt
    after = urlsplit(f"postgres://app:{encoded(plain, keeps)}@db/x")
    assert (after.hostname, after.path) == ("db", "/x")
    assert unquote(after.password or "") == value


@given(spellings(UNRESERVED))
def test_in_code_and_in_plain_it_is_one_value(drawn: tuple[str, str]) -> None:
    value, spelt = f"Zk9Qx{drawn[0]}", f"Zk9Qx{drawn[1]}"
    for path, head, tail in (("a.py", 'k = "', '"'), ("a.js", 'k = "', '"'), ("a.php", '<?php $k = "', '";')):
        text = f"{head}amqp://u:{spelt}@h{tail}\n"
        start = len(head) + 9
        assert value_of(plan_for(text, start, start + len(spelt), path=path)).decode() == value


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("postgres://app:", "@db", "userinfo"),
        ("https://", "@db", "userinfo"),
        ("https://", ":x@db", "userinfo"),
        ("${scheme}://${user ? 1 : 2}:", "@${host}", "userinfo"),
        ("see redis://:", "@h", "userinfo"),
        ("jdbc:mysql://h/db?user=x&password=", "&ssl=1", "query"),
        ("https://h/?key=", "", "query"),
        ("https://h/", "", None),
        ("https://h/a@b:", "@c", None),
        ("app:", "@db", None),
        ("https://h/#key=", "", None),
        ("postgres://app:", "x@db", None),
        ("https://h:", "/x", None),
    ],
)
def test_which_part_it_is(before: str, after: str, kind: str | None) -> None:
    part = part_of_url(before, after)
    assert (part.kind if part else None) == kind


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node here")
def test_javascript_keeps_what_we_say_it_keeps() -> None:
    every = "".join(chr(code) for code in range(1, 0x250))
    code = "process.stdout.write(encodeURIComponent(JSON.parse(require('fs').readFileSync(0, 'utf8'))))"
    done = subprocess.run(["node", "-e", code], input=json.dumps(every), capture_output=True, text=True, check=True)
    assert done.stdout == encoded(every, "-_.!~*'()")

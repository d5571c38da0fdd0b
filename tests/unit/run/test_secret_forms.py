"""The forms of a value, by example. That each is masked in a stream is stated in tests/fuzz/test_masker.py."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from locum.run.variants import forms

AWKWARD = b"p@ss'w\"ord $HOME\\n`x` & <b>/+=%~ e\xcc\x81 \xf0\x9f\x94\x91\ttab"


def test_a_plain_value_has_few_forms() -> None:
    assert len(forms(b"abcdefghijklmnop")) < 16
    assert forms(b"") == frozenset()


@pytest.mark.parametrize(
    "form",
    [
        AWKWARD,
        AWKWARD.hex().encode(),
        b"p@ss'w\\\"ord $HOME\\\\n`x` & <b>/+=%~ e\\u0301 \\ud83d\\udd11\\ttab",
        b"p@ss'w\\\"ord $HOME\\\\n`x` & <b>/+=%~ e\xcc\x81 \xf0\x9f\x94\x91\\ttab",
        b"p@ss'\\''w\"ord $HOME\\n`x` & <b>/+=%~ e\xcc\x81 \xf0\x9f\x94\x91\ttab",
        b"p@ss''w\"ord $HOME\\n`x` & <b>/+=%~ e\xcc\x81 \xf0\x9f\x94\x91\ttab",
        b"p@ss&#x27;w&quot;ord $HOME\\n`x` &amp; &lt;b&gt;/+=%~ e\xcc\x81 \xf0\x9f\x94\x91\ttab",
        b"p%40ss'w%22ord+%24HOME%5Cn%60x%60+%26+%3Cb%3E%2F%2B%3D%25~+e%CC%81+%F0%9F%94%91%09tab",
        AWKWARD.decode().encode("utf-16-le"),
        AWKWARD.decode()[::-1].encode(),
    ],
)
def test_an_awkward_value_has_the_forms_that_programs_write(form: bytes) -> None:
    assert form in forms(AWKWARD)


@pytest.mark.parametrize("line", ["export -p", 'set -x; : "$V"', 'printf %q "$V"', "declare -p V", "set"])
def test_what_bash_writes_is_among_the_forms(line: str) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    value = b"p@ss'w\"ord $HOME\\n`x` & <b>/+=%~!*?[]{}();|#"
    done = subprocess.run([bash, "-c", line], env={b"V": value, b"PATH": b"/bin"}, capture_output=True, check=True)
    written = done.stdout + done.stderr
    assert any(form in written for form in forms(value) if len(form) >= len(value))


def test_lines_of_a_long_value_count_and_short_ones_do_not() -> None:
    found = forms(b"-----begin-----\n}\nsecond line here")
    assert b"second line here" in found
    assert b"}" not in found


def test_bytes_that_are_no_text_have_forms_too() -> None:
    value = bytes(range(0x80, 0xA0))
    assert {value, value[::-1], value.hex().encode()} <= forms(value)
    assert b"".join(b"\\x%02x" % byte for byte in value) in forms(value)

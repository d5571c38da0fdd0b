"""Any literal with a secret in it: what an interpreter reads from it stays the same when the secret is moved."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locum.rewrite.plan import Refusal
from support.bed import missing
from support.marked import applied, plan_for, value_of


@dataclass(frozen=True)
class Form:
    """One form of literal of a language."""

    path: str
    command: tuple[str, ...]
    opening: str
    closing: str
    escaped: str
    """Characters that take a backslash before them in it."""
    never: str = ""
    """Characters that cannot stand in it, or that begin something else."""


FORMS = {
    "sh single": Form("a.sh", ("sh", "-c"), "printf '%s' '", "'\n", "", "'"),
    "sh double": Form("a.sh", ("sh", "-c"), 'printf "%s" "', '"\n', '"$`\\'),
    "bash dollar": Form("a.sh", ("bash", "-c"), "printf '%s' $'", "'\n", "'\\"),
    "sh here-document": Form("a.sh", ("sh", "-c"), "cat <<END\n", "\nEND\n", "$`\\"),
    "perl single": Form("a.pl", ("perl", "-e"), "print '", "';\n", "'\\"),
    "perl double": Form("a.pl", ("perl", "-e"), 'print "', '";\n', '"$@\\'),
    "lua double": Form("a.lua", ("lua5.4", "-e"), 'io.write("', '")\n', '"\\'),
    "lua long": Form("a.lua", ("lua5.4", "-e"), "io.write([[", "]])\n", "", "[]"),
    "php single": Form("a.php", ("php", "-r"), "echo '", "';\n", "'\\"),
    "php double": Form("a.php", ("php", "-r"), 'echo "', '";\n', '"$\\', "{"),
}
_ANY = st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("é✓\"'$@\\`{}#%")


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=40, deadline=None)
@given(parts=st.tuples(*[st.text(_ANY, max_size=8), st.text(_ANY, min_size=5, max_size=16), st.text(_ANY, max_size=8)]))
def test_it_is_read_the_same(name: str, parts: tuple[str, str, str]) -> None:
    form = FORMS[name]
    if shutil.which(form.command[0]) is None:
        missing(f"no {form.command[0]} here: run `python tests/bed/install.py`")
    left, secret, right = ("".join(char for char in part if char not in form.never) + "x" for part in parts)
    spelt = ["".join(f"\\{char}" if char in form.escaped else char for char in part) for part in (left, secret, right)]
    before = form.opening + "".join(spelt) + form.closing
    start = len(form.opening) + len(spelt[0])
    made = plan_for(before, start, start + len(spelt[1]), path=form.path)
    if isinstance(made, Refusal):
        assert "escape" in made.reason or "variables" in made.reason or "here already" in made.reason, (
            before,
            made.reason,
        )
        return
    assert value_of(made) == secret.encode()
    after = applied(before, made)
    assert said(form, before, b"") == said(form, after, value_of(made)) == (left + secret + right).encode(), after


def said(form: Form, text: str, value: bytes) -> bytes:
    run = subprocess.run(
        [*form.command, text], env={**os.environb, b"NAME": value}, capture_output=True, check=False, stdin=subprocess.DEVNULL
    )  # fmt: skip
    assert run.returncode == 0, (text, run.stderr)
    return run.stdout.removesuffix(b"\n") if "cat" in form.opening else run.stdout

"""A password that is rotated to one with signs works in a URL, wherever the program escapes it: run by real toolchains."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from test_programs import PATH, Program, programs

from locum.rewrite.plan import Plan
from support.bed import missing
from support.marked import applied, plan_marked

ROTATED = "p@s:w/o?r#d [1]%25+&=é~*'(!)"
_WITHOUT = {"c++", "lua", "perl", "rust", "sh"}
"""Their standard libraries have no encoder: the note says that a new value has to be stored percent-encoded."""
_URLS = [
    program
    for program in programs()
    if program.title.endswith("a password in a URL") and program.title.partition(":")[0] not in _WITHOUT
]


@pytest.mark.parametrize("program", _URLS, ids=lambda program: program.title)
def test_a_rotated_password_works(program: Program, tmp_path: Path) -> None:
    text, made = plan_marked(program.text, path=program.path)
    assert isinstance(made, Plan)
    (tmp_path / program.path).write_text(applied(text, made))
    environment = os.environ | {"PATH": PATH, "GO111MODULE": "off", "GOCACHE": str(tmp_path / "go"), made.name: ROTATED}
    output = b""
    for command in program.commands:
        words = shlex.split(command)
        if not words[0].startswith("./") and shutil.which(words[0], path=PATH) is None:
            missing(f"no {words[0]} here: run `python tests/bed/install.py`")
        output += subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, check=True).stdout
    printed = re.search(r"postgres:\S+", output.decode().replace("\\/", "/"))
    assert printed is not None
    url = urlsplit(printed.group())
    assert url.hostname == "db"
    assert unquote(url.password or "") == ROTATED


def test_it_covers_the_languages() -> None:
    named = {program.title.partition(":")[0] for program in _URLS}
    assert {"python", "javascript", "go", "java", "kotlin", "scala", "c#", "ruby", "php"} <= named

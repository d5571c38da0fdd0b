"""Terraform reads the same before and after: hundreds of strings in one file, shown by the real program where it is."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.rewrite.plan import Plan, Refusal
from support.marked import applied, plan_for, value_of

_HARD = ["$", "%", "{", "}", "${", "%{", '"', "\\", "é", "🔑", "\n", "\t", "a", "Z", "9", "#", "//", "'", " "]
_TEXT = st.lists(st.sampled_from(_HARD), max_size=6).map("".join)


def _spelt(chance: random.Random, text: str) -> str:
    """Spell a text inside of quotes, with escapes by chance."""
    parts: list[str] = []
    for at, char in enumerate(text):
        if char in '"\\':
            parts.append("\\" + char)
        elif char in "\n\t":
            parts.append({"\n": "\\n", "\t": "\\t"}[char])
        elif char in "$%" and text[at + 1 : at + 2] == "{":
            parts.append(char * 2)
        else:
            parts.append(chance.choice([char] * 5 + [f"\\U{ord(char):08x}"]) if char not in "{$%" else char)
    return "".join(parts)


@given(_TEXT, _TEXT, _TEXT, st.integers(0, 99))
def test_the_value_is_what_the_string_means(left: str, secret: str, right: str, seed: int) -> None:
    chance = random.Random(seed)
    secret = f"Zk9{secret}Qx"
    spelt = [_spelt(chance, part) for part in (left, secret, right)]
    if not left.endswith(("$", "%")):
        text = f'locals {{\n  a = "{"".join(spelt)}"\n}}\n'
        start = text.index('"') + 1 + len(spelt[0])
        made = plan_for(text, start, start + len(spelt[1]), path="main.tf")
        assert value_of(made).decode() == secret
        assert "var.name" in applied(text, made)


@pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no Terraform here")
def test_terraform_shows_the_same(tmp_path: Path) -> None:
    chance = random.Random(7)
    values: dict[str, str] = {}
    texts = {"before": "", "after": ""}
    for number in range(150):
        left, right = ("".join(chance.choice(_HARD) for _ in range(chance.randint(0, 5))) for _ in "ab")
        middle = f"Zk9{''.join(chance.choice(_HARD) for _ in range(5))}Qx"
        url = "postgres://app:" if number % 3 == 0 else ""
        if url:
            left, middle, right = url, f"Zk9%40%3a{number}", "@db/x"
        elif left.endswith(("$", "%")) or number % 5 == 0:
            left = right = ""
        spelt = [_spelt(chance, part) for part in (left, middle, right)]
        if url:
            spelt = [left, middle, right]
        head = f'output "o{number}" {{\n  value = '
        text = f'{head}"{"".join(spelt)}"\n}}\n'
        start = len(head) + 1 + len(spelt[0])
        made = plan_for(text, start, start + len(spelt[1]), path="main.tf", name=f"N{number}")
        assert isinstance(made, Plan), (made, text)
        values[f"TF_VAR_n{number}"] = value_of(made).decode()
        texts["before"] += text
        texts["after"] += applied(text, made)
    shown = [_outputs(tmp_path / name, text, values if name == "after" else {}) for name, text in texts.items()]
    assert len(shown[0]) == len(values)
    assert shown[1] == {key: value.replace("%3a", "%3A") for key, value in shown[0].items()}


def _outputs(folder: Path, text: str, variables: dict[str, str]) -> dict[str, str]:
    folder.mkdir()
    (folder / "main.tf").write_text(text)
    environment = os.environ | variables | {"CHECKPOINT_DISABLE": "1"}
    for command in (["init"], ["apply", "-auto-approve"]):
        done = subprocess.run(["terraform", *command, "-no-color"], cwd=folder, env=environment, capture_output=True, text=True,
                              check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
    shown = subprocess.run(["terraform", "output", "-json"], cwd=folder, capture_output=True, text=True, check=True)
    return {key: output["value"] for key, output in json.loads(shown.stdout).items()}


@pytest.mark.parametrize("text", ['a = "${', "a = <<X\n", '"', "{{{", "variable {", '}"x"', "a = {\n", 'output "x" {'])
def test_broken_texts_are_read(text: str) -> None:
    made = plan_for(text + "tulip-9Zk", len(text), len(text) + 9, path="main.tf")
    assert isinstance(made, Plan | Refusal)

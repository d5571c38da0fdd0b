"""What a step of a Dockerfile hands to its shell is the same before and after: hundreds of steps, read by the real `sh`."""

from __future__ import annotations

import random
import re
import subprocess

import pytest

from locum.rewrite.plan import Plan, Refusal
from support.marked import CLOSE, OPEN, applied, plan_for, plan_marked, value_of

_HARD = ["a", "Z", "9", "$", "%", "{", "}", '"', "\\", "é", "#", " ", ";", "&", "(", "*", "~", "!"]
_MOUNT = re.compile(r"^RUN (?:--mount=\S+ )?")


def _quoted(chance: random.Random, text: str) -> str:
    """Spell a text as a word of the shell, with the quotes that chance takes."""
    if chance.random() < 0.5:
        return f"'{text}'"
    return '"' + re.sub(r'([\\"$])', r"\\\1", text) + '"'


def test_steps_say_the_same() -> None:
    chance = random.Random(3)
    before, after, values = list[str](), list[str](), dict[str, str]()
    for number in range(200):
        middle = f"Zk9{''.join(chance.choice(_HARD) for _ in range(chance.randint(0, 6)))}Qx"
        word = _quoted(chance, middle)
        other = _quoted(chance, "".join(chance.choice(_HARD) for _ in range(3)))
        head = f"RUN printf '%s|' {other} "
        step = f"{head}{word} \\\n  # it's a comment\n  && true\n"
        start = len(head) + 1
        made = plan_for(step, start, start + len(word) - 2, path="Dockerfile", name=f"N{number}")
        if isinstance(made, Refusal):
            assert "escape" in made.reason or "other variables" in made.reason, made.reason
            continue
        values[f"N{number}"] = value_of(made).decode()
        assert values[f"N{number}"] == middle
        changed = applied(step, made)
        assert f"--mount=type=secret,id=N{number},env=N{number},required=true " in changed
        before.append(step)
        after.append(changed)
    assert len(values) > 150
    assert _said(before, {}) == _said(after, values)


def _said(steps: list[str], variables: dict[str, str]) -> str:
    """Run the steps as the builder hands them on: comment lines taken out, lines joined."""
    scripts = [re.sub(r"\\\n", "", re.sub(r"(?m)^ *#.*\n", "", _MOUNT.sub("", step))) for step in steps]
    done = subprocess.run(
        ["sh", "-e"], input="".join(scripts), env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("ENV API_KEY=<tulip-9Zk>", "locum run --secret API_KEY=locum://NAME -- docker run -e API_KEY IMAGE"),
        ("ENV NAME=<tulip-9Zk>", "locum run --secret NAME -- docker run -e NAME IMAGE"),
        ("ARG TOKEN=<tulip-9Zk>", "stay in the image's history"),
        ("RUN a <tulip-9Zk>", "docker build --secret id=NAME,env=NAME ."),
        ("RUN a <tulip-9Zk>", "Dockerfile syntax 1.10 or newer"),
        ("RUN a <tulip-9Zk> >b", "stays in the image"),
        ("ENV U=https://a:<tulip-9Zk>@h", "The whole value of U is stored"),
        ("CMD a <tulip-9Zk>", "docker run -e NAME IMAGE"),
    ],
)
def test_the_note_says_how_to_build_and_start(text: str, note: str) -> None:
    _, made = plan_marked(f"{text}\n".replace("<", OPEN).replace("Zk>", f"Zk{CLOSE}"), path="Dockerfile")
    assert isinstance(made, Plan)
    assert note in made.note
    assert "tulip" not in made.note

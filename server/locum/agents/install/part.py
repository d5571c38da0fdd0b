"""One file of a client, as we change it: what is put into its text, and how that is taken out. Pure: texts in, texts out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from locum.agents.blocks import with_block, without_block
from locum.agents.install.features import Feature
from locum.agents.install.launch import Launch
from locum.errors import UsageProblem
from locum.rewrite.idioms.json_reader import JsonProblem

Change = Callable[[str, Launch], str]


@dataclass(frozen=True, slots=True)
class Part:
    """A file. `root` names the folder that `names` are told from (see `places`); the first of the names that is there counts,
    or else the first. "" is the text of a file that is not there."""

    root: str
    names: tuple[str, ...]
    put: Change
    take: Change
    syntax: str = "json"
    """`json` where strings are values that may be somebody's secret; "" where lines are text."""


def settings(root: str, names: tuple[str, ...], *features: Feature) -> Part:
    """Return a JSON file in which others have settings too."""

    def put(text: str, launch: Launch) -> str:
        for feature in features:
            text = feature.put(text, launch)
        return text

    def take(text: str, launch: Launch) -> str:
        for feature in reversed(features):
            text = feature.take(text, launch)
        return text

    return Part(root, names, _careful(put, names[0]), _careful(take, names[0]))


def owned(root: str, name: str, text: Callable[[Launch], str], syntax: str = "") -> Part:
    """Return a file that is ours alone: written whole, and gone afterwards."""
    return Part(root, (name,), lambda _, launch: text(launch), lambda _text, _launch: "", syntax)


def block(root: str, name: str, marks: tuple[str, str], lines: list[str]) -> Part:
    """Return a text file with a block of ours in it; `marks` are how its first and its last line start."""
    return Part(
        root, (name,), lambda text, _: with_block(text, marks[0], lines, marks[1]),
        lambda text, _: without_block(text, *marks), "",
    )  # fmt: skip


def _careful(change: Change, name: str) -> Change:
    def careful(text: str, launch: Launch) -> str:
        try:
            return change(text, launch)
        except JsonProblem as problem:
            line = text.count("\n", 0, problem.offset) + 1
            raise UsageProblem(
                "agent.settings",
                f"{name} is not the JSON that its client reads (line {line}); nothing was written",
                "Mend it, then run this again.",
            ) from None

    return careful

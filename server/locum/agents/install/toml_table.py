"""A table of ours at the end of somebody's TOML: put in, renewed, taken out again; all the rest stays as it is. Pure.

Found by its name, not by marks around it: a client that writes its own settings back may put a table between marks.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any, cast

from locum.errors import UsageProblem


def with_table(text: str, name: Sequence[str], pairs: Sequence[tuple[str, str]], file: str) -> str:
    """Return the text with the table `name` at its end, `pairs` of keys and spelt values in it; the same text when it has those
    already. Raises UsageProblem for what is no TOML, and where such a table cannot be added."""
    newline = "\r\n" if "\r\n" in text else "\n"
    there = _table(_parsed(text, file), name)
    lines = [f"[{'.'.join(name)}]", *(f"{key} = {value}" for key, value in pairs)]
    wanted = tomllib.loads("\n".join(lines[1:]))
    if there is not None and all(there.get(key) == value for key, value in wanted.items()):
        return text
    text = without_table(text, name, file)
    ended = not text or text.endswith("\n")
    gap = "" if not text else newline if ended else newline * 2
    made = text + gap + newline.join(lines) + (newline if ended else "")
    if _table(_loaded(made), name) != wanted:
        raise UsageProblem(
            "agent.settings",
            f"{file} keeps '{name[0]}' in a form to which no table can be added; nothing was written",
            f"Write it as [{name[0]}.NAME] tables, then run this again.",
        )
    return made


def without_table(text: str, name: Sequence[str], file: str) -> str:
    """Return the text without the table `name` and what belongs to it; the same text when it has none in a form of its own."""
    _parsed(text, file)
    dotted = r"[ \t]*\.[ \t]*".join(
        rf"""(?:{re.escape(part)}|"{re.escape(part)}"|'{re.escape(part)}')""" for part in name
    )
    head = re.compile(rf"^[ \t]*\[[ \t]*{dotted}[ \t]*(?:\.[^\r\n]*)?\][^\r\n]*(?:\r?\n|\Z)", re.MULTILINE)
    while (found := head.search(text)) is not None:
        end = _end_of_table(text, found.end())
        before, after = text[: found.start()], text[end:]
        if not after and not text.endswith("\n"):
            before = re.sub(r"(?:\r?\n){1,2}\Z", "", before)
        elif before.endswith(("\n\n", "\n\r\n")):
            before = re.sub(r"\r?\n\Z", "", before)
        changed = before + after
        if _loaded(changed) is None:
            return text
        text = changed
    return text


def _end_of_table(text: str, start: int) -> int:
    """Return where the pairs of a table end: before what stands between it and the next, comments too."""
    pair = re.compile(
        r"""[ \t]*[\w"'.-]+[ \t]*=[ \t]*(?:\[[^\]]*\]|"(?:[^"\\\r\n]|\\.)*"|'[^'\r\n]*'|[^\r\n\[])[^\r\n]*(?:\r?\n|\Z)"""
    )
    while (found := pair.match(text, start)) is not None and found.end() > start:
        start = found.end()
    return start


def _parsed(text: str, file: str) -> dict[str, Any]:
    loaded = _loaded(text)
    if loaded is None:
        raise UsageProblem("agent.settings", f"{file} is no TOML; nothing was written", "Mend it, then run this again.")
    return loaded


def _loaded(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError):  # the error may quote the text
        return None


def _table(loaded: dict[str, Any] | None, name: Sequence[str]) -> dict[str, Any] | None:
    found: Any = loaded
    for part in name:
        found = cast("dict[str, Any]", found).get(part) if isinstance(found, dict) else None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None

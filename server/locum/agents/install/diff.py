"""What would change in a client's file, for people: the lines that come and go, in which nothing stands that others wrote as a
value. A settings file may hold somebody's token in plain text, and one that no rule knows; so all of its strings are hidden."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from locum.agents import jsonc
from locum.detect.engine import default_engine
from locum.rewrite.idioms.json_reader import JsonProblem
from locum.rewrite.preview import HIDDEN
from locum.text.source import SourceText


def shown(before: str, after: str, name: str, syntax: str) -> Iterator[str]:
    """Yield the lines of a unified diff without context. `name` is how the file is called, `syntax` as in `Part`."""
    hidden = _findings(before)
    if syntax == "json":
        try:
            ours = set(jsonc.strings(after)) - set(jsonc.strings(before))
            hidden |= {f'"{value}"' for value in jsonc.strings(before) if value not in ours and len(value) > 1}
        except JsonProblem:
            hidden |= set(before.splitlines())
    old, new = before, after
    for value in sorted(hidden, key=len, reverse=True):
        mask = f'"{HIDDEN}"' if value.startswith('"') else HIDDEN
        old, new = old.replace(value, mask), new.replace(value, mask)
    yield from difflib.unified_diff(old.splitlines(), new.splitlines(), name, name, n=0, lineterm="")


def holds_secrets(text: str) -> bool:
    """Say whether a text holds what any rule takes for a secret, also where somebody silenced it."""
    return bool(_findings(text))


def _findings(text: str) -> set[str]:
    source = SourceText(text)
    result = default_engine().scan(source.utf8, ignore=False)
    return {
        source.text[source.offset_of_byte(found.start) : source.offset_of_byte(found.end)] for found in result.findings
    } - {""}

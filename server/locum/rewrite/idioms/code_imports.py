"""Lines that an expression needs at the top of a file: added once each, where the project has such lines.

Knows nothing of secrets. `code` is the text with its strings and comments blanked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from locum.rewrite.idioms.code_languages import Import
from locum.rewrite.target import Target
from locum.text.edits import Edit

_ENTRY = re.compile(r'[ \t]*(?:[\w.]+[ \t]+)?"[^"\r\n]*"[^\r\n]*\r?\n')
_HEADER = re.compile(r"#(?![ \t]*include)|@file")
_QUOTED = re.compile(r"""['"]""")


def add_imports(target: Target, code: str, expression: str, needs: Iterable[Import]) -> tuple[str, list[Edit]]:
    """Return the expression, with other names where one of its own is taken, and the edits that add what it needs."""
    lines: list[tuple[str, Import]] = []
    for need in needs:
        name, line = _named(target, code, need)
        if name != need.package:
            expression = re.sub(rf"\b{need.package}\.", f"{name}.", expression)
        if line:
            lines.append((line, need))
    lines.sort(key=lambda added: _path(added[0]))
    if target.kind == "go":
        return expression, _go(target, [line for line, _ in lines], lines[0][1].after) if lines else []
    return expression, _joined(target, [_line(target, line, need) for line, need in lines])


def _named(target: Target, code: str, need: Import) -> tuple[str, str]:
    """Return what the text calls the package, and the line that is missing, if it is."""
    taken = need.package and re.search(rf"(?<![.\w]){need.package}\b(?![\w.])", code)
    for found in re.finditer(need.present, target.text):
        name = (found.groupdict().get("name") or need.package) if need.package else ""
        if name not in {"_", "."} and not (taken and name == need.package):
            return name, ""
    if taken:
        return need.alias, f"{need.alias} {need.line}"
    return need.package, need.line


def _line(target: Target, line: str, need: Import) -> tuple[int, str, str]:
    """Return where the line goes, the line, and what stands before that place: the match of a pattern, or nothing."""
    for pattern in need.after:
        for match in reversed(list(re.finditer(pattern, target.text))):
            found = match.group()
            if line.startswith("require") and (quote := _QUOTED.search(found)):
                line = line.replace("'", quote.group())
            return match.end(), line, found
    return 0, line, ""


def _joined(target: Target, lines: list[tuple[int, str, str]]) -> list[Edit]:
    """Make one edit a place, with a blank line between it and what is no import."""
    text, newline = target.text, target.newline
    edits: list[Edit] = []
    for at in sorted({at for at, _, _ in lines}):
        here = [(line, found) for start, line, found in lines if start == at]
        above = here[0][1]
        packaged = above.startswith("package")
        ends = packaged or _HEADER.match(above) is not None
        gap = newline if packaged or (ends and not re.search(r"\n[ \t]*\r?\n\Z", above)) else ""
        rest = newline if ends and text[at : at + 1] not in {"", "\r", "\n"} else ""
        edits.append(Edit(at, at, gap + "".join(line + newline for line, _ in here) + rest))
    return edits


def _go(target: Target, lines: list[str], after: tuple[str, ...]) -> list[Edit]:
    text, newline = target.text, target.newline
    for pattern in after:
        matches = list(re.finditer(pattern, text))
        if not matches:
            continue
        if "(" in matches[0].group():
            return _in_block(text, matches[0].end(), lines, newline)
        at, found = matches[-1].end(), matches[-1].group()
        gap = newline if found.startswith("package") else ""
        end = "" if found.endswith("\n") else newline
        if gap and len(lines) > 1:
            body = "".join(f"\t{line}{newline}" for line in lines)
            return [Edit(at, at, f"{end}{gap}import ({newline}{body}){newline}")]
        return [Edit(at, at, end + gap + "".join(f"import {line}{newline}" for line in lines))]
    return [Edit(0, 0, "".join(f"import {line}{newline}" for line in lines))]


def _in_block(text: str, start: int, lines: list[str], newline: str) -> list[Edit]:
    """Put lines into `import (…)` as gofmt sorts its first group."""
    if text[start - 1 : start] != "\n":
        return [Edit(start, start, "".join(f"{line}; " for line in lines))]
    at = start
    places: dict[int, str] = {}
    for line in lines:
        while (entry := _ENTRY.match(text, at)) is not None and _path(entry.group()) <= _path(line):
            at = entry.end()
        places[at] = places.get(at, "") + f"\t{line}{newline}"
    return [Edit(place, place, added) for place, added in places.items()]


def _path(line: str) -> str:
    return line.split('"')[1] if '"' in line else line

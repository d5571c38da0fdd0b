"""Reads the case files of formats. As for providers: a case is a line, its values are made up at run time.

`rule ¦ path ¦ text with the values in [[ ]] ¦ name`. Besides `{kind:length}`, `«b64 …»` (also `b64u`, `hex`, `pct`, `json`)
encodes what stands in it.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from locum.detect import formats
from locum.detect.selectors import choose
from unit.detect.detect_cases import filled

FOLDER = Path(__file__).parent
_CODED = re.compile("«(b64u?|hex|pct|json) ([^«»]*)»")
_SELECTOR = choose(list(formats.ANCHORS))


@dataclass(frozen=True)
class Case:
    rule: str
    path: str
    template: str
    name: str

    def build(self, seed: int) -> tuple[bytes, list[tuple[int, int]]]:
        """Return the text and the byte spans of its values."""
        text, spans = made(self.template, seed), list[tuple[int, int]]()
        while b"[[" in text:
            start = text.index(b"[[")
            end = text.index(b"]]", start) - 2
            while text[end + 4 : end + 5] == b"]":
                end += 1
            text = text[:start] + text[start + 2 : end + 2] + text[end + 4 :]
            spans.append((start, end))
        return text, spans


def cases(name: str) -> list[Case]:
    """Read a file of cases."""
    lines = [line.split(" ¦ ") for line in (FOLDER / name).read_text("utf-8").splitlines() if line and line[:2] != "##"]
    return [
        Case(line[0], "" if line[1] == "-" else line[1], line[2], line[3] if len(line) > 3 else "") for line in lines
    ]


def made(template: str, seed: int) -> bytes:
    """Fill a template and encode the parts that it marks, the inner ones first."""
    text, count = filled(template, seed), 1
    while count:
        text, count = _CODED.subn(lambda part: coded(part[1], part[2]), text)
    return text.encode()


def coded(kind: str, text: str) -> str:
    """Encode a text."""
    raw = text.encode()
    if kind == "json":
        return json.dumps(text)[1:-1]
    if kind == "pct":
        return quote(text, safe="")
    if kind == "hex":
        return raw.hex()
    return (base64.urlsafe_b64encode(raw).rstrip(b"=") if kind == "b64u" else base64.b64encode(raw)).decode()


def places(data: bytes) -> dict[str, list[int]]:
    """Say where each anchor begins, as layer 1 does."""
    found: dict[str, list[int]] = {}
    for number, end in _SELECTOR.hits(data):
        anchor = formats.ANCHORS[number]
        found.setdefault(anchor, []).append(end - len(anchor))
    return found


def slots(data: bytes, path: str = "") -> list[formats.Slot]:
    """Return a text's slots in order."""
    return sorted(formats.slots(data, path, places(data)))


def views(data: bytes, path: str = "") -> list[formats.View]:
    """Return the texts that stand in a text."""
    return list(formats.views(data, path, places(data)))

"""What a file's format says about it: which places hold credentials, which are encrypted, and which text stands encoded in it.

Readers are called at anchors that layer 1 saw (`ANCHORS`), or because of the file's name, so an ordinary file costs nothing.
Every reader looks at a bounded part, and the work for one text is counted (`Work`). Pure; all offsets are bytes into `data`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from locum.detect.formats import (
    code,
    commands,
    databases,
    encoded,
    headers,
    infrastructure,
    kubernetes,
    literals,
    loginfiles,
    markup,
    notebook,
    pairs,
    seeds,
)
from locum.detect.formats.encrypted import ANCHORS as ENCRYPTED
from locum.detect.formats.encrypted import encrypted_spans
from locum.detect.formats.model import Builder, FileReader, Reader, Room, Slot, Source, View, Work
from locum.detect.formats.ruletext import RULES

__all__ = ["ANCHORS", "FAR", "RULES", "Slot", "View", "Work", "encrypted", "slots", "views"]

_TABLES: tuple[tuple[Mapping[str, Reader], int], ...] = (
    (code.AT, 40), (commands.AT, 10), (databases.AT, 20), (headers.AT, 10), (infrastructure.AT, 4), (kubernetes.AT, 4),
    (loginfiles.AT, 10), (markup.AT, 20), (pairs.AT, 20), (seeds.AT, 10),
)  # fmt: skip
"""Readers by anchor, and what one look costs at most, in units of work; those that charge for what they read cost less."""
_AT: dict[str, list[tuple[Reader, int]]] = {}
for _table, _cost in _TABLES:
    for _anchor, _reader in _table.items():
        _AT.setdefault(_anchor, []).append((_reader, _cost))
_PARTS: tuple[tuple[str, Callable[[Source, Mapping[str, list[int]], Builder], None]], ...] = (
    ("text of a notebook's cells", notebook.cell_parts),
    ("literals, joined and unescaped", literals.literal_parts),
    ("decoded from base64", encoded.base64_parts),
    ("decoded from hexadecimal", encoded.hex_parts),
    ("decoded from percent encoding", encoded.percent_parts),
)
_NAMES: dict[str, FileReader] = {**loginfiles.NAMES, **infrastructure.NAMES}

ANCHORS: tuple[str, ...] = tuple(dict.fromkeys((*_AT, *encoded.ANCHORS, *literals.ANCHORS, *ENCRYPTED)))
"""Lower-case ASCII literals at which the readers look."""
FAR = frozenset((*kubernetes.AT, *infrastructure.AT))
"""Those of readers that look at all of the text, not only at what stands near."""


def slots(data: bytes, path: str, places: Mapping[str, list[int]], work: Work | None = None) -> Iterator[Slot]:
    """Yield the places that hold a credential because the format says so, each once, in no order.

    `path` is relative, with `/`, and may be ""; `places` says where each of `ANCHORS` begins. Placeholders are the caller's.
    `work.cut` says afterwards whether something was left undone.
    """
    lower = path.lower()
    source = Source(data, lower, work or Work.for_text(data))
    seen: set[tuple[int, int]] = set()
    for slot in _all(source, lower.rpartition("/")[2], places):
        if slot.start < slot.end and slot[:2] not in seen:
            seen.add(slot[:2])
            yield slot


def views(data: bytes, path: str, places: Mapping[str, list[int]], work: Work | None = None) -> Iterator[View]:
    """Return the texts that stand encoded in this one: to be scanned like texts, with a way back to `data`."""
    source = Source(data, path.lower(), work or Work.for_text(data))
    room = Room(data, source.work)
    for why, add in _PARTS:
        builder = Builder(data, room)
        add(source, places, builder)
        yield from builder.views(why)


def encrypted(
    data: bytes, path: str, work: Work | None = None, places: Mapping[str, list[int]] | None = None
) -> list[tuple[int, int]]:
    """Return the spans that hold encrypted values, or no text: in order, without overlaps. Nothing is to be found in them.

    Without `places` the text is searched for what such values begin with, which takes longer.
    """
    merged: list[tuple[int, int]] = []
    for start, end in sorted(encrypted_spans(data, path, places, work or Work.for_text(data))):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif start < end:
            merged.append((start, end))
    return merged


def _all(source: Source, name: str, places: Mapping[str, list[int]]) -> Iterable[Slot]:
    by_name = _NAMES.get(name) or next(
        (read for end, read in infrastructure.ENDINGS.items() if name.endswith(end)), None
    )
    if by_name is None and name.startswith(("dockerfile.", "containerfile.")):
        by_name = infrastructure.image
    if by_name is not None:
        yield from by_name(source)
    for anchor, found in places.items():
        for reader, cost in _AT.get(anchor, ()):
            for at in found:
                if not source.work.take(cost):
                    return
                yield from reader(source, at)

"""Notebooks: code and text of the cells, and what they printed, as text; images, ids and other media are no text."""

from __future__ import annotations

from collections.abc import Mapping

from locum.detect.formats.jsontext import values
from locum.detect.formats.literals import add_unescaped
from locum.detect.formats.model import Builder, Source

_TEXTS = frozenset((
    b"source", b"input", b"text", b"text/plain", b"text/markdown", b"text/html", b"application/json", b"traceback", b"evalue",
))  # fmt: skip
_CELLS = frozenset((b"cells", b"worksheets"))


def cell_parts(source: Source, _places: Mapping[str, list[int]], builder: Builder) -> None:
    """Add the text of each cell and of its outputs."""
    if not source.path.endswith(".ipynb"):
        return
    before = (-1, b"")
    for value in values(source.data, source.work):
        keys = value.keys
        if not value.text or keys[0] not in _CELLS:
            continue
        in_list = keys[-1] == b"[]"
        name = keys[-2] if in_list else keys[-1]
        if name in _TEXTS:
            here = (value.containers[-2] if in_list else value.containers[-1], name)
            if here != before:
                builder.gap()
            before = here
            add_unescaped(source.data, value.start, value.end, builder)

"""JSON as people and programs leave it: any layout, comments, trailing commas, line ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

_WORDS = st.text('abc é"\\/*,', max_size=6)
_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), _WORDS)


def objects(names: Sequence[str]) -> st.SearchStrategy[str]:
    """Return texts of objects with some of these names at the top and one level down, laid out at random."""
    keys = st.one_of(st.sampled_from(names), _WORDS)
    values = st.recursive(
        _LEAVES,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
        max_leaves=6,
    )
    return st.dictionaries(keys, values, max_size=4).flatmap(_laid_out)


def _laid_out(value: dict[str, Any]) -> st.SearchStrategy[str]:
    @st.composite
    def text(draw: st.DrawFn) -> str:
        newline = draw(st.sampled_from(["\n", "\r\n"]))
        unit = draw(st.sampled_from(["  ", "\t", "    "]))
        end = draw(st.sampled_from(["", newline, newline * 2]))
        comments = draw(st.booleans())
        return _spell(draw, value, newline, unit, "", comments) + end

    return text()


def _spell(draw: st.DrawFn, value: Any, newline: str, unit: str, indent: str, comments: bool) -> str:
    if not isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    left, right = "{}" if isinstance(value, dict) else "[]"
    inner = indent + unit
    items = [
        (f"{json.dumps(key, ensure_ascii=False)}:{draw(st.sampled_from(['', ' ']))}" if key is not None else "")
        + _spell(draw, item, newline, unit, inner, comments)
        for key, item in (value.items() if isinstance(value, dict) else ((None, item) for item in value))
    ]
    remark = st.sampled_from(["", "", " // note", " /* a, b */"]) if comments else st.just("")
    if not items:
        return (
            left + draw(st.sampled_from(["", " ", newline + indent, f" // none{newline}" if comments else ""])) + right
        )
    style = draw(st.sampled_from(["compact", "spaced", "lines", "lines"]))
    if style != "lines":
        pad = " " if style == "spaced" else ""
        return left + pad + ("," + pad).join(items) + pad + right
    last = "," if comments and draw(st.booleans()) else ""
    lines = [
        f"{inner}{item}{',' if item_number < len(items) - 1 else last}{draw(remark)}"
        for item_number, item in enumerate(items)
    ]
    return left + draw(remark) + newline + newline.join(lines) + newline + indent + right

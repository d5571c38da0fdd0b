"""Where in a manifest's text something stands. Offsets are code points."""

from __future__ import annotations

from locum.refs.manifest import Place
from locum.text.toml_places import Span, TomlPlaces, Written


def span_of(text: str, place: Place, *, key: bool = False) -> Span:
    """Return where `place` stands: its value where one is written after its key or in a list (and `key` is not asked for),
    else its key or the header of its table. What is not there stands where the nearest that holds it does; () is all.
    """
    reader = TomlPlaces(text)
    while place:
        if place in reader.values and not (key and place in reader.keys):
            return reader.values[place]
        if place in reader.keys:
            return reader.keys[place]
        place = place[:-1]
    return 0, len(text)


def written(text: str) -> list[Written]:
    """Return every name (of a header, of a key) and every value that is written, in the order of the text."""
    return TomlPlaces(text).written


def name_span(text: str, place: Place) -> Span:
    """Return where the last part of `place` is written first, as a name; where `span_of` says when it is not."""
    names = (item for item in written(text) if item.place == place and item.role != "value")
    return next(((item.start, item.end) for item in names), span_of(text, place))

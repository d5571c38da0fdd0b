"""Where in a manifest's text something stands. Offsets are code points."""

from __future__ import annotations

from locum.refs.manifest import Place
from locum.text.toml_places import Span, TomlPlaces


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

"""Server-sent events come out the same however the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.agents.event_stream import EventStream, TooLong

STREAM = (
    b"\xef\xbb\xbfid: 1\nretry: 1500\ndata:\n\n"
    b": a comment\n\n"
    b'event: message\r\ndata: {"a":\r\ndata:  1}\r\n\r\n'
    b"event: endpoint\rdata: /messages?x=1:2\r\r"
    b"data\nunknown: x\nretry: soon\nid: \0\n\n"
    b"id\ndata: \xc3\xa9\n\n"
    b"data: not ended"
)
EVENTS = [
    ("message", b"", "1", 1.5),
    ("message", b'{"a":\n 1}', None, None),
    ("endpoint", b"/messages?x=1:2", None, None),
    ("message", b"", None, None),
    ("message", "\u00e9".encode(), "", None),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_events_do_not_depend_on_how_they_arrive(cuts: list[int]) -> None:
    stream = EventStream(1000)
    places = sorted({0, *cuts, len(STREAM)})
    found = [event for start, end in pairwise(places) for event in stream.feed(STREAM[start:end])]
    assert [(event.name, event.data, event.id, event.retry) for event in found] == EVENTS


@pytest.mark.parametrize("chunk", [b"data: " + b"x" * 50, b"data: x\n" * 20, b": " + b"x" * 50])
def test_an_event_is_bounded(chunk: bytes) -> None:
    stream = EventStream(40)
    with pytest.raises(TooLong):
        list(stream.feed(chunk))


def test_many_events_are_not_one() -> None:
    stream = EventStream(40)
    assert len([event for _ in range(50) for event in stream.feed(b"data: x\n\n")]) == 50

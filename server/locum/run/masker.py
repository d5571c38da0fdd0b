"""The mask over the output of a task: secrets go in, references come out.

Knows bytes of one stream as they arrive; knows nothing of processes and terminals. The promise, for any chunking and
timing: no 12 bytes in a row of any registered form of a value are written, white space and escape sequences not
counted; a value of 6 to 11 bytes is never written whole. Text without secrets passes unchanged, byte for byte.

Why it holds: whatever completes such a run is found when its last byte arrives, because the last 11 bytes before are
always remembered, written or not; that last byte is never written. Holding back what may become a run only makes
the part that was written before shorter: at most 3 bytes of one burst, at most 10 of one that dribbles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from locum.run.patterns import FREE, WINDOW, Patterns, Span
from locum.run.visible import (
    ESCAPE,
    control_sequences,
    is_inside_title,
    literal,
    literal_offsets,
    sequences,
    shows_nothing,
    unfinished_from,
    visible,
    visible_offsets,
)
from locum.secret import SecretBytes

IDLE = 7
"""So many bytes that were held back may be shown when nothing follows."""
MOST_HELD = 1024
"""Raw bytes; a tail that is mostly white space and colours is not worth more memory than this."""

_PAST = WINDOW - 1


class _Hidden(NamedTuple):
    """A stretch of the raw text that must not be written."""

    start: int
    end: int
    owner: int


class _Joint:
    """What the streams of one task have in common: the end of what was written last, and by which of them.

    A reader who has both streams (a pipe each, shown together) sees a value that is written half here, half there.
    """

    __slots__ = ("last", "past", "streams")

    def __init__(self) -> None:
        self.streams = 0
        self.last: Masker | None = None
        self.past = b""


class Masker:
    """Replaces the secrets in one stream. `markers` maps what to write instead, the reference, to the value."""

    def __init__(
        self, markers: Mapping[str, SecretBytes], spelt: Sequence[tuple[str, SecretBytes]] = ()
    ) -> None:  # fmt: skip
        """Register the values; they may be wiped afterwards. Pieces of them live on in the search tables.

        `spelt`: other forms of those values, each with what to write instead of it.
        """
        names = (*markers, *(name for name, _ in spelt))
        self._patterns = Patterns((*markers.values(), *(value for _, value in spelt)))
        self._markers = tuple(name.encode() for name in names)
        self.unmaskable: tuple[str, ...] = tuple(dict.fromkeys(names[owner] for owner in self._patterns.unmaskable))
        """The markers whose values are too short to be masked: the caller tells the person."""
        self._joint = _Joint()
        self._start()

    def sibling(self) -> Masker:
        """Return a mask for another stream that hides the same values and shares the search tables."""
        return self._beside(_Joint())

    def companion(self) -> Masker:
        """Return a sibling for another stream of the same task: what is split between the two is hidden as well."""
        self._joint.streams += 1
        return self._beside(self._joint)

    def _beside(self, joint: _Joint) -> Masker:
        other = Masker({})
        other._patterns, other._markers, other.unmaskable = self._patterns, self._markers, self.unmaskable
        other._joint = joint
        return other

    def _start(self) -> None:
        # Both readings of what went before `_tail`, WINDOW - 1 bytes of each.
        self._literal_past = b""
        self._visible_past = b""
        # Raw bytes that are looked at again; the first `_settled` of them are written or replaced already.
        self._tail = b""
        self._settled: int = 0
        # Whether the last byte that counts was replaced, so that more of the same secret needs no second marker.
        self._masking = False

    @property
    def holding(self) -> bool:
        """Whether bytes wait for what follows: then call `idle` when nothing does."""
        return len(self._tail) > self._settled

    def feed(self, chunk: bytes) -> bytes:
        """Take what the task wrote, return what may be written now."""
        if self._patterns.empty():
            return chunk
        if self._joint.streams > 1:
            chunk = self._across_streams(chunk)
        text = self._tail + chunk
        readings = self._undisturbed(text)
        if readings is None:
            return self._search(text, final=False)
        passed = text[self._settled :]
        if not shows_nothing(passed):
            self._masking = False
        self._literal_past, self._visible_past = readings[0][-_PAST:], readings[1][-_PAST:]
        self._tail, self._settled = b"", 0
        return passed

    def _across_streams(self, chunk: bytes) -> bytes:
        """Replace the beginning of a chunk where it completes what another stream of the task has begun."""
        joint, start = self._joint, chunk[: 4 * WINDOW]
        past, joint.past = joint.past, (joint.past + literal(chunk[-16 * WINDOW :]))[-_PAST:]
        if joint.last is not self:
            joint.last = self
            for span in self._patterns.spans(past + literal(start)):
                if span.start < len(past) < span.end:
                    end = literal_offsets(start)[span.end - len(past) - 1] + 1
                    return self._markers[span.owner] + chunk[end:]
        return chunk

    def idle(self) -> bytes:
        """Return held bytes that may be shown because nothing follows; call it when the stream rests."""
        held = self._tail[self._settled :]
        if len(literal(held if self._masking else self._tail)) > IDLE:
            return b""
        if not shows_nothing(held):
            self._masking = False
        self._settled = len(self._tail)
        return held

    def flush(self) -> bytes:
        """Return what is left at the end of the stream."""
        return self._search(self._tail, final=True)

    def _undisturbed(self, text: bytes) -> tuple[bytes, bytes] | None:
        """Return both readings of the text, past included; None when one needs a closer look. Most chunks need none."""
        as_written = self._literal_past + literal(text)
        if self._is_suspect(as_written):
            return None
        if ESCAPE not in text and self._literal_past == self._visible_past:
            return as_written, as_written
        as_seen = self._visible_past + visible(text)
        if self._is_suspect(as_seen) or unfinished_from(text) < len(text):
            return None
        return as_written, as_seen

    def _is_suspect(self, reading: bytes) -> bool:
        return self._patterns.occurs_in(reading) or self._patterns.growing(reading) > 0

    def _search(self, text: bytes, *, final: bool) -> bytes:
        """Replace what must not be written, and hold back what may become such."""
        cut = len(text) if final else unfinished_from(text)
        hidden = self._hidden(text, cut)
        retain, settle = (len(text), len(text)) if final else self._limits(text, cut)
        settle = max(settle, self._settled, *(stretch.end for stretch in hidden))
        out = self._replace(text, hidden, settle)
        self._literal_past = (self._literal_past + literal(text[:retain]))[-_PAST:]
        self._visible_past = (self._visible_past + visible(text[:retain]))[-_PAST:]
        self._tail, self._settled = text[retain:], settle - retain
        return out

    def _hidden(self, text: bytes, cut: int) -> list[_Hidden]:
        """Return what must not be written, in both readings, in order. The visible one ends where a sequence is cut."""
        as_written = self._patterns.spans(self._literal_past + literal(text))
        as_seen = self._patterns.spans(self._visible_past + visible(text[:cut]))
        found: list[_Hidden] = []
        if as_written:
            whole = sequences(text)
            stretches = _in_raw_text(as_written, len(self._literal_past), literal_offsets(text))
            found += [_not_across_sequences(stretch, text, whole) for stretch in stretches]
        if as_seen:
            found += _in_raw_text(as_seen, len(self._visible_past), visible_offsets(text[:cut]))
        return sorted(found)

    def _limits(self, text: bytes, cut: int) -> tuple[int, int]:
        """Return from where the text is to be looked at again, and up to where it may be written now."""
        growing = self._patterns.growing
        settle = len(text)
        held = growing(self._literal_past + literal(text))
        if held:
            settle = _from_end(literal_offsets(text), held)
        # What precedes a cut sequence may turn out to touch what follows it: then nothing is free.
        held = growing(self._visible_past + visible(text[:cut]), FREE if cut == len(text) else 0)
        if held:
            settle = min(settle, _from_end(visible_offsets(text[:cut]), held))
        if len(text) - settle > MOST_HELD:
            settle = len(text)
        retain = min(settle, cut)
        if retain < cut:
            retain = min([retain, *(start for start, end in sequences(text) if start < retain < end)])
        return retain, settle

    def _replace(self, text: bytes, hidden: list[_Hidden], settle: int) -> bytes:
        """Return the text from what was settled to `settle`, one marker for each stretch that must not be written."""
        out = bytearray()
        position = self._settled
        for stretch in hidden:
            if stretch.end <= position:
                continue
            if stretch.start >= position:
                out += text[position : stretch.start]
                position = stretch.start
                self._masking = False
            if not self._masking:
                out += self._markers[stretch.owner]
            out += self._harmless_controls(text[position : stretch.end])
            position = stretch.end
            self._masking = True
        rest = text[position:settle]
        if not shows_nothing(rest):
            self._masking = False
        return bytes(out + rest)

    def _harmless_controls(self, replaced: bytes) -> bytes:
        """Return the cursor moves and colours amid replaced text, or the screen would stay red; unless they tell it."""
        controls = control_sequences(replaced)
        return b"" if self._patterns.spans(literal(controls)) else controls


def _in_raw_text(spans: list[Span], past: int, offsets: list[int]) -> list[_Hidden]:
    """Move spans of a reading to the raw text; what begins in the past begins at -1."""
    return [
        _Hidden(-1 if span.start < past else offsets[span.start - past], offsets[span.end - past - 1] + 1, span.owner)
        for span in spans
        if span.end > past
    ]


def _not_across_sequences(stretch: _Hidden, text: bytes, whole: list[tuple[int, int]]) -> _Hidden:
    """Widen the stretch to the escape sequences that it would cut, so that no half of one is left."""
    start, end, owner = stretch
    for first, last in whole:
        cuts = first < start < last or first < end < last
        if cuts and not is_inside_title(text, (first, last), start, end):
            start, end = min(start, first), max(end, last)
    return _Hidden(start, end, owner)


def _from_end(offsets: list[int], count: int) -> int:
    """Return where the last `count` bytes of a reading begin in the text; 0 when that is before its beginning."""
    return offsets[-count] if count <= len(offsets) else 0

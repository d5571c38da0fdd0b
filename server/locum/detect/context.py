"""Context rules: a value without a mark of its own, near the name of the service that it belongs to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from locum.text.expression import lazy

if TYPE_CHECKING:
    from locum.detect.pack import Rule

_MOST = 4
"""Values that are looked at after one word."""
WIDEST = 1024
_STARTS = lazy(rb"(?<![0-9A-Za-z_])[0-9A-Za-z_]++|(?<=[\s\"'`=:])[-+/.$*\[]")
"""A value begins as a word does, or with a sign of its alphabet right behind what assigns it."""
_CREDENTIAL = (
    rb"key|token|secret|auth|pass|pwd|cred|bearer|api|access|client|app|bot|pat|private|webhook|account|signature"
)
_SAYS = lazy(rb"(?i)" + _CREDENTIAL + rb"|[=:>]\s{0,8}[\"'`]?$")
_WORD_ENDS = lazy(rb"(?=[^A-Za-z]|$)|(?<=[a-z0-9])(?=[A-Z])|(?i:" + _CREDENTIAL + rb")")


def values_near(rule: Rule, data: bytes, anchor: int, anchor_end: int) -> Iterable[tuple[int, int]]:
    """Return where the shape of a context rule stands at most `near` bytes after the word at `[anchor, anchor_end)`."""
    before = data[anchor - 1 : anchor] if anchor else b""
    if before.isalpha() and not (before.islower() and data[anchor : anchor + 1].isupper()):
        return ()  # the end of another word
    if not _WORD_ENDS.match(data, anchor_end):
        return ()
    found: list[tuple[int, int]] = []
    last = min(anchor_end + rule.near, len(data))
    match = rule.pattern.match
    for word in _STARTS.finditer(data, anchor_end, last):
        start = word.start()
        if data[start - 1 : start] == b"#":
            continue  # a commit or a digest behind a package's address
        value = match(data, start, start + WIDEST)
        if value is None and data[start - 1 : start] == b"\\":
            value = match(data, start + 1, start + WIDEST)  # the n of an escaped line end
        if value is not None:
            found.append(value.span(rule.group))
            if len(found) == _MOST:
                break
    return found


def says_credential(data: bytes, start: int, end: int) -> bool:
    """Say whether what stands between the word and the value speaks of a credential, or assigns."""
    return _SAYS.search(data, start, end) is not None

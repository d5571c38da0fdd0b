"""The check of the record: every link, every signature, every file, every anchor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from locum.broker.audit import RECOVERED, SALT_SIZE
from locum.broker.audit_anchor import GONE, Anchor, anchor_path, read_anchor
from locum.broker.audit_files import AuditFailed, first_gap, full_files, lines_of, log_files
from locum.broker.audit_record import (
    ANCHOR_SALT,
    FIRST,
    MAX_LINE,
    Derive,
    Parsed,
    is_signed,
    next_key,
    operation_of,
    parse_exactly,
    part,
    sequence_of,
)
from locum.secret import SecretBytes

CLOCK_SLACK = 1000
"""Milliseconds that the wall clock may lag behind the machine's own before it is told: clocks are put right all day."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the record is whole. `first_bad` counts records from 1, over all files; `file` is the name of its file."""

    ok: bool
    records: int
    first_bad: int | None = None
    reason: str = ""
    file: str = ""
    files: int = 1
    anchors: tuple[tuple[str, str], ...] = ()
    """What vouches for the end: each anchor's name and what it says."""
    notes: tuple[str, ...] = ()
    """What is odd without being wrong: the clock was set back."""


def verify(path: Path, derive: Derive, others: Mapping[str, Anchor | str] | None = None) -> Verdict:
    """Check everything; the log may be written to meanwhile. `others` are anchors besides the file's (read before this
    is called), or why there is none.

    Raises AuditFailed when a file cannot be read, and what `derive` raises.
    """
    anchor_key = derive(ANCHOR_SALT)
    # before the lines: it may vouch for fewer than there are, never for more
    anchors: dict[str, Anchor | str] = {"file": read_anchor(anchor_path(path), anchor_key), **(others or {})}
    anchor_key.wipe()
    check = _Check(path, derive, {anchor.sequence for anchor in anchors.values() if isinstance(anchor, Anchor)})
    try:
        fault = check.read()
        gap = first_gap(path, full_files(path)) if path.parent.is_dir() else ""
    except OSError as error:
        raise AuditFailed(error.strerror or "error") from None
    if gap and fault is not None:
        fault = _Fault(fault.number, fault.file, f"{fault.reason}; {gap} is missing")
    if fault is None:
        fault = _check_anchors(anchors, check, path.name)
    says = tuple((name, _say(anchor, name, check.number)) for name, anchor in anchors.items())
    notes = tuple(check.notes)
    if fault is not None:
        return Verdict(False, check.number, fault.number, fault.reason, fault.file, check.files, says, notes)
    return Verdict(True, check.number, None, "", "", max(1, check.files), says, notes)


@dataclass(frozen=True, slots=True)
class _Fault:
    number: int
    file: str
    reason: str


def _check_anchors(anchors: Mapping[str, Anchor | str], check: _Check, file: str) -> _Fault | None:
    """Compare the end with what was known of it."""
    for name, anchor in anchors.items():
        whose = "" if name == "file" else f" (says the {name})"
        if isinstance(anchor, str):
            if name == "file" and (check.number or check.files > 1 or anchor != GONE):
                return _Fault(max(1, check.number), file, anchor)
        elif anchor.sequence > check.number:
            lost = f"records are missing at the end: there were {anchor.sequence}{whose}"
            return _Fault(check.number + 1, file, lost)
        elif check.digests.get(anchor.sequence) != anchor.digest:
            other = f"record {anchor.sequence} is another one than was written{whose}"
            return _Fault(anchor.sequence or 1, file, other)
    return None


def _say(anchor: Anchor | str, name: str, records: int) -> str:
    if isinstance(anchor, str):
        return "nothing is recorded yet" if name == "file" and not records and anchor == GONE else anchor
    return f"vouches for {anchor.sequence} of {records} records"


class _Check:
    """Reads the files from the first line on, until something is wrong."""

    def __init__(self, path: Path, derive: Derive, wanted: set[int]) -> None:
        self._path = path
        self._chained = _Chain(derive)
        self.number = self.files = 0
        self.digests = {0: FIRST}
        """The hashes of the records that anchors name."""
        self._wanted = wanted
        self.notes: list[str] = []
        self._clock = _Clock()

    def read(self) -> _Fault | None:
        """Check all lines; return what is wrong first. `number` is then still that of all lines. Raises OSError."""
        fault: _Fault | None = None
        torn: Path | None = None  # a file that ends within a line, which only the last may
        for file, stream in log_files(self._path):
            self.files += 1
            for line in lines_of(stream):
                if fault is None and torn is not None:
                    fault = _Fault(self.number + 1, torn.name, "the end of its file is torn")
                if len(line) <= MAX_LINE and not line.endswith(b"\n"):
                    torn = file  # the end of the file: a writer is at it, or a crash tore it
                    break
                self.number += 1
                if fault is None:
                    fault = self._follow(line, file)
        return fault

    def _follow(self, line: bytes, file: Path) -> _Fault | None:
        wrong = self._chained.follow(line)
        if wrong:
            return _Fault(self.number, file.name, wrong)
        if self.number in self._wanted:
            self.digests[self.number] = self._chained.previous
        note = self._clock.look(self._chained.parsed)
        if note:
            self.notes.append(f"record {self.number}: {note}")
        return None


class _Clock:
    """Notices a wall clock that was set back while the machine's own went on."""

    def __init__(self) -> None:
        self._boot, self._wall, self._uptime = "", 0, 0

    def look(self, parsed: Parsed | None) -> str:
        more = part(parsed.record, "unmapped") if parsed is not None else {}
        wall, uptime = parsed.record.get("time") if parsed is not None else None, more.get("uptime_ms")
        if type(wall) is not int or type(uptime) is not int:
            return ""
        boot = str(more.get("boot_id", ""))
        behind = (self._wall - wall) + (uptime - self._uptime) if boot == self._boot else 0
        self._boot, self._wall, self._uptime = boot, wall, uptime
        return f"the clock was set back by {round(behind / 1000)} s" if behind > CLOCK_SLACK else ""


class _Chain:
    """Follows the lines from the first on."""

    def __init__(self, derive: Derive) -> None:
        self.previous = FIRST
        self.parsed: Parsed | None = None
        """The line that was followed last."""
        self._derive = derive
        self._number = 0
        self._key: SecretBytes | None = None

    def follow(self, line: bytes) -> str:
        """Take the next line; return what is wrong with it."""
        self._number += 1
        parsed = self.parsed = parse_exactly(line)
        if parsed is None:
            return "it is no record as Locum writes it"
        if not parsed.follows(self.previous, self._number):
            claimed = sequence_of(parsed.record)
            if claimed > self._number and parsed.is_unchanged():
                return f"it does not follow the one before it: records {self._number} to {claimed - 1} are missing"
            return "it does not follow the one before it"
        if not parsed.is_unchanged():
            return "it was changed"
        more = part(parsed.record, "unmapped")
        if more.get("segment") is not None:
            self._begin(more["segment"])
        if self._key is None or not is_signed(self._key, parsed.digest, parsed.mac):
            return "its signature is not ours"
        following = next_key(self._key)
        self._key.wipe()
        self._key, self.previous = following, parsed.digest
        if operation_of(parsed.record) == RECOVERED and parsed.record.get("status_id") != 1:
            return f"before it was written: {parsed.record.get('status_detail')}"
        return ""

    def _begin(self, segment: object) -> None:
        if self._key is not None:
            self._key.wipe()
        self._key = None
        try:
            salt = bytes.fromhex(segment) if isinstance(segment, str) else b""
        except ValueError:
            return
        if len(salt) == SALT_SIZE:  # no other: the anchor's key is no segment's key
            self._key = self._derive(salt)

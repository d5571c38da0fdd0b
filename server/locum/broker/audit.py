"""The record: JSON lines, chained by hash, signed by a key that moves on with every line. Holds names, never values.

Format: docs/audit-format.md; the fields of a line: `audit_record`.

    hash = SHA256(previous hash ‖ canonical body)      a changed, removed or moved line breaks the chain
    mac  = HMAC-SHA256(K_n, hash); K_n+1 = SHA256("ratchet" ‖ K_n), K_n wiped
                                                       a chain that somebody recomputed breaks here
    audit.anchor                                       how far the chain had come: a cut end shows

A segment is what one broker writes; its key is derived from the vault's key and a salt in the segment's first line.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locum.broker.audit_anchor import Anchor, read_anchor, write_anchor
from locum.broker.audit_record import (
    ANCHOR_SALT,
    FIRST,
    MAX_LINE,
    Derive,
    canonical,
    chain,
    is_signed,
    make_body,
    next_key,
    parse,
    parse_exactly,
    part,
    sequence_of,
    sign,
)
from locum.errors import Unavailable
from locum.secret import SecretBytes
from locum.vaults.local.disk import is_open_to_others, is_ours, open_private, sync, sync_folder, write_all

ANCHOR_EVERY = 64
"""Lines between two anchors; every durable line is anchored as well."""
_SALT_SIZE = 16
_RECOVERED = "log.recovered"


class AuditFailed(Unavailable):
    """The record cannot be written: whatever was to be recorded must not happen. Code `unavailable.audit`."""

    def __init__(self, why: str) -> None:
        super().__init__("unavailable.audit", f"the audit log cannot be written ({why})", "Free space, then try again.")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the record is whole. `first_bad` counts records from 1."""

    ok: bool
    records: int
    first_bad: int | None = None
    reason: str = ""


class AuditLog:
    """One segment of the record, open for writing. One process at a time: the broker's own lock sees to that."""

    def __init__(self, path: Path, derive: Derive) -> None:
        """Open the log, mend a line that a crash tore, and begin a segment.

        Records that the anchor vouches for and that are gone are told by the segment's first line: a new segment must
        not heal a cut. Raises AuditFailed, and what `derive` raises.
        """
        self._path = path
        self._broken = False
        self._since_anchor = 0
        self._anchor_key = derive(ANCHOR_SALT)  # now: at the end of the segment the vault may be locked
        salt = secrets.token_bytes(_SALT_SIZE)
        self._key = derive(salt)
        try:
            self._descriptor = open_private(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        except OSError as error:
            raise AuditFailed(error.strerror or "error") from None
        try:
            self._begin(salt.hex())
        except BaseException:
            os.close(self._descriptor)
            raise

    def _begin(self, segment: str) -> None:
        try:
            info = os.fstat(self._descriptor)
            if not is_ours(info):
                raise AuditFailed("it is not a file of yours")
            if is_open_to_others(info):
                os.fchmod(self._descriptor, 0o600)
            torn = self._cut_torn_line()
            records = self._tail()
            last = records[-1] if records else None
            self._sequence: int = 0 if last is None else sequence_of(last)
            self._previous: str = FIRST if last is None else str(last.get("hash", FIRST))
            missing = self._missing()
        except OSError as error:
            raise AuditFailed(error.strerror or "error") from None
        if missing:
            self.append(_RECOVERED, ok=False, durable=True, segment=segment, bytes=torn, reason=missing)
        elif torn:
            self.append(_RECOVERED, ok=True, durable=True, segment=segment, bytes=torn)
        else:
            self.append("log.segment", ok=True, durable=False, segment=segment)

    def append(self, operation: str, *, ok: bool, durable: bool, **fields: Any) -> None:
        """Write one record; with `durable` it is on disk and anchored before this returns.

        Raises AuditFailed: the record is then not in the log, and the next one follows the one before it.
        """
        if self._broken:
            raise AuditFailed("an earlier record could not be finished")
        body = make_body(operation, ok, self._sequence + 1, self._previous, fields)
        digest = chain(self._previous, body)
        line = canonical(body | {"hash": digest, "mac": sign(self._key, digest)}) + b"\n"
        if len(line) > MAX_LINE:
            raise AuditFailed("the record is too long")
        anchored = durable or self._since_anchor + 1 >= ANCHOR_EVERY
        try:
            size = os.fstat(self._descriptor).st_size
            self._write(line, Anchor(self._sequence + 1, digest) if anchored else None, size)
        except OSError as error:
            raise AuditFailed(error.strerror or "error") from None
        following = next_key(self._key)
        self._key.wipe()
        self._key, self._previous = following, digest
        self._sequence += 1
        self._since_anchor = 0 if anchored else self._since_anchor + 1

    def _write(self, line: bytes, anchor: Anchor | None, size: int) -> None:
        """Write a line and its anchor, or neither. Raises OSError."""
        try:
            write_all(self._descriptor, line)
            if anchor is not None:
                sync(self._descriptor)  # before the anchor: it must never vouch for what a power cut can take
                write_anchor(self._path, self._anchor_key, anchor)
        except OSError:
            try:
                os.ftruncate(self._descriptor, size)
            except OSError:
                self._broken = True  # half a line may stand there: what came after it would be lost
            raise

    def close(self) -> None:
        """Anchor the end and forget the keys. Never raises; without a last anchor the newest records are unprotected."""
        with contextlib.suppress(OSError):
            sync(self._descriptor)
            if not self._broken:
                write_anchor(self._path, self._anchor_key, Anchor(self._sequence, self._previous))
        os.close(self._descriptor)
        self._key.wipe()
        self._anchor_key.wipe()

    def _missing(self) -> str:
        """Return what the anchor knows of and the log has not; anchor a log that is new. Raises OSError, AuditFailed."""
        anchor = read_anchor(self._path, self._anchor_key)
        if isinstance(anchor, str):
            if os.fstat(self._descriptor).st_size or anchor != "the anchor is gone":
                return anchor
            write_anchor(self._path, self._anchor_key, Anchor(0, FIRST))
            sync_folder(self._path.parent)
            return ""
        if anchor.sequence > self._sequence:
            return f"records are missing: there were {anchor.sequence}, {self._sequence} are left"
        if anchor.sequence and self._digest_of(anchor.sequence) != anchor.digest:
            return f"record {anchor.sequence} is another one than was written"
        return ""

    def _digest_of(self, sequence: int) -> str:
        for record in reversed(self._tail()):
            if record is not None and sequence_of(record) == sequence:
                return str(record.get("hash"))
        for record in read_records(self._path):
            if sequence_of(record) == sequence:
                return str(record.get("hash"))
        return ""

    def _cut_torn_line(self) -> int:
        """Remove an unfinished last line; return how many bytes it had."""
        size = os.fstat(self._descriptor).st_size
        tail = self._last_bytes()
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        if torn:
            os.ftruncate(self._descriptor, size - torn)
        return torn

    def _tail(self) -> list[dict[str, Any] | None]:
        """Return the newest records; after an end that is no record, the chain shows a break there."""
        return [parse(line) for line in self._last_bytes().splitlines(keepends=True)]

    def _last_bytes(self) -> bytes:
        size = os.fstat(self._descriptor).st_size
        os.lseek(self._descriptor, max(0, size - MAX_LINE), os.SEEK_SET)
        return os.read(self._descriptor, MAX_LINE)


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records that can be read, oldest first, unchecked. Raises AuditFailed when the file cannot be opened."""
    try:
        with path.open("rb") as file:
            for line in iter(lambda: file.readline(MAX_LINE + 1), b""):
                record = parse(line)
                if record is not None:
                    yield record
    except OSError as error:
        raise AuditFailed(error.strerror or "error") from None


def verify(path: Path, derive: Derive) -> Verdict:
    """Check every link, every signature and the anchor; the log may be written to meanwhile.

    Raises AuditFailed when the file cannot be read, and what `derive` raises.
    """
    anchor_key = derive(ANCHOR_SALT)
    anchor = read_anchor(path, anchor_key)  # before the lines: it may vouch for fewer than there are, never for more
    anchor_key.wipe()
    chained = _Chain(derive)
    number = 0
    found = "" if isinstance(anchor, str) or anchor.sequence else FIRST
    try:
        with path.open("rb") as file:
            for line in iter(lambda: file.readline(MAX_LINE + 1), b""):
                if len(line) <= MAX_LINE and not line.endswith(b"\n"):
                    break  # the end of the file: a writer is at it, or a crash tore it
                number += 1
                fault = chained.follow(line)
                if fault:
                    return Verdict(False, number + sum(1 for _ in file), number, fault)
                if isinstance(anchor, Anchor) and number == anchor.sequence:
                    found = chained.previous
    except FileNotFoundError:
        pass
    except OSError as error:
        raise AuditFailed(error.strerror or "error") from None
    if isinstance(anchor, str):
        fresh = not number and anchor == "the anchor is gone"
        return Verdict(True, 0) if fresh else Verdict(False, number, max(1, number), anchor)
    if found != anchor.digest:
        return Verdict(False, number, number + 1, f"records are missing at the end: there were {anchor.sequence}")
    return Verdict(True, number)


class _Chain:
    """Follows the lines from the first on."""

    def __init__(self, derive: Derive) -> None:
        self.previous = FIRST
        self._derive = derive
        self._number = 0
        self._key: SecretBytes | None = None

    def follow(self, line: bytes) -> str:
        """Take the next line; return what is wrong with it."""
        self._number += 1
        record = parse_exactly(line)
        if record is None:
            return "it is no record as Locum writes it"
        digest, mac = record.pop("hash", None), record.pop("mac", None)
        if sequence_of(record) != self._number or record.get("prev") != self.previous:
            return "it does not follow the one before it"
        if chain(self.previous, record) != digest:
            return "it was changed"
        segment = part(record, "unmapped").get("segment")
        if segment is not None:
            self._begin(segment)
        if self._key is None or not is_signed(self._key, digest, mac):
            return "its signature is not ours"
        following = next_key(self._key)
        self._key.wipe()
        self._key, self.previous = following, digest
        if part(record, "api").get("operation") == _RECOVERED and record.get("status_id") != 1:
            return f"before it was written: {record.get('status_detail')}"
        return ""

    def _begin(self, segment: object) -> None:
        if self._key is not None:
            self._key.wipe()
        self._key = None
        try:
            salt = bytes.fromhex(segment) if isinstance(segment, str) else b""
        except ValueError:
            return
        if len(salt) == _SALT_SIZE:  # no other: the anchor's key is no segment's key
            self._key = self._derive(salt)

"""The record: JSON lines, chained by hash, signed by a key that moves on with every line. Holds names, never values.

Format: docs/audit-format.md; the fields of a line: `audit_record`; its files: `audit_files`; the check: `audit_verify`.

    hash = SHA256(previous hash ‖ canonical body)      a changed, removed or moved line breaks the chain
    mac  = HMAC-SHA256(K_n, hash); K_n+1 = SHA256("ratchet" ‖ K_n), K_n wiped
                                                       a chain that somebody recomputed breaks here
    audit.anchor                                       how far the chain had come: a cut end shows

A segment is what one broker writes; its key is derived from the vault's key and a salt in the segment's first line. The
chain and the key run on from one file to the next.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from locum.broker.audit_anchor import GONE, Anchor, anchor_path, read_anchor, write_anchor
from locum.broker.audit_asker import boot_id
from locum.broker.audit_files import MAX_AGE, MAX_SIZE, AuditFailed, full_files, lines_of, log_files, next_full
from locum.broker.audit_record import (
    ANCHOR_SALT,
    FIRST,
    MAX_LINE,
    Derive,
    canonical,
    chain,
    finish,
    make_body,
    next_key,
    parse,
    parse_exactly,
    sequence_of,
    sign,
)
from locum.broker.leases import boot_clock
from locum.vaults.local.disk import (
    is_open_to_others,
    is_ours,
    open_private,
    sync,
    sync_folder,
    try_lock,
    write_all,
)

RECOVERED = "log.recovered"
SALT_SIZE = 16
_MOST_READ = 3 * MAX_SIZE


@dataclass(frozen=True, slots=True)
class _End:
    """Where a log ends: number and hash of its last record."""

    sequence: int = 0
    digest: str = FIRST


class AuditLog:
    """One segment of the record, open for writing. One at a time: a second one is refused, in any process.

    Its methods may be called from several threads.
    """

    def __init__(self, path: Path, derive: Derive, *, max_size: int = MAX_SIZE, max_age: float = MAX_AGE) -> None:
        """Open the log, mend an end that a crash tore, and begin a segment. A file is full at `max_size` bytes, or
        `max_age` seconds after its first record.

        Records that the anchor vouches for and that are gone are told by the segment's first line: a new segment must
        not heal a cut. Raises AuditFailed, and what `derive` raises.
        """
        self.path = path
        self._guard = threading.RLock()
        self._broken = ""
        self._is_closed = False
        self._sequence: int = 0
        self._previous: str = FIRST
        self._anchored = Anchor(0, FIRST)
        self._boot_id = boot_id()
        self._full_at, self._max_size, self._max_age = max_size, max_size, max_age
        self._anchor_key = derive(ANCHOR_SALT)  # now: at the end of the segment the vault may be locked
        salt = secrets.token_bytes(SALT_SIZE)
        self._key = derive(salt)
        self.began_with = Anchor(0, FIRST)
        """How far the log had come before this segment."""
        try:
            self._lock = _take_lock(path)
            self._descriptor = open_private(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        except OSError as error:
            raise AuditFailed(error.strerror or "error") from None
        try:
            self._begin(salt.hex())
        except BaseException:
            os.close(self._descriptor)
            self._lock.close()
            raise

    @property
    def end(self) -> Anchor:
        """How far the log has come."""
        return Anchor(self._sequence, self._previous)

    @property
    def anchored(self) -> Anchor:
        """How much of this segment is on disk and vouched for; record 0 when nothing is yet."""
        return self._anchored

    def lacks(self, anchor: Anchor) -> str:
        """Return what an anchor from elsewhere knows and this log, as it was opened, has not; "" when it fits."""
        if anchor.sequence > self.began_with.sequence:
            return f"records are missing: there were {anchor.sequence}, {self.began_with.sequence} are left"
        if anchor.sequence in {0, self.began_with.sequence}:
            digest = FIRST if not anchor.sequence else self.began_with.digest
        else:
            records = (record for record in read_records(self.path) if sequence_of(record) == anchor.sequence)
            digest = next((str(record.get("hash")) for record in records), "")
        return "" if digest == anchor.digest else f"record {anchor.sequence} is another one than was written"

    @property
    def is_broken(self) -> bool:
        """Say whether nothing more can be written to this segment; a new one mends what is there."""
        return bool(self._broken)

    def _begin(self, segment: str) -> None:
        try:
            info = os.fstat(self._descriptor)
            if not is_ours(info):
                raise AuditFailed("it is not a file of yours")
            if is_open_to_others(info):
                os.fchmod(self._descriptor, 0o600)
            torn, missing = self._mend()
            self._born = self._birth()
        except OSError as error:
            raise AuditFailed(error.strerror or "error") from None
        self.began_with = self.end
        if missing:
            self.append(RECOVERED, ok=False, durable=True, segment=segment, bytes=torn, reason=missing)
        elif torn:
            self.append(RECOVERED, ok=True, durable=True, segment=segment, bytes=torn)
        else:
            self.append("log.segment", ok=True, durable=False, segment=segment)

    def append(self, operation: str, *, ok: bool, durable: bool, **fields: Any) -> None:
        """Write one record; with `durable` it is on disk and anchored before this returns, else by the next `commit`.

        Raises AuditFailed: the record is then not in the log, and the next one follows the one before it.
        """
        with self._guard:
            if self._broken:
                raise AuditFailed(self._broken)
            fields |= {"boot_id": self._boot_id, "uptime_ms": round(boot_clock() * 1000)}
            body = canonical(make_body(operation, ok, self._sequence + 1, self._previous, fields))
            digest = chain(self._previous, body)
            line = finish(body, digest, sign(self._key, digest))
            if len(line) > MAX_LINE:
                raise AuditFailed("the record is too long")
            try:
                size = self._make_room(len(line))
                self._write(line, Anchor(self._sequence + 1, digest) if durable else None, size)
            except OSError as error:
                raise AuditFailed(error.strerror or "error") from None
            following = next_key(self._key)
            self._key.wipe()
            self._key, self._previous = following, digest
            self._sequence += 1

    def commit(self) -> None:
        """Put everything written so far on disk and anchor it. Others may write meanwhile.

        Raises AuditFailed; when the disk refused, nothing more can be written: what it has lost cannot be told.
        """
        with self._guard:
            if self._is_closed or self._broken or self._anchored.sequence == self._sequence:
                return
            end, descriptor = self.end, os.dup(self._descriptor)
        try:
            sync(descriptor)
        except OSError as error:
            with self._guard:
                self._broken = f"earlier records may be lost: {error.strerror}"
            raise AuditFailed(error.strerror or "error") from None
        finally:
            os.close(descriptor)
        with self._guard:
            if self._is_closed or self._anchored.sequence >= end.sequence:
                return
            try:
                self._anchor(end)
            except OSError as error:
                raise AuditFailed(error.strerror or "error") from None

    def close(self) -> None:
        """Anchor the end and forget the keys. Never raises; without a last anchor the newest records are unprotected."""
        with self._guard:
            if self._is_closed:
                return
            self._is_closed, self._broken = True, self._broken or "it is closed"
            with contextlib.suppress(OSError):
                sync(self._descriptor)
                if self._broken == "it is closed":
                    self._anchor(self.end)
            os.close(self._descriptor)
            self._lock.close()
            self._key.wipe()
            self._anchor_key.wipe()

    # -- writing ----------------------------------------------------------------------------------------------

    def _write(self, line: bytes, anchor: Anchor | None, size: int) -> None:
        """Write a line and its anchor, or neither. Raises OSError."""
        try:
            write_all(self._descriptor, line)
            if anchor is not None:
                sync(self._descriptor)  # before the anchor: it must never vouch for what a power cut can take
                self._anchor(anchor)
        except OSError:
            try:
                os.ftruncate(self._descriptor, size)
            except OSError:
                # half a line may stand there: what came after it would be lost
                self._broken = "an earlier record could not be finished"
            raise

    def _anchor(self, anchor: Anchor) -> None:
        write_anchor(anchor_path(self.path), self._anchor_key, anchor)
        self._anchored = anchor

    def _make_room(self, more: int) -> int:
        """Begin a new file when this one is full or old; return how long the current one is. Raises OSError."""
        size = os.fstat(self._descriptor).st_size
        if size and (size + more > self._full_at or time.time() - self._born > self._max_age):
            try:
                self._begin_file()
            except OSError:
                self._full_at = max(size, self._full_at) + self._max_size // 10  # go on in the old one; try again later
                self._born = time.time()
        return os.fstat(self._descriptor).st_size

    def _begin_file(self) -> None:
        """Give the full file its number and go on in an empty one. Raises OSError, then in the one as before.

        Killed at any step, the files are there in their order: until the last step there may just be no current one.
        """
        sync(self._descriptor)
        self._anchor(self.end)
        fresh = self.path.with_suffix(".next")
        fresh.unlink(missing_ok=True)
        descriptor = open_private(fresh, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
        try:
            full = next_full(self.path)
            os.rename(self.path, full)  # noqa: PTH104 - the name is new: nothing is replaced
            try:
                fresh.rename(self.path)
            except OSError:
                full.rename(self.path)
                raise
        except OSError:
            os.close(descriptor)
            raise
        os.close(self._descriptor)
        self._descriptor, self._born, self._full_at = descriptor, time.time(), self._max_size
        with contextlib.suppress(OSError):
            sync_folder(self.path.parent)  # a power cut may bring the old names back; the records are the same

    # -- opening ----------------------------------------------------------------------------------------------

    def _mend(self) -> tuple[int, str]:
        """Find the end of the log; cut what a crash left behind it. Return how many bytes that was, and what is missing.

        Only what no anchor vouches for is cut, and nothing that is a record: an end that somebody damaged stays as it
        is, for `verify` to name. Raises OSError, AuditFailed.
        """
        content = self._content()
        anchor = read_anchor(anchor_path(self.path), self._anchor_key)
        older = full_files(self.path)
        before = _last_end(older[-1]) if older else _End()
        found = _find(content, before, anchor) if isinstance(anchor, Anchor) else None
        if found is not None:
            end, at = _follow(content, *found)
            if _has_record(content[at:]):  # torn ends have nothing behind them: this is something else
                torn, end = self._cut(content, content.rfind(b"\n") + 1), _last_of(content) or _End()
            else:
                torn = self._cut(content, at)
            self._sequence, self._previous = end.sequence, end.digest
            return torn, ""
        torn = self._cut(content, content.rfind(b"\n") + 1)
        end = (_last_of(content) or _End()) if content[: len(content) - torn] else before
        self._sequence, self._previous = end.sequence, end.digest
        if isinstance(anchor, str):
            if content or older or anchor != GONE:
                return torn, anchor
            write_anchor(anchor_path(self.path), self._anchor_key, Anchor(0, FIRST))
            sync_folder(self.path.parent)
            return torn, ""
        if anchor.sequence > end.sequence:
            return torn, f"records are missing: there were {anchor.sequence}, {end.sequence} are left"
        return torn, f"record {anchor.sequence} is another one than was written"

    def _content(self) -> bytes:
        """Return the current file, of an absurdly long one the end."""
        size = os.fstat(self._descriptor).st_size
        os.lseek(self._descriptor, max(0, size - _MOST_READ), os.SEEK_SET)
        parts: list[bytes] = []
        while part := os.read(self._descriptor, _MOST_READ):
            parts.append(part)
        return b"".join(parts)

    def _cut(self, content: bytes, at: int) -> int:
        """Cut the file after so many bytes of its content; return how many bytes that removes."""
        torn = len(content) - at
        if torn:
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - torn)
        return torn

    def _birth(self) -> float:
        """Return when the current file's first record was written (as it says), now when there is none."""
        line = os.pread(self._descriptor, MAX_LINE, 0).partition(b"\n")[0]
        written = (parse(line + b"\n") or {}).get("time")
        return written / 1000 if type(written) is int else time.time()


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of all files that can be read, oldest first, unchecked. Raises AuditFailed."""
    try:
        for _, stream in log_files(path):
            for line in lines_of(stream):
                record = parse(line)
                if record is not None:
                    yield record
    except OSError as error:
        raise AuditFailed(error.strerror or "error") from None


def _take_lock(path: Path) -> IO[bytes]:
    """Return the open file whose lock is the right to write. Raises AuditFailed, OSError."""
    lock = os.fdopen(open_private(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT), "rb")
    if not try_lock(lock.fileno()):
        lock.close()
        raise AuditFailed(
            "another broker is writing it", "End the other one: its `LOCUM_HOME` or runtime folder differs."
        )
    return lock


def _find(content: bytes, before: _End, anchor: Anchor) -> tuple[_End, int] | None:
    """Return the record that the anchor names, and where in the current file the next one begins; None: not there."""
    if (anchor.sequence, anchor.digest) == (before.sequence, before.digest):
        return before, 0
    place = content.rfind(b'"hash":"%s"' % anchor.digest.encode())
    if place < 0:
        return None
    start, stop = content.rfind(b"\n", 0, place) + 1, content.find(b"\n", place) + 1
    parsed = parse_exactly(content[start:stop])
    if parsed is None or parsed.digest != anchor.digest or sequence_of(parsed.record) != anchor.sequence:
        return None
    return _End(anchor.sequence, anchor.digest), stop


def _follow(content: bytes, end: _End, at: int) -> tuple[_End, int]:
    """Return the last record that is chained to `end`, and where what is not begins."""
    while stop := content.find(b"\n", at) + 1:
        parsed = parse_exactly(content[at:stop])
        if parsed is None or not parsed.follows(end.digest, end.sequence + 1) or not parsed.is_unchanged():
            break
        end, at = _End(end.sequence + 1, parsed.digest), stop
    return end, at


def _has_record(content: bytes) -> bool:
    """Say whether any line is a whole record of ours."""
    lines = content.splitlines(keepends=True)
    return any((parsed := parse_exactly(line)) is not None and parsed.is_unchanged() for line in lines)


def _last_of(content: bytes) -> _End | None:
    """Return what the last line says that it is; None when it is no record: then the chain shows a break there."""
    lines = content[-MAX_LINE:].splitlines(keepends=True)
    record = parse(lines[-1] if lines[-1].endswith(b"\n") or len(lines) == 1 else lines[-2]) if lines else None
    return None if record is None else _End(sequence_of(record), str(record.get("hash", FIRST)))


def _last_end(file: Path) -> _End:
    """Return where a full file ends. Raises OSError."""
    with os.fdopen(open_private(file, os.O_RDONLY), "rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - MAX_LINE))
        return _last_of(stream.read(MAX_LINE)) or _End()

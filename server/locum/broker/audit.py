"""The record: JSON lines, chained by hash, signed by a key that moves on with every line. Holds names, never values.

Field names are those of OCSF's API Activity class (class_uid 6003, schema.ocsf.io). Only listed fields are written:
what is not known is dropped, never turned into text. Format: docs/audit-format.md.

    hash = SHA256(previous hash ‖ canonical body)      a changed, removed or moved line breaks the chain
    mac  = HMAC-SHA256(K_n, hash); K_n+1 = SHA256("ratchet" ‖ K_n), K_n wiped
                                                       a chain that somebody recomputed breaks here
    audit.anchor                                       how far the chain had come: a cut end shows

A segment is what one broker writes; its key is derived from the vault's key and a salt in the segment's first line.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from locum import __version__
from locum.errors import Unavailable
from locum.secret import SecretBytes

Derive = Callable[[bytes], SecretBytes]

FIRST = "0" * 64
ANCHOR_EVERY = 64
"""Lines between two anchors; every durable line is anchored as well."""
_MAX_LINE = 1 << 20
"""No record is longer: what a request may hold is bounded far below."""
_ACTIVITY = {"store": 1, "create": 1, "grant": 1, "list": 2, "use": 2, "unlock": 3, "remove": 4, "discard": 4, "end": 4}
_TEXTS = ("task", "cwd", "lease", "requester", "level", "approved_by")
_NUMBERS = ("exit_code", "ttl_s", "bytes")


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
        """Open the log, mend a line that a crash tore, and begin a segment. Raises AuditFailed."""
        self._path = path
        self._derive = derive
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
            self._descriptor = os.open(path, flags, 0o600)
            torn = self._cut_torn_line()
        except OSError as error:
            raise AuditFailed(error.strerror or "error") from None
        self._sequence: int
        self._previous: str
        self._sequence, self._previous = self._last()
        salt = secrets.token_bytes(16)
        self._key = derive(salt)
        self._since_anchor = 0
        if torn:
            self.append("log.recovered", ok=True, durable=True, segment=salt.hex(), bytes=torn)
        else:
            self.append("log.segment", ok=True, durable=False, segment=salt.hex())

    def append(self, operation: str, *, ok: bool, durable: bool, **fields: Any) -> None:
        """Write one record; with `durable` it is on disk before this returns. Raises AuditFailed."""
        body = _body(operation, ok, self._sequence + 1, self._previous, fields)
        digest = _chain(self._previous, body)
        mac = hmac.digest(self._key.view(), digest.encode(), "sha256").hex()
        line = json.dumps(body | {"hash": digest, "mac": mac}, separators=(",", ":"), sort_keys=True) + "\n"
        try:
            _write(self._descriptor, line.encode())
            if durable:
                os.fsync(self._descriptor)
        except OSError as error:
            raise AuditFailed(error.strerror or "error") from None
        self._sequence, self._previous = self._sequence + 1, digest
        self._key = _ratchet(self._key)
        self._since_anchor += 1
        if durable or self._since_anchor >= ANCHOR_EVERY:
            self._anchor()

    def close(self) -> None:
        """Anchor the end and forget the key."""
        try:
            os.fsync(self._descriptor)
            self._anchor()
        except (OSError, AuditFailed):
            pass  # the records stand; only the newest ones are without an anchor
        finally:
            os.close(self._descriptor)
            self._key.wipe()

    def _anchor(self) -> None:
        self._since_anchor = 0
        text = f"{self._sequence} {self._previous}"
        mac = hmac.digest(self._derive(b"anchor").view(), text.encode(), "sha256").hex()
        place = _anchor_path(self._path)
        temporary = place.with_suffix(".tmp")
        try:
            with os.fdopen(
                os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w"
            ) as file:
                file.write(f"{text} {mac}\n")
            temporary.replace(place)
        except OSError as error:
            raise AuditFailed(error.strerror or "error") from None

    def _cut_torn_line(self) -> int:
        """Remove an unfinished last line; return how many bytes it had."""
        size = os.fstat(self._descriptor).st_size
        tail = os.pread(self._descriptor, min(size, _MAX_LINE), max(0, size - _MAX_LINE))
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        if torn:
            os.ftruncate(self._descriptor, size - torn)
        return torn

    def _last(self) -> tuple[int, str]:
        """Return number and hash of the last record; after an end that is no record, the chain shows a break there."""
        size = os.fstat(self._descriptor).st_size
        lines = os.pread(self._descriptor, min(size, _MAX_LINE), max(0, size - _MAX_LINE)).splitlines(keepends=True)
        last = (_parse(lines[-1]) if lines else None) or {}
        return _sequence(last), str(last.get("hash", FIRST))


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records that can be read, oldest first. Raises AuditFailed when the file cannot be opened."""
    try:
        with path.open("rb") as file:
            for line in file:
                record = _parse(line)
                if record is not None:
                    yield record
    except OSError as error:
        raise AuditFailed(error.strerror or "error") from None


def verify(path: Path, derive: Derive) -> Verdict:
    """Check every link, every signature and the anchor. Raises AuditFailed when the file cannot be read."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        lines = []
    except OSError as error:
        raise AuditFailed(error.strerror or "error") from None
    previous, key = FIRST, None
    hashes: dict[int, str] = {}
    for number, line in enumerate(lines, 1):
        record = _parse(line)
        if record is None:
            return Verdict(False, len(lines), number, "no record")
        digest, mac = str(record.pop("hash", "")), str(record.pop("mac", ""))
        if _sequence(record) != number or record.get("prev") != previous:
            return Verdict(False, len(lines), number, "it does not follow the one before it")
        if _chain(previous, record) != digest:
            return Verdict(False, len(lines), number, "it was changed")
        segment = record.get("unmapped", {}).get("segment")
        if segment is not None:
            key = _segment_key(derive, segment)
        if key is None or not hmac.compare_digest(hmac.digest(key.view(), digest.encode(), "sha256").hex(), mac):
            return Verdict(False, len(lines), number, "its signature is not ours")
        key = _ratchet(key)
        previous = hashes[number] = digest
    return _check_anchor(path, derive, hashes)


def _check_anchor(path: Path, derive: Derive, hashes: dict[int, str]) -> Verdict:
    count = len(hashes)
    try:
        number, digest, mac = _anchor_path(path).read_text().split()
        expected = hmac.digest(derive(b"anchor").view(), f"{number} {digest}".encode(), "sha256").hex()
        if not hmac.compare_digest(mac, expected):
            return Verdict(False, count, count, "the anchor was changed")
    except (OSError, ValueError):
        return Verdict(not count, count, count or None, "" if not count else "the anchor is gone")
    if hashes.get(int(number)) != digest:
        return Verdict(False, count, count + 1, f"records are missing at the end: there were {number}")
    return Verdict(True, count)


def _body(operation: str, ok: bool, sequence: int, previous: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Build a record of the fields that we know, each in the type that it must have."""
    now = datetime.now(UTC)
    activity = _ACTIVITY.get(operation.rpartition(".")[2], 99)
    names = [{"type": "secret", "name": str(name)} for name in _texts(fields.get("resources"))]
    unmapped: dict[str, Any] = {name: str(fields[name]) for name in _TEXTS if isinstance(fields.get(name), str)}
    unmapped |= {name: fields[name] for name in _NUMBERS if type(fields.get(name)) is int}
    unmapped |= {name: _texts(fields[name]) for name in ("argv", "references") if name in fields}
    if isinstance(fields.get("segment"), str):
        unmapped["segment"] = fields["segment"]
    return {
        "class_uid": 6003,
        "activity_id": activity,
        "type_uid": 600300 + activity,
        "time": int(now.timestamp() * 1000),
        "time_dt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "actor": {"process": {"pid": int(fields.get("pid") or os.getpid())}, "user": {"uid": str(_uid())}},
        "api": {"operation": operation},
        "resources": names,
        "status_id": 1 if ok else 2,
        "status_detail": str(fields["reason"]) if isinstance(fields.get("reason"), str) else "",
        "metadata": {
            "product": {"name": "Locum", "version": __version__}, "version": "1.3.0", "sequence": sequence,
            "correlation_uid": unmapped.get("lease", ""),
        },
        "unmapped": unmapped,
        "prev": previous,
    }  # fmt: skip


def _texts(value: Any) -> list[str]:
    return (
        [item for item in cast("list[Any]", value) if isinstance(item, str)] if isinstance(value, (list, tuple)) else []
    )


def _sequence(record: dict[str, Any]) -> int:
    """Return a record's number, 0 when it has none."""
    metadata: Any = record.get("metadata")
    number: Any = cast("dict[str, Any]", metadata).get("sequence") if isinstance(metadata, dict) else None
    return number if isinstance(number, int) else 0


def _uid() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _chain(previous: str, body: dict[str, Any]) -> str:
    canonical = json.dumps(body, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(previous.encode() + canonical.encode()).hexdigest()


def _ratchet(key: SecretBytes) -> SecretBytes:
    following = SecretBytes(hashlib.sha256(b"ratchet" + key.view()).digest())
    key.wipe()
    return following


def _segment_key(derive: Derive, salt: Any) -> SecretBytes | None:
    try:
        return derive(bytes.fromhex(str(salt)))
    except ValueError:
        return None


def _anchor_path(path: Path) -> Path:
    return path.with_suffix(".anchor")


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", record) if isinstance(record, dict) and line.endswith(b"\n") else None


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]

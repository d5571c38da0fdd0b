"""One line of the audit log: which fields it has, how it is written, chained and read. Opens no files, holds no key.

Only listed fields get in, each in the type and up to the size that it may have: what is not known is dropped, never
turned into text. Field names are those of OCSF's API Activity class (class_uid 6003, schema.ocsf.io). The schema that
others check a line with is made of the same tables (`audit_schema`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from locum import __version__
from locum.broker.scrub import scrub
from locum.secret import SecretBytes

Derive = Callable[[bytes], SecretBytes]
"""Gives the key that belongs to a salt."""

FIRST = "0" * 64
"""What the first line follows."""
MAX_LINE = 1 << 20
"""No line is longer, whatever a caller passes: a reader needs to look no further back for the last one."""
ANCHOR_SALT = b"anchor"

CLASS = 6003
OCSF = "1.3.0"
ACTIVITY = {
    "store": 1, "copy": 1, "create": 1, "grant": 1, "open": 1, "list": 2, "match": 2, "use": 2, "unlock": 3, "lock": 3,
    "remove": 4, "discard": 4, "end": 4, "revoke": 4,
}  # fmt: skip
"""OCSF's activity_id by the last word of an operation: 1 create, 2 read, 3 update, 4 delete."""
OTHER = 99

TEXTS = {
    "task": "The task's name in locum.toml.",
    "cwd": "The folder that the task runs in.",
    "lease": "The lease's id.",
    "requester": "Who asked, as the kernel tells.",
    "level": "L0, L1 or L2: what keeps other programs away from the values.",
    "approved_by": "Which way the yes came.",
    "session": "The agent's session, as its client calls it.",
    "client": "That client, as it calls itself.",
    "boot_id": "Which start of the machine this was.",
    "segment": "The salt of this segment's key; in its first record.",
}
"""Fields of `unmapped` that are texts."""
NUMBERS = {
    "exit_code": "The task's.",
    "ttl_s": "Seconds that the lease lives.",
    "bytes": "How many bytes of a torn end were cut.",
    "tried": "How many values were compared with the vault's; one record for many.",
    "refused": "How many of them were over the limit.",
    "processes": "How many processes of one program asked.",
    "uptime_ms": "Milliseconds since the machine started, suspend included: tells when the clock was set back.",
}
"""Fields of `unmapped` that are whole numbers."""
LISTS = {
    "argv": (32 * 1024, "The task's command line; what looks like a secret is taken out."),
    "references": (4096, "What the values are known by."),
}
"""Fields of `unmapped` that are lists of texts, with the characters that they may have in all."""
_SCRUBBED = {"argv"}
TEXT_SIZE = 4096
CUT = "… [cut]"

_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
_DIGEST = re.compile(r"[0-9a-f]{64}")


def make_body(operation: str, ok: bool, sequence: int, previous: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Build a record, yet without hash and signature, of the fields that we know."""
    now = datetime.now(UTC)
    activity = ACTIVITY.get(operation.rpartition(".")[2], OTHER)
    texts = {name: _text(fields.get(name)) for name in TEXTS}
    numbers = {name: _number(fields.get(name)) for name in NUMBERS}
    unmapped: dict[str, Any] = {name: value for name, value in (texts | numbers).items() if value is not None}
    for name, (most, _) in LISTS.items():
        if name in fields:
            unmapped[name] = _texts(fields[name], most, scrubbed=name in _SCRUBBED)
    user = _number(fields.get("uid"))
    return {
        "category_uid": CLASS // 1000,
        "class_uid": CLASS,
        "activity_id": activity,
        "type_uid": CLASS * 100 + activity,
        "severity_id": 1 if ok else 2,
        "time": int(now.timestamp() * 1000),
        "time_dt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "actor": {"process": _process(fields), "user": {"uid": str(_own_uid() if user is None else user)}},
        "api": {"operation": operation},
        "resources": [{"type": "secret", "name": name} for name in _texts(fields.get("resources"), TEXT_SIZE)],
        "status_id": 1 if ok else 2,
        "status_detail": _text(fields.get("reason")) or "",
        "metadata": {
            "product": {"name": "Locum", "version": __version__}, "version": OCSF, "sequence": sequence,
            "uid": secrets.token_hex(16), "correlation_uid": unmapped.get("lease", ""),
        },
        "unmapped": unmapped,
        "prev": previous,
    }  # fmt: skip


def _process(fields: dict[str, Any]) -> dict[str, Any]:
    """Return who asked: pid, and where they are known, its start, program and command line."""
    pid, created = _number(fields.get("pid")), _number(fields.get("created_time"))
    program, line = _text(fields.get("program")), fields.get("cmd_line")
    process: dict[str, Any] = {"pid": os.getpid() if pid is None else pid}
    if created is not None:
        process["created_time"] = created
    if program:
        process["file"] = {"path": program}
    if isinstance(line, str) and line:
        process["cmd_line"] = _text(scrub(line))
    return process


def canonical(record: dict[str, Any]) -> bytes:
    """Return the one way to write a record: ASCII JSON, keys sorted, no spaces."""
    return _encode(record).encode()


def chain(previous: str, body: bytes) -> str:
    """Return the hash of a record whose canonical body this is, and that follows the one whose hash is `previous`."""
    return hashlib.sha256(previous.encode() + body).hexdigest()


def finish(body: bytes, digest: str, mac: str) -> bytes:
    """Return the whole line: the canonical body with hash and signature in their places among the sorted keys."""
    return body.replace(b'"metadata":', f'"hash":"{digest}","mac":"{mac}","metadata":'.encode(), 1) + b"\n"


def parse(line: bytes) -> dict[str, Any] | None:
    """Return the record of a whole line, None when it is none."""
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", record) if isinstance(record, dict) and line.endswith(b"\n") else None


class Parsed:
    """A line that is written as we write it: `record` without hash and signature, its canonical bytes, and those two."""

    __slots__ = ("body", "digest", "mac", "record")

    def __init__(self, record: dict[str, Any], body: bytes, digest: str, mac: str) -> None:
        self.record, self.body, self.digest, self.mac = record, body, digest, mac

    def follows(self, previous: str, sequence: int) -> bool:
        """Say whether it says of itself that it is number `sequence`, after the record whose hash is `previous`."""
        return sequence_of(self.record) == sequence and self.record.get("prev") == previous

    def is_unchanged(self) -> bool:
        """Say whether its hash is that of what it says."""
        return chain(str(self.record.get("prev")), self.body) == self.digest


def parse_exactly(line: bytes) -> Parsed | None:
    """Return the record of a line, None as well for one that is not written as we write it.

    Two keys of one name, for example, would show one thing to a person and another to the check.
    """
    record = parse(line)
    if record is None:
        return None
    digest, mac = record.pop("hash", None), record.pop("mac", None)
    if not (isinstance(digest, str) and isinstance(mac, str) and _DIGEST.fullmatch(digest) and _DIGEST.fullmatch(mac)):
        return None
    try:
        body = canonical(record)
    except (ValueError, RecursionError):
        return None
    return Parsed(record, body, digest, mac) if finish(body, digest, mac) == line else None


def sequence_of(record: dict[str, Any]) -> int:
    """Return a record's number, 0 when it has none."""
    number = part(record, "metadata").get("sequence")
    return number if type(number) is int else 0


def operation_of(record: dict[str, Any]) -> str:
    """Return what a record is of, "" when it does not say."""
    return str(part(record, "api").get("operation", ""))


def part(record: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object inside a record that nobody vouches for, empty when there is none."""
    value: Any = record.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def sign(key: SecretBytes, text: str) -> str:
    """Return the HMAC-SHA256 of a text, in hex."""
    return hmac.digest(key.view(), text.encode(), "sha256").hex()


def is_signed(key: SecretBytes, text: str, mac: object) -> bool:
    """Check a signature of unknown origin in constant time."""
    return isinstance(mac, str) and mac.isascii() and hmac.compare_digest(sign(key, text), mac)


def next_key(key: SecretBytes) -> SecretBytes:
    """Return the key of the next record. The caller wipes the old one when the record stands."""
    return SecretBytes(hashlib.sha256(b"ratchet" + key.view()).digest())


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    return value if len(value) <= TEXT_SIZE else value[:TEXT_SIZE] + CUT


def _number(value: Any) -> int | None:
    return value if type(value) is int and abs(value) < 1 << 53 else None  # beyond, JSON readers disagree


def _texts(value: Any, most: int, *, scrubbed: bool = False) -> list[str]:
    """Return the texts of a list, up to `most` characters in all."""
    kept: list[str] = []
    for item in cast("list[Any]", value) if isinstance(value, (list, tuple)) else []:
        if not isinstance(item, str):
            continue
        text = scrub(item[: most + TEXT_SIZE]) if scrubbed else item  # before it is cut: half a token is one too
        if len(text) > most:
            return [*kept, text[: max(0, most)] + CUT]
        kept.append(text)
        most -= len(text) + 16  # an empty text takes room too
    return kept


def _own_uid() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0

"""One line of the audit log: which fields it has, how it is written, chained and read. Opens no files, holds no key.

Only listed fields get in, each in the type and up to the size that it may have: what is not known is dropped, never
turned into text. Field names are those of OCSF's API Activity class (class_uid 6003, schema.ocsf.io).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from locum import __version__
from locum.secret import SecretBytes

Derive = Callable[[bytes], SecretBytes]
"""Gives the key that belongs to a salt."""

FIRST = "0" * 64
"""What the first line follows."""
MAX_LINE = 1 << 20
"""No line is longer, whatever a caller passes: a reader needs to look no further back for the last one."""
ANCHOR_SALT = b"anchor"

_CLASS = 6003
_ACTIVITY = {
    "store": 1, "copy": 1, "create": 1, "grant": 1, "list": 2, "match": 2, "use": 2, "unlock": 3, "lock": 3, "remove": 4,
    "discard": 4, "end": 4, "revoke": 4,
}  # fmt: skip
_OTHER = 99
_TEXTS = ("task", "cwd", "lease", "requester", "level", "approved_by", "segment")
_NUMBERS = ("exit_code", "ttl_s", "bytes", "tried", "refused")
_LISTS = {"argv": 32 * 1024, "references": 4096}
_TEXT_SIZE = 4096
_CUT = "… [cut]"


def make_body(operation: str, ok: bool, sequence: int, previous: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Build a record, yet without hash and signature, of the fields that we know."""
    now = datetime.now(UTC)
    activity = _ACTIVITY.get(operation.rpartition(".")[2], _OTHER)
    texts = {name: _text(fields.get(name)) for name in _TEXTS}
    numbers = {name: _number(fields.get(name)) for name in _NUMBERS}
    unmapped: dict[str, Any] = {name: value for name, value in (texts | numbers).items() if value is not None}
    unmapped |= {name: _texts(fields[name], most) for name, most in _LISTS.items() if name in fields}
    process, user = _number(fields.get("pid")), _number(fields.get("uid"))
    return {
        "category_uid": _CLASS // 1000,
        "class_uid": _CLASS,
        "activity_id": activity,
        "type_uid": _CLASS * 100 + activity,
        "severity_id": 1 if ok else 2,
        "time": int(now.timestamp() * 1000),
        "time_dt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "actor": {
            "process": {"pid": os.getpid() if process is None else process},
            "user": {"uid": str(_own_uid() if user is None else user)},
        },
        "api": {"operation": operation},
        "resources": [{"type": "secret", "name": name} for name in _texts(fields.get("resources"), _TEXT_SIZE)],
        "status_id": 1 if ok else 2,
        "status_detail": _text(fields.get("reason")) or "",
        "metadata": {
            "product": {"name": "Locum", "version": __version__}, "version": "1.3.0", "sequence": sequence,
            "uid": secrets.token_hex(16), "correlation_uid": unmapped.get("lease", ""),
        },
        "unmapped": unmapped,
        "prev": previous,
    }  # fmt: skip


def chain(previous: str, body: dict[str, Any]) -> str:
    """Return the hash of a record that follows the one whose hash is `previous`."""
    return hashlib.sha256(previous.encode() + canonical(body)).hexdigest()


def canonical(record: dict[str, Any]) -> bytes:
    """Return the one way to write a record: ASCII JSON, keys sorted, no spaces."""
    return json.dumps(record, separators=(",", ":"), sort_keys=True).encode()


def parse(line: bytes) -> dict[str, Any] | None:
    """Return the record of a whole line, None when it is none."""
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", record) if isinstance(record, dict) and line.endswith(b"\n") else None


def parse_exactly(line: bytes) -> dict[str, Any] | None:
    """As `parse`, but None as well for a line that is not written as we write it.

    Two keys of one name, for example, would show one thing to a person and another to the check.
    """
    record = parse(line)
    try:
        return record if record is not None and canonical(record) + b"\n" == line else None
    except (ValueError, RecursionError):
        return None


def sequence_of(record: dict[str, Any]) -> int:
    """Return a record's number, 0 when it has none."""
    number = part(record, "metadata").get("sequence")
    return number if type(number) is int else 0


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
    return value if len(value) <= _TEXT_SIZE else value[:_TEXT_SIZE] + _CUT


def _number(value: Any) -> int | None:
    return value if type(value) is int and abs(value) < 1 << 53 else None  # beyond, JSON readers disagree


def _texts(value: Any, most: int) -> list[str]:
    """Return the texts of a list, up to `most` characters in all."""
    kept: list[str] = []
    for item in cast("list[Any]", value) if isinstance(value, (list, tuple)) else []:
        if not isinstance(item, str):
            continue
        if len(item) > most:
            return [*kept, item[: max(0, most)] + _CUT]
        kept.append(item)
        most -= len(item) + 16  # an empty text takes room too
    return kept


def _own_uid() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0

"""The record: whatever somebody does to it shows, and nothing but known fields gets in."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locum.broker.audit import AuditLog, read_records
from locum.broker.audit_files import AuditFailed
from locum.broker.audit_verify import verify
from locum.secret import SecretBytes


def derive(salt: bytes) -> SecretBytes:
    return SecretBytes(hashlib.sha256(b"the vault's key" + salt).digest())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Give a closed record of three segments, 18 lines."""
    path = tmp_path / "audit.jsonl"
    for _ in range(3):
        writer = AuditLog(path, derive)
        for number in range(5):
            writer.append(
                "lease.grant", ok=True, durable=number == 2, resources=["API_KEY"], lease=f"ls_{number}", argv=["true"]
            )
        writer.close()
    return path


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_an_honest_record_is_whole(log: Path) -> None:
    verdict = verify(log, derive)
    assert (verdict.ok, verdict.records) == (True, 18)
    assert verify(log.with_name("none.jsonl"), derive).ok


def rewritten(lines: list[bytes], number: int, **changes: Any) -> list[bytes]:
    """Change fields of one line and make its own hash right again."""
    record = json.loads(lines[number]) | changes
    body = {key: value for key, value in record.items() if key not in {"hash", "mac"}}
    record["hash"] = hashlib.sha256(
        (str(record["prev"]) + json.dumps(body, separators=(",", ":"), sort_keys=True)).encode()
    ).hexdigest()
    line = json.dumps(record, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    return [*lines[:number], line, *lines[number + 1 :]]


def signed_as_anchor(lines: list[bytes], number: int) -> list[bytes]:
    """Begin a segment whose key is the one that signs anchors."""
    changed = rewritten(lines, number, unmapped={"segment": b"anchor".hex()})
    mac = hmac.digest(bytes(derive(b"anchor").view()), json.loads(changed[number])["hash"].encode(), "sha256").hex()
    return rewritten(changed, number, mac=mac)


def edited(lines: list[bytes], number: int) -> list[bytes]:
    return [line.replace(b"API_KEY", b"API_KEX") if at == number else line for at, line in enumerate(lines)]


def recomputed(lines: list[bytes], number: int) -> list[bytes]:
    """Change a line and make the hash chain right again, as somebody without the key can."""
    made: list[bytes] = []
    previous = json.loads(lines[number])["prev"]
    for at, line in enumerate(lines):
        record = json.loads(line)
        if at >= number:
            if at == number:
                record["resources"] = [{"type": "secret", "name": "OTHER"}]
            record["prev"] = previous
            body = {key: value for key, value in record.items() if key not in {"hash", "mac"}}
            record["hash"] = hashlib.sha256(
                (previous + json.dumps(body, separators=(",", ":"), sort_keys=True)).encode()
            ).hexdigest()
        previous = record["hash"]
        made.append(json.dumps(record, separators=(",", ":"), sort_keys=True).encode() + b"\n")
    return made


ATTACKS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int]] = {
    "a name changed": (lambda lines: edited(lines, 7), 8),
    "a line removed": (lambda lines: lines[:7] + lines[8:], 8),
    "two lines swapped": (lambda lines: [*lines[:7], lines[8], lines[7], *lines[9:]], 8),
    "a line doubled": (lambda lines: lines[:8] + lines[7:], 9),
    "the end cut off": (lambda lines: lines[:-2], 17),
    "everything cut off": (lambda _: [], 1),
    "the beginning cut off": (lambda lines: lines[6:], 1),
    "the chain recomputed": (lambda lines: recomputed(lines, 7), 8),
    "a line of nonsense": (lambda lines: [*lines[:7], b"{nonsense\n", *lines[7:]], 8),
    "a line added": (lambda lines: [*lines, lines[-1]], 19),
    "a key doubled, so that people read another thing": (
        lambda lines: [*lines[:7], lines[7].replace(b"{", b'{"api":{"operation":"lease.deny"},', 1), *lines[8:]],
        8,
    ),
    "spaces added": (lambda lines: [*lines[:7], lines[7].replace(b",", b", ", 1), *lines[8:]], 8),
    "a field of another type": (lambda lines: rewritten(lines, 7, unmapped=5), 8),
    "an odd signature": (lambda lines: rewritten(lines, 7, mac="\u00e9"), 8),
    "no signature": (lambda lines: rewritten(lines, 7, mac=None), 8),
    "the anchor's key taken for a segment's": (lambda lines: signed_as_anchor(lines, 7), 8),
    "a very long line": (lambda lines: [*lines[:7], b"x" * (2 << 20) + b"\n", *lines[7:]], 8),
    "a deep line": (lambda lines: [*lines[:7], b'{"a":' + b"[" * 100_000 + b"\n", *lines[7:]], 8),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_shows_and_is_placed(log: Path, attack: str) -> None:
    change, first_bad = ATTACKS[attack]
    log.write_bytes(b"".join(change(lines_of(log))))
    verdict = verify(log, derive)
    assert not verdict.ok
    assert verdict.first_bad == first_bad
    assert verdict.reason


def test_every_changed_bit_shows(log: Path) -> None:
    original = log.read_bytes()
    chance = random.Random(11)
    for place in [chance.randrange(len(original)) for _ in range(250)]:
        changed = bytearray(original)
        changed[place] ^= 1 << chance.randrange(8)
        log.write_bytes(changed)
        assert not verify(log, derive).ok, place
    log.write_bytes(original)
    assert verify(log, derive).ok


def with_anchor_edited(log: Path) -> None:
    anchor = log.with_suffix(".anchor")
    number, digest, mac = anchor.read_text().split()
    anchor.write_text(f"{int(number) - 1} {digest} {mac}\n")


def without_anchor(log: Path) -> None:
    log.with_suffix(".anchor").unlink()


def with_odd_anchor(log: Path) -> None:
    log.with_suffix(".anchor").write_text("18 \u00e9 \u00e9\n")


def cut(log: Path) -> None:
    log.write_bytes(b"".join(lines_of(log)[:-2]))


def emptied(log: Path) -> None:
    log.write_bytes(b"")


def cut_without_anchor(log: Path) -> None:
    cut(log)
    without_anchor(log)


def tail_replaced(log: Path) -> None:
    """Put the end of another honest log, of the same key, in the place of this one's."""
    cut(log)
    anchor = log.with_suffix(".anchor")
    kept = anchor.read_text()
    anchor.write_text(honest_anchor(log))
    writer = AuditLog(log, derive)
    for _ in range(3):
        writer.append("lease.end", ok=True, durable=False)
    writer.close()
    anchor.write_text(kept)


def honest_anchor(log: Path) -> str:
    last = json.loads(lines_of(log)[-1])
    text = f"{last['metadata']['sequence']} {last['hash']}"
    return f"{text} {hmac.digest(bytes(derive(b'anchor').view()), text.encode(), 'sha256').hex()}\n"


@pytest.mark.parametrize(
    "attack", [with_anchor_edited, without_anchor, with_odd_anchor, cut, emptied, cut_without_anchor, tail_replaced]
)
def test_a_new_segment_heals_no_attack(log: Path, attack: Callable[[Path], None]) -> None:
    """Whoever cuts the log and waits for the next broker is seen as well, then and for good."""
    attack(log)
    assert not verify(log, derive).ok
    for _ in range(2):
        writer = AuditLog(log, derive)
        writer.append("lease.grant", ok=True, durable=True)
        writer.close()
    verdict = verify(log, derive)
    assert not verdict.ok
    told = [record for record in read_records(log) if record["api"]["operation"] == "log.recovered"]
    assert told
    assert told[0]["status_id"] == 2
    assert told[0]["metadata"]["sequence"] == verdict.first_bad
    assert told[0]["status_detail"] in verdict.reason


def test_a_new_log_may_be_killed_before_its_first_anchored_record(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(path, derive).append("broker.start", ok=True, durable=False)
    assert verify(path, derive).ok
    AuditLog(path, derive).close()
    assert verify(path, derive).ok


def test_it_can_be_verified_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    writer = AuditLog(path, derive)
    for number in range(200):
        writer.append("lease.use", ok=True, durable=number % 7 == 0)
        assert verify(path, derive).records == number + 2
    half = path.read_bytes() + b'{"activity_id"'
    path.write_bytes(half)
    assert verify(path, derive).ok, "what a writer is at is not a record yet"


def test_a_torn_line_is_mended_and_told(log: Path) -> None:
    with log.open("ab") as file:
        file.write(b'{"half a line')
    AuditLog(log, derive).close()
    *_, last = read_records(log)
    assert last["api"]["operation"] == "log.recovered"
    assert last["unmapped"]["bytes"] == 13
    assert verify(log, derive).ok


def test_it_is_private(log: Path) -> None:
    assert log.stat().st_mode & 0o777 == 0o600


def test_an_open_log_is_closed_to_others(log: Path) -> None:
    log.chmod(0o644)
    AuditLog(log, derive).close()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditFailed):
        AuditLog(tmp_path / "audit.jsonl", derive)
    assert not (tmp_path / "elsewhere").exists()

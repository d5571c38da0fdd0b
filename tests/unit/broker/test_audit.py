"""The record: whatever somebody does to it shows, and nothing but known fields gets in."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.home import canary

from locum.broker.audit import AuditFailed, AuditLog, read_records, verify
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
            writer.append("lease.grant", ok=True, durable=number == 2, resources=["API_KEY"], lease=f"ls_{number}", argv=["true"])
        writer.close()
    return path


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_an_honest_record_is_whole(log: Path) -> None:
    verdict = verify(log, derive)
    assert (verdict.ok, verdict.records) == (True, 18)
    assert verify(log.with_name("none.jsonl"), derive).ok


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
            record["hash"] = hashlib.sha256((previous + json.dumps(body, separators=(",", ":"), sort_keys=True)).encode()).hexdigest()
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
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_shows_and_is_placed(log: Path, attack: str) -> None:
    change, first_bad = ATTACKS[attack]
    log.write_bytes(b"".join(change(lines_of(log))))
    verdict = verify(log, derive)
    assert not verdict.ok
    assert verdict.first_bad == first_bad
    assert verdict.reason


def test_an_anchor_of_another_hand_shows(log: Path) -> None:
    anchor = log.with_suffix(".anchor")
    number, digest, mac = anchor.read_text().split()
    anchor.write_text(f"{int(number) - 1} {digest} {mac}\n")
    assert not verify(log, derive).ok
    anchor.unlink()
    assert not verify(log, derive).ok


def test_a_torn_line_is_mended_and_told(log: Path) -> None:
    with log.open("ab") as file:
        file.write(b'{"half a line')
    AuditLog(log, derive).close()
    *_, last = read_records(log)
    assert last["api"]["operation"] == "log.recovered"
    assert last["unmapped"]["bytes"] == 13
    assert verify(log, derive).ok


def test_only_known_fields_get_in(tmp_path: Path) -> None:
    value = canary()
    path = tmp_path / "audit.jsonl"
    writer = AuditLog(path, derive)
    writer.append("lease.use", ok=True, durable=True, value=value, password=value, argv=SecretBytes(value.encode()), ttl_s=value, resources=[value.encode()])
    writer.close()
    assert value not in path.read_text()


def test_it_is_private(log: Path) -> None:
    assert log.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = AuditLog(tmp_path / "audit.jsonl", derive)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(AuditFailed):
        writer.append("lease.grant", ok=True, durable=True)

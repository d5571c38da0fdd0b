"""Checksums of vendors' tokens: right ones prove, altered ones disprove, other forms say nothing."""

from __future__ import annotations

import base64
import json
import random
import zlib

import pytest
from detect_cases import characters

from locum.detect.checksums import CHECKSUM_NAMES, CHECKSUMS

SOURCE = random.Random(3)
GRAFANA = CHECKSUMS["grafana"]
SYNAPSE = CHECKSUMS["synapse"]
ANTHROPIC = CHECKSUMS["anthropic"]
SENTRY = CHECKSUMS["sentry"]


def grafana_token() -> bytes:
    body = f"glsa_{characters(SOURCE, 'alnum', 32)}"
    number = zlib.crc32(body.encode())
    return f"{body}_{''.join(f'{number >> shift & 255:02x}' for shift in (0, 8, 16, 24))}".encode()


def synapse_token(kind: str) -> bytes:
    localpart = base64.b64encode(b"ann").decode().rstrip("=")
    body = f"{kind}_{localpart}_{characters(SOURCE, 'alpha', 20)}"
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    number = zlib.crc32(body.encode())
    check = "".join(digits[number // 62**place % 62] for place in range(5, -1, -1))
    return f"{body}_{check}".encode()


@pytest.mark.parametrize("_", range(8))
def test_grafana(_: int) -> None:
    token = grafana_token()
    assert GRAFANA(token) is True
    assert GRAFANA(token[:10] + bytes([token[10] ^ 1]) + token[11:]) is False
    assert GRAFANA(token[:-8]) is None


@pytest.mark.parametrize("kind", ["syt", "syr"])
@pytest.mark.parametrize("_", range(8))
def test_synapse(kind: str, _: int) -> None:
    token = synapse_token(kind)
    assert SYNAPSE(token) is True
    assert SYNAPSE(token[:6] + bytes([token[6] ^ 1]) + token[7:]) is False
    assert SYNAPSE(token[:-1]) is None


def test_anthropic_says_no_more_than_no() -> None:
    body = characters(SOURCE, "b64u", 93)
    assert ANTHROPIC(f"sk-ant-api03-{body}AA".encode()) is None
    assert ANTHROPIC(f"sk-ant-admin01-{body}AA".encode()) is None
    assert ANTHROPIC(f"sk-ant-api03-{body}bA".encode()) is False
    assert ANTHROPIC(f"sk-ant-api03-{body[1:]}AA".encode()) is False


def test_sentry_reads_the_payload() -> None:
    secret = characters(SOURCE, "b64", 43)
    for facts, verdict in [
        ({"iat": 1.5, "url": "https://acme.dev", "org": "acme"}, None),
        ({"iat": 1}, False),
        ([1], False),
    ]:
        payload = base64.b64encode(json.dumps(facts).encode()).decode()
        assert SENTRY(f"sntrys_{payload}_{secret}".encode()) is verdict
    assert SENTRY(f"sntrys_eyJ{characters(SOURCE, 'alnum', 80)}_{secret}".encode()) is False
    assert SENTRY(f"sntrys_{base64.b64encode(b'[' * 90_000).decode()}_{secret}".encode()) is False


def test_each_check_has_a_name() -> None:
    assert set(CHECKSUMS) == set(CHECKSUM_NAMES)

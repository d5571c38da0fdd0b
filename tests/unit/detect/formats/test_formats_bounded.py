"""Texts that are made to hurt cost work in proportion to their length, and give no more text than they have."""

from __future__ import annotations

import base64
import random

import pytest
from format_cases import places

from locum.detect import formats
from locum.detect.formats.model import ROOM, UNITS

SIZE = 100_000
B64 = base64.b64encode(b"password=abc " * (SIZE // 13))


def filled(piece: bytes) -> bytes:
    return (piece * (SIZE // len(piece) + 1))[:SIZE]


HOSTILE = {
    "kinds": ("a.yaml", filled(b"kind: Secret\n")),
    "kinds ever deeper": (
        "a.yaml",
        b"".join(b" " * (number % 300) + b"kind: Secret\n" for number in range(SIZE // 160)),
    ),
    "blocks without end": ("a.yaml", filled(b"kind: Secret\ndata:\n  a: |\n")),
    "deep objects": ("a.ipynb", filled(b'{"a":')),
    "deep lists": ("a.tfstate", filled(b"[")),
    "many strings": ("a.ipynb", filled(b'"a",')),
    "quotes": ("a.py", filled(b'"')),
    "backslashes": ("a.py", b'token = "' + filled(b"\\")),
    "escaped words": ("a.py", filled(b'token\\"')),
    "a chain": ("a.py", b"token = " + filled(b'"a" + ')),
    "many chains": ("a.py", filled(b'token = "a" + ')),
    "one line of base64": ("a.txt", B64),
    "lines of base64": ("a.txt", base64.encodebytes(base64.b64decode(B64))),
    "base64 of base64": ("a.txt", base64.b64encode(B64)[:SIZE]),
    "base64 of noise": ("a.txt", base64.b64encode(random.Random(1).randbytes(SIZE))),
    "many runs of base64": ("a.txt", filled(base64.b64encode(b"password=abcdefgh") + b" ")),
    "hexadecimal": ("a.txt", filled(b"password=".hex().encode())),
    "percent": ("a.txt", filled(b"%3A%2F%2F")),
    "commands": ("a.sh", filled(b"curl -u a:")),
    "calls in calls": ("a.js", filled(b"jwt.sign(")),
    "elements": ("a.xml", filled(b"<password>")),
    "attributes": ("a.xml", filled(b"<x " + b"a " * 100 + b'password="')),
    "pairs": ("a.json", filled(b'"value":"xyz123","name":"password"')),
    "encrypted values without end": ("a", filled(b"ENC[AES256_GCM")),
    "armour without end": ("a", filled(b"-----BEGIN AGE ENCRYPTED FILE-----")),
    "metadata": ("a", filled(b'sops": {')),
    "login file": (".pgpass", filled(b"a:1:a:")),
    "image": ("Dockerfile", b"ENV " + filled(b"a=b ")),
    "empty lines": ("a.py", filled(b"\n")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_work_and_text_are_in_proportion(name: str) -> None:
    path, data = HOSTILE[name]
    work = formats.Work(10**9)
    found = places(data)
    seen = list(formats.slots(data, path, found, work))
    derived = sum(len(view.text) for view in formats.views(data, path, found, work))
    formats.encrypted(data, path, work, found)
    assert 10**9 - work.left <= 12 * len(data) + 1000
    assert derived <= len(data) + ROOM
    assert len({slot[:2] for slot in seen}) == len(seen)


@pytest.mark.parametrize("name", HOSTILE)
def test_the_limit_holds_and_is_told(name: str) -> None:
    path, data = HOSTILE[name]
    work = formats.Work(50)
    found = places(data)
    list(formats.slots(data, path, found, work))
    list(formats.views(data, path, found, work))
    formats.encrypted(data, path, work, found)
    assert work.cut is (work.left < 0)
    assert work.left >= -200_000


def test_honest_texts_are_never_cut() -> None:
    """Five thousand lines, each with a word that readers look at."""
    lines = [f'    self.token_{number} = get_token("password", process.env.TOKEN)\n' for number in range(5000)]
    data = "".join(lines).encode()
    work = formats.Work.for_text(data)
    list(formats.slots(data, "a.py", places(data), work))
    list(formats.views(data, "a.py", places(data), work))
    assert not work.cut
    assert formats.Work.for_text(b"").left == UNITS

"""What stands encoded in a text is found, and leads back to exactly the bytes that say it."""

from __future__ import annotations

import base64
import json
import random
from urllib.parse import quote

import pytest
from format_cases import places, views
from hypothesis import given
from hypothesis import strategies as st

from locum.detect import formats
from locum.detect.formats.encoded import add_percent
from locum.detect.formats.literals import add_unescaped
from locum.detect.formats.model import GAP, Builder, Room, Work
from unit.detect.detect_cases import SEEDS, characters

PREFIX = "gh" + "p_"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def pem(source: random.Random) -> str:
    lines = [characters(source, "alnum", 64) for _ in range(4)]
    return "\n".join(["-----BEGIN " + "PRIVATE KEY-----", *lines, "-----END " + "PRIVATE KEY-----"])


def notebook(*cells: dict[str, object]) -> str:
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


# Each case: the file's name, the text with the bytes in [[ ]] that say the secret, S for the secret, T for two halves of it.
CASES = {
    "base64 of a setting": ("a.yaml", lambda s: f"data: [[{b64('DB_PASSWORD=' + s)}]]\nnext: x"),
    "base64 at another alignment": ("a.yaml", lambda s: f"data: '[[{b64('x=1;DB_PASSWORD=' + s + ';y=2')}]]'"),
    "base64 of a token": ("a.js", lambda s: f"atob('[[{b64(PREFIX + s)}]]')"),
    "base64 of JSON": ("a.env", lambda s: f"CONFIG=[[{b64(json.dumps({'password': s}))}]]"),
    "base64 in the URL alphabet": ("a.env", lambda s: f"C=[[{b64('password=' + s + ' ~~~>>>???').rstrip('=').translate({43: 45, 47: 95})}]]"),
    "base64 on several lines": (
        "a.txt",
        lambda s: "key:\n  [[" + "\n  ".join(b64("# a comment that goes on and on and on\n" * 3 + f"password={s}\n" + "x = 1\n" * 30)[i : i + 76] for i in range(0, 444, 76)) + "]]\n\nend",
    ),
    "hexadecimal": ("a.txt", lambda s: f"blob = 0x[[{('password=' + s).encode().hex()}]];"),
    "percent in a URL": ("a.txt", lambda s: f"https://a.dev/?next=https%3A%2F%2Fbot%3A[[{quote(s[:9] + '/' + s[9:], safe='')}]]%40b.dev%2F"),
    "percent in a form": ("a.txt", lambda s: f"user=bot%26password%3D[[{s[:9]}%2F{s[9:]}]]%26x%3D1"),
    "JSON in a string": ("A.java", lambda s: f'String s = "{{\\"password\\": \\"[[{s[:9]}\\/{s[9:]}]]\\"}}";'),
    "escaped slashes": ("a.json", lambda s: f'{{"url": "https:\\/\\/bot:[[{s[:9]}\\/{s[9:]}]]@a.dev\\/x"}}'),
    "escaped letters": ("a.py", lambda s: f'x = "password[[\\u003d{s}]]"'),
    "joined with plus": ("a.js", lambda s: f'const apiKey = "[[{s[:7]}" + "{s[7:]}]]";'),
    "joined with plus over lines": ("A.java", lambda s: f'String password =\n    "[[{s[:7]}"\n    + "{s[7:]}]]";'),
    "joined by standing side by side": ("a.py", lambda s: f'token = (\n    "[[{s[:7]}"\n    "{s[7:]}]]"\n)'),
    "joined in C": ("a.c", lambda s: f'static const char *password = "[[{s[:7]}" \\\n  "{s[7:]}]]";'),
    "a line that goes on": ("a.py", lambda s: f'password = "[[{s[:7]}\\\n{s[7:]}]]"'),
    "joined with a dot": ("a.php", lambda s: f"$password = '[[{s[:7]}' . '{s[7:]}]]';"),
    "joined in Ruby": ("a.rb", lambda s: f"password = '[[{s[:7]}' \\\n  '{s[7:]}]]'"),
    "joined in Go": ("a.go", lambda s: f'const token = "[[{PREFIX}" +\n\t"{s}]]"'),
    "joined in C#": ("a.cs", lambda s: f'var secret = @"[[{s[:7]}" + @"{s[7:]}]]";'),
    "a cell of a notebook": (
        "a.ipynb",
        lambda s: notebook({"cell_type": "code", "id": "x", "source": ["import os\n", f'password = "[[{s[:9]}\\{s[9:]}]]"\n'], "outputs": []}),
    ),
    "what a cell printed": (
        "a.ipynb",
        lambda s: notebook({"cell_type": "code", "source": "print(x)", "outputs": [{"output_type": "stream", "text": ["\u00fc\n", f'api_key = "[[{s}]]"\n']}]}),
    ),
}  # fmt: skip
DECODED = {
    "percent in a URL": lambda s: s[:9] + "/" + s[9:], "percent in a form": lambda s: s[:9] + "/" + s[9:],
    "JSON in a string": lambda s: s[:9] + "/" + s[9:], "escaped slashes": lambda s: s[:9] + "/" + s[9:],
    "escaped letters": lambda s: "=" + s, "a cell of a notebook": lambda s: s[:9] + "\\" + s[9:],
    "joined in Go": lambda s: PREFIX + s,
}  # fmt: skip


def built(text: str) -> tuple[bytes, tuple[int, int]]:
    raw = text.encode()
    start, end = raw.index(b"[["), raw.index(b"]]") - 2
    return raw.replace(b"[[", b"", 1).replace(b"]]", b"", 1), (start, end)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", CASES)
def test_leads_back_to_what_says_it(name: str, seed: int) -> None:
    path, make = CASES[name]
    secret = characters(random.Random(f"{seed}{name}"), "alnum", 24)
    data, expected = built(make(secret))
    wanted = DECODED.get(name, lambda s: s)(secret).encode()
    found = {
        view.original(place, place + len(wanted))
        for view in views(data, path)
        if (place := view.text.find(wanted)) >= 0
    }
    assert found == {expected}, (data, [view.text for view in views(data, path)])


@pytest.mark.parametrize("seed", SEEDS)
def test_keys_over_lines(seed: int) -> None:
    key = pem(random.Random(seed))
    first, last = '"' + key.split("\n")[0], key.split("\n")[-1]
    escaped = json.dumps({"private_key": key + "\n"})
    joined = "const key = " + " +\n  ".join(f'"{line}\\n"' for line in key.split("\n")) + ";"
    listed = "key = [\n" + ",\n".join(f'  "{line}"' for line in key.split("\n")) + '\n].join("\\n")'
    encoded = f"tls.key: {b64(key)}\n"
    for text in (escaped, joined, listed):
        data = text.encode()
        [(view, place)] = [(view, view.text.find(key.encode())) for view in views(data) if key.encode() in view.text]
        assert view.original(place, place + len(key)) == (
            data.index(first.encode()) + 1,
            data.index(last.encode()) + len(last),
        )
    data = encoded.encode()
    [view] = views(data)
    assert view.original(view.text.index(b"-----"), len(view.text)) == (9, len(data) - 1)


QUIET = [
    ("a.py", 'password = input("Password: ")\ntoken = get("a") + b\n'),
    ("a.py", 'log.info("the token is " + token + "\\n")'),
    ("a.js", 'const token = "abc"; const x = "a" + b;'),
    ("a.py", 'secret = """\nsome text\n"""\n'),
    ("a.json", '{"password": "x", "token": "y"}'),
    ("a.txt", "data:image/png;base64," + base64.b64encode(random.Random(1).randbytes(3000)).decode()),
    ("a.txt", "cGFzc3dv"),
]


@pytest.mark.parametrize(("path", "text"), QUIET)
def test_what_says_no_more_than_is_written_gives_nothing(path: str, text: str) -> None:
    assert [view.text for view in views(text.encode(), path)] == []


def test_images_and_ids_of_notebooks_are_left_out() -> None:
    image = base64.b64encode(random.Random(2).randbytes(600)).decode()
    text = notebook(
        {
            "id": "0123456789abcdef",
            "cell_type": "code",
            "source": ["x\n"],
            "outputs": [{"data": {"image/png": image, "text/plain": ["y\n"]}}],
        }
    )
    data = text.encode()
    assert [data[start:end].decode() for start, end in formats.encrypted(data, "a.ipynb")] == [
        "0123456789abcdef",
        image,
    ]
    [view] = views(data, "a.ipynb")
    assert [part.strip() for part in view.text.split(GAP)] == [b"x", b"y"]


PIECES = st.sampled_from([
    "a", "é", "😋", " ", '"', "'", "\\", "\\n", '\\"', "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "\\x41", "\n", "\r\n", "+", ".", ",", "=", ":",
    "password", "token", "ghp" + "_", "%3A%2F%2F", "%", "%4", "%C3%A9", "{", "}", "[", "]", '" + "', "' . '", "(", ")",
    b64("password=abcdefghijklmnop"), b"password=abc".hex(), '"cells"', '"source"', "kind: Secret", "data:", "  ",
])  # fmt: skip
TEXTS = st.lists(PIECES, max_size=60).map("".join)
PATHS = st.sampled_from(["", "a.py", "a.ipynb", "a.json", ".netrc", "a.tfstate", "secret.yaml", "Dockerfile"])


@given(TEXTS, PATHS)
def test_every_part_says_what_its_place_says(text: str, path: str) -> None:
    data = text.encode()
    for view in views(data, path):
        ends = [*(piece.at for piece in view.pieces[1:]), len(view.text)]
        for piece, end in zip(view.pieces, ends, strict=True):
            said = view.text[piece.at : end]
            assert 0 <= piece.start <= piece.end <= len(data)
            assert view.original(piece.at, end) == (piece.start, piece.end)
            if piece.plain:
                assert data[piece.start : piece.end] == said
            elif said not in {GAP, b"\n"}:
                assert said == decoded(data[piece.start : piece.end], view.why)


def decoded(raw: bytes, why: str) -> bytes:
    """Decode a piece anew, by other means than what is tested."""
    if "base64" in why:
        joined = b"".join(raw.split()).rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        return base64.b64decode(joined + b"=" * (-len(joined) % 4))
    if "hexadecimal" in why:
        return bytes.fromhex(raw.decode())
    if "percent" in why:
        return bytes([int(raw[1:], 16)])
    short = {b"\\x41": b"A", b"\\\n": b"", b"\\\r\n": b""}
    if raw in short:
        return short[raw]
    if raw[1:2] in b'"\\/bfnrtu':
        return json.loads(b'"' + raw + b'"').encode("utf-8", "surrogatepass")
    return raw[1:]


@given(TEXTS, PATHS)
def test_slots_and_spans_are_inside(text: str, path: str) -> None:
    data = text.encode()
    for start, end, *_ in formats.slots(data, path, places(data)):
        assert 0 <= start < end <= len(data)
    last = 0
    for start, end in formats.encrypted(data, path):
        assert last <= start < end <= len(data)
        last = end


@given(st.text(max_size=40))
def test_percent_and_json_are_undone(text: str) -> None:
    for encoded, add in ((quote(text, safe=""), add_percent), (json.dumps(text)[1:-1], add_unescaped)):
        data = encoded.encode()
        builder = Builder(data, Room(data, Work(10**6)))
        add(data, 0, len(data), builder)
        assert b"".join(view.text for view in builder.views("")) == text.encode("utf-8", "surrogatepass")

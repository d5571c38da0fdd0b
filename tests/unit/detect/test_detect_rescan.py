"""After any edit the quick scan says what a full scan says; and it is quick where it can be."""

from __future__ import annotations

import random
import re
from re import _parser as sre  # type: ignore[attr-defined] - the only way to see what an expression may match
from typing import Any

import pytest
from detect_cases import characters, clean_texts, github_body, provider_cases
from hypothesis import event, given, settings
from hypothesis import strategies as st

from locum.detect.engine import default_engine
from locum.detect.rescan import FAR, REACH, Scanned, rescan
from unit.detect.formats import format_cases

SOURCE = random.Random(11)
CASES = [case.build(seed)[0] for case in provider_cases() for seed in (0, 1)]
CASES += [case.build(0)[0] for name in ("slots.txt", "encrypted.txt") for case in format_cases.cases(name)]
CLEAN = clean_texts(2)
MARKS = [b"  # gitleaks:allow\n", b"# locum:allow-next-line\n", b"# locum:allow-start\n", b"# locum:allow-end\n",
         b"  # noqa: S105\n", b"# locum:allow-file\n"]  # fmt: skip
GUESSABLE = [
    f'db_password = "{characters(SOURCE, "alpha", 5)}-{characters(SOURCE, "digits", 3)}q7"\n'.encode() for _ in range(3)
]
FILLER = [
    f"def function_{number}(argument, other=None):\n    return [argument, other]  # 😋 {number}\n\n".encode()
    for number in range(9)
]
BITS = [
    b"",
    b"x",
    b"\n",
    b'"',
    b"'",
    b" ",
    b"#",
    b"=",
    b"\r\n",
    b"-----BEGIN",
    b"eyJ",
    b"-- ",
    "é😋".encode(),
    b"A" * 90,
    b"\\n",
    b"}{",
]

PIECES = (
    st.sampled_from(CASES)
    | st.sampled_from(CASES).map(lambda text: text + b"\n")
    | st.sampled_from(CLEAN).map(lambda text: text + b"\n")
    | st.sampled_from(GUESSABLE)
    | st.tuples(st.sampled_from(FILLER), st.integers(1, 90)).map(lambda two: two[0] * two[1])
)
MARKED = PIECES | st.sampled_from(MARKS)
PATHS = st.sampled_from(["src/app.py", "web/app.ts", "tests/test_app.py", ".env", "config.yaml", "main.go", ""])


def filled(pieces: list[bytes]) -> bytes:
    """Put pieces into a text that is long enough for windows."""
    return b"".join([FILLER[0] * 120, *pieces, FILLER[1] * 120])


@settings(max_examples=250, deadline=None)
@given(
    pieces=st.lists(PIECES, max_size=14) | st.lists(MARKED, max_size=8),
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from([0, 0, 1, 3, 40, 300]), st.sampled_from(BITS) | PIECES | MARKED),
        min_size=1,
        max_size=5,
    ),
    path=PATHS,
)
def test_after_an_edit_a_window_gives_what_a_full_scan_gives(
    pieces: list[bytes], edits: list[tuple[float, int, bytes]], path: str
) -> None:
    engine = default_engine()
    data = filled(pieces)
    margin = len(FILLER[0]) * 110
    known = rescan(engine, None, data, path=path, project="p")
    for share, deleted, inserted in edits:
        at = margin + int(share * max(0, len(data) - 2 * margin))
        data = data[:at] + inserted + data[at + deleted :]
        known = rescan(engine, known, data, path=path, project="p")
        event("window" if known.near else "full")
        assert known.result == engine.scan(data, path=path, project="p")
        assert known.data == data


def edited(data: bytes, at: int, new: bytes, *, deleted: int = 0, path: str = "app.py") -> tuple[Scanned, bytes]:
    """Edit a text at one place and look at it again; the answer is always the full one."""
    engine = default_engine()
    after = data[:at] + new + data[at + deleted :]
    known = rescan(engine, rescan(engine, None, data, path=path), after, path=path)
    assert known.result == engine.scan(after, path=path)
    return known, after


def secret_line(name: str = "token") -> bytes:
    return f'{name} = "ghp_{github_body(SOURCE)}"\n'.encode()


LONG = b"".join(FILLER) * 80
MIDDLE = len(LONG) // 2 // len(b"".join(FILLER)) * len(b"".join(FILLER))


def test_typing_in_a_long_text_looks_at_a_window() -> None:
    data = secret_line() + LONG[:MIDDLE] + secret_line("other") + LONG[MIDDLE:] + secret_line()
    known, _ = edited(data, MIDDLE + 500, b"x = 1\n")
    assert known.near, "the whole text was scanned"
    assert len(known.result.findings) == 3


def test_what_appears_changes_and_goes_is_seen() -> None:
    engine, line = default_engine(), secret_line()
    data = LONG[:MIDDLE] + line + LONG[MIDDLE:]
    known = rescan(engine, None, LONG, path="app.py")
    for text, count in (
        (data, 1),
        (data.replace(b"token", b"secret"), 1),
        (LONG, 0),
        (LONG[:MIDDLE] + line * 3 + LONG[MIDDLE:], 3),
    ):
        known = rescan(engine, known, text, path="app.py")
        assert known.near
        assert len(known.result.findings) == count
        assert known.result == engine.scan(text, path="app.py")


def test_the_same_value_far_away_is_related_anew() -> None:
    line = secret_line()
    known, _ = edited(line + LONG, MIDDLE, line)
    first, second = known.result.findings
    assert (first.related[0].start, second.related[0].start) == (second.start, first.start)
    known, _ = edited(line + LONG[:MIDDLE] + line + LONG[MIDDLE:], len(line) + MIDDLE, b"", deleted=len(line))
    assert [finding.related for finding in known.result.findings] == [()]


def test_equal_secrets_that_can_be_guessed_are_counted_anew() -> None:
    """A fingerprint of what might be guessed holds a number, and an edit ahead of it changes that."""
    line = GUESSABLE[0]
    known, _ = edited(LONG[:MIDDLE] + line + LONG[MIDDLE:], 900, line)
    assert known.near
    assert len({finding.fingerprint for finding in known.result.findings}) == 2


@pytest.mark.parametrize("mark", MARKS)
def test_marks_that_reach_over_lines_are_heeded(mark: bytes) -> None:
    data = LONG[:MIDDLE] + secret_line() + LONG[MIDDLE:]
    for at in (0, MIDDLE - 2000, MIDDLE):
        edited(data, LONG.rfind(b"\n", 0, at) + 1, mark.lstrip())


def test_a_key_over_many_lines_is_seen_wherever_the_edit_is() -> None:
    body = "\n".join(characters(SOURCE, "b64", 64) for _ in range(60))
    head, foot = "-----BEGIN " + "RSA PRIVATE KEY-----\n", "\n-----END RSA PRIVATE KEY-----\n"
    whole = f"{head}{body}{foot}".encode()
    data = LONG[:MIDDLE] + whole + LONG[MIDDLE:]
    for at in (0, 3, len(head) + 5, len(head) + 3000, len(whole) - 4, len(whole) + 9):
        for new, deleted in ((b"", 1), (b"z", 0), (b"\n\n", 0)):
            edited(data, MIDDLE + at, new, deleted=deleted)
    edited(LONG[:MIDDLE] + whole[len(head) :] + LONG[MIDDLE:], MIDDLE, head.encode())


def test_another_path_day_or_project_is_another_text() -> None:
    engine, data = default_engine(), LONG + secret_line()
    known = rescan(engine, None, data, path="app.py", project="a")
    moved = rescan(engine, known, data, path="tests/test_app.py", project="a")
    assert moved.result == engine.scan(data, path="tests/test_app.py", project="a") != known.result
    assert rescan(engine, known, data, path="app.py", project="b").result != known.result


def test_a_result_that_was_cut_short_is_not_built_upon() -> None:
    engine, data = default_engine(), LONG + secret_line()
    cut = rescan(engine, None, data, path="app.py", budget=-1.0)
    assert cut.result.truncated
    assert rescan(engine, cut, data + b"\n", path="app.py").result == engine.scan(data + b"\n", path="app.py")


def test_what_matches_over_lines_is_in_reach_or_known_by_its_beginning() -> None:
    known = [word.decode().lower() for word in FAR]
    for rule in default_engine().rules.values():
        if crosses_lines(sre.parse(rule.regex.encode(), re.VERBOSE)) and rule.span + rule.lookback + 600 > REACH:
            assert all(any(anchor.startswith(word.strip()) for word in known) for anchor in rule.anchors), rule.id


def crosses_lines(pattern: Any) -> bool:
    """Say whether a part of an expression may match a line end."""
    for operation, what in pattern:
        name = str(operation)
        if name == "IN":
            negated = any(str(kind) == "NEGATE" for kind, _ in what)
            takes = any(
                (str(kind) == "LITERAL" and value == 10)
                or (str(kind) == "RANGE" and value[0] <= 10 <= value[1])
                or (str(kind) == "CATEGORY" and str(value).endswith(("CATEGORY_SPACE", "NOT_WORD", "NOT_DIGIT")))
                for kind, value in what
            )
            if takes != negated:
                return True
        elif (
            name == "ANY"
            or (name == "LITERAL" and what == 10)
            or (name == "NOT_LITERAL" and what != 10)
            or any(crosses_lines(inner) for inner in inside(name, what))
        ):
            return True
    return False


def inside(name: str, what: Any) -> list[Any]:
    """Return the parts of a part that consume text; what only looks ahead or behind does not."""
    if name == "BRANCH":
        return what[1]
    if name == "ATOMIC_GROUP":
        return [what]
    if name == "SUBPATTERN":
        return [what[3]]
    if name == "GROUPREF_EXISTS":
        return [part for part in what[1:] if part]
    return [what[2]] if name.endswith("REPEAT") else []

"""Fingerprints survive line moves and give nothing away."""

from __future__ import annotations

import random

from detect_cases import characters, provider_cases
from hypothesis import given, settings
from hypothesis import strategies as st

from locum.detect.checks import estimated_bits
from locum.detect.engine import default_engine
from locum.detect.fingerprint import UNGUESSABLE_BITS, fingerprint

CASES = [case.build(0)[0] for case in provider_cases()]
FILLER = st.lists(st.sampled_from([b"", b"# a comment", b"x = 1", "größe = 2 # 🦊".encode(), b"\r"]), max_size=5)


def prints(data: bytes, path: str = "a.py", project: str = "shop") -> list[str]:
    return [finding.fingerprint for finding in default_engine().scan(data, path=path, project=project).findings]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(CASES), min_size=1, max_size=5, unique=True), st.data())
def test_stable_when_lines_move(texts: list[bytes], data: st.DataObject) -> None:
    plain = b"\n".join(texts) + b"\n"
    moved = b"".join(b"\n".join([*data.draw(FILLER), text, b""]) for text in texts)
    assert prints(plain) == prints(moved)


def test_different_within_a_file() -> None:
    data = b"\n".join(CASES)
    assert len(set(prints(data))) == len(prints(data)) > 50


@given(st.text(max_size=20), st.text(max_size=20), st.text("abc", max_size=9), st.text("abc", max_size=9))
def test_a_guessable_value_is_never_hashed(project: str, path: str, one: str, other: str) -> None:
    prints_ = {fingerprint(project, path, "generic-secret", value.encode(), "NAME", 0) for value in (one, other)}
    assert len(prints_) == 1


def test_an_unguessable_value_tells_itself_apart() -> None:
    source = random.Random(5)
    one, other = (characters(source, "alnum", 32).encode() for _ in range(2))
    assert min(estimated_bits(one), estimated_bits(other)) >= UNGUESSABLE_BITS

    def of(
        value: bytes, project: str = "p", path: str = "a", rule: str = "r", name: str = "N", ordinal: int = 0
    ) -> str:
        return fingerprint(project, path, rule, value, name, ordinal)

    assert of(one) != of(other)
    assert of(one) == of(one, name="OTHER", ordinal=3), "a rename of the variable is the same secret"
    assert len({of(one), of(one, project="q"), of(one, path="b"), of(one, rule="s")}) == 4


def test_fields_do_not_run_into_each_other() -> None:
    weak = b"abc"
    assert fingerprint("p", "a", "b", weak, "c", 0) != fingerprint("p", "ab", "", weak, "c", 0)
    assert fingerprint("p", "a", "r", weak, "c", 0) != fingerprint("pa", "", "r", weak, "c", 0)

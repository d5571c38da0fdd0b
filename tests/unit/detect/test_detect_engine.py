"""What the engine promises whatever the rules: exact places, one finding a value, an order, limits, and no value in it."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from detect_cases import characters, checksum, clean_texts, github_body, provider_cases
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import brute_force_engine, spans

from locum.detect.engine import MAX_FINDINGS, Engine, default_engine
from locum.detect.pack import Pack, read_rules

PACK = Pack.built_in()
ENGINES = [Engine(PACK, "ahocorasick"), Engine(PACK, "trie")]
BRUTE_FORCE = brute_force_engine(PACK)
TEXTS = [case.build(seed)[0] for case in provider_cases() for seed in (0, 1)] + clean_texts(1)
SOURCE = random.Random(7)


def token() -> str:
    return "ghp" + "_" + github_body(SOURCE)


def cut(text: bytes) -> st.SearchStrategy[bytes]:
    """Give a text or a part of it."""
    return st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(lambda at: text[min(at) : max(at) + 8])


PIECES = st.lists(
    st.sampled_from(TEXTS) | st.sampled_from(TEXTS).flatmap(cut) | st.text(max_size=5).map(str.encode), max_size=6
)


@settings(max_examples=150, deadline=None)
@given(PIECES, st.sampled_from([b"", b"\n", b" ", b"\r\n"]))
def test_mixtures_give_what_brute_force_gives(pieces: list[bytes], glue: bytes) -> None:
    data = glue.join(pieces)
    wanted = BRUTE_FORCE.scan(data)
    assert all(engine.scan(data) == wanted for engine in ENGINES)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_scanned(data: bytes) -> None:
    for engine in ENGINES:
        for finding in engine.scan(data).findings:
            assert 0 <= finding.start < finding.end <= len(data)


@settings(max_examples=60, deadline=None)
@given(PIECES)
def test_findings_are_in_order_and_apart(pieces: list[bytes]) -> None:
    found = default_engine().scan(b"\n".join(pieces)).findings
    assert all(first.end <= second.start for first, second in pairwise(found))


def test_no_finding_holds_a_value() -> None:
    """Promise P1, also where one secret is the key of another, or its neighbour."""
    values = [characters(SOURCE, "alnum", 32) for _ in range(30)]
    tokens = [token() for _ in range(30)]
    lines = [f'{{"{key}": "{name}"}}' for key, name in zip(tokens, values, strict=True)]
    lines += [
        f'{tokens[0]} = "{tokens[1]}"',
        f'password_{values[0]} = "{values[1]}"',
        f"{values[2]}_token: {values[3]}",
    ]
    keys = ["AKIA" + characters(SOURCE, "b32", 16).translate(str.maketrans("234567", "QWERTY")) for _ in range(9)]
    lines += [
        f"{key}: {value}" for key, value in zip(keys, tokens, strict=False)
    ]  # these would pass for names by their looks
    lines += [f"{value}={other}" for value, other in pairwise(tokens)]
    data = "\n".join(lines).encode()
    for engine in ENGINES:
        found = engine.scan(data).findings
        assert len(found) > 50
        shown = repr(found)
        assert not [value for value in (*values, *(text[4:] for text in (*tokens, *keys))) if value in shown]


def test_the_specific_rule_wins_over_the_generic() -> None:
    data = f'github_token = "{token()}"\n'.encode()
    assert [(finding.rule, finding.confidence) for finding in default_engine().scan(data).findings] == [
        ("github-pat", "certain")
    ]


def test_a_wrong_checksum_lowers_confidence_and_is_still_said() -> None:
    right = token()
    wrong = right[:-1] + ("a" if right[-1] != "a" else "b")
    (finding,) = default_engine().scan(f'token = "{wrong}"'.encode()).findings
    assert finding.rule == "github-pat"
    assert (finding.confidence, finding.why) == ("medium", ("prefix ghp_", "checksum wrong"))


@pytest.mark.parametrize("word", ["example", "xxxx", "dummy", "sample"])
def test_a_right_checksum_is_certain_whatever_words_it_holds(word: str) -> None:
    body = (word + characters(SOURCE, "alnum", 30))[:30]
    (finding,) = default_engine().scan(f"ghp_{body}{checksum(body)}".encode()).findings
    assert finding.confidence == "certain"


def test_a_spent_budget_is_said() -> None:
    data = b"\n".join(f'password = "{characters(SOURCE, "alnum", 20)}"'.encode() for _ in range(50))
    assert default_engine().scan(data, budget=-1.0).truncated
    assert not default_engine().scan(data, budget=60.0).truncated
    assert not default_engine().scan(b"nothing here", budget=-1.0).truncated


@pytest.mark.parametrize("count", [MAX_FINDINGS, MAX_FINDINGS + 1, 3 * MAX_FINDINGS])
def test_too_many_findings_are_cut_and_said(count: int) -> None:
    data = "\n".join(token() for _ in range(count)).encode()
    result = default_engine().scan(data)
    assert len(result.findings) == min(count, MAX_FINDINGS)
    assert result.truncated == (count > MAX_FINDINGS)
    assert result.findings[-1].end <= (MAX_FINDINGS * 41)


def test_the_environment_chooses_the_selector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUM_SELECTOR", "trie")
    assert Engine(PACK).selector == "trie"
    assert Engine(PACK, "ahocorasick").selector == "ahocorasick"
    monkeypatch.setenv("LOCUM_SELECTOR", "grep")
    with pytest.raises(ValueError, match="grep"):
        Engine(PACK)


def test_scans_do_not_see_each_other() -> None:
    data = f"{token()}\n".encode()
    first = default_engine().scan(data)
    default_engine().scan(b"\n".join(TEXTS))
    assert default_engine().scan(data) == first


@pytest.mark.parametrize(
    "piece",
    ["password = ", "secret:", "token-Token", "a.b:c_", "1.2.3.4", "://" + ":" * 90, "://a:b@", "eyJ", "eyJ.", "sk-T3BlbkFJ",
     "-----BEGIN" + " PRIVATE KEY-----", "-----BEGIN" + " PRIVATE KEY-----" + "a" * 90, "0:AA", "api_key=api_key", "'token': '", "(" * 99 + "token=("],
)  # fmt: skip
def test_hostile_texts_do_not_hang(piece: str) -> None:
    """Some expression once took exponential time: pytest's own limit is the judge."""
    for data in (piece * (200_000 // len(piece)), "token=" + piece * 90, f'password = "{piece * 20}"\n' * 99):
        for engine in ENGINES:
            engine.scan(data.encode())


def test_a_rule_may_be_replaced() -> None:
    (rule,) = read_rules("[ours] Ours\nregex: acme_[a-z]{10}\nanchors: acme_\nabout: What it is.\n")
    data = b"x acme_" + b"qwhrtzpsdk"
    assert spans(Engine(Pack([rule])).scan(data).findings) == [("ours", 2, 17)]


@pytest.mark.parametrize("text", [b"acme_qwhrtzpsdk", b"x-acme_qwhrtzpsdk", b"xx-acme_qwhrtzpsdk x-acme_qwhrtzpsdk"])
def test_a_match_may_begin_before_its_anchor(text: bytes) -> None:
    (rule,) = read_rules(
        "[ours] O\nregex: (?:x{1,2}-)?acme_[a-z]{10}\nanchors: acme_\nlookback: 3\nabout: What it is.\n"
    )
    pack = Pack([rule])
    assert len(brute_force_engine(pack).scan(text).findings) == text.count(b"acme_")
    for name in ("ahocorasick", "trie"):
        assert spans(Engine(pack, name).scan(text).findings) == spans(brute_force_engine(pack).scan(text).findings)


@pytest.mark.parametrize("line", ['GITHUB_TOKEN = "{}"', "API_TOKEN_URL_PASSWORD=https://bot:{}@git.acme.dev/x"])
def test_values_that_several_rules_see_count_once(line: str) -> None:
    data = "\n".join(line.format(token()) for _ in range(MAX_FINDINGS)).encode()
    result = default_engine().scan(data)
    assert (len(result.findings), result.truncated) == (MAX_FINDINGS, False)

"""The rule by which `tests/bench/accuracy.py` scores a scanner, on made-up labels: a wrong rule would flatter us."""

from __future__ import annotations

import gzip
import json
import secrets
import sys
from pathlib import Path

import pytest

from bench import accuracy, peers
from bench.matching import Found, Label, Score, Verdict, best_pair, matches, overlaps, score

VALUE = secrets.token_hex(20)
BLOCK = "\n".join(["-----BEGIN MADE UP-----", *(secrets.token_hex(32) for _ in range(3)), "-----END MADE UP-----"])


def label(verdict: Verdict = "POS", line: int = 3, end_line: int = 0, value: str = VALUE, file: str = "a.py") -> Label:
    return Label(file, line, end_line or line, value, verdict, "kind")


def found(line: int = 3, end_line: int = 0, value: str = VALUE, file: str = "a.py") -> Found:
    return Found(file, line, end_line or line, value, "rule")


@pytest.mark.parametrize(
    ("labelled", "said", "same"),
    [
        (VALUE, VALUE, True),
        (VALUE, f"key={VALUE}", True),
        (VALUE, VALUE[:30], True),
        (VALUE, VALUE[:6], True),
        (VALUE, VALUE[:5], False),
        ("a&3x", "&3x", True),
        ("a&3x", "3x", False),
        (VALUE, secrets.token_urlsafe(30).upper(), False),
        (f"{VALUE}-tail", f"head-{VALUE}", True),
        ("abcd" + VALUE[:4], VALUE[:4] + "wxyz", False),
        (BLOCK, BLOCK.replace("\n", "\\n"), True),
        (BLOCK, BLOCK.split("\n")[2], True),
        (BLOCK, BLOCK.split("\n")[0].strip("-"), True),
        (BLOCK, "BEGIN", False),
        (BLOCK, BLOCK.split("\n")[0], True),
        ("", VALUE, True),
        (VALUE, "", True),
        (f"  {VALUE}\n", VALUE, True),
    ],
)
def test_when_two_values_are_the_same_secret(labelled: str, said: str, same: bool) -> None:
    assert overlaps(labelled, said) is same


def test_a_finding_must_touch_the_labelled_lines() -> None:
    assert matches(label(line=3, end_line=5), found(line=5, end_line=9))
    assert matches(label(value=""), found())
    assert not matches(label(value=""), found(line=4))
    assert not matches(label(line=3, end_line=5), found(line=6, value=f"key={VALUE}"))


def test_the_very_value_counts_wherever_it_stands_in_the_file() -> None:
    assert matches(label(), found(line=90))
    assert not matches(label(value="abc"), found(line=90, value="abc"))


def test_counts() -> None:
    labels = [
        label(line=1), label(line=2, value=VALUE[::-1]), label("NEG", line=3), label("NEG", line=4), label("X", line=5),
        label("X", line=6),
    ]  # fmt: skip
    other = secrets.token_hex(20)
    result = score(
        labels, [found(line=1), found(line=3, value=""), found(line=5, value=""), found(line=2, value=other)]
    )
    assert result.hit == [True, False]
    assert result.flagged == [True, False]
    assert result.arguable == [True, False]
    assert result.recall == 0.5
    assert result.precision == 0.5


def test_a_finding_in_another_file_is_none() -> None:
    result = score([label(), label("NEG", value="")], [found(file="b.py")])
    assert (result.hit, result.flagged) == ([False], [False])


def test_what_is_said_of_a_secrets_line_is_not_held_against_a_scanner() -> None:
    here = [label("POS", line=3), label("NEG", line=3, value="")]
    assert score(here, [found(line=3)]).flagged == [False]
    assert score(here[1:], [found(line=3)]).flagged == [True]


def test_an_unset_score_divides_by_nothing() -> None:
    assert (Score().recall, Score().precision) == (0.0, 0.0)


def test_the_best_pair_finds_most_and_flags_least() -> None:
    labels = [label(line=line, value="") for line in (1, 2, 3)] + [label("NEG", line=9, value="")]

    def finds(*lines: int) -> Score:
        return score(labels, [found(line=line) for line in lines])

    pair = best_pair({"one": finds(1), "noisy": finds(2, 3, 9), "calm": finds(2, 3), "none": finds()})
    assert pair is not None
    assert pair[0] == ("calm", "one")
    assert pair[1].hit == [True, True, True]
    assert pair[1].flagged == [False]
    assert best_pair({"one": finds(1)}) is None


def _packed(folder: Path, name: str = "made", file: str = "src/a.py") -> None:
    text = f'x = 1\nkey = "{VALUE}"\ny = "z"\n'
    labels = [
        {"line": 2, "end_line": 2, "value": VALUE, "label": "POS", "kind": "key"},
        {"line": 3, "end_line": 3, "value": None, "label": "NEG", "kind": "letter"},
    ]
    line = json.dumps({"file": file, "text": text, "labels": labels})
    (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(line.encode()))


def test_packed_and_unpacked_sets_are_the_same(tmp_path: Path) -> None:
    _packed(tmp_path)
    (packed,) = accuracy.sets_in(tmp_path, tmp_path / "scratch")
    accuracy.unpack(tmp_path / "made.jsonl.gz", tmp_path / "beside" / "data" / "made")
    (unpacked,) = accuracy.sets_in(tmp_path / "beside", tmp_path / "unused")
    assert packed.name == unpacked.name == "made"
    assert packed.labels == unpacked.labels
    assert [entry.verdict for entry in packed.labels] == ["POS", "NEG"]
    assert (packed.corpus / "src/a.py").read_text() == (unpacked.corpus / "src/a.py").read_text()


def test_a_set_cannot_write_elsewhere(tmp_path: Path) -> None:
    _packed(tmp_path, file="../../out.py")
    with pytest.raises(ValueError, match="leads out"):
        list(accuracy.sets_in(tmp_path, tmp_path / "scratch"))
    assert not (tmp_path / "out.py").exists()


def test_a_label_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown label"):
        Label.from_json({"file": "a", "line": 1, "label": "MAYBE", "kind": "key"})


def _scripted(tmp_path: Path, body: str) -> tuple[str, ...]:
    script = tmp_path / "scanner.py"
    script.write_text(f"import json, sys\nreport = sys.argv[sys.argv.index('--report-path') + 1]\n{body}\n")
    return sys.executable, str(script)


def test_the_whole_program_with_a_scanner_that_is_there_and_one_that_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _packed(tmp_path)
    item = {"File": "src/a.py", "StartLine": 2, "EndLine": 2, "Secret": VALUE, "RuleID": "r"}
    command = " ".join(_scripted(tmp_path, f"open(report, 'w').write({json.dumps(json.dumps([item]))})"))
    absent = "kingfisher=/nonexistent/kingfisher"
    assert accuracy.main([
        str(tmp_path), "--tools", "gitleaks,kingfisher", "--peer", f"gitleaks={command}", "--peer", absent, "--json"
    ]) == 0  # fmt: skip
    printed = capsys.readouterr().out
    assert VALUE not in printed
    said = json.loads(printed)
    assert said["missing"] == ["kingfisher"]
    scored = said["sets"][0]["scanners"]["gitleaks"]
    assert (scored["found"], scored["positives"], scored["flagged"], scored["negatives"]) == (1, 1, 0, 1)


def test_our_own_engine_is_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _packed(tmp_path)
    clean = tmp_path / "clean"
    clean.mkdir()
    (clean / "a.py").write_text("x = 1\n")
    (clean / "b.bin").write_bytes(b"\0\1\2")
    assert accuracy.main([str(tmp_path), "--tools", "locum", "--misses", "2", "--clean", str(clean)]) == 0
    printed = capsys.readouterr().out
    assert "1/1 = 100.0%" in printed
    assert "0/1 = 0.0%" in printed
    assert "1, 1 text files" in printed
    assert "made: 0 missed" in printed
    assert VALUE not in printed


@pytest.mark.parametrize(
    "body",
    ["sys.exit(3)", "open(report, 'w').write('{')", "pass", "open(report, 'w').write('[{}]')"],
    ids=["exit code", "no json", "no report", "other json"],
)
def test_a_scanner_that_fails_is_no_scanner_that_found_nothing(tmp_path: Path, body: str) -> None:
    scanner = peers.locate("gitleaks", _scripted(tmp_path, body))
    assert scanner is not None
    with pytest.raises(peers.ScannerProblem):
        scanner.scan(tmp_path)


def test_a_miss_shows_at_most_half_of_a_value() -> None:
    assert accuracy.cut("abcdefgh") == "abcd…"
    assert accuracy.cut(VALUE) == VALUE[:6] + "…"
    assert accuracy.cut("") == "…"

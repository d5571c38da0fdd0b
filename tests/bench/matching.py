"""When a finding counts for a label. Pure: knows neither scanners nor files.

A *set* is a corpus with labels; a label says that its lines hold a secret (POS), hold something that only looks like one
(NEG), or may be read either way (X, not scored). Lines count from 1. A label's value may be unknown: then its lines decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Literal, get_args

Verdict = Literal["POS", "NEG", "X"]

_COMPARED = 400
"""Characters of either value that the slow comparison looks at: a run that long settles it."""
_LONG_LINE = 16
"""Characters from which a line that two values share is no coincidence, when one has several (the head of a key is one)."""
_NO_COINCIDENCE = 6
"""Characters from which an equal value is the labelled one wherever it stands in the file, and a part of it no accident."""


@dataclass(frozen=True, slots=True)
class Label:
    """What somebody said of some lines of a file. `value` is "" where it is not known."""

    file: str
    line: int
    end_line: int
    value: str
    verdict: Verdict
    kind: str

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Label:
        """Read one line of a labels file. Raises ValueError or KeyError for what is no label."""
        if data["label"] not in get_args(Verdict):
            raise ValueError(f"unknown label {data['label']!r}")
        line = int(data["line"])
        return cls(
            data["file"],
            line,
            int(data.get("end_line") or line),
            data.get("value") or "",
            data["label"],
            str(data["kind"]),
        )


@dataclass(frozen=True, slots=True)
class Found:
    """One finding of one scanner. `value` is "" where it does not say.

    `level` is its own word for how grave or how sure it is; `sureness` for how sure, where it has a word for either.
    """

    file: str
    line: int
    end_line: int
    value: str
    rule: str
    level: str = ""
    sureness: str = ""


@dataclass(slots=True)
class Score:
    """How one scanner did on one set: one flag a label, in the labels' order."""

    positives: list[Label] = field(default_factory=list[Label])
    hit: list[bool] = field(default_factory=list[bool])
    negatives: list[Label] = field(default_factory=list[Label])
    flagged: list[bool] = field(default_factory=list[bool])
    arguable: list[bool] = field(default_factory=list[bool])

    @property
    def recall(self) -> float:
        """The share of positives that were found, 0 to 1."""
        return sum(self.hit) / len(self.hit) if self.hit else 0.0

    @property
    def precision(self) -> float:
        """The share of positives among the labels that were flagged; X is left out."""
        flagged = sum(self.hit) + sum(self.flagged)
        return sum(self.hit) / flagged if flagged else 0.0

    def together(self, other: Score) -> Score:
        """Return the score of two scanners that are both run on the same set."""
        return Score(
            self.positives, _either(self.hit, other.hit), self.negatives, _either(self.flagged, other.flagged),
            _either(self.arguable, other.arguable),
        )  # fmt: skip

    def add(self, other: Score) -> None:
        """Add the labels of another set."""
        self.positives += other.positives
        self.hit += other.hit
        self.negatives += other.negatives
        self.flagged += other.flagged
        self.arguable += other.arguable


def score(labels: Iterable[Label], findings: Iterable[Found]) -> Score:
    """Judge a scanner's findings by the labels of a set."""
    by_file: dict[str, list[Found]] = defaultdict(list)
    for found in findings:
        by_file[found.file].append(found)
    labels = list(labels)
    secret_lines: dict[str, set[int]] = defaultdict(set)
    for label in labels:
        if label.verdict == "POS":
            secret_lines[label.file].update(range(label.line, label.end_line + 1))
    result = Score()
    for label in labels:
        there = by_file.get(label.file, ())
        if label.verdict == "POS":
            result.positives.append(label)
            result.hit.append(any(matches(label, found) for found in there))
        else:
            # What a scanner says of a line with a secret in it is not held against it.
            counted = [found for found in there if not secret_lines[label.file] & _lines(found)]
            said = any(matches(label, found) for found in counted)
            if label.verdict == "NEG":
                result.negatives.append(label)
                result.flagged.append(said)
            else:
                result.arguable.append(said)
    return result


def matches(label: Label, found: Found) -> bool:
    """Say whether the finding touches the label's lines and overlaps its value.

    The very value elsewhere in the file counts as well: some scanners report a repeated value once.
    """
    touches = found.line <= label.end_line and found.end_line >= label.line
    repeated = len(label.value) >= _NO_COINCIDENCE and label.value == found.value
    return repeated or (touches and overlaps(label.value, found.value))


def overlaps(labelled: str, found: str) -> bool:
    """Say whether two values are the same secret, cut or quoted differently. An unknown value overlaps every other.

    A finding that says more than the label does is one, and so is one inside the label's value (the password of a labelled
    URL) unless it is a few characters of a long one. Otherwise the two must share a long line (keys in blocks), or a run of
    most of the shorter one (escapes, pairs).
    """
    labelled, found = labelled.strip(), found.strip()
    if not labelled or not found or labelled in found:
        return True
    if ("\n" in labelled or "\n" in found) and _share_a_line(labelled, found):
        return True
    if found in labelled:
        return len(found) >= min(_NO_COINCIDENCE, max(3, 0.3 * len(labelled)))
    run = SequenceMatcher(None, labelled[:_COMPARED], found[:_COMPARED], autojunk=False).find_longest_match().size
    return run >= max(6, 0.6 * min(len(labelled), len(found), _COMPARED))


def best_pair(scores: Mapping[str, Score]) -> tuple[tuple[str, str], Score] | None:
    """Return the two scanners that together find most (fewest flagged negatives decide a tie), or None below two."""
    names = sorted(scores)
    pairs = [(a, b) for index, a in enumerate(names) for b in names[index + 1 :]]
    judged = [((a, b), scores[a].together(scores[b])) for a, b in pairs]
    return max(judged, key=lambda item: (sum(item[1].hit), -sum(item[1].flagged)), default=None)


def _share_a_line(one: str, other: str) -> bool:
    lines, others = (
        [line.strip() for line in text.split("\n") if len(line.strip()) >= _LONG_LINE] for text in (one, other)
    )
    return any(line in other_line or other_line in line for line in lines for other_line in others)


def _lines(found: Found) -> set[int]:
    return set(range(found.line, found.end_line + 1))


def _either(one: Sequence[bool], other: Sequence[bool]) -> list[bool]:
    return [a or b for a, b in zip(one, other, strict=True)]

"""Many findings of one text become one set of edits. Pure, like the planner that it asks for each of them.

They are planned one after the other, from the last to the first, each in the text that the ones before it left: so an
import is added once, and a finding that went along with another one (both in one string) needs no fix of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from locum.detect.finding import Finding
from locum.rewrite.naming import choose_name
from locum.rewrite.plan import Plan, Refusal
from locum.rewrite.planner import discreet, plan
from locum.secret import SecretBytes
from locum.text.edits import Draft, Edit
from locum.text.source import SourceText

NameFor = Callable[[Finding, SecretBytes], str]
"""Says how the secret of a finding, whose value is given, shall be called."""

_SHORTEST = 4
"""Characters: what is shorter stands in many places by chance."""


_MOST = 500
"""Findings of one text that are planned at once."""
_WORK = 8_000_000
"""Characters that may be read for that: each plan reads the text, the slowest 1 MB of them in 8 s."""
_LATER = "there are too many secrets in this text for one go: fix it again."


@dataclass(frozen=True, slots=True)
class Moved:
    """One finding that has a plan. `plan.edits` are offsets into a text in between: use the batch's."""

    finding: Finding
    plan: Plan


@dataclass(frozen=True, slots=True)
class Left:
    """One finding that stays, and why."""

    finding: Finding
    reason: str


@dataclass(slots=True)
class Batch:
    """What becomes of the findings of one text."""

    edits: tuple[Edit, ...] = ()
    """Offsets (code points) of the text as it was, sorted, not overlapping."""
    text: str = field(default="", repr=False)
    """The text after them."""
    moved: list[Moved] = field(default_factory=list[Moved])
    """In the order of the text."""
    left: list[Left] = field(default_factory=list[Left])
    along: list[Finding] = field(default_factory=list[Finding])
    """Findings that stood in what another one's edit replaced."""

    def wipe(self) -> None:
        """Forget the values."""
        for moved in self.moved:
            moved.plan.value.wipe()


def plan_all(
    source: SourceText, findings: Sequence[Finding], *, path: str, language: str, name_for: NameFor,
    beside: Sequence[str] = (),
) -> Batch:  # fmt: skip
    """Plan a fix for each finding (byte offsets into `source.utf8`). Never raises for what stands in the text.

    `beside` are texts that are read as one with this one (`languages.read_with`).
    """
    batch, draft, used = Batch(), Draft(source.text), set[str]()
    spans = {
        finding: (source.offset_of_byte(finding.start), source.offset_of_byte(finding.end)) for finding in findings
    }
    values = {source.text[start:end] for start, end in spans.values() if end - start >= _SHORTEST}
    todo = sorted(spans, key=lambda finding: finding.start, reverse=True)
    most = max(1, min(_MOST, _WORK // max(1, len(source.text))))
    later, todo = todo[:-most], todo[-most:]
    while todo:
        again: list[Finding] = []
        reasons: dict[Finding, str] = {}
        for finding in todo:
            start, end = spans[finding]
            place = draft.now(start, end)
            if place is None:
                batch.along.append(finding)
                continue
            made = _plan_here(source.with_text(draft.text), finding, place, path, language, name_for, used, beside)
            others = values - {source.text[start:end]}
            if isinstance(made, Plan) and any(value in edit.new_text for edit in made.edits for value in others):
                made.value.wipe()
                made = Refusal("another secret stands in the text that this edit would move: move that one first.")
            made = discreet(made, others)
            if isinstance(made, Refusal):
                again.append(finding)
                reasons[finding] = made.reason
                continue
            draft.apply(made.edits)
            batch.moved.append(Moved(finding, made))
        if len(again) == len(todo):  # another round would change nothing
            batch.left = [Left(finding, reasons[finding]) for finding in again]
            break
        todo = again
    for finding in later:
        if draft.now(*spans[finding]) is None:
            batch.along.append(finding)
        else:
            batch.left.append(Left(finding, _LATER))
    batch.edits, batch.text = draft.edits(), draft.text
    for found in (batch.moved, batch.left):
        found.sort(key=lambda item: item.finding.start)
    return batch


def _plan_here(
    source: SourceText,
    finding: Finding,
    place: tuple[int, int],
    path: str,
    language: str,
    name_for: NameFor,
    used: set[str],
    beside: Sequence[str],
) -> Plan | Refusal:
    """Plan one finding in the text as it is; its name is known once its value is."""
    start, end = source.byte_of_offset(place[0]), source.byte_of_offset(place[1])
    here = replace(finding, start=start, end=end)
    guess = choose_name(finding, used)  # mostly right, and then one plan does
    made = plan(source, here, path=path, language=language, name=guess, beside=beside)
    if isinstance(made, Refusal):
        return made
    name = name_for(finding, made.value)
    used.add(name)
    if name == guess:
        return made
    made.value.wipe()
    return plan(source, here, path=path, language=language, name=name, beside=beside)

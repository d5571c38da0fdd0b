"""The examination of one client: what is installed, what its lines answer, and what the real client does with it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from locum.agents.doctor import lines, places, probes, runs
from locum.agents.doctor.canary import make_canary
from locum.agents.doctor.places import NEEDED, Installed, title_of
from locum.agents.doctor.probes import Outcome
from locum.agents.doctor.real import REAL, Origin, Place, Real
from locum.agents.doctor.report import Cell, Problem, Report
from locum.agents.hooks.quick import SWITCH

_EXPECTED: tuple[tuple[str, str], ...] = (
    ("prompt", "prompt"), ("before", "shell"), ("before", "read"), ("before", "write"), ("after", "shell"),
)  # fmt: skip
"""What is asked of a client that cannot be run here."""


def examine(client: str, home: Path, project: Path, program: str = "") -> Report:
    """Return what can be said of a client.

    `home` and `project` hold the configuration that is looked at; nothing in them is changed. `program` is the client's, looked
    up on PATH when it is "". Raises OSError when there is no room for a temporary home.
    """
    installed = places.find(client, home, project)
    with runs.temporary_place() as place:
        # Each line answers by itself: a resident that it starts would come up when its folder is gone again.
        variables = runs.environment(place, {SWITCH: "0"})
        asked = [lines.ask(hook, client, variables, place.project) for hook in _to_ask(installed)]
        problems = [*_missing(client, installed), *(problem for one in asked if (problem := _wrong(one)))]
        real = REAL.get(client)
        found = (program or shutil.which(real.program) or "") if real else ""
        hangs = any(one.state == "hangs" for one in asked)
        if not real or not found or hangs:
            if real and not found:
                problems.append(
                    Problem(
                        "client.missing",
                        f"there is no {real.program!r} on PATH",
                        "Put it there, or name it: --program PATH",
                    )
                )
            return Report(
                client, places.CLIENTS[client], "", False, tuple(_cells([], asked, installed)), tuple(problems)
            )
        outcomes, trouble = _observe(real, found, Origin(home, project), place)
        cells = _cells(outcomes, asked, installed)
        problems += [*trouble, *_explained(cells, asked, places.CLIENTS[client])]
        version = runs.version_of(found, place)
        return Report(client, places.CLIENTS[client], version, not trouble, tuple(cells), tuple(problems))


def _observe(real: Real, program: str, origin: Origin, place: Place) -> tuple[list[Outcome], list[Problem]]:
    """Run the client twice: with a script of tool calls, and with a canary in the prompt."""
    plan = probes.make_plan(real.hand, place.project)
    for name, text in plan.files.items():
        (place.project / name).write_text(text, encoding="utf-8")
    did = runs.run(real, program, origin, place, "Go on.", plan.script, plan.variables)
    on_disk = {one.target: _text(place.project / one.target) for one in plan.tries if one.target}
    outcomes = probes.outcomes(plan, did.results, did.transcript, on_disk)
    works = bool(did.results)
    canary = make_canary()
    said = runs.run(real, program, origin, place, probes.PROMPT.format(canary), [], {}) if works else None
    if said is not None:
        outcomes.insert(0, probes.of_prompt(canary, said.transcript, works=said.code != -1))
    trouble = [] if works else [
        Problem(
            "client.failed", f"the client did not do what the stand-in asked (exit {did.code}, {did.requests} requests)",
            f"Does '{real.program} --version' work? Newer versions may speak otherwise.",
        )
    ]  # fmt: skip
    return outcomes, trouble


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _to_ask(installed: Installed) -> list[places.Hook]:
    """Return the lines to ask, one of each kind and text."""
    chosen: dict[tuple[str, str], places.Hook] = {}
    for hook in installed.hooks:
        if hook.kind in NEEDED and hook.command:
            chosen.setdefault((hook.event, hook.command), hook)
    return list(chosen.values())


def _cells(outcomes: Sequence[Outcome], asked: Sequence[lines.Answer], installed: Installed) -> list[Cell]:
    """Put the outcomes together by event and tool. What was not observed is PARTIAL at best."""
    refuses = {kind: _refuses(kind, asked, installed) for kind in NEEDED}
    if not outcomes:
        outcomes = [Outcome(event, tool, "the hook's line", None) for event, tool in _EXPECTED]
    cells: list[Cell] = []
    ordered = sorted(outcomes, key=lambda one: (NEEDED.index(one.event), one.tool))
    for (event, tool), group in groupby(ordered, key=lambda one: (one.event, one.tool)):
        tries = list(group)
        seen: list[probes.Level] = [one.level for one in tries if one.level is not None]
        if not seen:
            others = any(one.level == "PROTECTED" and one.event == event for one in outcomes)
            level: probes.Level = "PARTIAL" if refuses[event] or others else "UNPROTECTED"
        elif len(seen) < len(tries) and "UNPROTECTED" not in seen:
            level = "PARTIAL"
        else:
            level = probes.together(seen)
        cells.append(Cell(event, tool, level, bool(seen), {one.name: one.level or "not observed" for one in tries}))
    return cells


def _refuses(kind: str, asked: Sequence[lines.Answer], installed: Installed) -> bool:
    states = [one.state for one in asked if one.hook.kind == kind]
    plugin = any(hook.kind == kind and not hook.command for hook in installed.hooks)
    return bool(states) and all(state == "refuses" for state in states) and not plugin


# -- what is wrong -----------------------------------------------------------------------------------------------------


def _missing(client: str, installed: Installed) -> list[Problem]:
    install = f"locum agent install {client}"
    problems = [
        Problem(
            "file.broken",
            f"{path} cannot be read as {path.suffix[1:].upper()}",
            "Mend it: the client cannot read it either.",
        )
        for path in installed.broken
    ]
    kinds = {hook.kind for hook in installed.hooks}
    if not installed.hooks:
        return [
            *problems,
            Problem("hook.missing", f"no hook of Locum is installed for {places.CLIENTS[client]}", install),
        ]
    lacking = [kind for kind in NEEDED if kind not in kinds]
    return problems + [
        Problem(
            "hook.missing", f"no hook of Locum for {title_of(kind)}", f"{install}, or the client has no such event."
        )
        for kind in lacking
    ]


def _wrong(answer: lines.Answer) -> Problem | None:
    where = f"the hook for {title_of(answer.hook.kind)} ({answer.hook.event} in {answer.hook.file})"
    if answer.state == "missing":
        return Problem(
            "hook.interpreter",
            f"{where} starts {answer.about!r}, which is not there",
            "Install Locum again, then: locum agent install",
        )
    if answer.state == "crashes":
        return Problem("hook.crash", f"{where} crashes: {answer.about}", "Run its line in a terminal to see why.")
    if answer.state == "hangs":
        return Problem(
            "hook.hang",
            f"{where} had no answer after {answer.seconds:g} s",
            "Most clients go on without one. Run its line in a terminal.",
        )
    if answer.state == "allows" and answer.hook.kind != "after":
        return Problem(
            "hook.allows",
            f"{where} let a plaintext secret pass",
            "Is it Locum's own line? locum agent install writes it anew.",
        )
    return None


def _explained(cells: Sequence[Cell], asked: Sequence[lines.Answer], title: str) -> list[Problem]:
    """Say why something came through although the hook's line is right."""
    right = {one.hook.kind for one in asked if one.state == "refuses"}
    problems: list[Problem] = []
    for kind in NEEDED:
        through = [cell for cell in cells if cell.event == kind and cell.observed and cell.level != "PROTECTED"]
        if not through or kind not in right:
            continue
        tools = ", ".join(cell.tool for cell in through)
        if kind == "after":
            problems.append(
                Problem("output.ignored", f"this {title} shows the model what a tool gave back ({tools}); the hook replaces it",
                        "Run such commands through 'locum run', or the client in 'locum sandbox'.")
            )  # fmt: skip
        elif len(through) == sum(cell.event == kind for cell in cells):
            problems.append(
                Problem(
                    "hook.ignored",
                    f"this {title} did not run the hook for {title_of(kind)}, or does not obey it",
                    "Does the client trust the hook and the folder? Its own list of hooks says so.",
                )
            )
        else:
            problems.append(
                Problem(
                    "hook.gap",
                    f"the hook for {title_of(kind)} runs in this {title}, and not all is stopped ({tools})",
                    "'locum sandbox' keeps the client away from it.",
                )
            )
    return problems

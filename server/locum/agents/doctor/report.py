"""What the doctor says of a client: levels by event and tool, what is wrong and what to do. Plain data and its two forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from locum.agents.doctor.places import title_of
from locum.agents.doctor.probes import Level


@dataclass(frozen=True, slots=True)
class Cell:
    """One event and tool."""

    event: str
    tool: str
    level: Level
    observed: bool
    """Whether the client itself was seen doing it; else the line of the hook was asked."""
    tries: dict[str, str]
    """What was tried, and what came of each: a level, or `not observed`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to mend. No text of it comes from a hook or a client."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Report:
    """One client."""

    client: str
    title: str
    version: str
    """The client's, "" where it is not known."""
    observed: bool
    """Whether the client itself was run."""
    cells: tuple[Cell, ...]
    problems: tuple[Problem, ...]

    @property
    def level(self) -> Level:
        """PROTECTED when all is; UNPROTECTED when nothing is."""
        levels = {cell.level for cell in self.cells}
        if levels == {"PROTECTED"}:
            return "PROTECTED"
        return "UNPROTECTED" if levels <= {"UNPROTECTED"} else "PARTIAL"

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--format json` prints for a client."""
        return {
            "client": self.client, "client_version": self.version, "observed": self.observed, "level": self.level,
            "cells": [asdict(cell) for cell in self.cells], "problems": [asdict(problem) for problem in self.problems],
        }  # fmt: skip

    def as_text(self) -> str:
        """Return the block for a terminal."""
        seen = "" if self.observed else "  (not observed in the client: its hooks were asked)"
        lines = [f"{self.title}{f' {self.version}' if self.version else ''}: {self.level}{seen}"]
        for cell in self.cells:
            gone = [name for name, level in cell.tries.items() if level == "UNPROTECTED"]
            unseen = [name for name, level in cell.tries.items() if level == "not observed"]
            notes = [f"came through: {', '.join(gone)}"] if gone and cell.observed else []
            if unseen and self.observed:
                notes.append(f"not observed: {', '.join(unseen)}")
            place = title_of(cell.event) if cell.event == "prompt" else f"{title_of(cell.event)}: {cell.tool}"
            lines.append(f"  {cell.level:<12} {place:<32} {'; '.join(notes)}".rstrip())
        for problem in self.problems:
            lines += [f"  ! {problem.message}", *([f"    {problem.hint}"] if problem.hint else [])]
        return "\n".join(lines)


def as_json(reports: Sequence[Report], version: str) -> dict[str, Any]:
    """Return the whole output for programs; `version` is Locum's."""
    return {"version": 1, "locum": version, "clients": [report.as_json() for report in reports]}

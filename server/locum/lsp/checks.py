"""One look at one version of a document: findings, references, and what is wrong with a manifest. Any thread may look.

Takes immutable snapshots and gives plain data with offsets (code points). Knows nothing of the protocol or the loop.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from locum.detect.finding import Finding
from locum.errors import LocumError
from locum.lsp.documents import Snapshot
from locum.lsp.projects import declared_names, project_of, scanner
from locum.refs.manifest import FILE_NAME
from locum.workspace.project import Project

if TYPE_CHECKING:
    from locum.detect.rescan import Scanned
    from locum.lsp.remarks import Remark

MAX_REMARKS = 100
_SETTINGS = (".json", ".jsonc", ".toml", ".code-workspace")


@dataclass(frozen=True, slots=True)
class Place:
    """Another place that belongs to a finding: offsets into the text."""

    start: int
    end: int
    note: str


@dataclass(frozen=True, slots=True)
class Found:
    """A finding and where it stands: offsets into the text."""

    finding: Finding
    start: int
    end: int
    occurrence: int
    """Equal secrets in one text are one finding by name. This counts them, from 0."""
    related: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """What one look at one version of a document found."""

    snapshot: Snapshot
    found: tuple[Found, ...]
    remarks: tuple[Remark, ...]
    """What else there is to say: of references, of the manifest."""
    truncated: bool = False
    """Not all of the text was looked at, or not all is shown."""
    scanned: Scanned | None = None
    """What the scan after the next edit begins with."""
    on_disk: bool = False
    """It is a file as it is stored, which nobody has open."""

    def at(self, start: int, end: int) -> list[Found]:
        """Return the findings that touch `[start, end]` (offsets)."""
        return [found for found in self.found if found.start <= end and start <= found.end]

    def one(self, fingerprint: str, occurrence: int = 0) -> Found | None:
        """Return the finding of this fingerprint, the `occurrence`-th of its equals."""
        same = (found for found in self.found if found.finding.fingerprint == fingerprint)
        return next(islice(same, occurrence, None), None)


def look(snapshot: Snapshot, budget: float | None, before: Scanned | None = None) -> Check:
    """Check one snapshot. `budget` in seconds; `before` is what was seen of the document until now."""
    findings, truncated, scanned = _scan(snapshot, budget, before)
    found = tuple(_placed(snapshot, findings))
    # A value that somebody put where a name should stand is told as a finding, not in a message about names.
    told = (
        item for item in _remarks(snapshot)
        if not any(other.start < max(item.end, item.start + 1) and item.start < other.end for other in found)
    )  # fmt: skip
    return Check(snapshot, found, tuple(islice(told, MAX_REMARKS)), truncated, scanned)


def look_at_file(path: Path, uri: str) -> Check | None:
    """Check a file on the disk as it is; None when it is no text, or its manifest is broken."""
    from locum.workspace.scanner import FileReport

    try:
        report = scanner().scan_file(path)
    except LocumError:
        return None
    if not isinstance(report, FileReport):
        return None
    source = report.source
    snapshot = Snapshot(uri, (-1, 0), 0, "", str(path), source.text, tuple(source.starts) if report.findings else (0,))
    found = tuple(_placed(snapshot, report.findings))
    return Check(snapshot, found, (), report.truncated, on_disk=True)


def place_of(snapshot: Snapshot) -> tuple[str, Project]:
    """Return a document's path as its project sees it (with `/`), and the project."""
    if snapshot.path is None:
        return (snapshot.notebook or snapshot.uri).rpartition("/")[2].rpartition(":")[2], Project(Path("/"))
    path = Path(snapshot.path)
    project = project_of(path.parent)
    return project.relative(path), project


def _remarks(snapshot: Snapshot) -> Iterator[Remark]:
    is_manifest = snapshot.path is not None and Path(snapshot.path).name == FILE_NAME and not snapshot.notebook
    if not is_manifest and _may_have_servers(snapshot):
        from locum.lsp.remarks import about_servers

        yield from about_servers(snapshot.text, snapshot.path or snapshot.uri)
    if not is_manifest and "locum://" not in snapshot.text:
        return
    from locum.lsp.remarks import (  # most texts need none of it
        about_manifest,
        about_names,
        about_references,
        about_rules,
    )

    if is_manifest:
        from locum.lsp.standing import stored_names, used_in

        yield from about_manifest(snapshot.text, date.today())  # noqa: DTZ011 - an allowance ends on the reader's own calendar
        project = place_of(snapshot)[1]
        yield from about_rules(snapshot.text, project)
        yield from about_names(snapshot.text, stored_names(), used_in(project.root))
    if "locum://" in snapshot.text:
        path, project = place_of(snapshot)
        names = None if is_manifest or snapshot.path is None else declared_names(project)
        yield from about_references(snapshot.source, names, path)


def _may_have_servers(snapshot: Snapshot) -> bool:
    """Say, cheaply, whether a text may be an MCP configuration with variables in it."""
    path, text = snapshot.path or snapshot.uri, snapshot.text
    if not path.lower().endswith(_SETTINGS) or not any(mark in text for mark in ("$", "{env:", "locum://")):
        return False
    from locum.rewrite.idioms.mcp_clients import may_have_servers  # most texts are no settings

    return may_have_servers(path, text)


def _placed(snapshot: Snapshot, findings: Sequence[Finding]) -> Iterator[Found]:
    """Turn the findings' byte offsets into offsets, in one way through the text."""
    utf8 = snapshot.source.utf8 if findings else b""
    spans = [(item.start, item.end) for finding in findings for item in (finding, *finding.related)]
    offsets, here, offset = dict[int, int](), 0, 0
    plain = len(utf8) == len(snapshot.text)
    for place in sorted({place for span in spans for place in span}):
        offset = place if plain else offset + len(utf8[here:place].decode("utf-8", "surrogatepass"))
        offsets[place], here = offset, place
    seen = Counter[str]()
    for finding in findings:
        related = tuple(Place(offsets[item.start], offsets[item.end], item.note) for item in finding.related)
        yield Found(finding, offsets[finding.start], offsets[finding.end], seen[finding.fingerprint], related)
        seen[finding.fingerprint] += 1


def _scan(
    snapshot: Snapshot, budget: float | None, before: Scanned | None
) -> tuple[tuple[Finding, ...], bool, Scanned | None]:
    """Scan as the command line does, with the project's exclusions and allowances; without them where its manifest is broken."""
    from locum.detect.engine import default_engine  # the rules load after `initialize` is answered
    from locum.detect.rescan import rescan

    if snapshot.path is not None:
        with contextlib.suppress(LocumError):
            path = Path(snapshot.path)
            if scanner().excludes(path):
                return (), False, None
            report, scanned = scanner().scan_edited(snapshot.source, path, before, budget=budget)
            return report.findings, report.truncated, scanned
    name, project = place_of(snapshot)
    today = date.today()  # noqa: DTZ011 - what ends does so on the reader's own calendar
    scanned = rescan(
        default_engine(), before, snapshot.source.utf8, path=name, project=project.id, budget=budget, today=today
    )
    return scanned.result.findings, scanned.result.truncated, scanned

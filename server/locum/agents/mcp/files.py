"""What the tools do with files: scan, fix, import. Blocks; gives places and names, never a value."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from locum.agents.mcp.places import Places
from locum.agents.mcp.tools import FINDINGS
from locum.broker.client import BrokerClient
from locum.detect.finding import Finding
from locum.fix.disk import FileToFix, move_files, plan_files, well_named
from locum.fix.stores import Stores, left_behind
from locum.refs.reference import locum_reference
from locum.rewrite.plan import NO_EDIT
from locum.text.source import SourceText
from locum.workspace.project import load_manifest
from locum.workspace.report import finding_json
from locum.workspace.scanner import FileReport, Scanner
from locum.workspace.walk import Skipped, Walk

ROTATE = "These values stood in plain text: tell the person to rotate them where they were made."
_NOT_TOLD = {"binary"}
_MOST_SKIPPED = 50


def scan(places: Places, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what stands in plain text. Raises LocumError."""
    found: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    files = 0
    for _, report in _reports(places, arguments.get("path")):
        if isinstance(report, Skipped):
            if report.reason not in _NOT_TOLD:
                skipped.append({"path": places.shown(report.path), "reason": report.reason})
            continue
        files += 1
        shown = places.shown(report.path)
        found += [finding_json(finding, report.source, shown) for finding in report.findings]
    start = arguments.get("offset", 0)
    page = found[start : start + FINDINGS]
    after = start + len(page)
    return {
        "findings": page, "total": len(found), "next_offset": after if after < len(found) else None, "files": files,
        "not_read": skipped[:_MOST_SKIPPED],
    }  # fmt: skip


def replace(client: BrokerClient, places: Places, arguments: dict[str, Any]) -> dict[str, Any]:
    """Move findings, by fingerprint, into the vault. Raises LocumError when nothing was changed."""
    wanted = set(arguments["fingerprints"])
    files: list[FileToFix] = []
    scanners: dict[Path, Scanner] = {}
    for scanner, report in _reports(places, arguments.get("path")):
        if isinstance(report, Skipped):
            continue
        chosen = [finding for finding in report.findings if finding.fingerprint in wanted]
        if chosen:
            others = [finding for finding in report.findings if finding not in chosen]
            others += [silenced.finding for silenced in report.suppressed]
            scanners[report.path] = scanner
            files.append(FileToFix(report.path, places.project(report.path), report.source, chosen, others))
    for file, findings in zip(files, well_named((file.source, file.findings) for file in files), strict=True):
        file.findings = findings
    unknown = wanted - {finding.fingerprint for file in files for finding in file.findings}
    stores = Stores(client, origin="mcp", declared=_elsewhere(files))
    planned = list(plan_files(files, stores.name_for))

    def docs_of(path: Path, finding: Finding) -> str:
        rule = scanners[path].rules(path).get(finding.rule)
        return rule.url if rule is not None else ""

    outcome = move_files(planned, stores, docs_of)
    moved = [
        {
            "path": places.shown(file.path), "line": _line(file.source, done.finding), "name": done.plan.name,
            "reference": locum_reference(done.plan.name), "note": done.plan.note,
        }
        for file, done in outcome.moved
    ]  # fmt: skip
    left = [
        {
            "path": places.shown(file.path), "line": _line(file.source, item.finding),
            "reason": item.reason.removeprefix(NO_EDIT),
        }
        for file, item in outcome.left
    ]  # fmt: skip
    left += [{"path": "", "line": 0, "reason": f"no finding has the fingerprint {one} now"} for one in sorted(unknown)]
    todo = [ROTATE] if moved else []
    todo += [left_behind(stores.left_behind)] if stores.left_behind else []
    return {"moved": moved, "left": left, "what_to_do": " ".join(todo)}


def _reports(places: Places, path: str | None) -> Iterator[tuple[Scanner, FileReport | Skipped]]:
    """Scan what a tool means, each file once. Raises UsageProblem, ManifestProblem."""
    scanner = Scanner(base=places.first)
    seen = set[Path]()
    for root in places.roots if path is None else (places.either(path),):
        base, exclude = scanner.exclude_patterns(root if root.is_dir() else root.parent)
        walk = Walk([root], True, exclude, base)
        for file in walk.files():
            if file not in seen and (file == root or not scanner.excludes(file)):
                seen.add(file)
                yield scanner, scanner.scan_file(file)
        for skipped in walk.skipped:
            yield scanner, skipped


def _elsewhere(files: Sequence[FileToFix]) -> Collection[str]:
    """Return the names that the projects' manifests declare for values in other places than the local vault."""
    manifests = [load_manifest(project) for project in {file.project for file in files}]
    return {name for manifest in manifests for name, entry in manifest.secrets.items() if entry.source != "local"}


def _line(source: SourceText, finding: Finding) -> int:
    return source.position(source.offset_of_byte(finding.start), "utf-32")[0] + 1

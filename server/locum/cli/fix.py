"""`locum fix`: move the plaintext secrets of files into the vault and leave working code. Shows places and names, no value."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import click

from locum.cli.files import relative, scan_files, shown
from locum.cli.person import with_vault
from locum.detect.finding import Finding, Severity
from locum.errors import EXIT_FINDINGS, EXIT_OK, UsageProblem
from locum.fix.disk import FileToFix, Outcome, PlannedFile, move_files, plan_files, well_named
from locum.fix.stores import Stores
from locum.refs.reference import locum_reference
from locum.rewrite.batch import Left
from locum.rewrite.naming import Names
from locum.workspace.project import find_project, load_manifest
from locum.workspace.report import finding_json
from locum.workspace.scanner import FileReport, Scanner

_LEVELS = get_args(Severity)


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would be changed. Asks no vault, writes nothing.")
@click.option("--all", "all_", is_flag=True, help="Do it without asking.")
@click.option("--rule", "rules", multiple=True, metavar="ID", help="Only what this rule finds. Repeatable.")
@click.option(
    "--level", type=click.Choice(_LEVELS), default="warning", show_default=True, help="Only findings as grave as this."
)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def fix(
    paths: tuple[Path, ...], dry_run: bool, all_: bool, rules: tuple[str, ...], level: Severity, format_: str
) -> int:
    """Move plaintext secrets of files (default: all here) into the vault; leave references and code that still runs.

    Each value is stored and read back before a file is touched; a file is changed whole or not at all.
    Exit 0 when nothing is left, 1 when something is.
    """
    if dry_run and all_:
        raise UsageProblem("usage.fix", "--dry-run and --all exclude each other", "Give one of them.")
    files, docs_of = _findings(paths, rules, level)
    if not files:
        _say_nothing_found(format_)
        return EXIT_OK
    if dry_run:
        names = Names()
        planned = list(plan_files(files, lambda finding, value: names.choose(finding, value, (), lambda _: "")))
        _show_plan(planned, format_)
        return EXIT_FINDINGS
    asks = not all_ and format_ == "text" and sys.stdin.isatty()
    if not all_ and not asks:
        raise UsageProblem(
            "usage.fix", "there is nobody to ask", "Look with --dry-run first, then say --all to do it without asking."
        )
    from locum.broker.client import connect

    with connect() as client:
        stores = with_vault(client, lambda: Stores(client, origin="fix", declared=_elsewhere(files)))
        planned = list(plan_files(files, stores.name_for))
        moves = sum(len(item.batch.moved) for item in planned)
        if asks:
            _show_plan(planned, format_)
            if moves and not click.confirm(f"Move {_count(moves, 'secret')} into your vault?", default=False):
                click.echo("Nothing was changed.")
                return EXIT_FINDINGS
        outcome = move_files(planned, stores, docs_of)
    _show_outcome(outcome, format_, plan_was_shown=asks)
    return EXIT_FINDINGS if outcome.left else EXIT_OK


def _findings(paths: tuple[Path, ...], rules: tuple[str, ...], level: Severity) -> tuple[list[FileToFix], Any]:
    """Scan, and keep what is asked for."""
    scanners: dict[Path, Scanner] = {}
    grave = _LEVELS[: _LEVELS.index(level) + 1]
    files: list[FileToFix] = []
    for scanner, report in scan_files(paths or (Path(),)):
        if not isinstance(report, FileReport):
            continue
        wanted = [
            finding for finding in report.findings if (finding.rule in rules if rules else finding.severity in grave)
        ]
        if wanted:
            scanners[report.path] = scanner
            others = [item for item in report.findings if item not in wanted]
            others += [silenced.finding for silenced in report.suppressed]
            files.append(FileToFix(report.path, find_project(report.path.parent), report.source, wanted, others))
    for file, findings in zip(files, well_named((file.source, file.findings) for file in files), strict=True):
        file.findings = findings

    def docs_of(path: Path, finding: Finding) -> str:
        rule = scanners[path].rules(path).get(finding.rule)
        return rule.url if rule is not None else ""

    return files, docs_of


def _elsewhere(files: Sequence[FileToFix]) -> set[str]:
    """Return the names that the projects' manifests declare for values in other places than the local vault."""
    manifests = [load_manifest(project) for project in {file.project for file in files}]
    return {name for manifest in manifests for name, entry in manifest.secrets.items() if entry.source != "local"}


def _show_plan(planned: Sequence[PlannedFile], format_: str) -> None:
    if format_ == "json":
        moved = [
            _place(item.file, done.finding)
            | {"name": done.plan.name, "becomes": done.plan.idiom, "note": done.plan.note}
            for item in planned
            for done in item.batch.moved
        ]
        left = [_left(item.file, left) for item in planned for left in item.batch.left]
        _print_json({"moved": moved, "left": left, "dry_run": True})
        return
    for item in planned:
        for line in item.preview(shown(item.file.path)):
            click.echo(line)
        for left in item.batch.left:
            click.echo(f"  stays: {_at(item.file, left.finding)} {left.finding.title}: {left.reason}")
    moves = sum(len(item.batch.moved) for item in planned)
    stay = sum(len(item.batch.left) for item in planned)
    click.echo(f"\n{_count(moves, 'secret')} can move, {stay} must stay.")


def _show_outcome(outcome: Outcome, format_: str, *, plan_was_shown: bool) -> None:
    if format_ == "json":
        moved = [
            _place(file, done.finding)
            | {"name": done.plan.name, "reference": locum_reference(done.plan.name), "note": done.plan.note}
            for file, done in outcome.moved
        ]
        _print_json({"moved": moved, "left": [_left(file, left) for file, left in outcome.left], "dry_run": False})
        return
    for file, done in outcome.moved:
        click.echo(f"moved  {shown(file.path)}: {done.finding.title} → {done.plan.idiom}")
        if done.plan.note and not plan_was_shown:
            click.echo(f"       {done.plan.note}")
    for file, left in outcome.left:
        click.echo(f"stays  {_at(file, left.finding)} {left.finding.title}: {left.reason}")
    names = outcome.names()
    if not names:
        click.echo("Nothing was moved.")
        return
    left = f", {len(outcome.left)} left" if outcome.left else ""
    click.echo(f"\nMoved {_count(len(outcome.moved), 'secret')} to your vault as {_count(len(names), 'name')}{left}.")
    click.echo("They stood in plain text, and may still: in git's history, editors' undo and backups, AI transcripts.")
    click.echo("Rotate them: 'locum explain RULE' says how. What this project needs: 'locum check'.")


def _say_nothing_found(format_: str) -> None:
    if format_ == "json":
        _print_json({"moved": [], "left": [], "dry_run": False})
    else:
        click.echo("No secrets in plain text.")


def _print_json(about: dict[str, Any]) -> None:
    summary = {"moved": len(about["moved"]), "left": len(about["left"])}
    click.echo(json.dumps({"version": 1, **about, "summary": summary}, indent=2))


def _place(file: FileToFix, finding: Finding) -> dict[str, Any]:
    return finding_json(finding, file.source, relative(file.path))


def _left(file: FileToFix, left: Left) -> dict[str, Any]:
    return _place(file, left.finding) | {"reason": left.reason}


def _at(file: FileToFix, finding: Finding) -> str:
    line, column = file.source.position(file.source.offset_of_byte(finding.start), "utf-32")
    return f"{shown(file.path)}:{line + 1}:{column + 1}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

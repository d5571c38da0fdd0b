"""`locum fix`: move the plaintext secrets of files into the vault and leave working code. Shows places and names, no value."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from locum.cli.files import relative, scan_files, shown
from locum.cli.person import with_vault
from locum.detect.finding import Finding, Severity
from locum.errors import EXIT_FINDINGS, EXIT_OK, UsageProblem
from locum.fix.disk import DocsOf, FileToFix, Outcome, PlannedFile, move_files, plan_files, well_named
from locum.fix.stores import Stores, left_behind
from locum.refs.reference import locum_reference
from locum.rewrite.advice import gathered
from locum.rewrite.batch import Left, Moved
from locum.rewrite.naming import Names
from locum.rewrite.plan import NO_EDIT
from locum.workspace.project import load_manifest
from locum.workspace.report import finding_json
from locum.workspace.safe_write import is_left_behind
from locum.workspace.scanner import FileReport, Scanner

_LEVELS = get_args(Severity)
_COLOURS = {"-": "red", "+": "green", "@": "cyan"}
_SHOWN = 3
"""Files that are named beside one thing to know; the rest are counted."""


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would be changed. Asks no vault, writes nothing.")
@click.option("--all", "all_", is_flag=True, help="Do it without asking.")
@click.option("--rule", "rules", multiple=True, metavar="ID", help="Only what this rule finds. Repeatable.")
@click.option(
    "--level",
    type=click.Choice(_LEVELS),
    default="warning",
    show_default=True,
    help="Only findings at least as grave as this.",
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
    files, quieter, docs_of = _findings(paths, rules, level, sweeps=not dry_run)
    return move(files, quieter, docs_of, dry_run=dry_run, all_=all_, format_=format_)


def move(
    files: Sequence[FileToFix], quieter: Sequence[Finding], docs_of: DocsOf, *, dry_run: bool, all_: bool, format_: str,
    undeclared: Collection[Path] = (), goes_on: str = "Without --dry-run",
) -> int:  # fmt: skip
    """Show what would be moved, or ask and do it; return the exit code. `quieter` was found and is left out.

    In projects with a root in `undeclared` no manifest is written. `goes_on` says how a dry run becomes a real one.
    """
    if not files:
        _say_nothing_found(format_, quieter)
        return EXIT_OK
    if dry_run:
        names = Names()
        planned = list(plan_files(files, lambda finding, value: names.choose(finding, value, (), lambda _: "")))
        _show_plan(planned, format_)
        if format_ == "text":
            _show_advice(((item.file, moved) for item in planned for moved in item.batch.moved), "then")
            _show_next(planned, quieter, goes_on)
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
            if not moves:
                return EXIT_FINDINGS
            if not click.confirm(f"Move {_count(moves, 'secret')} into your vault?", default=False):
                click.echo("Nothing was changed.")
                return EXIT_FINDINGS
        try:
            outcome = move_files(planned, stores, docs_of, undeclared)
        finally:
            if stores.left_behind:
                click.echo(f"locum: {left_behind(stores.left_behind)}", err=True)
    if format_ == "json":
        _print_outcome(outcome)
    else:
        _show_outcome(outcome, planned if asks else ())
        if quieter:
            click.echo(_about_quieter(quieter))
    return EXIT_FINDINGS if outcome.left else EXIT_OK


def _findings(
    paths: tuple[Path, ...], rules: tuple[str, ...], level: Severity, *, sweeps: bool
) -> tuple[list[FileToFix], list[Finding], DocsOf]:
    """Scan. Return what is asked for, what is quieter than that, and who knows the rules' pages."""
    scanners: dict[Path, Scanner] = {}
    grave = _LEVELS[: _LEVELS.index(level) + 1]
    files: list[FileToFix] = []
    quieter: list[Finding] = []
    for scanner, report in scan_files(paths or (Path(),)):
        if not isinstance(report, FileReport):
            continue
        if is_left_behind(report.path):
            if sweeps:
                report.path.unlink(missing_ok=True)
            continue
        wanted = [
            finding for finding in report.findings if (finding.rule in rules if rules else finding.severity in grave)
        ]
        if not rules:
            quieter += [finding for finding in report.findings if finding.severity not in grave]
        if wanted:
            scanners[report.path] = scanner
            others = [item for item in report.findings if item not in wanted]
            others += [silenced.finding for silenced in report.suppressed]
            files.append(FileToFix(report.path, scanner.project(report.path), report.source, wanted, others))
    for file, findings in zip(files, well_named((file.source, file.findings) for file in files), strict=True):
        file.findings = findings

    def docs_of(path: Path, finding: Finding) -> str:
        rule = scanners[path].rules(path).get(finding.rule)
        return rule.url if rule is not None else ""

    return files, quieter, docs_of


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
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for item in planned:
        for line in item.preview(shown(item.file.path)):
            click.echo(click.style(line, fg=_COLOURS.get(line[:1])) if colour else line)
    moves = sum(len(item.batch.moved) for item in planned)
    stay = [(item.file, left) for item in planned for left in item.batch.left]
    gap, colon = "\n" if moves else "", ":" if stay else "."
    click.echo(f"{gap}{_count(moves, 'secret')} can move, {len(stay)} must stay{colon}")
    for file, left in stay:
        click.echo(f"  stays: {_reason(file, left)}")


def _show_advice(moved: Iterable[tuple[FileToFix, Moved]], when: str) -> None:
    """Say what those who start the programs that read these files must know."""
    notes = [(shown(file.path), done.plan.name, done.plan.note) for file, done in moved]
    advice = gathered(notes)
    if advice:
        click.echo(f"\nHow programs get them {when}:")
    for files, note in advice:
        more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
        click.echo(f"  {', '.join(files[:_SHOWN])}{more}: {note}")


def _show_next(planned: Sequence[PlannedFile], quieter: Sequence[Finding], goes_on: str) -> None:
    click.echo("")
    if quieter:
        click.echo(_about_quieter(quieter))
    if any(item.batch.moved for item in planned):
        click.echo(f"Nothing is changed yet. {goes_on} it asks, and does it.")


def _about_quieter(findings: Sequence[Finding]) -> str:
    quietest = max((finding.severity for finding in findings), key=_LEVELS.index)
    verb, it = ("is", "it") if len(findings) == 1 else ("are", "them")
    return f"{_count(len(findings), 'finding')} of a lower level {verb} left out: --level {quietest} takes {it} too."


def _print_outcome(outcome: Outcome) -> None:
    moved = [
        _place(file, done.finding)
        | {"name": done.plan.name, "reference": locum_reference(done.plan.name), "note": done.plan.note}
        for file, done in outcome.moved
    ]
    _print_json({"moved": moved, "left": [_left(file, left) for file, left in outcome.left], "dry_run": False})


def _show_outcome(outcome: Outcome, shown_before: Sequence[PlannedFile]) -> None:
    """Say what was done. `shown_before`: what a person has read above is not said again."""
    for file, done in () if shown_before else outcome.moved:
        click.echo(f"moved  {shown(file.path)}: {done.finding.title} → {done.plan.idiom}")
    known = {id(left) for item in shown_before for left in item.batch.left}
    for file, left in outcome.left:
        if id(left) not in known:
            click.echo(f"stays  {_reason(file, left)}")
    names = outcome.names()
    if not names:
        click.echo("Nothing was moved.")
        return
    _show_advice(outcome.moved, "now")
    left = f", {len(outcome.left)} left" if outcome.left else ""
    click.echo(f"\nMoved {_count(len(outcome.moved), 'secret')} to your vault as {_count(len(names), 'name')}{left}.")
    click.echo("They stood in plain text, and may still: in git's history, editors' undo and backups, AI transcripts.")
    rule = outcome.moved[0][1].finding.rule
    click.echo(f"Rotate them: 'locum explain {rule}' says how. What this project needs: 'locum check'.")


def _say_nothing_found(format_: str, quieter: Sequence[Finding]) -> None:
    if format_ == "json":
        _print_json({"moved": [], "left": [], "dry_run": False})
    elif quieter:
        click.echo(f"Nothing to fix. {_about_quieter(quieter)}")
    else:
        click.echo("No secrets in plain text.")


def _print_json(about: dict[str, Any]) -> None:
    summary = {"moved": len(about["moved"]), "left": len(about["left"])}
    click.echo(json.dumps({"version": 1, **about, "summary": summary}, indent=2))


def _place(file: FileToFix, finding: Finding) -> dict[str, Any]:
    return finding_json(finding, file.source, relative(file.path))


def _left(file: FileToFix, left: Left) -> dict[str, Any]:
    return _place(file, left.finding) | {"reason": left.reason}


def _reason(file: FileToFix, left: Left) -> str:
    """Say where a finding stays and why."""
    line, column = file.source.position(file.source.offset_of_byte(left.finding.start), "utf-32")
    why = left.reason.removeprefix(NO_EDIT)
    return f"{shown(file.path)}:{line + 1}:{column + 1} {left.finding.title}: {why}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

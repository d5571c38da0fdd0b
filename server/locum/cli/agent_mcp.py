"""`locum agent mcp`: plaintext secrets in the settings of MCP clients, of this project and of this person; --fix moves them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import get_args

import click

from locum.agents.install.mcp_files import mcp_files, server_places
from locum.agents.install.places import folders
from locum.cli.files import printable
from locum.cli.fix import move
from locum.detect.finding import Finding, Severity
from locum.errors import UsageProblem
from locum.fix.disk import FileToFix, well_named
from locum.text.source import SourceText
from locum.workspace.project import Project, find_project
from locum.workspace.scanner import FileReport, Scanner

_LEVELS = get_args(Severity)


@click.command()
@click.option("--fix", is_flag=True, help="Ask, then move them into the vault.")
@click.option("--all", "all_", is_flag=True, help="With --fix: do it without asking.")
@click.option(
    "--level", type=click.Choice(_LEVELS), default="warning", show_default=True, help="Only findings at least as grave."
)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def mcp(fix: bool, all_: bool, level: Severity, format_: str) -> int:
    """Find plaintext secrets in MCP servers' settings: of this project, and your own of every client that is here.

    Without --fix it shows what would change, with no value in it. Servers then start through 'locum run' or 'locum bridge', which
    ask before they hand a value over. Exit 0 when nothing is left, 1 when something is.
    """
    if all_ and not fix:
        raise UsageProblem("usage.agent", "--all goes with --fix", "Give both.")
    project = find_project(Path.cwd()).root.absolute()
    home = Path.home()
    scanner = Scanner(base=project)
    grave = _LEVELS[: _LEVELS.index(level) + 1]
    files: list[FileToFix] = []
    quieter: list[Finding] = []
    for path in mcp_files(folders(project, home, os.environ, sys.platform)):
        root = project if path.is_relative_to(project) else _root(path, home)
        report = scanner.scan_file(path)
        if not isinstance(report, FileReport):
            click.echo(f"locum: {printable(path)} is left out: {report.reason}", err=True)
            continue
        inside = [found for found in report.findings if _is_in_server(found, report.source, path, root)]
        wanted = [found for found in inside if found.severity in grave]
        quieter += [found for found in inside if found not in wanted]
        if wanted:
            others = [found for found in report.findings if found not in wanted]
            others += [silenced.finding for silenced in report.suppressed]
            where = scanner.project(path) if root == project else Project(root)
            files.append(FileToFix(path, where, report.source, wanted, others))
    for file, findings in zip(files, well_named((file.source, file.findings) for file in files), strict=True):
        file.findings = findings

    def docs_of(path: Path, finding: Finding) -> str:
        rule = scanner.rules(path).get(finding.rule)
        return rule.url if rule is not None else ""

    own = {file.project.root for file in files} - {project, find_project(project).root}
    return move(
        files, quieter, docs_of, dry_run=not fix, all_=all_, format_=format_, undeclared=own, goes_on="With --fix"
    )


def _root(path: Path, home: Path) -> Path:
    """Return the folder that a file of a person's own is told from: a client is known by the path below it."""
    return home if path.is_relative_to(home) else path.parent.parent


def _is_in_server(finding: Finding, source: SourceText, path: Path, root: Path) -> bool:
    places = server_places(source.text, path.relative_to(root).as_posix())
    start, end = source.offset_of_byte(finding.start), source.offset_of_byte(finding.end)
    return places is None or any(first <= start and end <= last for first, last in places)

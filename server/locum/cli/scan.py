"""`locum scan`: find plaintext secrets in files and say where they are, never what they are."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import click

from locum.cli.files import printable, relative, scan_files, shown
from locum.detect.engine import default_engine
from locum.detect.finding import Finding, Severity, Suppressed
from locum.errors import EXIT_FINDINGS, EXIT_OK, UsageProblem
from locum.paths import user_paths
from locum.refs.manifest import FILE_NAME
from locum.text.source import SourceText
from locum.workspace.agent_journal import AgentJournal, Author
from locum.workspace.report import count_suppressed, finding_json, suppressed_line
from locum.workspace.scanner import FileReport, Scanner
from locum.workspace.walk import MAX_FILE, Skipped

_LEVELS = get_args(Severity)
"""From the gravest to the least grave."""
_COLOURS = {"error": "red", "warning": "yellow", "information": "blue", "hint": "cyan"}
_CONFIDENCE = {"certain": "certain"}
"""Words that need no word behind them."""
_UNREMARKABLE = {"binary"}
"""Reasons that a person does not want to hear of file by file."""


@dataclass(slots=True)
class _Result:
    """What a scan gives, before anybody decides how it looks."""

    reports: list[FileReport] = field(default_factory=list[FileReport])
    """Those with findings."""
    journal: AgentJournal | None = None
    """What agents noted of files; None where the text is no file's."""
    files: int = 0
    bytes: int = 0
    suppressed: list[Suppressed] = field(default_factory=list[Suppressed])
    truncated: list[Path] = field(default_factory=list[Path])
    skipped: list[Skipped] = field(default_factory=list[Skipped])

    def add(self, report: FileReport) -> None:
        self.files += 1
        self.bytes += len(report.source.utf8)
        self.suppressed += report.suppressed
        if report.truncated:
            self.truncated.append(report.path)
        if report.findings:
            self.reports.append(report)

    def author(self, report: FileReport, finding: Finding) -> Author | None:
        """Return the agent's session that wrote a finding."""
        return None if self.journal is None else self.journal.author(report.path, finding.fingerprint)

    @property
    def findings(self) -> Iterator[Finding]:
        for report in self.reports:
            yield from report.findings


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to this file.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Scan standard input.")
@click.option("--stdin-filename", type=click.Path(path_type=Path), help="Where the text of --stdin belongs.")
@click.option(
    "--fail-on", type=click.Choice(_LEVELS), default="warning", show_default=True, help="Exit 1 from here on."
)
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever is found.")
@click.option(
    "--no-ignore", is_flag=True, help="Show what is suppressed, and read excluded and ignored files and caches too."
)
def scan(
    paths: tuple[Path, ...], format_: str, output: Path | None, *, from_stdin: bool, stdin_filename: Path | None,
    fail_on: Severity, exit_zero: bool, no_ignore: bool,
) -> int:  # fmt: skip
    """Find plaintext secrets in files and directories (default: here). Exit 0 when there are none, 1 when there are."""
    if from_stdin and paths:
        raise UsageProblem("usage.stdin", "--stdin and paths exclude each other", "Give one of them.")
    if stdin_filename and not from_stdin:
        raise UsageProblem("usage.stdin", "--stdin-filename needs --stdin", "cat FILE | locum scan --stdin …")
    ignore = not no_ignore
    result = (
        _scan_stdin(stdin_filename, ignore=ignore) if from_stdin else _scan_paths(paths or (Path(),), ignore=ignore)
    )
    _write(result, format_, output)
    grave = _LEVELS[: _LEVELS.index(fail_on) + 1]
    return EXIT_FINDINGS if not exit_zero and any(found.severity in grave for found in result.findings) else EXIT_OK


def _scan_stdin(name: Path | None, *, ignore: bool) -> _Result:
    path = Path(os.path.abspath(name or "stdin"))  # noqa: PTH100 - resolve would follow links
    data = sys.stdin.buffer.read(MAX_FILE + 1)
    result = _Result()
    if len(data) > MAX_FILE:
        result.skipped.append(Skipped(path, "too big"))
    else:
        result.add(Scanner().scan_text(SourceText.from_bytes(data), path, ignore=ignore))
    return result


def _scan_paths(paths: tuple[Path, ...], *, ignore: bool) -> _Result:
    result = _Result()
    for _, report in scan_files(paths, ignore=ignore):
        if isinstance(report, Skipped):
            result.skipped.append(report)
        else:
            result.add(report)
    if result.reports:
        result.journal = AgentJournal(user_paths().agents)
        result.journal.refresh()
    return result


def _write(result: _Result, format_: str, output: Path | None) -> None:
    colour = output is None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    text = json.dumps(_as_json(result), indent=2) + "\n" if format_ == "json" else _as_text(result, colour=colour)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageProblem(
            "scan.output", f"{printable(output)} cannot be written ({error.strerror})", "Check its folder."
        ) from None


def _as_json(result: _Result) -> dict[str, Any]:
    by_level = Counter(finding.severity for finding in result.findings)
    counts = count_suppressed(result.suppressed)
    return {
        "version": 1,
        "findings": [
            finding_json(finding, report.source, relative(report.path), author=result.author(report, finding))
            for report in result.reports
            for finding in report.findings
        ],
        "summary": {
            "files": result.files,
            "bytes": result.bytes,
            "selector": default_engine().selector,
            "findings": by_level.total(),
            "by_severity": {level: by_level[level] for level in _LEVELS},
            "suppressed": counts,
            "suppressed_total": len(result.suppressed),
            "allowed": counts.get(FILE_NAME, 0),
            "truncated": [relative(path) for path in result.truncated],
            "skipped": [{"path": relative(skip.path), "reason": skip.reason} for skip in result.skipped],
        },
    }


def _as_text(result: _Result, *, colour: bool) -> str:
    """Return the report for people: one block a file, then what was done, then what to do."""
    lines: list[str] = []
    for report in result.reports:
        lines.append(click.style(shown(report.path), bold=True) if colour else shown(report.path))
        for finding in report.findings:
            lines += _finding_lines(finding, report.source, result.author(report, finding), colour=colour)
        lines.append("")
    lines += [f"Cut short: {shown(path)} has more than is shown." for path in result.truncated]
    told = [skip for skip in result.skipped if skip.reason not in _UNREMARKABLE]
    lines += [f"Not scanned: {shown(skip.path)} is {skip.reason}." for skip in told]
    silenced = suppressed_line(count_suppressed(result.suppressed))
    lines += [silenced] if silenced else []
    lines.append(_sentence(result))
    first = next(result.findings, None)
    if first is not None:
        lines += [
            f"What it is and how to rotate it: locum explain {first.rule}",
            f"To move them to the vault: locum fix{_with_level(result)}  (in an editor: the quick fix)",
            "Not a secret? Say so on its line in a comment: locum:allow",
        ]
    return "\n".join(lines) + "\n"


def _finding_lines(finding: Finding, source: SourceText, author: Author | None, *, colour: bool) -> list[str]:
    line, column = source.position(source.offset_of_byte(finding.start), "utf-32")
    level = f"{finding.severity:<7}"
    place = f"{line + 1}:{column + 1}"
    if colour:
        level = click.style(level, fg=_COLOURS[finding.severity])
    return [
        f"  {place:<8} {level} {finding.title}  [{finding.rule}]",
        f"           {_CONFIDENCE.get(finding.confidence, f'{finding.confidence} confidence')}: {', '.join(finding.why)}"
        + (f"; {author.text()}" if author else ""),
    ]


def _sentence(result: _Result) -> str:
    count = sum(1 for _ in result.findings)
    found = f"{_count(count, 'secret')} in plain text" if count else "No secrets in plain text"
    parts = [f"{found}; {_count(result.files, 'file')} scanned"]
    binary = sum(1 for skip in result.skipped if skip.reason in _UNREMARKABLE)
    parts += [f"{_count(binary, 'binary file')} passed over"] if binary else []
    return ", ".join(parts) + "."


def _with_level(result: _Result) -> str:
    """Return what `locum fix` must be told to look at any of these: it takes a warning and what is graver."""
    gravest = min((finding.severity for finding in result.findings), key=_LEVELS.index)
    return f" --level {gravest}" if gravest in {"information", "hint"} else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

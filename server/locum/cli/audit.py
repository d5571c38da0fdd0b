"""`locum audit`: read the record, check it, hand it on."""

from __future__ import annotations

import csv
import functools
import json
import os
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO

import click

from locum.broker.audit import read_records
from locum.broker.audit_formats import CSV_COLUMNS, csv_row, otel_request, to_ocsf
from locum.broker.audit_record import canonical
from locum.broker.client import connect
from locum.cli.audit_show import Wanted, chosen, every_line, follow, heading, line, moment_of, newest, terminal_width
from locum.cli.person import terminal, with_vault
from locum.errors import EXIT_FINDINGS, UsageProblem
from locum.paths import user_paths


@click.group()
def audit() -> None:
    """What was asked, granted, used and ended. Holds names, never values."""


def _choosing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that choose records; they come as one `wanted`."""

    @click.option(
        "--since", metavar="TIME", default="", help="Since 30m, 2h, 7d ago, or 2026-11-26T10:00 (local time)."
    )
    @click.option("--task", metavar="NAME", default="", help="Of this task, lease or agent's session.")
    @click.option("--lease", metavar="ID", default="", help="Of this lease; the beginning of its id is enough.")
    @click.option("--secret", metavar="NAME", default="", help="About this secret.")
    @click.option("--operation", metavar="GLOB", default="", help="Of this kind: lease.grant, 'secret.*'.")
    @click.option("--failed", is_flag=True, help="What failed or was refused.")
    @functools.wraps(command)
    def inner(since: str, task: str, lease: str, secret: str, operation: str, failed: bool, **rest: Any) -> Any:
        wanted = Wanted(moment_of(since) if since else 0, task, lease, secret, operation, failed)
        return command(wanted=wanted, **rest)

    return inner


@audit.command()
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--last", type=click.IntRange(0), default=50, show_default=True, help="How many records.")
@click.option("--follow", "-f", "follows", is_flag=True, help="Go on with each record that comes, until Ctrl-C.")
@_choosing
def show(format_: str, last: int, follows: bool, wanted: Wanted) -> None:
    """Show the newest records, in local time. `!` marks what failed or was refused."""
    path, width = user_paths().audit, terminal_width()
    if follows:
        if format_ == "text":
            click.echo(heading())
        as_text = functools.partial(line, width=width)
        follow(path, wanted, last, lambda record: click.echo((json.dumps if format_ == "json" else as_text)(record)))
        return
    records = newest(path, wanted, last)
    if format_ == "json":
        click.echo(json.dumps({"version": 1, "records": records}))
        return
    if not records:
        click.echo("Nothing is recorded yet." if wanted == Wanted() else "No record is like that.")
        return
    click.echo("\n".join([heading(), *(line(record, width=width) for record in records)]))


@audit.command("verify")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--against", type=click.File("rb"), metavar="FILE",
    help="A copy kept elsewhere (exported lines, or what an OTLP collector wrote); `-`: standard input.",
)  # fmt: skip
def check(format_: str, against: Any) -> int:
    """Check that no other hand changed, removed or added a record. Exit 1: the record is not whole."""
    with connect() as client:
        verdict = with_vault(client, client.verify_audit)
    compared: dict[str, Any] | None = None
    if against is not None:
        from locum.cli.audit_against import compare

        result = compare(read_records(user_paths().audit), against)
        if not result.copied and result.ok:
            raise UsageProblem("audit.copy", "there is no record in the copy", "Export one: locum audit export FILE")
        compared = {name: getattr(result, name) for name in ("ok", "copied", "first_bad", "reason")}
    ok = bool(verdict["ok"]) and (compared is None or bool(compared["ok"]))
    if format_ == "json":
        extra = {} if compared is None else {"against": compared}
        click.echo(json.dumps({"version": 1, **verdict, "ok": ok, **extra}))
    else:
        for text in _verdict(verdict, compared):
            click.echo(text)
    return 0 if ok else EXIT_FINDINGS


def _verdict(verdict: dict[str, Any], compared: dict[str, Any] | None) -> Iterable[str]:
    if verdict["ok"]:
        files = f" in {verdict['files']} files" if verdict["files"] > 1 else ""
        yield f"The record is whole: {verdict['records']} records{files}."
    else:
        where = f" in {verdict['file']}" if verdict["file"] else ""
        yield (
            f"The record was tampered with: first bad record is number {verdict['first_bad']}{where} "
            f"({verdict['reason']})."
        )
    if compared is not None and compared["ok"]:
        yield f"It has every one of the {compared['copied']} records of the copy."
    elif compared is not None:
        yield f"It is not what the copy says, from record {compared['first_bad']} on: {compared['reason']}."
    for anchor in verdict["anchors"]:
        yield f"  {anchor['name']:<9}  {anchor['says']}"
    for note in verdict["notes"]:
        yield f"  note       {note}"


@audit.command()
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--apply", "applies", is_flag=True, help="Put what stands in audit.toml in force. Takes a person.")
def collector(format_: str, applies: bool) -> None:
    """Say where copies of the record go: an OpenTelemetry collector, named in audit.toml beside your policy."""
    with connect() as client:
        if applies:
            with terminal() as tty:
                with_vault(client, lambda: client.apply_audit_settings(tty=tty))
        about = with_vault(client, client.audit_collector)
    if format_ == "json":
        click.echo(json.dumps({"version": 1, **about}))
        return
    state = about["collector"]
    for text in about["lines"] or ["No copy of the record is sent anywhere."]:
        click.echo(text)
    if state is not None:
        click.echo(f"{'taken':<9} {state['sent']} records, {state['waiting']} wait, {state['refused']} were refused")
    if state is not None and state["trouble"]:
        click.echo(f"{'trouble':<9} {state['trouble']}; it is tried again")
    if about["problem"]:
        click.echo(f"{about['problem']}: ignored")
    elif about["edited"]:
        click.echo(f"{user_paths().config / 'audit.toml'} says otherwise: locum audit collector --apply")


@audit.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), default="-")
@click.option(
    "--format", "format_", type=click.Choice(["jsonl", "ocsf", "otel", "csv"]), default="jsonl", show_default=True,
    help="jsonl: the lines as they are; ocsf: an event a line; otel: one OTLP request; csv: for a spreadsheet.",
)  # fmt: skip
@_choosing
def export(file: Path, format_: str, wanted: Wanted) -> None:
    """Copy the record to FILE, or to standard output."""
    path = user_paths().audit
    if str(file) == "-":
        _write(path, wanted, format_, sys.stdout)
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            _write(path, wanted, format_, stream)
    except OSError as error:
        raise UsageProblem("audit.file", f"{file} cannot be written ({error.strerror})", "Name another.") from None
    click.echo(f"Wrote {file}.")


def _write(path: Path, wanted: Wanted, format_: str, stream: TextIO) -> None:
    records = chosen(path, wanted)
    if format_ == "jsonl" and wanted == Wanted():
        stream.writelines(text.decode("utf-8", "surrogateescape") for text in every_line(path))  # damaged ones too
    elif format_ == "csv":
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(CSV_COLUMNS)
        table.writerows(map(csv_row, records))
    elif format_ == "otel":
        stream.writelines(otel_request(records, socket.gethostname()))
    elif format_ == "ocsf":
        stream.writelines(json.dumps(to_ocsf(record), separators=(",", ":")) + "\n" for record in records)
    else:
        stream.writelines(canonical(record).decode("ascii") + "\n" for record in records)

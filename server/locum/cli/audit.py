"""`locum audit`: read the record, check it, hand it on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click

from locum.broker.audit import read_records
from locum.broker.client import connect
from locum.broker.question import visible
from locum.cli.person import with_vault
from locum.errors import EXIT_FINDINGS
from locum.paths import user_paths


@click.group()
def audit() -> None:
    """What was asked, granted, used and ended. Holds names, never values."""


@audit.command()
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--last", default=50, show_default=True, help="How many records.")
def show(format_: str, last: int) -> None:
    """Show the newest records."""
    path = user_paths().audit
    records = list(read_records(path))[-last:] if path.exists() else []
    if format_ == "json":
        click.echo(json.dumps({"version": 1, "records": records}))
        return
    if not records:
        click.echo("Nothing is recorded yet.")
    for record in records:
        click.echo(line(record))


@audit.command("verify")
def check() -> int:
    """Check that no other hand changed, removed or added a record."""
    with connect() as client:
        verdict = with_vault(client, client.verify_audit)
    if verdict["ok"]:
        click.echo(f"The record is whole: {verdict['records']} records.")
        return 0
    click.echo(
        f"The record was tampered with: first bad record is number {verdict['first_bad']} ({verdict['reason']})."
    )
    return EXIT_FINDINGS


@audit.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(file: Path) -> None:
    """Copy the record (JSON lines, OCSF field names) to FILE."""
    path = user_paths().audit
    if path.exists():
        shutil.copyfile(path, file)
    else:
        file.write_bytes(b"")
    click.echo(f"Wrote {file}.")


def line(record: dict[str, Any]) -> str:
    """Return one record as one line for people."""
    names = ", ".join(visible(str(item.get("name", ""))) for item in record.get("resources", []))
    more = record.get("unmapped", {})
    what = str(more.get("task") or " ".join(more.get("argv", [])))
    parts = [str(record.get("time_dt") or record.get("time")), record["api"]["operation"], names, visible(what)]
    if record.get("status_detail"):
        parts.append(f"({visible(str(record['status_detail']))})")
    return "  ".join(part for part in parts if part)

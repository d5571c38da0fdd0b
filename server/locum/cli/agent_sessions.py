"""`locum agent sessions`, `report` and `end`: what AI agents did here, and ending what they may do."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from locum.agents.sessions.report import choose, summary
from locum.agents.sessions.report import report as report_of
from locum.agents.sessions.report import sessions as known_sessions
from locum.broker.client import connect
from locum.cli.files import plain
from locum.cli.person import terminal
from locum.workspace.agent_journal import client_name

_FORMAT = click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.command()
@_FORMAT
def sessions(format_: str) -> None:
    """List the sessions of AI agents in the last 30 days, open ones first."""
    found = known_sessions()
    if format_ == "json":
        click.echo(json.dumps({"version": 1, "sessions": found}))
    elif not found:
        click.echo("No session of an agent is known.")
    else:
        for one in found:
            click.echo(plain(_line(one)))


@click.command()
@click.argument("session", required=False, default="")
@_FORMAT
def report(session: str, format_: str) -> None:
    """Say what SESSION (its id or the beginning of it; default: the last one) touched. Holds names, never values."""
    name = choose(session)
    if format_ == "json":
        click.echo(json.dumps({"version": 1, **report_of(name)}))
    else:
        click.echo("\n".join(map(plain, summary(name))))


@click.command()
@click.argument("session")
def end(session: str) -> None:
    """End SESSION: its leases are revoked and its tasks stopped. In a terminal of your own."""
    with connect(start=False) as client, terminal() as tty:
        ended = client.close_session(session, tty=tty)
    click.echo(f"Ended, with {len(ended)} lease{'' if len(ended) == 1 else 's'}.")


def _line(one: dict[str, Any]) -> str:
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(one["started"] / 1000)) if one["started"] else " " * 16
    counts = f"{one['written']} written, {one['blocked']} stopped" + (", open" if one["open"] else "")
    return f"{began}  {client_name(one['client']):<11}  {one['session']}  {counts}  {one['workspace']}".rstrip()

"""`locum lease`: what is out there now, and ending it."""

from __future__ import annotations

import json
from typing import Any

import click

from locum.broker.client import connect
from locum.errors import Unavailable, UsageProblem


@click.group()
def lease() -> None:
    """Live leases: which task may use which secrets, and for how long."""


@lease.command("list")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_leases(format_: str) -> None:
    """List the live leases."""
    found = _live()
    if format_ == "json":
        click.echo(json.dumps({"version": 1, "leases": found}))
    elif not found:
        click.echo("No live lease.")
    for item in found if format_ == "text" else ():
        what, where = item["task"] or item["argv"][0], ", ".join([*item["env"], *item["files"]])
        click.echo(f"{item['id'][:11]}  {what}  {where}  ends in {item['expires_in']} s  process {item['pid']}")


@lease.command()
@click.argument("lease_id")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(lease_id: str, format_: str) -> None:
    """Show one lease, named by its id or the beginning of it."""
    fitting = [item for item in _live() if item["id"].startswith(lease_id)]
    if len(fitting) != 1:
        raise UsageProblem("lease.unknown", "no live lease with this id", "See `locum lease list`.")
    if format_ == "json":
        click.echo(json.dumps({"version": 1, "lease": fitting[0]}))
        return
    for key, value in fitting[0].items():
        click.echo(f"{key:<11} {' '.join(value) if isinstance(value, list) else value}")  # pyright: ignore[reportUnknownArgumentType] - JSON


@lease.command()
@click.argument("lease_id")
def revoke(lease_id: str) -> None:
    """End a lease now. Its task is stopped."""
    with connect(start=False) as client:
        client.revoke_lease(lease_id)
    click.echo("Ended: the task that held it is being stopped.")


def _live() -> list[dict[str, Any]]:
    """Ask a running broker; none running means no lease."""
    try:
        with connect(start=False) as client:
            return client.list_leases()
    except Unavailable as error:
        if error.code == "unavailable.none":
            return []
        raise

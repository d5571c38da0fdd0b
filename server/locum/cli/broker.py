"""`locum broker`: the process that holds keys and leases. Starts by itself; these commands are for looking and ending."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from locum.broker.client import connect
from locum.errors import Unavailable


@click.group()
def broker() -> None:
    """The broker: one process per user, started on demand."""


@broker.command()
@click.option("--control-fd", type=int, help="An inherited socket: the caller will answer approvals on it.")
def start(control_fd: int | None) -> None:
    """Start the broker. With --control-fd it stays in the foreground (exit 4: another holder has the channel)."""
    if control_fd is not None:
        from locum.broker.start import broker_command, broker_environment

        os.set_inheritable(control_fd, True)
        command = broker_command("--control-fd", str(control_fd))
        os.execve(command[0], command, broker_environment())
    with connect() as client:
        click.echo(f"The broker runs as process {client.status()['pid']}.")


@broker.command()
@click.option(
    "--control-fd", type=int, required=True, help="An inherited socket: the caller will answer approvals on it."
)
def pair(control_fd: int) -> None:
    """Let another editor answer approvals too, after the one that does now said yes. For editors."""
    with connect(start=False) as client:
        client.pair(control_fd)


@broker.command()
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(format_: str) -> None:
    """Say whether a broker runs, and what it holds."""
    try:
        with connect(start=False) as client:
            about: dict[str, Any] = {"running": True, **client.status()}
    except Unavailable as error:
        if error.code != "unavailable.none":
            raise
        about = {"running": False}
    if format_ == "json":
        click.echo(json.dumps({"version": 1, **about}))
    elif not about["running"]:
        click.echo("No broker is running. It starts by itself with the first task.")
    else:
        vault = about["vault"]
        click.echo(f"process   {about['pid']}, running for {_span(about['uptime'])}")
        click.echo(f"level     {about['level']} hygiene: no boundary between programs of the same user")
        click.echo(f"vault     {'unlocked' if vault['unlocked'] else 'locked' if vault['exists'] else 'none yet'}")
        click.echo(f"asks in   {'your editor' if about['control'] else 'the terminal of each task'}")
        click.echo(f"leases    {about['leases']}")
        click.echo(f"askers    known by {about['binding']}, checked with every request; sender of {about['sender']}")
        closed = "closed to no other program of root's" if about["root"] else "closed to other programs of yours"
        click.echo(f"memory    {about['memory']}; {closed}")
        if about["root"]:
            click.echo("root      runs as root: other root processes can read it, whatever it does")


def _span(seconds: int) -> str:
    """Say how long, in the largest unit that fits."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


@broker.command()
def stop() -> None:
    """End the broker and every lease with it."""
    try:
        with connect(start=False) as client:
            client.stop()
    except Unavailable as error:
        if error.code != "unavailable.none":
            raise
    click.echo("Stopped.")


@broker.command()
def lock() -> None:
    """Forget the vault's key and end every lease; the broker goes on."""
    from locum.cli.vault import lock as lock_vault

    click.get_current_context().invoke(lock_vault)

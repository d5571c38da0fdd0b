"""`locum lease`: what is out there now, and ending it."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Iterator, Mapping
from typing import Any, cast

import click

from locum.broker.client import connect
from locum.broker.question import show_argv, visible
from locum.errors import Unavailable, UsageProblem

_WIDTH = 80
_FORMAT = click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
_WAYS = {"editor": "allowed in your editor", "terminal": "allowed on your terminal"}
_NOT_BACK = {
    "closing": "being taken back",
    "revoke_pending": "NOT taken back yet",
    "expires_at": "cannot be taken back",
}
"""What may still work though its lease is over; nothing here is called revoked."""


@click.group()
def lease() -> None:
    """Live leases: which task may use which secrets, and for how long."""


@lease.command("list")
@_FORMAT
def list_leases(format_: str) -> None:
    """List the live leases, and what outlives its lease because its issuer has not taken it back."""
    found = _look()
    if format_ == "json":
        click.echo(json.dumps({"version": 1, **found}))
        return
    leases, left = found["leases"], [item for item in found["upstream"] if item["state"] in _NOT_BACK]
    if not leases:
        click.echo("No live lease.")
    for item in leases:
        click.echo("\n".join(_described(item)))
    for item in left:
        click.echo("\n".join(_left_over(item)))
    if found["unread"]:
        click.echo(f"{found['unread']} entries of the journal do not open: made under another vault, or damaged.")


@lease.command()
@click.argument("lease_id")
@_FORMAT
def show(lease_id: str, format_: str) -> None:
    """Show one lease, named by its id or the beginning of it."""
    found = _look()
    fitting = [item for item in found["leases"] if lease_id and item["id"].startswith(lease_id)]
    if len(fitting) != 1:
        raise UsageProblem("lease.unknown", "no live lease with this id", "See `locum lease list`.")
    upstream = [item for item in found["upstream"] if item["lease"] == fitting[0]["id"]]
    if format_ == "json":
        click.echo(json.dumps({"version": 1, "lease": {**fitting[0], "upstream": upstream}}))
        return
    for key, value in fitting[0].items():
        text = show_argv(value) if key == "argv" else " ".join(map(str, value)) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType] - JSON
        click.echo(f"{key:<13} {visible(str(text))}")
    for item in upstream:
        click.echo(f"{'issued':<13} {visible(item['reference'])} by {visible(item['issuer'])}, {item['state']}")


@lease.command()
@click.argument("lease_id", required=False)
@click.option("--all", "everything", is_flag=True, help="End all of them.")
@_FORMAT
def revoke(lease_id: str | None, everything: bool, format_: str) -> None:
    """End a lease now, named by its id or the beginning of it. Its task is stopped."""
    if everything == bool(lease_id):
        raise UsageProblem("lease.which", "which lease?", "Give the beginning of its id, or --all.")
    try:
        with connect(start=False) as client:
            ended = client.revoke_lease(lease_id or "", everything=everything)
    except Unavailable as error:
        if error.code != "unavailable.none" or not everything:
            raise
        ended = []
    if format_ == "json":
        click.echo(json.dumps({"version": 1, "revoked": ended}))
    elif not ended:
        click.echo("No live lease.")
    elif not everything:
        click.echo("Ended: the task that held it is being stopped.")
    else:
        click.echo(f"Ended {len(ended)}: the tasks that held them are being stopped.")


def _described(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield a lease's lines, none wider than a terminal: id and task, its secrets, its end and who let it."""
    uses = (
        f"{item['uses_left']} use{'' if item['uses_left'] == 1 else 's'} left" if item["uses_left"] else "values taken"
    )
    way = str(item["approved_by"])
    facts = [
        f"ends in {_span(item['expires_in'])}" + (", renewable" if item["renewable_for"] else ""),
        uses, f"process {item['pid']}", _WAYS.get(way, f"allowed by {way[:18]}"), item["level"],
        *([f"ends with {item['client']} {item['session'][:8]}"] if item.get("session") else []),
    ]  # fmt: skip
    places = [f"${name}" for name in item["env"]] + cast("list[str]", item["files"])
    yield _cut(f"{item['id'][:11]}  {visible(item['task']) or show_argv(item['argv'])}")
    yield from _indented(f"{', '.join(item['references'])}  as {', '.join(places)}")
    yield from _indented(" · ".join(facts))


def _left_over(item: Mapping[str, Any]) -> Iterator[str]:
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(item["expires"]))
    yield _cut(f"{item['lease'][:11]}  {visible(item['task'])}, which is over")
    text = f"{item['reference']}, issued by {item['issuer']}: {_NOT_BACK[item['state']]}; access may continue until {until}"
    if item["state"] == "revoke_pending":
        text += f" (tried {item['tries']} times, again in {item['next_try_in']} s)"
    yield from _indented(text)


def _indented(text: str) -> Iterator[str]:
    for piece in textwrap.wrap(visible(text), _WIDTH - 13, break_on_hyphens=False):
        yield f"{'':13}{piece}"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def _span(seconds: int) -> str:
    if seconds >= 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"


def _look() -> dict[str, Any]:
    """Ask a running broker; none running means no lease."""
    try:
        with connect(start=False) as client:
            return client.look_at_leases()
    except Unavailable as error:
        if error.code == "unavailable.none":
            return {"leases": [], "upstream": [], "unread": 0}
        raise

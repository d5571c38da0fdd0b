"""`locum secret`: names in the vault. No command here shows a value."""

from __future__ import annotations

import json
import sys

import click

from locum.broker.client import connect
from locum.cli.person import read_value, terminal, with_vault
from locum.errors import UsageProblem
from locum.refs.reference import locum_reference
from locum.secret import SecretBytes

_MAX_VALUE = 256 * 1024


@click.group()
def secret() -> None:
    """Store and list secrets. Values go in; they come out only into an approved task."""


@secret.command("set")
@click.argument("name")
@click.option(
    "--stdin", "from_stdin", is_flag=True, help="Read the value from standard input (one final newline is dropped)."
)
def set_secret(name: str, from_stdin: bool) -> None:
    """Store NAME. Replacing a value takes a person's yes."""
    reference = locum_reference(name)
    value = _from_stdin() if from_stdin else read_value(f"Value of {name} (not shown): ")
    if value.is_empty():
        raise UsageProblem("value.empty", "there is no value", f'printf %s "$VALUE" | locum secret set {name} --stdin')
    try:
        with connect() as client, terminal() as tty:
            with_vault(client, lambda: client.store_secret(name, value, origin="cli", tty=tty))
    finally:
        value.wipe()
    click.echo(f"Stored {name}. Refer to it as {reference}; run with it: locum run --secret {name} -- CMD")


@secret.command("list")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_secrets(format_: str) -> None:
    """List the names in your vault."""
    with connect() as client:
        found = with_vault(client, client.list_secrets)
    if format_ == "json":
        click.echo(json.dumps({"version": 1, "secrets": [item | {"source": "local"} for item in found]}))
    elif not found:
        click.echo("Your vault is empty. Store a secret: locum secret set NAME")
    else:
        width = max(len(item["name"]) for item in found)
        for item in found:
            click.echo(f"{item['name']:<{width}}  version {item['version']}  updated {item['updated']}")


@secret.command("copy")
@click.argument("name")
@click.argument("new_name")
def copy(name: str, new_name: str) -> None:
    """Give the value of NAME a second name, after a person's yes. NAME stays."""
    reference = locum_reference(new_name)
    with connect() as client, terminal() as tty:
        with_vault(client, lambda: client.copy_secret(name, new_name, tty=tty))
    click.echo(
        f"{new_name} is a second name of {name}. Refer to it as {reference}.\n"
        f"When nothing refers to {name} any more: locum secret rm {name}"
    )


@secret.command("rm")
@click.argument("name")
def remove(name: str) -> None:
    """Delete NAME from your vault, after a person's yes."""
    with connect() as client, terminal() as tty:
        with_vault(client, lambda: client.remove_secret(name, tty=tty))
    click.echo(f"Deleted {name}.")


def _from_stdin() -> SecretBytes:
    raw = bytearray(sys.stdin.buffer.read(_MAX_VALUE + 2))
    if raw.endswith(b"\n"):
        del raw[-2 if raw.endswith(b"\r\n") else -1 :]
    if len(raw) > _MAX_VALUE:
        raise UsageProblem(
            "value.size", "the value is over 256 KiB", "A vault is for keys, not for files of that size."
        )
    value = SecretBytes(raw)
    raw[:] = bytes(len(raw))
    return value

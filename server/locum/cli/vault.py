"""`locum vault`: make, show, unlock and lock the local vault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from locum.broker.client import connect
from locum.cli.person import read_passphrase, with_vault
from locum.errors import UsageProblem
from locum.paths import private_dir, user_paths


@click.group()
def vault() -> None:
    """The local vault: one encrypted file, opened by a keyslot."""


@vault.command("init")
@click.option("--keyring", "kind", flag_value="keyring", help="Keep the key in the system's keyring.")
@click.option("--passphrase", "kind", flag_value="passphrase", help="Derive the key from a passphrase.")
@click.option("--key-file", "kind", flag_value="key-file", help="Keep the key in a 0600 file: for containers and CI.")
@click.option("--path", type=click.Path(dir_okay=False, path_type=Path), help="Where the key file goes.")
def init(kind: str | None, path: Path | None) -> None:
    """Make the vault. Without an option: the system's keyring if it answers, else a passphrase."""
    from locum.vaults.interface import Unavailable
    from locum.vaults.local.keyring_slot import keyring_status
    from locum.vaults.local.keyslots import KeyFileSlot, KeyringSlot, NewSlot, PassphraseSlot
    from locum.vaults.local.store import LocalVault

    if path is not None and kind != "key-file":
        raise UsageProblem("vault.option", "--path belongs to --key-file", "locum vault init --key-file --path FILE")
    paths = user_paths()
    store = LocalVault(paths.vault)
    if store.exists():
        raise UsageProblem("vault.exists", f"there is a vault already: {paths.vault}", "See it: locum vault status")
    private_dir(paths.data)
    if kind is None:
        status = keyring_status()
        kind = "passphrase" if isinstance(status, Unavailable) else "keyring"
        if isinstance(status, Unavailable):
            click.echo(f"No keyring here ({status.reason}); a passphrase will protect the vault.", err=True)
    slot: NewSlot
    if kind == "key-file":
        slot = KeyFileSlot(path.absolute() if path else private_dir(paths.config) / "vault.key")
    elif kind == "keyring":
        slot = KeyringSlot()
    else:
        slot = PassphraseSlot(read_passphrase("New passphrase: ", confirm=True))
    store.create(slot)
    click.echo(f"Made your vault, opened by a {kind.replace('-', ' ')}: {paths.vault}")
    if isinstance(slot, KeyFileSlot):
        click.echo(f"Whoever reads {slot.path} can open it: keep that file out of repositories and backups.")


@vault.command(short_help="Say whether it is there, open, and what opens it.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(format_: str) -> None:
    """Say whether there is a vault, whether it is open and by which keyslots it opens."""
    about = _describe()
    if format_ == "json":
        click.echo(json.dumps({"version": 1, **about}))
        return
    if not about["exists"]:
        click.echo("No vault yet. Make one: locum vault init")
        return
    click.echo(f"vault     {about['path']}")
    click.echo(f"state     {'unlocked' if about['unlocked'] else 'locked'}")
    for slot in about["slots"]:
        click.echo(f"keyslot   {slot['type']}{'  ' + slot['detail'] if slot['detail'] else ''}")


@vault.command()
def unlock() -> None:
    """Open the vault until the broker ends or `locum vault lock`."""
    with connect() as client:
        with_vault(client, client.list_secrets)  # keyring and key file open it without being asked
    click.echo("Unlocked.")


@vault.command()
def lock() -> None:
    """Forget the vault's key and end every lease."""
    from locum.errors import Unavailable

    try:
        with connect(start=False) as client:
            client.lock()
    except Unavailable as error:
        if error.code != "unavailable.none":
            raise
    click.echo("Locked.")


def _describe() -> dict[str, Any]:
    """Ask the broker if one runs (only it knows whether the vault is open), else look at the file."""
    from locum.errors import Unavailable

    paths = user_paths()
    try:
        with connect(start=False) as client:
            about: dict[str, Any] = client.status()["vault"]
    except Unavailable:
        from locum.vaults.local.store import LocalVault

        description = LocalVault(paths.vault).describe()
        slots = [{"type": slot.type, "detail": slot.detail} for slot in description.slots]
        about = {"exists": description.exists, "unlocked": False, "items": None, "slots": slots}
    return about | {"path": str(paths.vault)}

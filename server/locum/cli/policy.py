"""`locum policy`: what runs without a question, and why. Only a person's yes puts something in; taking out takes none."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from locum.broker.client import connect
from locum.broker.question import visible
from locum.cli.asking import Options, read, request_options
from locum.cli.person import terminal, with_vault
from locum.errors import LocumError, UsageProblem
from locum.refs.manifest import parse_duration

_FORMAT = click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
_DAY = 24 * 3600


@click.group()
def policy() -> None:
    """What stands without a question: your yes to exact content, until a day that you choose."""


@policy.command(context_settings={"allow_interspersed_args": False})
@request_options
@click.option("--for", "stands_for", default="12h", show_default=True, metavar="TIME", help="How long: 30m, 12h, 7d.")
@_FORMAT
@click.argument("command", metavar="[--] [CMD]...", nargs=-1, type=click.UNPROCESSED)
def allow(command: tuple[str, ...], stands_for: str, format_: str, **options: Any) -> int:
    """Let `locum run` with the same options start exactly this without a question, as long as nothing of it changes.

    Bound to: command, folder, workspace, secrets, variables, channel, time, and what stands in the scripts that it runs.
    """
    asked = read(Options(**options), command)
    if not asked.grants:
        raise UsageProblem(
            "policy.nothing", "this uses no secret, so nobody is asked anyway", "Name one: --secret NAME"
        )
    if asked.missing:
        click.echo(f"locum: {asked.missing}", err=True)
        return asked.exit_code
    seconds = _seconds(stands_for)
    with connect() as client, terminal() as tty:
        made = with_vault(client, lambda: client.request_standing(asked.request, seconds, tty=tty))
    if format_ == "json":
        click.echo(json.dumps({"version": 1, "standing": made}))
    else:
        click.echo(
            f"{made['id']} stands until {_when(made['expires'])}. Take it back: locum policy revoke {made['id']}"
        )
    return 0


@policy.command("list")
@_FORMAT
def list_(format_: str) -> None:
    """List what stands, what is forbidden, and what is wrong with the files."""
    with connect() as client:
        found = with_vault(client, client.policy)
    if format_ == "json":
        click.echo(json.dumps({"version": 1, **found}))
        return
    for remark in found["remarks"]:
        click.echo(f"! {visible(remark)}")
    if not found["standing"]:
        click.echo("Nothing stands: every task is asked about.")
    for item in found["standing"]:
        over = "expired" if item["expired"] else f"until {_when(item['expires'])}"
        click.echo(f"{item['id']}  {over}  {visible(item['task'] or item['argv'])[:60]}")
        click.echo(f"    {', '.join(map(visible, item['references']))}  in {visible(item['cwd'])}")
    for whose in ("admin", "user"):
        for rule in found[whose]["deny"]:
            said = ", ".join(f"{key} {visible(text)}" for key, text in rule.items() if text)
            click.echo(f"forbidden by {'the administrator' if whose == 'admin' else 'you'}: {said}")


@policy.command()
@click.argument("standing", metavar="[ID]", required=False, default="")
@click.option("--all", "everything", is_flag=True, help="All of them.")
def revoke(standing: str, everything: bool) -> None:
    """Take a standing yes back. Tasks that run by it are stopped."""
    if not standing and not everything:
        raise UsageProblem("policy.which", "which one?", "locum policy revoke ID, or --all; see `locum policy list`.")
    with connect() as client:
        ids = with_vault(client, lambda: client.revoke_standing(standing, everything=everything))
    click.echo(f"Taken back: {', '.join(ids) or 'nothing stood'}.")


@policy.command(context_settings={"allow_interspersed_args": False})
@request_options
@_FORMAT
@click.argument("command", metavar="[--] [CMD]...", nargs=-1, type=click.UNPROCESSED)
def explain(command: tuple[str, ...], format_: str, **options: Any) -> int:
    """Say what would become of `locum run` with these options, and why. Without any: what differs in policy.toml."""
    if not command and not options["task"]:
        return _explain_file(format_)
    asked = read(Options(**options), command)
    if not asked.grants:
        raise UsageProblem("policy.nothing", "this uses no secret, so nobody is asked")
    with connect() as client:
        told = with_vault(client, lambda: client.explain_policy(asked.request))
    if format_ == "json":
        click.echo(json.dumps({"version": 1, **told}))
        return 0
    words = {"allow": f"runs without a question ({told['id']})", "deny": "is refused", "ask": "asks you"}
    click.echo(f"This {words[told['decision']]}{': ' + visible(told['why']) if told['why'] else ''}.")
    if told["production"]:
        click.echo("It uses a production secret: those are asked about each time.")
    elif told["decision"] == "ask" and told["may_stand_for"]:
        click.echo(f"A yes may stand for {told['may_stand_for'] // 3600} h: locum policy allow …")
    for item in told["covers"]:
        click.echo(f"  bound to {visible(item['path'])}  ({item['why']})")
    for text in told["left_out"]:
        click.echo(f"  not looked into, so no yes stands: {visible(text)}")
    for text in told["changes"]:
        click.echo(f"  since your last yes: {visible(text)}")
    for text in told["remarks"]:
        click.echo(f"! {visible(text)}")
    return 0


def _explain_file(format_: str) -> int:
    with connect() as client:
        found = with_vault(client, client.policy)
    if format_ == "json":
        click.echo(json.dumps({"version": 1, "edited": found["edited"], "difference": found["difference"]}))
    elif not found["edited"]:
        click.echo("policy.toml is what is in force.")
    else:
        click.echo("\n".join(visible(line) for line in found["difference"]))
        click.echo("Not in force. `locum policy adopt` puts it in force, `locum policy restore` writes over it.")
    return 0


@policy.command()
def adopt() -> None:
    """Put an edited policy.toml in force, after you have said yes to what is new in it."""
    with connect() as client, terminal() as tty:
        with_vault(client, lambda: client.adopt_policy(tty=tty))
    click.echo("In force.")


@policy.command()
def restore() -> None:
    """Write what is in force over an edited policy.toml."""
    with connect() as client:
        with_vault(client, client.restore_policy)
    click.echo("policy.toml is what is in force.")


def _seconds(text: str) -> int:
    number = text.strip()[:-1]
    if text.strip().endswith("d") and number.isdigit():
        return int(number) * _DAY
    try:
        return parse_duration(text)
    except LocumError as problem:
        raise UsageProblem(problem.code, problem.message, "Write for example 30m, 12h or 7d.") from None


def _when(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))

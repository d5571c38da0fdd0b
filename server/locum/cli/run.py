"""`locum run`: ask for a lease, start the task with its values, mask its output, end the lease."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from locum.cli.asking import Asked, Options, read, request_options
from locum.errors import EXIT_DENIED, EXIT_USAGE, LocumError, NotAllowed, Unavailable, UsageProblem
from locum.run.environment import child_environment
from locum.secret import SecretBytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locum.broker.client import BrokerClient
    from locum.broker.wire import RenderedFile
    from locum.run.delivery import Delivery
    from locum.run.launch import StopWatch

_RENEW_BEFORE = 0.2
"""The part of a lease's time that is left when it is renewed."""
_ECHOES = frozenset(("echo", "printf"))


@click.command(context_settings={"allow_interspersed_args": False})
@request_options
@click.option("--for-agent", "agent", type=int, hidden=True, metavar="PID")
@click.option("--show-env", is_flag=True, help="Print the names of the variables that CMD would get, and stop.")
@click.argument("command", metavar="[--] [CMD]...", nargs=-1, type=click.UNPROCESSED)
def run(command: tuple[str, ...], show_env: bool, agent: int | None, **options: Any) -> int:
    """Run CMD with secrets that it may use, and nobody sees.

    References in the environment (and in --env-file) are resolved too. A person approves first; the lease ends with
    the task; the values in its output are replaced by their references. CMD gets the usual variables of your
    environment (--show-env lists them) and those that you --pass.

    \b
    --channel env     $NAME is the value
              file    $NAME and $NAME_FILE are the path of a file in memory
              fd      the same of sealed memory that CMD inherits; $NAME_FD is its number
              stdin   the value is CMD's standard input
              fifo    as file, but a pipe that can be read once
              proxy   $NAME is a placeholder; HTTPS requests to --host carry the value

    --render FILE is for programs that read a configuration file and expand nothing in it: the file keeps its
    references, and CMD gets the path of a copy in memory with the values wherever it names FILE (`FILE`, `./FILE`,
    `--config=FILE`, `@FILE`, a variable that is FILE). Linux only; not for programs that follow links to their end
    before they open a file (PHP, Node's require).

    --mount FILE needs no argument that names FILE: CMD and what it starts find the copy at FILE's own path, in a mount
    that nobody else sees, and cannot write to it. Linux only, where user namespaces are allowed; unless you are root,
    programs that become another user (sudo, ping) do not work in there. When FILE is replaced on disk meanwhile, CMD
    sees its references again.
    """
    if agent is not None:
        from locum.run.children import die_with_parent

        die_with_parent(agent)
    wanted = Options(**options)
    asked = read(wanted, command)
    inside = os.environ.get("LOCUM_SANDBOX", "")
    if inside and asked.grants and not show_env:
        from locum.cli.sandbox import run_outside

        return run_outside(_as_typed())
    if "LOCUM_OUTSIDE" in os.environ:
        from locum.cli.sandbox import check_outside

        check_outside(wanted, asks=bool(asked.grants) and not show_env)
    with asked.copies as copies:
        if show_env:
            names = {name.decode(errors="replace") for name in copies.in_environment(asked.environment)}
            click.echo("\n".join(sorted(names | set(asked.wanted))))
            return 0
        if not asked.grants:
            if agent is not None:  # nobody would be asked about it
                raise UsageProblem("run.nothing", "this uses no secret", "Run it with your own shell tool instead.")
            return _run_bare(asked, inside)
        from locum.broker.client import connect
        from locum.paths import user_paths
        from locum.run.delivery import delivery

        grants = [grant for grant in asked.grants if grant.env]
        with delivery(asked.request.channel, grants, user_paths()) as way:
            names = (*asked.wanted, *way.extra_names())
            child_environment(asked.environment, dict.fromkeys(names, SecretBytes(b"-")))  # before anybody is asked
            if asked.missing:
                click.echo(f"locum: {asked.missing}", err=True)
                return asked.exit_code
            _hint_at_quotes(asked)
            with connect() as client:
                return _run_leased(client, asked, way)


def _run_bare(asked: Asked, sandbox: str) -> int:
    """Become the program: without a value there is nothing to mask, to watch and to take back."""
    from locum.run.program import NotStarted, become

    environment = child_environment(asked.environment, {})
    if sandbox:  # so that what it starts finds the way out too
        environment[b"LOCUM_SANDBOX"] = os.fsencode(sandbox)
    try:
        become(asked.argv, environment)
    except NotStarted as problem:
        click.echo(f"locum: {problem}", err=True)
        return problem.exit_code


def _as_typed() -> list[str]:
    """Return what was typed after `locum run`. Whose parent we are does not matter to who runs it outside."""
    return [part for part in sys.argv[sys.argv.index("run") + 1 :] if not part.startswith("--for-agent=")]


def _run_leased(client: BrokerClient, asked: Asked, way: Delivery) -> int:
    from locum.broker.harden import hide_memory
    from locum.cli.person import terminal, with_vault
    from locum.paths import user_paths
    from locum.run.frozen import Scripts
    from locum.run.launch import launch

    copies, request = asked.copies, asked.request
    with terminal() as tty:
        lease = with_vault(client, lambda: client.request_lease(request, tty=tty))
    copies.check_unchanged()
    content = lease["content"]

    def distrust(code: int) -> None:
        if content["frozen"] and code in (EXIT_USAGE, EXIT_DENIED):
            _take_back(client, lease)

    try:
        allowed = _without_settings(content["files"], request.settings)
        made = Scripts(allowed, frozen=content["frozen"], runtime=user_paths().runtime)
    except (NotAllowed, UsageProblem):
        distrust(EXIT_DENIED)
        raise
    with contextlib.closing(made) as scripts:
        hide_memory()  # from here on values pass through this process
        try:
            values = client.redeem(lease["id"])
        except NotAllowed as error:
            reason = _ended(client, lease["id"])
            if reason is None:
                raise
            raise NotAllowed("denied.lease", f"{reason}: nothing was started") from error
        reason = _ended(client, lease["id"])
        if reason is not None:
            raise NotAllowed("denied.lease", f"{reason}: nothing was started")
        masks = {grant.reference: values[grant.key] for grant in request.grants}
        delivered = way.fill({grant.env: values[grant.env] for grant in request.grants if grant.env})
        environment = child_environment(copies.in_environment(asked.environment), delivered.variables)
        environment |= {name.encode(): value.encode() for name, value in delivered.settings.items()}
        spelt = [*copies.fill(masks), *delivered.spelt]
        os.chdir(request.cwd)

        def in_child() -> None:
            copies.in_child()
            way.in_child()
            scripts.in_child()

        code = launch(
            copies.in_argv(request.argv), environment, masks, spelt=spelt, in_child=in_child,
            program="" if "/" in request.argv[0] else request.program,  # the one that was allowed, not one put before it
            refused=distrust,
            stop=_watch(client, lease, must_last=request.die_with_broker), stdin=delivered.stdin,
        )  # fmt: skip
    with contextlib.suppress(LocumError):  # it may have ended before the task did; the task's code is what counts
        client.end_lease(lease["id"], code)
    return code


def _take_back(client: BrokerClient, lease: dict[str, Any]) -> None:
    """Take away the standing yes under which something was swapped: who tries often enough would hit the moment."""
    standing = lease["approved_by"].removeprefix("policy:")
    with contextlib.suppress(LocumError):
        client.revoke_standing(standing)
        click.echo(f"locum: {standing} does not stand any more: what it allowed was changed while it started", err=True)


def _without_settings(covered: list[dict[str, Any]], settings: Iterable[RenderedFile]) -> list[dict[str, Any]]:
    """Return what the task itself reads. Raises NotAllowed when other settings were read than those that were allowed."""
    from locum.broker.wire import SETTINGS

    read = {file.path: file.digest for file in settings}
    for item in covered:
        if read.get(item["path"], item["digest"]) != item["digest"]:
            raise NotAllowed(
                "denied.changed", f"{item['path']} changed meanwhile", "Nothing was started: run it again."
            )
    return [item for item in covered if item["why"] != SETTINGS]


def _watch(client: BrokerClient, lease: dict[str, Any], *, must_last: bool) -> StopWatch:
    """Watch the lease for its end, and renew it in time where that was approved."""
    from locum.run.launch import StopWatch

    def renew() -> float | None:
        try:
            return _next_renewal(client.renew_lease(lease["id"]))
        except LocumError:
            return None  # it lives as long as it lives

    return StopWatch(
        client.fileno(), lambda: _ended(client, lease["id"], must_last=must_last), must_last=must_last,
        on_time=renew, next_at=_next_renewal(lease),
    )  # fmt: skip


def _next_renewal(lease: dict[str, Any]) -> float | None:
    """Return when to renew, on the monotonic clock; None when nothing more was approved."""
    if not lease["renewable_for"]:
        return None
    return time.monotonic() + lease["expires_in"] * (1 - _RENEW_BEFORE)


def _ended(client: BrokerClient, lease_id: str, *, must_last: bool = True) -> str | None:
    """Say why the task must stop now: its lease has ended, or the broker has gone and nobody could revoke it."""
    try:
        while (event := client.next_event(0)) is not None:
            if event.get("event") == "lease.ended" and event.get("id") == lease_id:
                return f"the lease has ended: {event['reason']}"
    except Unavailable:
        return "the broker has ended, and the lease with it" if must_last else None
    return None


def _hint_at_quotes(asked: Asked) -> None:
    """Say that the shell has expanded `$NAME` before we were there, where that is the likely reason of an empty argument."""
    program = asked.argv[0].rpartition("/")[2]
    if "" in asked.argv[1:] or (program in _ECHOES and len(asked.argv) == 1):
        name = next(iter(asked.wanted), "NAME")
        click.echo(
            f"locum: an argument is empty. Did your shell expand ${name}, which only the task has? "
            f"Write: -- sh -c '{program} \"${name}\"'", err=True,
        )  # fmt: skip

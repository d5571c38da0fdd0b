"""`locum run`: ask for a lease, start the task with the values in its environment, mask its output, end the lease."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from locum.broker.client import BrokerClient, connect
from locum.broker.harden import hide_memory
from locum.broker.wire import Grant, LeaseRequest
from locum.cli.person import terminal, with_vault
from locum.cli.rendering import Copies
from locum.errors import LocumError, NotAllowed, Unavailable, UsageProblem
from locum.refs.manifest import DEFAULT_TTL, Manifest, Task, parse_duration
from locum.refs.reference import Reference, ReferenceProblem, is_name, locum_reference, looks_like_reference, parse
from locum.run.environment import child_environment
from locum.run.launch import StopWatch, launch
from locum.run.spawn import NotStarted, find_program
from locum.secret import SecretBytes
from locum.workspace.project import Project, find_project, load_manifest


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--task", metavar="NAME", help="A task of locum.toml: its secrets, time and, without CMD, its command.")
@click.option("--secret", "secrets", multiple=True, metavar="NAME[=REF]", help="A secret as $NAME. Repeatable.")
@click.option("--env-file", type=click.Path(exists=True, dir_okay=False), help="A .env file whose references count.")
@click.option(
    "--render", multiple=True, metavar="FILE", help="A file in CMD whose references are resolved in a copy. Repeatable."
)
@click.option(
    "--mount", multiple=True, metavar="FILE", help="A file that CMD finds with its references resolved. Repeatable."
)
@click.option("--ttl", metavar="TIME", help="How long the lease lives at most, for example 90s, 15m, 2h.")
@click.option("--reason", default="", metavar="TEXT", help="Shown to the person who approves.")
@click.option("--channel", type=click.Choice(["env"]), default="env", show_default=True, help="How values arrive.")
@click.argument("command", metavar="[--] [CMD]...", nargs=-1, type=click.UNPROCESSED)
def run(
    task: str | None, secrets: tuple[str, ...], env_file: str | None, render: tuple[str, ...],
    mount: tuple[str, ...], ttl: str | None, reason: str, channel: str, command: tuple[str, ...],
) -> int:  # fmt: skip
    """Run CMD with secrets that it may use, and nobody sees.

    References in the environment (and in --env-file) are resolved too. A person approves first; the lease ends with
    the task; the values in its output are replaced by their references.

    --render FILE is for programs that read a configuration file and expand nothing in it: the file keeps its
    references, and CMD gets the path of a copy in memory with the values wherever it names FILE (`FILE`, `./FILE`,
    `--config=FILE`, `@FILE`, a variable that is FILE). Linux only; not for programs that follow links to their end
    before they open a file (PHP, Node's require).

    --mount FILE needs no argument that names FILE: CMD and what it starts find the copy at FILE's own path, in a mount
    that nobody else sees, and cannot write to it. Linux only, where user namespaces are allowed; unless you are root,
    programs that become another user (sudo, ping) do not work in there. When FILE is replaced on disk meanwhile, CMD
    sees its references again.
    """
    project = find_project(Path.cwd())
    manifest = load_manifest(project)
    chosen = _task(manifest, task, project)
    argv = command or chosen.command
    if not argv:
        raise UsageProblem("run.command", "there is no command to run", "locum run --secret NAME -- CMD")
    plain, file_references = _env_file(env_file)
    wanted = _references(chosen.secrets, secrets, file_references, os.environ)
    environment = dict(os.environb) | {k.encode(): v.encode() for k, v in plain.items() if k not in os.environ}
    folder = os.fspath(project.root if not command else Path.cwd())
    with Copies(render, mount, argv, environment, folder) as copies:
        grants = [Grant(env, reference.text, _source(reference, manifest)) for env, reference in wanted.items()]
        grants += copies.grants(lambda reference: _source(reference, manifest))
        if not grants:
            return launch(argv, child_environment(environment, {}), {})
        request = LeaseRequest(
            argv, folder, tuple(grants), os.fspath(project.root), chosen.name,
            parse_duration(ttl) if ttl else chosen.ttl, reason, channel, copies.described(),
        )  # fmt: skip
        child_environment(environment, dict.fromkeys(wanted, SecretBytes(b"-")))  # before anybody is asked
        missing = _not_found(argv[0], environment)
        if missing is not None:
            return missing
        with connect() as client:
            return _run_leased(client, request, environment, copies)


def _run_leased(
    client: BrokerClient, request: LeaseRequest, environment: Mapping[bytes, bytes], copies: Copies
) -> int:  # fmt: skip
    with terminal() as tty:
        lease = with_vault(client, lambda: client.request_lease(request, tty=tty))
    copies.check_unchanged()
    hide_memory()  # from here on values pass through this process
    values = client.redeem(lease["id"])
    reason = _ended(client, lease["id"])
    if reason is not None:
        raise NotAllowed("denied.lease", f"{reason}: nothing was started")
    masks = {grant.reference: values[grant.key] for grant in request.grants}
    leased = {grant.env: values[grant.env] for grant in request.grants if grant.env}
    child = child_environment(copies.in_environment(environment), leased)
    spelt = copies.fill(masks)
    os.chdir(request.cwd)
    code = launch(
        copies.in_argv(request.argv), child, masks, spelt=spelt, in_child=copies.in_child,
        stop=StopWatch(client.fileno(), lambda: _ended(client, lease["id"])),
    )  # fmt: skip
    with contextlib.suppress(LocumError):  # it may have ended before the task did; the task's code is what counts
        client.end_lease(lease["id"], code)
    return code


def _not_found(program: str, environment: Mapping[bytes, bytes]) -> int | None:
    """Say that there is no such program, and return the exit code: nobody shall allow what cannot start."""
    if "/" in program:  # seen from the folder in which it will start, which is not ours yet
        return None
    try:
        find_program(program, environment.get(b"PATH"))
    except NotStarted as problem:
        click.echo(f"locum: {problem}", err=True)
        return problem.exit_code
    return None


def _ended(client: BrokerClient, lease_id: str) -> str | None:
    """Say why the task must stop now: its lease has ended, or the broker has gone and nobody could revoke it."""
    try:
        while (event := client.next_event(0)) is not None:
            if event.get("event") == "lease.ended" and event.get("id") == lease_id:
                return f"the lease has ended: {event['reason']}"
    except Unavailable:
        return "the broker has ended, and the lease with it"
    return None


def _task(manifest: Manifest, name: str | None, project: Project) -> Task:
    if name is None:
        return Task("", ttl=DEFAULT_TTL)
    if name in manifest.tasks:
        return manifest.tasks[name]
    from difflib import get_close_matches

    near = get_close_matches(name, list(manifest.tasks), 1)
    hint = f"Did you mean {near[0]}?" if near else f"Tasks there: {', '.join(manifest.tasks) or 'none'}."
    raise UsageProblem("run.task", f"{project.manifest} has no [tasks.{name}]", hint)


def _references(
    task: Mapping[str, str], options: Iterable[str], env_file: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, Reference]:
    """Gather what is asked for, by variable. The command line wins over the task, the task over files and environment."""
    wanted = {name: text for name, text in environment.items() if looks_like_reference(text)}
    wanted |= {name: text for name, text in env_file.items() if name not in environment or name in wanted}
    wanted |= task
    for option in options:
        name, has_reference, text = option.partition("=")
        target = text if has_reference else name
        wanted[name] = locum_reference(target) if is_name(target) else target
    found: dict[str, Reference] = {}
    for name, text in wanted.items():
        try:
            found[name] = parse(text)
        except ReferenceProblem as problem:
            raise UsageProblem("run.reference", f"${name}: {problem.message}", problem.hint) from None
    return found


def _source(reference: Reference, manifest: Manifest) -> str:
    """Say where a reference leads: what the manifest says for a declared name, itself for a native one."""
    if not reference.is_declared:
        return reference.text
    entry = manifest.secrets.get(reference.name)
    if reference.environment is not None:
        if entry is None or reference.environment not in entry.environments:
            message = f"locum.toml gives {reference.name} no environment {reference.environment}"
            raise UsageProblem("run.environment", message, f"Add it under [secrets.{reference.name}.env].")
        return entry.environments[reference.environment]
    return entry.source if entry is not None else "local"


def _env_file(path: str | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the plain settings and the references of a `.env` file."""
    if path is None:
        return {}, {}
    import dotenv

    values = {name: value for name, value in dotenv.dotenv_values(path).items() if value is not None}
    references = {name: value for name, value in values.items() if looks_like_reference(value)}
    return {name: value for name, value in values.items() if name not in references}, references

"""`locum sandbox`: run an AI agent where it cannot reach the vault, the keyring, other programs, or a task's values."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from locum.broker.client import BrokerClient, connect
from locum.cli.asking import Options
from locum.errors import EXIT_DENIED, LocumError, NotAllowed, Unavailable, UsageProblem
from locum.paths import private_dir, user_paths
from locum.run.environment import check_pattern, passed
from locum.run.launch import launch
from locum.run.sandbox import inside, outside, plan
from locum.workspace.project import find_project

_DISPLAYS = ("/tmp/.X11-unix/X0", "/tmp/.X11-unix/X1")  # noqa: S108 - where X listens
_SERVICES = ("/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock", "/run/dbus/system_bus_socket",
             "/run/containerd/containerd.sock", "/run/snapd.socket")  # fmt: skip


@click.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--allow-read", multiple=True, metavar="PATH", help="Show this although it is hidden (~/.ssh). Repeatable."
)
@click.option("--allow-write", multiple=True, metavar="PATH", help="Let the agent write here too. Repeatable.")
@click.option(
    "--pass", "passes", multiple=True, metavar="NAME", help="Pass this variable on (the agent's own key). Repeatable."
)
@click.option("--check", is_flag=True, help="Only look what holds here, and say so.")
@click.option("--quiet", is_flag=True, help="Say nothing when all holds.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.argument("command", metavar="[--] [CMD]...", nargs=-1, type=click.UNPROCESSED)
def sandbox(
    command: tuple[str, ...], allow_read: tuple[str, ...], allow_write: tuple[str, ...], passes: tuple[str, ...],
    check: bool, quiet: bool, format_: str,
) -> int:  # fmt: skip
    """Run CMD, an AI agent or a shell for one, in a sandbox (bubblewrap; Linux): level L1.

    Inside, the disk is read-only but the project, /tmp and the agents' own folders; keys, histories, the keyring, Locum's
    own files, other processes and their terminals are not there. `locum run` works: the task runs outside, the person is
    asked as always (in the editor: the agent's terminal does not count), and the masked output comes back.

    The network stays. An agent's own key is passed by name: --pass ANTHROPIC_API_KEY.
    """
    if not command and not check:
        raise UsageProblem("sandbox.command", "there is no command to run", "locum sandbox -- claude")
    if os.environ.get("LOCUM_SANDBOX"):
        raise UsageProblem("sandbox.inside", "this is a sandbox already")
    bwrap = _bubblewrap()
    for pattern in passes:
        check_pattern(pattern)
    home = os.path.realpath(Path.home())
    workspace = os.path.realpath(find_project(Path.cwd()).root)
    plan.check_workspace(workspace, home)
    paths = user_paths()
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(connect())  # also keeps the broker from ending while the agent works
        folder = Path(tempfile.mkdtemp(prefix="sandbox-", dir=private_dir(paths.runtime)))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        wanted = plan.Sandbox(
            workspace,
            home,
            paths,
            os.fspath(folder / plan.TASKS_SOCKET),
            plan.places(allow_read),
            plan.places(allow_write),
            _programs(),
        )
        supervisor = outside.start(Path(wanted.tasks_socket), workspace, _outside_environment(passes))
        stack.callback(_end, supervisor)
        facts = _facts(client, wanted)
        environment = plan.environment(passed(os.environb, passes), wanted, passes)
        if os.environ.get("LOCUM_HOME"):
            environment[b"LOCUM_HOME"] = os.environb[b"LOCUM_HOME"]
        found = _look(bwrap, wanted, facts, environment)
        _tell(found, format_ if check else "text", quiet=quiet and not check)
        if any(item.must and not item.closed for item in found):
            raise Unavailable(
                "unavailable.sandbox", "the sandbox does not hold here: nothing was started", "See above."
            )
        if check:
            return 0
        with open(os.devnull, "wb") as report:  # noqa: PTH123 - a descriptor is needed
            argv = _argv(bwrap, wanted, facts, report.fileno(), command)
            os.set_inheritable(report.fileno(), True)
            return launch(argv, environment, {}, tells_left=False)


def _bubblewrap() -> str:
    if sys.platform != "linux":
        raise Unavailable(
            "unavailable.sandbox", "Locum has a sandbox on Linux only",
            "Use the agent's own: docs/sandbox.md says how.",
        )  # fmt: skip
    found = shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin")
    if found is None:
        raise Unavailable(
            "unavailable.sandbox", "there is no bubblewrap here", "Install it: sudo apt install bubblewrap"
        )
    return found


def _programs() -> tuple[str, ...]:
    """Return the folders that hold Python, Locum and what it imports."""
    package = Path(__file__).resolve().parents[1]
    places = (
        sys.prefix,
        sys.base_prefix,
        os.fspath(package.parent),
        os.fspath(package),
        *(place for place in sys.path if Path(place).is_dir()),
    )
    return tuple(dict.fromkeys(place for place in places if place))


def _outside_environment(passes: Sequence[str]) -> dict[str, str]:
    """Return what tasks outside are started with: the person's own, and the mark that an agent asks."""
    own = passed(os.environb, passes) | {k: v for k, v in os.environb.items() if k == b"LOCUM_HOME"}
    marked = own | {b"AI_AGENT": b"locum-sandbox"}
    marked |= {name: value for name, value in os.environb.items() if name in {b"PYTHONPATH", b"VIRTUAL_ENV"}}
    return {os.fsdecode(name): os.fsdecode(value) for name, value in marked.items()}


def _facts(client: BrokerClient, wanted: plan.Sandbox) -> dict[str, Any]:
    paths, home = wanted.paths, wanted.home
    shown = set(wanted.readable)
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}")
    return {
        "pid_namespace": Path("/proc/self/ns/pid").stat().st_ino,
        "broker_pid": client.status()["pid"],
        "vault": os.fspath(paths.vault),
        "folders": [os.fspath(folder) for folder in (paths.config, paths.data, paths.state, paths.runtime)],
        "buses": [*_bus_addresses(os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")), f"{runtime}/bus"],
        "displays": [*_DISPLAYS, f"{runtime}/{os.environ.get('WAYLAND_DISPLAY', 'wayland-0')}", "@/tmp/.X11-unix/X0"],
        "agents": [place for place in (os.environ.get("SSH_AUTH_SOCK", ""), f"{runtime}/gnupg/S.gpg-agent") if place],
        "services": list(_SERVICES),
        "hidden": [place for name in plan.HIDDEN if (place := f"{home}/{name}") not in shown],
        "home": home,
    }


def _bus_addresses(text: str) -> list[str]:
    """Return the sockets of a D-Bus address (D-Bus specification, Server Addresses): `unix:path=…`, `unix:abstract=…`."""
    found: list[str] = []
    for address in text.split(";"):
        for pair in address.removeprefix("unix:").split(","):
            key, _, value = pair.partition("=")
            if key in {"path", "abstract"}:
                found.append(("@" if key == "abstract" else "") + value)
    return found


def _argv(bwrap: str, wanted: plan.Sandbox, facts: Mapping[str, Any], report: int, command: Sequence[str]) -> list[str]:
    program = [sys.executable, "-I", inside.__file__, json.dumps(facts), str(report)]
    # In a pipeline it has no terminal of its own, but yours, and could type into it (TIOCSTI).
    apart = ["--new-session"] if os.isatty(0) and not os.isatty(1) else []
    return [bwrap, *apart, *plan.arguments(wanted), "--", *program, *command]


def _look(
    bwrap: str, wanted: plan.Sandbox, facts: Mapping[str, Any], environment: Mapping[bytes, bytes]
) -> list[inside.Found]:  # fmt: skip
    """Look from inside, without the agent. Raises Unavailable when there is no inside."""
    import subprocess

    reading, writing = os.pipe()
    try:
        done = subprocess.run(
            _argv(bwrap, wanted, facts, writing, ()), env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            pass_fds=[writing], check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    with open(reading, encoding="utf-8") as report:  # noqa: PTH123 - a descriptor
        told = report.read()
    if not told or done.returncode not in {0, EXIT_DENIED}:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Unavailable(
            "unavailable.sandbox", f"bubblewrap cannot make a sandbox here: {said[-1] if said else 'it says nothing'}",
            "Are user namespaces allowed? docs/sandbox.md says more.",
        )  # fmt: skip
    return [inside.Found(**item) for item in json.loads(told)]


def _tell(found: Sequence[inside.Found], format_: str, *, quiet: bool) -> None:
    holds = all(item.closed or not item.must for item in found)
    if format_ == "json":
        probes = [{"name": item.name, "out_of_reach": item.closed, "required": item.must} for item in found]
        click.echo(json.dumps({"version": 1, "level": "L1" if holds else "L0", "probes": probes}))
        return
    if quiet and all(item.closed for item in found):
        return
    for item in found:
        click.echo(f"locum: {'out of reach' if item.closed else 'REACHABLE':<13} {item.name}", err=True)
    level = "L1: tasks run outside, where this agent cannot look" if holds else "L0: this is no boundary"
    click.echo(f"locum: level {level}", err=True)


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def run_outside(arguments: list[str]) -> int:
    """In a sandbox: have `locum run` done outside."""
    try:
        return outside.hand_over(os.environ["LOCUM_SANDBOX"], arguments)
    except LocumError as error:
        if error.code.startswith("unavailable"):
            raise
        raise UsageProblem("sandbox.task", error.message, error.hint) from None


def check_outside(options: Options, *, asks: bool) -> None:
    """Outside, for an agent in a sandbox: raise NotAllowed for what a person would not be asked about, or not shown.

    `asks`: the task uses a secret, so that somebody is asked before anything runs.
    """
    workspace = os.environ[outside.FOR_WORKSPACE]
    if not asks:
        raise NotAllowed("denied.sandbox", "what uses no secret runs in the sandbox, not outside")
    for path in (*options.env_files, *options.render, *options.mount):
        if not Path(os.path.realpath(path)).is_relative_to(workspace):
            raise NotAllowed("denied.sandbox", f"{path} is not in {workspace}", "Name a file of the workspace.")

"""What `locum run` and `locum policy` ask the broker for: one reading of the options, so that a yes to one fits the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from locum.errors import UsageProblem
from locum.refs.manifest import CHANNELS, DEFAULT_TTL, Manifest, Task, parse_duration
from locum.refs.reference import Reference, ReferenceProblem, is_name, locum_reference, looks_like_reference, parse
from locum.run.environment import check_pattern, passed
from locum.workspace.project import Project, find_project, load_manifest

if TYPE_CHECKING:
    from locum.broker.wire import Grant, LeaseRequest, RenderedFile
    from locum.cli.rendering import Copies

C = TypeVar("C", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--task", metavar="NAME", help="A task of locum.toml: its secrets, time and, without CMD, its command."),
    click.option("--secret", "secrets", multiple=True, metavar="NAME[=REF]", help="A secret as $NAME. Repeatable."),
    click.option(
        "--env-file", "env_files", type=click.Path(exists=True, dir_okay=False), multiple=True,
        help="A .env file whose references count. Repeatable.",
    ),
    click.option(
        "--render", multiple=True, metavar="FILE",
        help="A file in CMD whose references are resolved in a copy. Repeatable.",
    ),
    click.option(
        "--mount", multiple=True, metavar="FILE",
        help="A file that CMD finds with its references resolved. Repeatable.",
    ),
    click.option("--ttl", metavar="TIME", help="How long the lease lives at most, for example 90s, 15m, 2h."),
    click.option("--max-ttl", metavar="TIME", help="Renew the lease while CMD runs, up to so long."),
    click.option("--reason", default="", metavar="TEXT", help="Shown to the person who approves."),
    click.option(
        "--channel", type=click.Choice(CHANNELS), help="How values arrive; see below.  [default: env]", show_default=False
    ),
    click.option(
        "--host", "hosts", multiple=True, metavar="[NAME=]HOST",
        help="With --channel proxy: where a value may go. Repeatable.",
    ),
    click.option(
        "--pass", "passes", multiple=True, metavar="NAME", help="Pass this variable on too: NAME, PREFIX_* or *. Repeatable."
    ),
    click.option("--survive-broker", is_flag=True, help="Let CMD go on when the broker ends. Not for agents."),
)  # fmt: skip


def request_options(command: C) -> C:
    """Give a command the options that say what is asked for; it takes them as one `Options`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `request_options`, as they were written."""

    task: str | None = None
    secrets: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    render: tuple[str, ...] = ()
    mount: tuple[str, ...] = ()
    ttl: str | None = None
    max_ttl: str | None = None
    reason: str = ""
    channel: str | None = None
    hosts: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    survive_broker: bool = False


@dataclass(slots=True)
class Asked:
    """What the options come to. `copies` is a context manager that the caller enters before it asks."""

    argv: tuple[str, ...]
    folder: str
    environment: dict[bytes, bytes]
    """What the task gets beside its values."""
    wanted: dict[str, Reference]
    copies: Copies
    grants: list[Grant] = field(default_factory=list["Grant"])
    missing: str = ""
    """Why the program cannot start, "" when it can."""
    exit_code: int = 0
    found: LeaseRequest | None = None

    @property
    def request(self) -> LeaseRequest:
        """The request. Only when there are grants."""
        assert self.found is not None
        return self.found


def read(options: Options, command: tuple[str, ...]) -> Asked:
    """Read manifest, environment and files. Raises LocumError for everything that cannot be asked for."""
    project = find_project(Path.cwd())
    manifest = load_manifest(project)
    task = _task(manifest, options.task, project)
    argv = command or task.command
    if not argv:
        raise UsageProblem("run.command", "there is no command to run", "locum run --secret NAME -- CMD")
    for pattern in options.passes:
        check_pattern(pattern)
    passes = tuple(dict.fromkeys((*task.passes, *options.passes)))
    environment = passed(os.environb, passes)
    plain, file_references, settings = _env_files(options.env_files, environment)
    wanted = _references(task.secrets, options.secrets, file_references, os.environ)
    environment |= {name.encode(): value.encode() for name, value in plain.items() if name not in os.environ}
    folder = os.fspath(project.root if not command else Path.cwd())
    everything = dict(os.environb) | environment
    from locum.cli.rendering import Copies

    copies = Copies(options.render, options.mount, argv, everything, folder)
    environment |= {name: everything[name] for name in copies.variables(everything)}
    asked = Asked(tuple(argv), folder, environment, wanted, copies)
    channel = options.channel or task.channel or "env"
    hosts = _Hosts(options.hosts, manifest) if channel == "proxy" else None
    asked.grants = [
        _grant(env, reference, source(reference, manifest), hosts.of(env, reference) if hosts else ())
        for env, reference in wanted.items()
    ]
    asked.grants += copies.grants(lambda reference: source(reference, manifest))
    if options.hosts and hosts is None:
        raise UsageProblem("run.host", "--host says where the proxy may send a value", "Add --channel proxy.")
    if not asked.grants:
        return asked
    from locum.broker.wire import LeaseRequest
    from locum.run.program import NotStarted, find_program

    program, seen = "", _in_folder(folder, argv[0])
    try:
        program = _in_folder(folder, os.fsdecode(find_program(seen, _path(environment, folder))))
    except NotStarted as problem:
        if "/" in argv[0]:
            program = seen  # it may be made while the person is asked
        else:
            asked.missing, asked.exit_code = str(problem), problem.exit_code
    ttl = parse_duration(options.ttl) if options.ttl else task.ttl
    max_ttl = parse_duration(options.max_ttl) if options.max_ttl else task.max_ttl
    asked.found = LeaseRequest(
        asked.argv, folder, tuple(asked.grants), os.fspath(project.root), task.name, ttl, options.reason, channel,
        copies.described(), max_ttl=max_ttl if max_ttl > ttl else 0, die_with_broker=not options.survive_broker,
        program=program, passes=passes, settings=settings,
        production=any(_is_production(reference, manifest) for reference in map(parse, {g.reference for g in asked.grants})),
    )  # fmt: skip
    return asked


def _is_production(reference: Reference, manifest: Manifest) -> bool:
    entry = manifest.secrets.get(reference.name) if reference.is_declared else None
    return entry is not None and entry.production


def _grant(env: str, reference: Reference, where: str, hosts: tuple[str, ...]) -> Grant:
    from locum.broker.wire import Grant  # what uses no secret does without

    return Grant(env, reference.text, where, "", hosts)


def _in_folder(folder: str, name: str) -> str:
    """Return a path as it is seen from the folder in which the task will start; a name without a slash stays one."""
    return os.path.join(folder, name) if "/" in name else name  # noqa: PTH118 - no Path: `./x` stays as it is


def _path(environment: Mapping[bytes, bytes], folder: str) -> bytes | None:
    """Return the search path as it is seen from the folder in which the task will start."""
    path = environment.get(b"PATH")
    return path and b":".join(os.path.join(os.fsencode(folder), place) for place in path.split(b":"))  # noqa: PTH118 - bytes


class _Hosts:
    """Where the values may go: what the command line says, else what the manifest says."""

    def __init__(self, options: tuple[str, ...], manifest: Manifest) -> None:
        self._manifest = manifest
        self._named: dict[str, list[str]] = {}
        for option in options:
            name, equals, host = option.partition("=")
            self._named.setdefault(name if equals else "", []).append(host if equals else name)

    def of(self, env: str, reference: Reference) -> tuple[str, ...]:
        """Return the hosts of one secret. Raises UsageProblem (`run.host`, `egress.host`)."""
        from locum.run.egress.rules import parse_place

        entry = self._manifest.secrets.get(reference.name)
        found = [*self._named.get(env, ()), *self._named.get("", ())] or list(entry.hosts if entry else ())
        if not found:
            raise UsageProblem(
                "run.host", f"where may {reference.text} go? The proxy sends it to named hosts only",
                f'locum run --host {env}=api.example.com …, or hosts = ["api.example.com"] under [secrets.{reference.name}].',
            )  # fmt: skip
        for host in found:
            parse_place(host)
        return tuple(found)


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


def source(reference: Reference, manifest: Manifest) -> str:
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


def _env_files(
    paths: Iterable[str], environment: Mapping[bytes, bytes]
) -> tuple[dict[str, str], dict[str, str], tuple[RenderedFile, ...]]:  # fmt: skip
    """Return the plain settings and the references of `.env` files, and those files that have settings; a later file wins.

    `${NAME}` in them sees the file's own names and what the task gets, not all of the person's environment: a file of the
    workspace must not fetch what the task would not get. Raises UsageProblem.
    """
    plain: dict[str, str] = {}
    references: dict[str, str] = {}
    files: list[RenderedFile] = []
    for path in paths:
        import hashlib
        import io

        from dotenv import dotenv_values
        from dotenv.variables import parse_variables

        from locum.broker.wire import RenderedFile

        try:
            raw_file = Path(path).read_bytes()
            text = io.StringIO(raw_file.decode(), newline=None)
        except (OSError, UnicodeDecodeError):
            raise UsageProblem("run.env-file", f"{path} cannot be read as UTF-8 text") from None
        known: dict[str, str | None] = {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}
        has_settings = False
        for name, raw in dotenv_values(stream=text, interpolate=False).items():
            if raw is None:
                continue
            value = "".join(atom.resolve(known) for atom in parse_variables(raw))
            known[name] = value
            plain.pop(name, None)
            references.pop(name, None)
            is_reference = looks_like_reference(value)
            (references if is_reference else plain)[name] = value
            has_settings = has_settings or not is_reference
        if has_settings:
            files.append(RenderedFile(os.path.realpath(path), hashlib.sha256(raw_file).hexdigest()))
    return plain, references, tuple(files)

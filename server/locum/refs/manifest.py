"""The manifest `locum.toml`: which secrets a project needs, which tasks may use them. It holds no value.

Text in, plain data or a new text out; reading and writing the file is `workspace.project`'s work.
Unknown keys, wrong types and impossible names are errors: a misspelt key must not silently mean "no rule".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, cast

from locum.errors import UsageProblem
from locum.refs.reference import locum_reference

if TYPE_CHECKING:
    from locum.refs.own_rule import OwnRule

FILE_NAME = "locum.toml"

_DURATION = re.compile(r"(\d{1,6})\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DEFAULT_TTL = 15 * 60
MAX_TTL = 24 * 3600
CHANNELS = ("env", "file", "fd", "stdin", "fifo", "proxy")
"""How a task may get its values."""


Place = tuple[str | int, ...]
"""Keys, and numbers in lists, that lead to something in the file: ("scan", "allow", 0, "expires")."""


class ManifestProblem(UsageProblem):
    """`locum.toml` says what it cannot mean. Code `manifest.bad`; `key` is the dotted table, `line` counts from 0.

    `place` is what exactly is wrong, () when that is not known; `on_key` says that it is its key and not its value.
    """

    def __init__(
        self, message: str, *, key: str = "", line: int = 0, hint: str = "", place: Place = (), on_key: bool = False
    ) -> None:
        shown = f"{FILE_NAME}, [{key}]: " if key else f"{FILE_NAME}: "
        super().__init__("manifest.bad", shown + message, hint)
        self.said = message
        self.key = key
        self.line = line
        self.place = place
        self.on_key = on_key


@dataclass(frozen=True, slots=True)
class SecretEntry:
    """`[secrets.NAME]`."""

    name: str
    description: str = ""
    source: str = "local"
    """`local` or a native reference."""
    docs: str = ""
    environments: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment name to source, which wins over `source`."""
    hosts: tuple[str, ...] = ()
    """Where the value may go when a task gets a placeholder for it (`--channel proxy`)."""
    production: bool = False
    """Whether it is asked for each time."""


@dataclass(frozen=True, slots=True)
class Task:
    """`[tasks.NAME]`."""

    name: str
    command: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment variable to reference."""
    ttl: int = DEFAULT_TTL
    """Seconds."""
    max_ttl: int = 0
    """Seconds up to which the lease is renewed while the task runs; 0: not at all."""
    channel: str = ""
    """How the task gets its values; "" for the usual way."""
    passes: tuple[str, ...] = ()
    """Variables of the person's environment that it needs beyond the usual ones: `NAME`, `PREFIX_*`."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """`[[scan.allow]]`: findings that somebody accepts, and why. What is said of them holds together; "" says nothing."""

    rule: str = ""
    path: str = ""
    """A gitignore pattern."""
    fingerprint: str = ""
    value: str = ""
    """The keyed fingerprint of a value (`detect.fingerprint.value_fingerprint`), never the value."""
    reason: str = ""
    expires: date | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of `locum.toml`."""

    project_id: str = ""
    secrets: Mapping[str, SecretEntry] = field(default_factory=dict[str, SecretEntry])
    tasks: Mapping[str, Task] = field(default_factory=dict[str, Task])
    exclude: tuple[str, ...] = ()
    allow: tuple[Allowance, ...] = ()
    rules: tuple[OwnRule, ...] = ()
    rule_files: tuple[str, ...] = ()
    """Of gitleaks' form, as written: inside the project."""


def parse_duration(text: str) -> int:
    """Turn `90s`, `15m`, `2h` into seconds, at most a day. Raises UsageProblem."""
    match = _DURATION.fullmatch(text.strip())
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 0 < seconds <= MAX_TTL:
        message = f"{text[:24]!r} is no duration up to 24h"
        raise UsageProblem("duration.bad", message, "Write for example 90s, 15m or 2h.")
    return seconds


def parse_manifest(text: str) -> Manifest:
    """Read the manifest. Raises ManifestProblem for the first thing that is wrong."""
    manifest, problems = read_manifest(text)
    if problems:
        raise problems[0]
    return manifest


def read_manifest(text: str) -> tuple[Manifest, list[ManifestProblem]]:
    """Read what can be read of a manifest, and say all that is wrong with it: of each entry the first."""
    import tomllib  # 4 ms: most projects of a first run have no manifest yet

    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"at line (\d+)", str(error))
        line = int(match[1]) - 1 if match else max(0, text.count("\n") - text.endswith("\n"))
        message = f"not valid TOML (line {line + 1})"
        return Manifest(), [ManifestProblem(message, line=line, hint="Mend the syntax there.")]
    except RecursionError:
        return Manifest(), [ManifestProblem("nested too deeply", hint="A manifest has tables and lists of names only.")]
    from locum.refs.manifest_reader import Reader

    reader = Reader()
    manifest = reader.manifest(raw)
    for problem in reader.problems:
        problem.line = _line_of_key(text, problem.key)
    return manifest, reader.problems


def add_secret(text: str, name: str, *, description: str = "", docs: str = "", source: str = "local") -> str:
    """Return the manifest with `[secrets.NAME]` in it; comments and layout stay. Unchanged when it is declared already.

    Raises ManifestProblem when the text is no valid manifest, ReferenceProblem when `name` is no name.
    """
    import tomlkit  # 20 ms: only writers need it
    from tomlkit.items import Table

    locum_reference(name)
    if name in parse_manifest(text).secrets:
        return text
    document = tomlkit.parse(text)
    entry = tomlkit.table()
    if description:
        entry["description"] = description
    entry["source"] = source
    if docs:
        entry["docs"] = docs
    try:
        if "secrets" not in document:
            document["secrets"] = tomlkit.table(is_super_table=True)
        cast("Table", document["secrets"])[name] = entry
    except ValueError:  # an inline table, for example
        raise ManifestProblem(f"could not add {name}", hint=f"Add [secrets.{name}] by hand.") from None
    result = tomlkit.dumps(document)  # pyright: ignore[reportUnknownMemberType] - tomlkit types it loosely
    if name not in parse_manifest(result).secrets:
        raise ManifestProblem(f"could not add {name}", hint=f"Add [secrets.{name}] by hand.")
    return result


def add_environment(text: str, name: str, environment: str) -> str:
    """Return the manifest with the local vault as the place of a declared secret in an environment. Unchanged when it says
    where that is already. Raises ManifestProblem.
    """
    import tomlkit
    from tomlkit.items import InlineTable, Table

    entry = parse_manifest(text).secrets[name]
    if environment in entry.environments:
        return text
    document = tomlkit.parse(text)
    try:
        table = cast("Table", cast("Table", document["secrets"])[name])
        if "env" not in table:
            table["env"] = tomlkit.inline_table() if isinstance(table, InlineTable) else tomlkit.table()
        cast("Table", table["env"])[environment] = "local"
        result = tomlkit.dumps(document)  # pyright: ignore[reportUnknownMemberType] - tomlkit types it loosely
        added = environment in parse_manifest(result).secrets[name].environments
    except (KeyError, TypeError, ValueError):
        added, result = False, text
    if not added:
        hint = f'Add {environment} = "local" under [secrets.{name}.env] by hand.'
        raise ManifestProblem(f"could not add the environment to {name}", hint=hint)
    return result


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that somebody may have meant, "" for none."""
    from difflib import get_close_matches  # 4 ms, and only for who mistyped

    return next(iter(get_close_matches(name, list(known), 1)), "")


def _line_of_key(text: str, key: str) -> int:
    """Find the line (from 0) of the table `key`, or of its nearest parent, for an editor's diagnostic."""
    lines = text.splitlines()
    while key:
        for number, line in enumerate(lines):
            if line.strip().strip("[] ") == key:
                return number
        key = key.rpartition(".")[0]
    return 0

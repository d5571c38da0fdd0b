"""The manifest `locum.toml`: which secrets a project needs, which tasks may use them. It holds no value.

Text in, plain data or a new text out; reading and writing the file is `workspace.project`'s work.
Unknown keys, wrong types and impossible names are errors: a misspelt key must not silently mean "no rule".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NoReturn, cast

from locum.errors import UsageProblem
from locum.refs.reference import ReferenceProblem, is_name, locum_reference, parse

FILE_NAME = "locum.toml"

_DURATION = re.compile(r"(\d{1,6})\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DEFAULT_TTL = 15 * 60
MAX_TTL = 24 * 3600

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_FINGERPRINT = re.compile(r"[0-9a-f]{32}")


class ManifestProblem(UsageProblem):
    """`locum.toml` says what it cannot mean. Code `manifest.bad`; `key` is the dotted place, `line` counts from 0."""

    def __init__(self, message: str, *, key: str = "", line: int = 0, hint: str = "") -> None:
        place = f"{FILE_NAME}, [{key}]: " if key else f"{FILE_NAME}: "
        super().__init__("manifest.bad", place + message, hint)
        self.key = key
        self.line = line


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


@dataclass(frozen=True, slots=True)
class Task:
    """`[tasks.NAME]`."""

    name: str
    command: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment variable to reference."""
    ttl: int = DEFAULT_TTL
    """Seconds."""


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
    import tomllib  # 4 ms: most projects of a first run have no manifest yet

    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"at line (\d+)", str(error))
        line = int(match[1]) - 1 if match else 0
        raise ManifestProblem(f"not valid TOML (line {line + 1})", line=line, hint="Mend the syntax there.") from None
    try:
        return _Reader().manifest(raw)
    except ManifestProblem as problem:
        problem.line = _line_of_key(text, problem.key)
        raise


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


class _Reader:
    """Walks the decoded TOML and refuses what it does not know."""

    def manifest(self, raw: dict[str, Any]) -> Manifest:
        self._known(raw, "", ("project", "secrets", "tasks", "scan"))
        project = self._table(raw, "project", "")
        self._known(project, "project", ("id",))
        scan = self._table(raw, "scan", "")
        self._known(scan, "scan", ("exclude", "allow"))
        secrets = {name: self._secret(name, entry) for name, entry in self._table(raw, "secrets", "").items()}
        tasks = {name: self._task(name, entry, secrets) for name, entry in self._table(raw, "tasks", "").items()}
        return Manifest(
            self._text(project, "id", "project"),
            secrets,
            tasks,
            tuple(self._texts(scan, "exclude", "scan")),
            tuple(self._allowance(entry) for entry in self._list(scan, "allow", "scan")),
        )

    def _secret(self, name: str, entry: Any) -> SecretEntry:
        key = f"secrets.{name}"
        if not is_name(name):
            self._fail(key, "this cannot name a secret: use letters, digits and _ . -")
        if not isinstance(entry, dict):
            self._fail(key, 'this is a table, for example source = "local"')
        table = cast("dict[str, Any]", entry)
        self._known(table, key, ("description", "source", "docs", "env"))
        environments = self._table(table, "env", key)
        return SecretEntry(
            name,
            self._text(table, "description", key),
            self._source(self._text(table, "source", key) or "local", key),
            self._text(table, "docs", key),
            {env: self._source(self._text(environments, env, f"{key}.env"), f"{key}.env") for env in environments},
        )

    def _source(self, text: str, key: str) -> str:
        if text == "local":
            return text
        try:
            reference = parse(text)
        except ReferenceProblem as problem:
            self._fail(key, f'source is neither "local" nor a reference: {problem.message}')
        if reference.is_declared:
            self._fail(key, 'source says where the value is: "local" or a native reference, not a locum:// name')
        return text

    def _task(self, name: str, entry: Any, declared: Mapping[str, SecretEntry]) -> Task:
        key = f"tasks.{name}"
        if not isinstance(entry, dict):
            self._fail(key, "this is a table with a command")
        table = cast("dict[str, Any]", entry)
        self._known(table, key, ("command", "secrets", "ttl"))
        ttl = self._text(table, "ttl", key)
        try:
            seconds = parse_duration(ttl) if ttl else DEFAULT_TTL
        except UsageProblem as problem:
            self._fail(key, problem.message)
        return Task(name, tuple(self._texts(table, "command", key)), self._task_secrets(table, key, declared), seconds)

    def _task_secrets(self, table: dict[str, Any], key: str, declared: Mapping[str, SecretEntry]) -> dict[str, str]:
        raw = table.get("secrets", [])
        if isinstance(raw, dict):
            renamed = cast("dict[str, Any]", raw)
            pairs = {env: self._text(renamed, env, f"{key}.secrets") for env in renamed}
        else:
            pairs = {name: f"locum://{name}" for name in self._texts(table, "secrets", key)}
        for env, text in pairs.items():
            if not _ENV_NAME.fullmatch(env):
                self._fail(key, f"{env[:40]!r} cannot name a variable", 'Rename it: { MY_NAME = "locum://…" }.')
            try:
                reference = parse(text)
            except ReferenceProblem as problem:
                self._fail(key, problem.message)
            if reference.is_declared and reference.name not in declared:
                near = _nearest(reference.name, declared)
                self._fail(key, f"no [secrets.{reference.name}] here" + (f"; did you mean {near[0]}?" if near else ""))
        return pairs

    def _allowance(self, entry: Any) -> Allowance:
        key = "scan.allow"
        if not isinstance(entry, dict):
            self._fail(key, "this is a table with rule, path and reason")
        table = cast("dict[str, Any]", entry)
        self._known(table, key, ("rule", "path", "fingerprint", "value", "reason", "expires"))
        rule, path, fingerprint, value, reason = (
            self._text(table, name, key) for name in ("rule", "path", "fingerprint", "value", "reason")
        )
        if not reason.strip():
            self._fail(key, "every allowance says its reason", 'Add reason = "…": who reads it next year?')
        expires = table.get("expires")
        if expires is not None and type(expires) is not date:
            self._fail(key, "expires is a date, for example 2027-01-31, without quotes")
        if fingerprint and not _FINGERPRINT.fullmatch(fingerprint):
            self._fail(key, "fingerprint is 32 hexadecimal digits", "Copy it from: locum scan --format json")
        if value and not _FINGERPRINT.fullmatch(value):
            self._fail(
                key, "value is the 32 hexadecimal digits that Locum writes for a value, never the value itself",
                "Let the editor's action write it: Ignore: this value everywhere.",
            )  # fmt: skip
        if not (rule or path or fingerprint or value):
            self._fail(key, "this would allow everything", "Say which: rule, path, fingerprint or value.")
        return Allowance(rule, path, fingerprint, value, reason, expires)

    def _known(self, table: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> None:
        for name in table:
            if name not in allowed:
                near = _nearest(name, allowed)
                self._fail(
                    key, f"unknown key {name[:40]!r}" + (f"; did you mean {near[0]}?" if near else ""),
                    f"Known here: {', '.join(allowed)}.",
                )  # fmt: skip

    def _table(self, table: Mapping[str, Any], name: str, key: str) -> dict[str, Any]:
        value = table.get(name, {})
        if not isinstance(value, dict):
            self._fail(key, f"{name} is a table: [{name}]")
        return cast("dict[str, Any]", value)

    def _list(self, table: Mapping[str, Any], name: str, key: str) -> list[Any]:
        value = table.get(name, [])
        if not isinstance(value, list):
            self._fail(key, f"{name} is a list")
        return cast("list[Any]", value)

    def _texts(self, table: Mapping[str, Any], name: str, key: str) -> list[str]:
        values = self._list(table, name, key)
        if not all(isinstance(value, str) and value for value in values):
            self._fail(key, f"{name} is a list of texts")
        return values

    def _text(self, table: Mapping[str, Any], name: str, key: str) -> str:
        value = table.get(name, "")
        if not isinstance(value, str):
            self._fail(key, f'{name} is a text: {name} = "…"')
        return value

    @staticmethod
    def _fail(key: str, message: str, hint: str = "") -> NoReturn:
        raise ManifestProblem(message, key=key, hint=hint)


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    from difflib import get_close_matches  # 4 ms, and only for who mistyped

    return get_close_matches(name, list(known), 1)


def _line_of_key(text: str, key: str) -> int:
    """Find the line (from 0) of the table `key`, or of its nearest parent, for an editor's diagnostic."""
    lines = text.splitlines()
    while key:
        for number, line in enumerate(lines):
            if line.strip().strip("[] ") == key:
                return number
        key = key.rpartition(".")[0]
    return 0

"""From decoded TOML to a manifest, or to all that is wrong with it: of each entry the first. Knows no text and no file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, NoReturn, TypeVar, cast

from locum.errors import UsageProblem
from locum.refs.manifest import (
    CHANNELS,
    DEFAULT_TTL,
    Allowance,
    Manifest,
    ManifestProblem,
    Place,
    SecretEntry,
    Task,
    nearest,
    parse_duration,
)
from locum.refs.own_rule import MAX_ENTROPY, MAX_GROUP, MAX_ID, OwnRule
from locum.refs.reference import ReferenceProblem, is_name, parse

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_FINGERPRINT = re.compile(r"[0-9a-f]{32}")
_RULE_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ONE_OF = {
    "severity": ("error", "warning", "information", "hint"),
    "confidence": ("certain", "high", "medium", "low"),
}
"""As findings spell them, the gravest and the surest first."""
_QUOTED = re.compile(r"(['\"]).*\1(?= )")
"""What the message of a reference's problem begins with."""


class Reader:
    """Walks the decoded TOML and refuses what it does not know."""

    def __init__(self) -> None:
        self.problems: list[ManifestProblem] = []

    def manifest(self, raw: dict[str, Any]) -> Manifest:
        """Return what can be read; what cannot is in `problems`."""
        self._each({"": ("project", "secrets", "tasks", "scan")}, lambda _, allowed: self._known(raw, (), allowed))
        tables = self._each(
            dict.fromkeys(("project", "secrets", "tasks", "scan")), lambda name, _: self._table(raw, name, ())
        )
        project, scan = tables.get("project", {}), tables.get("scan", {})
        self._each({"project": ("id",)}, lambda name, allowed: self._known(project, (name,), allowed))
        self._each(
            {"scan": ("exclude", "allow", "rule", "rules")}, lambda name, allowed: self._known(scan, (name,), allowed)
        )
        declared = tables.get("secrets", {})
        return Manifest(
            self._each({"id": project}, lambda name, table: self._text(table, name, ("project",))).get("id", ""),
            self._each(declared, self._secret),
            self._each(tables.get("tasks", {}), lambda name, entry: self._task(name, entry, declared)),
            tuple(
                self._each({"exclude": scan}, lambda name, table: self._texts(table, name, ("scan",))).get(
                    "exclude", ()
                )
            ),
            tuple(self._each(dict(enumerate(self._allowances(scan))), self._allowance).values()),
            self._rules(scan, ("scan", "rule")),
            tuple(
                self._each({"rules": scan}, lambda name, table: self._texts(table, name, ("scan",))).get("rules", ())
            ),
        )

    def rules(self, raw: dict[str, Any]) -> tuple[OwnRule, ...]:
        """Return the rules of a file that holds nothing but `[[rule]]`."""
        self._each({"": ("rule",)}, lambda _, allowed: self._known(raw, (), allowed))
        return self._rules(raw, ("rule",))

    def _each(self, entries: Mapping[K, V], read: Callable[[K, V], T]) -> dict[K, T]:
        """Read entry by entry; one that is wrong is noted and left out."""
        good: dict[K, T] = {}
        for name, entry in entries.items():
            try:
                good[name] = read(name, entry)
            except ManifestProblem as problem:
                self.problems.append(problem)
        return good

    def _secret(self, name: str, entry: Any) -> SecretEntry:
        key = ("secrets", name)
        if not is_name(name):
            self._fail(key, "this cannot name a secret: use letters, digits and _ . -")
        if not isinstance(entry, dict):
            self._fail(key, 'this is a table, for example source = "local"')
        table = cast("dict[str, Any]", entry)
        self._known(table, key, ("description", "source", "docs", "env", "hosts", "production"))
        environments = self._table(table, "env", key)
        return SecretEntry(
            name,
            self._text(table, "description", key),
            self._source(table, "source", key, "local"),
            self._text(table, "docs", key),
            {env: self._source(environments, env, (*key, "env")) for env in environments},
            tuple(self._texts(table, "hosts", key)),
            self._truth(table, "production", key),
        )

    def _source(self, table: Mapping[str, Any], name: str, key: Place, otherwise: str = "") -> str:
        text = self._text(table, name, key) or otherwise
        if text == "local":
            return text
        try:
            reference = parse(text)
        except ReferenceProblem as problem:
            self._fail(key, f'source is neither "local" nor a reference: {_unquoted(problem)}', inner=(name,))
        if reference.is_declared:
            message = 'source says where the value is: "local" or a native reference, not a locum:// name'
            self._fail(key, message, inner=(name,))
        return text

    def _task(self, name: str, entry: Any, declared: Mapping[str, Any]) -> Task:
        key = ("tasks", name)
        if not isinstance(entry, dict):
            self._fail(key, "this is a table with a command")
        table = cast("dict[str, Any]", entry)
        self._known(table, key, ("command", "secrets", "ttl", "max_ttl", "channel", "pass"))
        channel = self._text(table, "channel", key)
        if channel and channel not in CHANNELS:
            self._fail(key, f"channel is one of {', '.join(CHANNELS)}", inner=("channel",))
        passes = self._texts(table, "pass", key)
        for number, pattern in enumerate(passes):
            if not _ENV_NAME.fullmatch(pattern.removesuffix("*")):
                self._fail(key, f"{pattern[:40]!r} names no variables", "Write NAME or PREFIX_*.", ("pass", number))
        return Task(
            name, tuple(self._texts(table, "command", key)), self._task_secrets(table, key, declared),
            self._seconds(table, "ttl", key, DEFAULT_TTL), self._seconds(table, "max_ttl", key, 0), channel, tuple(passes),
        )  # fmt: skip

    def _seconds(self, table: Mapping[str, Any], name: str, key: Place, otherwise: int) -> int:
        text = self._text(table, name, key)
        try:
            return parse_duration(text) if text else otherwise
        except UsageProblem as problem:
            self._fail(key, problem.message, inner=(name,))

    def _task_secrets(self, table: dict[str, Any], key: Place, declared: Mapping[str, Any]) -> dict[str, str]:
        raw = table.get("secrets", [])
        places: Iterable[Place]
        if isinstance(raw, dict):
            renamed = cast("dict[str, Any]", raw)
            pairs = {env: self._text(renamed, env, (*key, "secrets")) for env in renamed}
            places = [("secrets", env) for env in pairs]
        else:
            names = self._texts(table, "secrets", key)
            pairs = {name: f"locum://{name}" for name in names}
            places = [("secrets", names.index(name)) for name in pairs]
        for (env, text), place in zip(pairs.items(), places, strict=True):
            if not _ENV_NAME.fullmatch(env):
                self._fail(key, f"{env[:40]!r} cannot name a variable", 'Rename it: { MY_NAME = "locum://…" }.', place)
            try:
                reference = parse(text)
            except ReferenceProblem as problem:
                self._fail(key, _unquoted(problem), inner=place)
            if reference.is_declared and reference.name not in declared:
                near = nearest(reference.name, declared)
                self._fail(
                    key, f"no [secrets.{reference.name}] here" + (f"; did you mean {near}?" if near else ""), "", place
                )
        return pairs

    def _allowances(self, scan: Mapping[str, Any]) -> list[Any]:
        return self._each({"allow": scan}, lambda name, table: self._list(table, name, ("scan",))).get("allow", [])

    def _allowance(self, number: int, entry: Any) -> Allowance:
        key = ("scan", "allow", number)
        if not isinstance(entry, dict):
            self._fail(key, "this is a table with rule, path and reason")
        table = cast("dict[str, Any]", entry)
        self._known(table, key, ("rule", "path", "fingerprint", "value", "reason", "expires"))
        rule, path, fingerprint, value, reason = (
            self._text(table, name, key) for name in ("rule", "path", "fingerprint", "value", "reason")
        )
        if not reason.strip():
            self._fail(key, "every allowance says its reason", 'Add reason = "…": who reads it next year?', ("reason",))
        expires = table.get("expires")
        if expires is not None and type(expires) is not date:
            self._fail(key, "expires is a date, for example 2027-01-31, without quotes", inner=("expires",))
        if fingerprint and not _FINGERPRINT.fullmatch(fingerprint):
            message, hint = "fingerprint is 32 hexadecimal digits", "Copy it from: locum scan --format json"
            self._fail(key, message, hint, ("fingerprint",))
        if value and not _FINGERPRINT.fullmatch(value):
            self._fail(
                key, "value is the 32 hexadecimal digits that Locum writes for a value, never the value itself",
                "Let the editor's action write it: Ignore: this value everywhere.", ("value",),
            )  # fmt: skip
        if not (rule or path or fingerprint or value):
            self._fail(key, "this would allow everything", "Say which: rule, path, fingerprint or value.")
        return Allowance(rule, path, fingerprint, value, reason, expires)

    def _rules(self, table: Mapping[str, Any], key: Place) -> tuple[OwnRule, ...]:
        entries = self._each({"rule": table}, lambda name, holder: self._list(holder, name, key[:-1])).get("rule", [])
        rules = self._each(dict(enumerate(entries)), lambda number, entry: self._rule((*key, number), entry))
        return tuple(rules.values())

    def _rule(self, key: Place, entry: Any) -> OwnRule:
        if not isinstance(entry, dict):
            self._fail(key, "this is a table with id and regex")
        table = cast("dict[str, Any]", entry)
        texts = ("id", "regex", "title", "severity", "confidence", "explanation", "description", "path")
        self._known(table, key, (*texts, "keywords", "secret_group", "entropy"))
        said = {name: self._text(table, name, key) for name in texts}
        if len(said["id"]) > MAX_ID or not _RULE_ID.fullmatch(said["id"]):
            self._fail(key, "id is small letters, digits and hyphens: acme-token", inner=("id",))
        if not said["regex"]:
            self._fail(key, "a rule needs a regex", "Write it in Go's syntax, in single quotes.", ("regex",))
        for name, allowed in _ONE_OF.items():
            if said[name] not in {"", *allowed}:
                self._fail(key, f"{name} is one of {', '.join(allowed)}", inner=(name,))
        group, entropy = table.get("secret_group", 0), table.get("entropy", 0)
        if type(group) is not int or not 0 <= group <= MAX_GROUP:
            self._fail(key, f"secret_group is the number of a group, up to {MAX_GROUP}", inner=("secret_group",))
        if type(entropy) not in {int, float} or not 0 <= entropy <= MAX_ENTROPY:
            self._fail(key, f"entropy is a number of bits, up to {MAX_ENTROPY}", inner=("entropy",))
        return OwnRule(
            said["id"], said["regex"], said["title"], tuple(self._texts(table, "keywords", key)), group, float(entropy),
            said["severity"], said["confidence"], said["explanation"] or said["description"], said["path"], place=key,
        )  # fmt: skip

    def _known(self, table: Mapping[str, Any], key: Place, allowed: tuple[str, ...]) -> None:
        for name in table:
            if name not in allowed:
                near = nearest(name, allowed)
                self._fail(
                    key, f"unknown key {name[:40]!r}" + (f"; did you mean {near}?" if near else ""),
                    f"Known here: {', '.join(allowed)}.", (name,), on_key=True,
                )  # fmt: skip

    def _table(self, table: Mapping[str, Any], name: str, key: Place) -> dict[str, Any]:
        value = table.get(name, {})
        if not isinstance(value, dict):
            self._fail(key, f"{name} is a table: [{name}]", inner=(name,))
        return cast("dict[str, Any]", value)

    def _list(self, table: Mapping[str, Any], name: str, key: Place) -> list[Any]:
        value = table.get(name, [])
        if not isinstance(value, list):
            self._fail(key, f"{name} is a list", inner=(name,))
        return cast("list[Any]", value)

    def _texts(self, table: Mapping[str, Any], name: str, key: Place) -> list[str]:
        values = self._list(table, name, key)
        for number, value in enumerate(values):
            if not isinstance(value, str) or not value:
                self._fail(key, f"{name} is a list of texts", inner=(name, number))
        return values

    def _truth(self, table: Mapping[str, Any], name: str, key: Place) -> bool:
        value = table.get(name, False)
        if type(value) is not bool:
            self._fail(key, f"{name} is true or false", inner=(name,))
        return value

    def _text(self, table: Mapping[str, Any], name: str, key: Place) -> str:
        value = table.get(name, "")
        if not isinstance(value, str):
            self._fail(key, f'{name} is a text: {name} = "…"', inner=(name,))
        return value

    @staticmethod
    def _fail(key: Place, message: str, hint: str = "", inner: Place = (), *, on_key: bool = False) -> NoReturn:
        shown = ".".join(part for part in key if isinstance(part, str))
        raise ManifestProblem(message, key=shown, hint=hint, place=(*key, *inner), on_key=on_key)


def _unquoted(problem: ReferenceProblem) -> str:
    """Say what is wrong with a reference without showing it: somebody may have put a value there."""
    return _QUOTED.sub("this", problem.message, count=1)

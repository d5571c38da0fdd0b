"""Where copies of the record go: `audit.toml` in the user's configuration, and the signed copy of what a person allowed.

Only the signed copy is in force. Whoever may edit the file could else have the broker send a stored secret, as a header,
to a place of their own; or, more quietly, send the record elsewhere. Nothing here is ever read from a workspace.

    [collector]
    endpoint = "https://collector.example:4318"
    headers = { Authorization = "Bearer locum://OTLP_TOKEN" }
    required = false
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

from locum.broker.audit_record import is_signed, sign
from locum.errors import UsageProblem
from locum.refs.reference import is_name
from locum.secret import SecretBytes
from locum.vaults.local.disk import is_open_to_others, is_ours, open_private, read_all, replace_private

SETTINGS_SALT = b"collector"
_MAX_SIZE = 64 * 1024
_KEYS = {"endpoint", "headers", "required", "ca_file"}
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_SECRET_HEADER = re.compile(r"(?i)auth|key|token|secret|cookie|pass|credential")
_VALUE = re.compile(r"(?P<before>[ -~]{0,200}?)(?:locum://(?P<name>[A-Za-z0-9_.-]+))?")
_PATH = "/v1/logs"
"""Of OTLP/HTTP for logs (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP Request")."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header: its name, what stands before the secret, and the secret's name, "" for none."""

    name: str
    before: str
    secret: str


@dataclass(frozen=True, slots=True)
class Settings:
    """A collector of OpenTelemetry."""

    endpoint: str
    """The whole address of its logs."""
    headers: tuple[Header, ...] = ()
    required: bool = False
    """Whether nothing is granted while it does not take records."""
    ca_file: str = ""
    """A file of certificates to trust instead of the system's."""

    @property
    def url(self) -> SplitResult:
        """The address in parts."""
        return urlsplit(self.endpoint)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that its headers need."""
        return tuple(dict.fromkeys(header.secret for header in self.headers if header.secret))

    def describe(self) -> tuple[str, ...]:
        """Return it as lines for people."""
        rows = [("endpoint", self.endpoint)]
        rows += [
            ("header", f"{header.name}: {header.before}" + (f"locum://{header.secret}" if header.secret else ""))
            for header in self.headers
        ]
        rows += [("required", "yes: nothing is granted while it takes no records")] if self.required else []
        rows += [("trusts", self.ca_file)] if self.ca_file else []
        return tuple(f"{label:<9} {text}" for label, text in rows)


def read_settings(path: Path) -> Settings | None:
    """Return what the configuration file asks for, None when it names no collector. Raises UsageProblem."""
    raw = _read(path)
    if raw is None:
        return None
    try:
        table: dict[str, Any] = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        raise _wrong("it is not TOML") from None
    for key in set(table) - {"collector"}:
        raise _wrong(f"unknown key {key!r}")
    collector: Any = table.get("collector")
    if collector is None:
        return None
    if not isinstance(collector, dict):
        raise _wrong("[collector] is no table")
    return _settings(cast("dict[str, Any]", collector))


def _settings(table: dict[str, Any]) -> Settings:
    for key in set(table) - _KEYS:
        raise _wrong(f"unknown key collector.{key}")
    headers, required, ca_file = table.get("headers", {}), table.get("required", False), table.get("ca_file", "")
    if not isinstance(headers, dict) or not isinstance(required, bool) or not isinstance(ca_file, str):
        raise _wrong("headers is a table, required is true or false, ca_file is a path")
    given = cast("dict[str, Any]", headers)
    return Settings(
        _endpoint(table.get("endpoint")), tuple(_header(*item) for item in given.items()), required, ca_file
    )


def _endpoint(value: Any) -> str:
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise _wrong("endpoint is an address such as https://collector.example:4318")
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        raise _wrong("endpoint is no address") from None
    if (
        url.scheme not in {"https", "http"}
        or not url.hostname
        or url.query
        or url.fragment
        or url.username
        or port == 0
    ):
        raise _wrong("endpoint is an address such as https://collector.example:4318, without user, ? and #")
    if url.scheme == "http" and not _is_loopback(url.hostname):
        raise _wrong("http is for this very machine only: use https")
    path = url.path.rstrip("/")
    return url._replace(path=path if path.endswith(_PATH) else path + _PATH).geturl()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _header(name: str, value: Any) -> Header:
    match = _VALUE.fullmatch(value) if isinstance(value, str) else None
    if not _HEADER.fullmatch(name) or match is None:
        raise _wrong("a header is a name and a text, at whose end a locum:// reference may stand")
    secret = match["name"] or ""
    if secret and not is_name(secret):
        raise _wrong(f"header {name}: this is no name of a secret")
    if not secret and _SECRET_HEADER.search(name):
        raise _wrong(f"header {name} belongs into the vault: write locum://NAME")
    return Header(name, match["before"], secret)


def load_allowed(path: Path, key: SecretBytes) -> Settings | None:
    """Return what a person allowed, None when nothing was, or the copy is not signed by this vault."""
    try:
        raw = _read(path)
        text, _, mac = (raw or b"").decode("ascii").partition("\n")
        if not is_signed(key, text, mac.strip()):
            return None
        table: dict[str, Any] = json.loads(text)
        headers = tuple(Header(**header) for header in table.pop("headers"))
        return Settings(**table, headers=headers)
    except (UsageProblem, ValueError, TypeError, KeyError, AttributeError):
        return None


def save_allowed(path: Path, key: SecretBytes, settings: Settings | None) -> None:
    """Put a collector in force, or none. Raises OSError."""
    if settings is None:
        path.unlink(missing_ok=True)
        return
    text = json.dumps(asdict(settings), sort_keys=True)
    replace_private(path, f"{text}\n{sign(key, text)}\n".encode())


def _read(path: Path) -> bytes | None:
    """Return a file's bytes, None when there is none. Raises UsageProblem for one that others may write."""
    try:
        descriptor = open_private(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _wrong(error.strerror or "it cannot be read") from None
    try:
        info = os.fstat(descriptor)
        if not is_ours(info) or (is_open_to_others(info) and info.st_mode & 0o022):
            raise _wrong("it is not a file that only you can write")
        raw = read_all(descriptor, _MAX_SIZE + 1)
    finally:
        os.close(descriptor)
    if len(raw) > _MAX_SIZE:
        raise _wrong("it is too long")
    return raw


def _wrong(why: str) -> UsageProblem:
    return UsageProblem("audit.config", f"audit.toml: {why}", "See docs/audit-format.md.")

"""The two policy files on disk: the user's, which only the broker writes and signs, and the administrator's.

The user's file says what stands, for people to read. Its signature is made with a key of the vault, so an edit by any
other hand is not in force: the copy that was signed last is, and the difference is shown. A file that others could write,
or that lies in the workspace that asks, is not read at all. What the administrator's file says can only tighten; when it
cannot be understood, nothing is granted.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, cast

from locum.broker.audit_record import is_signed, sign
from locum.broker.policy import LOCKED, MAX_STANDING, Deny, Policies, Rules, Standing
from locum.errors import UsageProblem
from locum.refs.manifest import parse_duration
from locum.secret import SecretBytes
from locum.vaults.local.disk import open_private, read_all, replace_private, sync_folder

MAX_SIZE = 1 << 20
MAX_DIFFERENCE = 200
"""Lines of a difference that are shown; a longer one is not adopted, for nobody has seen all of it."""
_SALT = b"policy"
_HEADER = (
    "# Locum's policy of this user: what stands without a question, and what is forbidden.\n"
    "# Written and signed by Locum; an edit by hand is not in force until `locum policy adopt`.\n\n"
)
_LISTS = ("always_ask", "production", "channels")
_LEVELS = ("L0", "L1", "L2")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is in force, and what is to be told about the files."""

    policies: Policies
    generation: int = 0
    remarks: tuple[str, ...] = ()
    """For people: what was ignored, and why."""
    edited: bool = False
    """Whether the user's file is not the one that was signed last."""
    difference: tuple[str, ...] = ()
    """The lines of a diff from what is in force to what stands in the file."""
    shown: str | None = None
    """What stands in the user's file: this, and not what stands there later, is what a person says yes to."""


class PolicyFile:
    """The user's policy file and the copy of what was signed last; beside it the administrator's file."""

    def __init__(self, path: Path, signed: Path, admin: Path) -> None:
        """`path`: for people; `signed`: the copy in the state folder."""
        self._path, self._signed, self._admin = path, signed, admin
        self._newest = ""  # the newest signed copy that this process has seen: an older one is not believed

    def load(self, derive: Callable[[bytes], SecretBytes], workspace: str = "") -> Loaded:
        """Read both files. `derive` gives the vault's key for a salt. Never raises for what stands in a file."""
        remarks: list[str] = []
        admin = self._load_admin(remarks)
        key = derive(_SALT)
        try:
            good, is_behind = self._current(key, remarks)
            shown = _read(self._path, remarks)
        finally:
            key.wipe()
        inside = workspace and _is_inside(self._path, workspace)
        if inside:
            remarks.append(f"{self._path} lies in the workspace that asks: no standing yes counts")
        if good is None:
            if shown is not None:
                remarks.append(f"{self._path} is not signed by your vault: ignored")
            return Loaded(Policies(admin), 0, tuple(remarks), shown is not None, _diff("", shown or ""), shown)
        text, generation = good
        rules, standing = _parse_user(text)
        edited = shown != text
        if edited:
            remarks.append(f"{self._path} was changed outside of Locum: ignored (`locum policy explain` shows how)")
        if is_behind:
            remarks.append(
                f"{self._signed} is gone or older than it was: no standing yes counts (`locum policy restore`)"
            )
        policies = Policies(admin, rules, () if inside or is_behind else standing)
        return Loaded(policies, generation, tuple(remarks), edited, _diff(text, shown or "") if edited else (), shown)

    def _current(self, key: SecretBytes, remarks: list[str]) -> tuple[tuple[str, int] | None, bool]:
        """Return the newest signed text and its generation, and whether the disk holds an older one or none."""
        raw = _read(self._signed, remarks)
        on_disk, newest = _signed_text(raw, key), _signed_text(self._newest, key)
        if newest is not None and (on_disk is None or on_disk[1] < newest[1]):
            return newest, True
        if on_disk is not None:
            self._newest = raw or ""
        return on_disk, False

    def save(self, derive: Callable[[bytes], SecretBytes], loaded: Loaded, policies: Policies) -> None:
        """Write what is in force now. Raises OSError; what was signed last then stands."""
        text = _HEADER + _render(policies)
        self._write_signed(derive, text, loaded.generation + 1)
        self._write_shown(text)

    def adopt(self, derive: Callable[[bytes], SecretBytes], loaded: Loaded) -> None:
        """Put the file as it is edited in force, after a person has said yes to it. Raises UsageProblem, OSError."""
        text = loaded.shown
        if text is None:
            raise UsageProblem("policy.file", f"there is no {self._path} that can be read")
        if len(loaded.difference) > MAX_DIFFERENCE:
            raise UsageProblem("policy.file", "more has changed than a question can show", "Adopt it in smaller steps.")
        _, standing = _parse_user(text, strict=True)
        if not set(standing) <= set(loaded.policies.standing.values()):
            # The hash of what is covered says nothing to people, and what is written beside it could be anything.
            raise UsageProblem(
                "policy.file", "a standing yes was added or changed by hand", "Make it with `locum policy allow`."
            )
        self._write_signed(derive, text, loaded.generation + 1)

    def restore(self, derive: Callable[[bytes], SecretBytes]) -> bool:
        """Write what is in force over the edited file; say whether there was anything. Raises OSError."""
        key = derive(_SALT)
        try:
            good, is_behind = self._current(key, [])
        finally:
            key.wipe()
        if good is None:
            self._path.unlink(missing_ok=True)
            return False
        if is_behind:
            _replace(self._signed, self._newest)
        self._write_shown(good[0])
        return True

    def _write_signed(self, derive: Callable[[bytes], SecretBytes], text: str, generation: int) -> None:
        key = derive(_SALT)
        try:
            signature = sign(key, f"{generation}\n{text}")
        finally:
            key.wipe()
        raw = json.dumps({"generation": generation, "mac": signature, "text": text})
        _replace(self._signed, raw)
        self._newest = raw

    def _write_shown(self, text: str) -> None:
        _replace(self._path, text)

    def _load_admin(self, remarks: list[str]) -> Rules:
        try:
            info, folder = self._admin.lstat(), self._admin.parent.stat()
        except FileNotFoundError:
            return Rules()
        except OSError:
            remarks.append(f"{self._admin} cannot be looked at: nothing is granted")
            return LOCKED
        is_roots = all(one.st_uid == 0 and not one.st_mode & 0o022 for one in (info, folder))
        if not stat.S_ISREG(info.st_mode) or not is_roots:
            remarks.append(f"{self._admin} is not root's alone: nothing is granted")
            return LOCKED
        try:
            text = self._admin.read_text("utf-8")
            return _rules(tomllib.loads(text), set())
        except (OSError, ValueError, UsageProblem) as problem:
            said = problem.message if isinstance(problem, UsageProblem) else "it cannot be read"
            remarks.append(f"{self._admin}: {said}: nothing is granted")
            return LOCKED


def _signed_text(raw: str | None, key: SecretBytes) -> tuple[str, int] | None:
    try:
        said: Any = json.loads(raw or "")
        generation, text, mac = said["generation"], said["text"], said["mac"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if type(generation) is not int or not isinstance(text, str) or not is_signed(key, f"{generation}\n{text}", mac):
        return None
    return text, generation


def _read(path: Path, remarks: list[str]) -> str | None:
    """Return a file's text; None, with a remark, when it is not ours alone."""
    try:
        descriptor = open_private(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as problem:
        remarks.append(f"{path} cannot be read ({problem.strerror}): ignored")
        return None
    try:
        info = os.fstat(descriptor)
        folder = path.parent.stat()
        if not stat.S_ISREG(info.st_mode) or info.st_uid not in {os.geteuid(), 0} or info.st_mode & 0o022:
            remarks.append(f"{path} can be written by others: ignored")
            return None
        if folder.st_mode & 0o022:
            remarks.append(f"{path.parent} can be written by others: its policy is ignored")
            return None
        return read_all(descriptor, MAX_SIZE).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        remarks.append(f"{path} cannot be read: ignored")
        return None
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_private(path, text.encode())
    with contextlib.suppress(OSError):
        sync_folder(path.parent)


def _is_inside(path: Path, folder: str) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _render(policies: Policies) -> str:
    import tomlkit

    document: dict[str, Any] = {}
    for name, value in asdict(policies.user).items():
        default = getattr(Rules(), name)
        if name != "deny" and value != default:
            document[name] = _plain(value)
    if policies.user.deny:
        document["deny"] = [{key: text for key, text in asdict(rule).items() if text} for rule in policies.user.deny]
    if policies.standing:
        document["standing"] = [
            {key: _plain(value) for key, value in asdict(item).items()} for item in policies.standing.values()
        ]
    return tomlkit.dumps(document)  # pyright: ignore[reportUnknownMemberType] - its stubs say Mapping of anything


def _plain(value: Any) -> Any:
    return list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value


def _parse_user(text: str, *, strict: bool = False) -> tuple[Rules, tuple[Standing, ...]]:
    """Read what was signed. With `strict`, raise UsageProblem for what a person has written wrongly."""
    try:
        raw = tomllib.loads(text)
    except ValueError:
        raise UsageProblem(
            "policy.file", "the policy is no valid TOML", "Mend it, or `locum policy restore`."
        ) from None
    found = tuple(_standing(item) for item in _tables(raw.get("standing", [])))
    if strict:
        known = {"standing"}
        return _rules(raw, known), found
    return _rules(raw, {"standing"}), found


def _rules(raw: Mapping[str, Any], beside: set[str]) -> Rules:
    """Turn TOML into rules. Raises UsageProblem for a key that is unknown or of a wrong type."""
    known = {item.name for item in fields(Rules)} | beside
    for key in raw:
        if key not in known:
            raise _bad(f"unknown key {key!r}")
    deny = tuple(_deny(table) for table in _tables(raw.get("deny", [])))
    lists = {name: _texts(name, raw.get(name, [])) for name in _LISTS}
    level = raw.get("level", "L0")
    if level not in _LEVELS:
        raise _bad(f"level is one of {', '.join(_LEVELS)}")
    return Rules(
        deny=deny, max_ttl=_seconds("max_ttl", raw.get("max_ttl", 0)), level=level,
        max_standing=_seconds("max_standing", raw.get("max_standing", MAX_STANDING)), **lists,
    )  # fmt: skip


def _deny(table: Mapping[str, Any]) -> Deny:
    known = {item.name for item in fields(Deny)}
    for key, value in table.items():
        if key not in known or not isinstance(value, str):
            raise _bad(f"deny: {key!r} is not known, or no text")
    if not set(table) - {"reason"}:
        raise _bad("deny: a rule without any pattern would forbid nothing")
    return Deny(**table)


def _standing(table: Mapping[str, Any]) -> Standing:
    values: dict[str, Any] = {}
    for item in fields(Standing):
        value: Any = table.get(item.name, "")
        if item.name == "references":
            values[item.name] = _texts(item.name, value or [])
        elif item.name in {"made", "expires"}:
            values[item.name] = value if type(value) is int else 0
        else:
            values[item.name] = str(value)
    return Standing(**values)


def _tables(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in cast("list[Any]", value)):
        raise _bad("a list of tables is needed: [[deny]]")
    return cast("list[Mapping[str, Any]]", value)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[Any]", value)):
        raise _bad(f"{name} is a list of texts")
    return tuple(cast("Sequence[str]", value))


def _seconds(name: str, value: Any) -> int:
    """Read seconds, or a text such as `12h`; up to 30 days."""
    if isinstance(value, str):
        days = value.strip()[:-1] if value.strip().endswith("d") else ""
        value = int(days) * 86400 if days.isdigit() else parse_duration(value)
    if type(value) is not int or not 0 <= value <= MAX_STANDING:
        raise _bad(f"{name} is a time up to 30 days, for example 12h")
    return value


def _bad(message: str) -> UsageProblem:
    return UsageProblem("policy.file", message, "docs/policy.md lists what a policy may say.")


def _diff(before: str, after: str) -> tuple[str, ...]:
    import difflib

    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "in force", "in the file", lineterm="", n=1)
    return tuple(lines)[: MAX_DIFFERENCE + 1]

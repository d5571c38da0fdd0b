"""What is said to people of findings, secrets, references, tasks and the manifest's keys, as Markdown. Never a value."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from locum.detect.finding import Finding
from locum.errors import LocumError
from locum.lsp.discreet import HIDDEN, discreet, is_discreet
from locum.lsp.projects import rule_of
from locum.lsp.symbols import declared_name
from locum.refs.manifest import SecretEntry
from locum.refs.manifest_help import at, meaning_of
from locum.refs.own_rule import OWN
from locum.refs.providers import provider_of
from locum.refs.reference import Reference

if TYPE_CHECKING:
    from locum.lsp.protocol import LocumServer
    from locum.lsp.standing import Stored
    from locum.lsp.symbols import Symbol

BROKER_SECONDS = 0.3
PAGE = re.compile(r"https://[^\s<>()\[\]]{1,300}")
UNDECLARED = "`locum.toml` does not declare this name."
_MARKUP = re.compile(r"([\\`*_{}\[\]()#!<>|~-])")


def of_finding(finding: Finding, path: str | None) -> str:
    """Say what a finding is and what to do about it."""
    rule = rule_of(finding.rule, path)
    title, told, why = finding.title, rule.explanation if rule is not None else "", ", ".join(finding.why)
    if finding.rule.startswith(OWN):
        title, told, why = plain(title), plain(told), plain(why)
    todo = f"Move {finding.secret_name} to the vault (quick fix), then rotate it."
    page = f"\n\n[{title}: the vendor's page]({rule.url})" if rule is not None and rule.url else ""
    return f"**{title} in plain text** ({why})\n\n{told}\n\n{todo}{page}"


def of_native(reference: Reference) -> str:
    """Say whose a native reference is."""
    provider = provider_of(reference.text)
    page = f"\n\n[How it is written]({provider.page})" if provider.page else ""
    return (
        f"**Reference to {provider.label}**\n\nIt stands for a value there. This version does not resolve it yet.{page}"
    )


async def of_secret(ls: LocumServer, symbol: Symbol, reference: Reference | None) -> str:
    """Say what a manifest declares of a name, who uses it, and whether the vault has it."""
    entry = symbol.manifest.secrets.get(symbol.name)
    if entry is None:
        return UNDECLARED  # the name is not repeated: it may be a value in the wrong place
    if not is_discreet(entry.name):
        return HIDDEN
    lines = [f"**{entry.name}**"]
    if symbol.alias:
        lines.append(f"A task gives it as `{symbol.alias}`.")
    lines += [plain(entry.description)] if entry.description else []
    lines.append(f"From: {_place(entry.source)}")
    if entry.environments:
        lines.append(
            "Environments: " + "; ".join(f"{env}: {_place(where)}" for env, where in entry.environments.items())
        )
    if reference is not None and reference.environment and reference.environment not in entry.environments:
        lines.append("`locum.toml` says nothing of this environment.")
    users = [
        task.name for task in symbol.manifest.tasks.values() if symbol.name in map(declared_name, task.secrets.values())
    ]
    lines.append(f"Used by: {', '.join(map(plain, users))}" if users else "No task of `locum.toml` uses it.")
    lines.append(await _in_vault(ls, entry))
    lines += [f"[Rotate it]({entry.docs})"] if PAGE.fullmatch(entry.docs) and is_discreet(entry.docs) else []
    return "\n\n".join(line for line in lines if line)


def of_task(symbol: Symbol) -> str:
    """Say what a task may have, and for how long."""
    task = symbol.manifest.tasks.get(symbol.name)
    if not is_discreet(symbol.name):
        return HIDDEN
    if task is None:
        return "A task that cannot be read as it is written."
    used = ", ".join(f"`{discreet(variable)}`" for variable in task.secrets) or "no secrets"
    told = f"Gets {used}, for at most {task.ttl // 60 or 1} min."
    return f"**Task {plain(task.name)}**\n\n{told}\n\nRun it: `locum run --task {task.name.replace('`', '')}`"


def of_key(text: str, offset: int) -> tuple[str, int, int] | None:
    """Say what a key or table of the manifest means, and where it stands."""
    item = at(text, offset)
    meaning = meaning_of(item.place) if item is not None and item.role != "value" else ""
    return (plain(meaning), item.start, item.end) if item is not None and meaning else None


def plain(text: str) -> str:
    """Show a manifest's words as words: no markup of theirs, no picture that an editor would fetch."""
    return _MARKUP.sub(r"\\\1", discreet(" ".join(text.split())[:500]))


def _place(source: str) -> str:
    if source == "local":
        return "your local vault"
    return f"{provider_of(source).label}, `{discreet(source).replace('`', '')}`"


async def _in_vault(ls: LocumServer, entry: SecretEntry) -> str:
    """Say whether the vault has a name and since when, if an open vault can be asked at once."""
    from locum.lsp.standing import ask_vault

    if entry.source != "local" and "local" not in entry.environments.values():
        return ""
    try:
        loop = asyncio.get_running_loop()
        there = await asyncio.wait_for(loop.run_in_executor(ls.session.quick_thread, ask_vault), BROKER_SECONDS)
    except (LocumError, OSError, TimeoutError):
        return "In the vault: not known, it is locked."
    if isinstance(there, str):
        return f"In the vault: not known, {'no broker runs' if there == 'no broker' else 'it is locked'}."
    local = [f"{entry.name}.{name}" for name, source in entry.environments.items() if source == "local"]
    stored = next((there[item] for item in (entry.name, *local) if item in there), None)
    return _age(stored) if stored is not None else f"In the vault: no. Store it: `locum secret set {entry.name}`"


def _age(stored: Stored) -> str:
    created, updated = stored.created[:10], stored.updated[:10]
    changed = f"changed on {updated}" if updated != created or stored.version > 1 else "not changed since"
    return f"In the vault: yes, stored on {created}, {changed} ({_days(stored.updated)})."


def _days(moment: str) -> str:
    try:
        days = (datetime.now(UTC) - datetime.fromisoformat(moment)).days
    except (ValueError, TypeError):
        return "at an odd time"
    return "today" if days < 1 else f"{days} day{'s' if days > 1 else ''} ago"

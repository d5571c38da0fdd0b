"""Adding `[[scan.allow]]` to the text of `locum.toml`: everything that was there stays as it was, comments included. Pure."""

from __future__ import annotations

import re
from typing import Any, cast

from locum.refs.manifest import Allowance, ManifestProblem, parse_manifest

_SPECIAL = re.compile(r"[\\*?\[]|\s(?=\s*$)")


def literal_pattern(path: str) -> str:
    """Return the gitignore pattern that means one file; `path` is as the project sees it, with `/`."""
    return "/" + _SPECIAL.sub(lambda char: "\\" + char[0], path)


def add_allowance(text: str, allowance: Allowance) -> str:
    """Return the manifest with the allowance as its last one. Unchanged when one that means the same, and never ends, is there.

    Raises ManifestProblem when the text is no valid manifest, or has its allowances in a form that cannot be added to.
    """
    before = parse_manifest(text)
    if any(known.expires is None and _means(known) == _means(allowance) for known in before.allow):
        return text
    try:
        result = _added(text, allowance)
        after = parse_manifest(result)
    except (ManifestProblem, ValueError):  # tables written inline, for example
        after = result = None
    if result is None or after is None or after.allow != (*before.allow, allowance):
        raise ManifestProblem("could not add an allowance", key="scan", hint="Add [[scan.allow]] by hand.")
    return result


def _added(text: str, allowance: Allowance) -> str:
    import tomlkit  # 20 ms: only writers need it

    entry = tomlkit.table()
    for name, value in _means(allowance):
        entry[name] = value
    entry["reason"] = allowance.reason
    if allowance.expires is not None:
        entry["expires"] = allowance.expires
    document: Any = tomlkit.parse(text)
    listed = document.get("scan", {}).get("allow")
    if listed is not None and type(listed).__name__ == "Array":
        inline = tomlkit.inline_table()
        inline.update(entry)  # pyright: ignore[reportUnknownMemberType] - tomlkit types it loosely
        listed.append(inline)
        return tomlkit.dumps(document)  # pyright: ignore[reportUnknownMemberType] - tomlkit types it loosely
    # A table at the very end belongs to the list wherever the rest of it stands, and moves no line.
    end = "\r\n" if "\r\n" in text else "\n"
    block = "[[scan.allow]]\n" + entry.as_string()
    glue = "" if not text else end if text.endswith("\n") else end * 2
    return text + glue + block.replace("\n", end)


def _means(allowance: Allowance) -> list[tuple[str, str]]:
    """Return what an allowance says of the findings that it means."""
    said = [(name, cast("str", getattr(allowance, name))) for name in ("rule", "path", "fingerprint", "value")]
    return [(name, value) for name, value in said if value]

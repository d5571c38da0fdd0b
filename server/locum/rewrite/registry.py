"""Which module fixes which kind of text (`languages.kind_of`). Modules are imported when first needed: an editor session
that sees only Python never loads the others."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from locum.rewrite.plan import Plan
from locum.rewrite.target import Target

Idiom = Callable[[Target], Plan]

_IDIOMS = {
    "c": "locum.rewrite.idioms.code",
    "cpp": "locum.rewrite.idioms.code",
    "csharp": "locum.rewrite.idioms.code",
    "dockerfile": "locum.rewrite.idioms.dockerfile",
    "dotenv": "locum.rewrite.idioms.dotenv",
    "go": "locum.rewrite.idioms.code",
    "ini": "locum.rewrite.idioms.settings",
    "java": "locum.rewrite.idioms.code",
    "javascript": "locum.rewrite.idioms.javascript",
    "json": "locum.rewrite.idioms.json_values",
    "kotlin": "locum.rewrite.idioms.code",
    "lua": "locum.rewrite.idioms.code",
    "mysql": "locum.rewrite.idioms.settings",
    "netrc": "locum.rewrite.idioms.settings",
    "notebook": "locum.rewrite.idioms.notebook",
    "npmrc": "locum.rewrite.idioms.settings",
    "perl": "locum.rewrite.idioms.code",
    "pgpass": "locum.rewrite.idioms.settings",
    "php": "locum.rewrite.idioms.code",
    "powershell": "locum.rewrite.idioms.code",
    "prose": "locum.rewrite.idioms.prose",
    "properties": "locum.rewrite.idioms.settings",
    "python": "locum.rewrite.idioms.python",
    "redis": "locum.rewrite.idioms.settings",
    "requirements": "locum.rewrite.idioms.settings",
    "ruby": "locum.rewrite.idioms.code",
    "rust": "locum.rewrite.idioms.code",
    "scala": "locum.rewrite.idioms.code",
    "shellscript": "locum.rewrite.idioms.shell",
    "swift": "locum.rewrite.idioms.code",
    "terraform": "locum.rewrite.idioms.hcl",
    "toml": "locum.rewrite.idioms.toml",
    "typescript": "locum.rewrite.idioms.javascript",
    "xml": "locum.rewrite.idioms.settings",
    "yaml": "locum.rewrite.idioms.yaml",
}


def idiom_for(kind: str) -> Idiom | None:
    """Return the function that fixes texts of this kind, None where there is none. It raises `NoSafeEdit`."""
    module = _IDIOMS.get(kind)
    return cast("Idiom", import_module(module).rewrite) if module else None

"""The house's floors: what may import what (ARCHITECTURE.md). Read from the source, so that no import order hides a breach."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "server" / "locum"

MAY_IMPORT = {
    "text": set[str](),
    "detect": {"text"},
    "refs": {"text"},
    "rewrite": {"text", "detect", "refs"},
    "vaults": {"text", "refs"},
    "broker": {"text", "refs", "vaults"},
    "run": {"text", "refs", "vaults", "broker"},
    "workspace": {"text", "detect", "refs"},
    "fix": {"text", "detect", "refs", "rewrite", "workspace", "broker"},
    "lsp": {"text", "detect", "refs", "rewrite", "workspace", "broker", "fix"},
    "agents": {"text", "detect", "refs", "rewrite", "workspace", "broker", "fix"},
    "editors": set[str](),
    "samples": set[str](),
    "cli": {
        "text",
        "detect",
        "refs",
        "rewrite",
        "vaults",
        "broker",
        "run",
        "workspace",
        "fix",
        "lsp",
        "agents",
        "editors",
        "samples",
    },
}
LEAVES = {"errors", "secret", "paths"}
"""Modules beside the rooms that every room may import."""
CLIENT = {
    "locum.broker.client", "locum.broker.wire", "locum.broker.start", "locum.broker.endpoint",
    "locum.broker.endpoint.posix", "locum.broker.endpoint.windows",
}  # fmt: skip
"""The broker as `lsp` and `agents` may know it."""
PURE = ("text", "detect", "refs", "rewrite")
EFFECTS = {
    "asyncio",
    "subprocess",
    "socket",
    "threading",
    "multiprocessing",
    "pygls",
    "lsprotocol",
    "http",
    "urllib.request",
}
PROTOCOL = {"pygls", "lsprotocol", "cattrs", "attrs"}


def imports(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            yield module
            yield from (
                f"{module}.{alias.name}" for alias in node.names if (PACKAGE.parent / module.replace(".", "/")).is_dir()
            )


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


FILES = sorted(path for path in PACKAGE.rglob("*.py") if room(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    here = room(path)
    for module in imports(path):
        if not module.startswith("locum."):
            continue
        there = module.split(".")[1]
        assert there == here or there in LEAVES or there in MAY_IMPORT[here] or there == "__version__", (
            f"{here} imports {module}"
        )
        if here in {"lsp", "agents", "fix"} and there == "broker":
            assert any(module == known or module.startswith(known + ".") for known in CLIENT | {"locum.broker"}), module


@pytest.mark.parametrize(
    "path", [path for path in FILES if room(path) in PURE], ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_the_core_has_no_effects(path: Path) -> None:
    found = {module for module in imports(path) if module in EFFECTS or module.split(".")[0] in EFFECTS}
    assert not found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_server_knows_the_protocol(path: Path) -> None:
    if room(path) != "lsp":
        assert not {module for module in imports(path) if module.split(".")[0] in PROTOCOL}


def source(module: str) -> Path:
    """Return the file of a module, of a package that has code its `__init__`."""
    path = PACKAGE.parent / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() and module != "locum" else path.with_suffix(".py")


def test_the_client_does_not_reach_the_brokers_inside() -> None:
    """Also not indirectly: whatever the client imports within the package is the client, or a leaf."""
    seen: set[str] = set()
    todo = ["locum.broker.client"]
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        seen.add(module)
        todo += [name for name in imports(source(module)) if name.startswith("locum.") and source(name).is_file()]
    assert seen <= CLIENT | {"locum.broker"} | {f"locum.{leaf}" for leaf in LEAVES}, seen


def test_every_room_is_known() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms <= set(MAY_IMPORT), "a new room needs a floor in ARCHITECTURE.md and here"

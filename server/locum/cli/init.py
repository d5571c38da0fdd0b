"""`locum init EDITOR`: put an editor's file for Locum where that editor looks for it.

Knows where editors read their configuration; the files themselves are data of the package (`locum.editors`).
A file that differs from ours is somebody's work: it is left alone unless --force says otherwise.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import click

from locum.errors import UsageProblem


@dataclass(frozen=True, slots=True)
class _Editor:
    """What to install for one editor: files by their place under `home`, and what the person does then."""

    folder: str
    names: tuple[str, ...]
    then: str


_EDITORS = {
    "neovim": _Editor(
        "neovim",
        ("lsp/locum.lua", "plugin/locum.lua"),
        'Add this line to your init.lua, then open a file:\n\n    vim.lsp.enable("locum")\n',
    ),
}


@click.command()
@click.argument("editor", type=click.Choice(list(_EDITORS)))
@click.option("--force", is_flag=True, help="Replace a file that differs from the one Locum would write.")
@click.option("--print", "print_", is_flag=True, help="Print the files and write nothing.")
def init(editor: str, force: bool, print_: bool) -> None:
    """Install Locum's file for an editor (Neovim 0.11 or newer)."""
    wanted = _EDITORS[editor]
    contents = {name: _read(wanted.folder, name) for name in wanted.names}
    home = _neovim_config()
    if print_:
        for name, text in contents.items():
            click.echo(f"-- {home / name}\n{text}")
        return
    clashes = [home / name for name, text in contents.items() if _differs(home / name, text)]
    if clashes and not force:
        raise UsageProblem(
            "init.differs",
            f"{' and '.join(map(str, clashes))} differs from Locum's file; nothing was written",
            "Look at ours with --print, or replace yours with --force.",
        )
    for name, text in contents.items():
        click.echo(f"{_write(home / name, text)} {home / name}")
    click.echo(wanted.then)


def _read(folder: str, name: str) -> str:
    return files("locum.editors").joinpath(folder, *name.split("/")).read_text("utf-8")


def _neovim_config() -> Path:
    """Return the folder that Neovim reads its configuration from (`:help base-directories`)."""
    base = os.environ.get("XDG_CONFIG_HOME")
    if not base and os.name == "nt":
        base = os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".config") / os.environ.get("NVIM_APPNAME", "nvim")


def _differs(path: Path, text: str) -> bool:
    try:
        return path.read_text("utf-8") != text
    except FileNotFoundError:
        return False
    except (OSError, UnicodeDecodeError):
        return True


def _write(path: Path, text: str) -> str:
    """Write unless it is there already; return the word for what was done. Raises UsageProblem."""
    if path.exists() and not _differs(path, text):
        return "already there:"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UsageProblem("init.write", f"{path} cannot be written ({error.strerror})", "Check its folder.") from None
    return "written:"

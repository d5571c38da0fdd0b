"""`locum init EDITOR`: put an editor's file for Locum where that editor looks for it; `locum init agents`: ignore files;
`locum init` alone: a manifest with the secrets that the project's own files say it needs.

Knows where editors read their configuration; the files themselves are data of the package (`locum.editors`).
What agents read is `agents.ignore_files`' to know; it goes into the project of the working directory.
An editor's file that differs from ours is somebody's work: it is left alone unless --force says otherwise.
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


_AGENTS = "agents"


@click.command()
@click.argument("editor", type=click.Choice([*_EDITORS, _AGENTS]), required=False)
@click.option(
    "--client", "clients", multiple=True, metavar="NAME", help="For agents: only this client; may be given again."
)
@click.option("--force", is_flag=True, help="Replace a file that differs from the one Locum would write.")
@click.option("--print", "print_", is_flag=True, help="Show what would be written, and write nothing.")
def init(editor: str | None, clients: tuple[str, ...], force: bool, print_: bool) -> None:
    """Propose a locum.toml from .env.example and the like; or install Locum's file for an editor (Neovim 0.11 or newer),
    or the ignore files that AI agents read."""
    if editor is None:
        _init_project(print_=print_)
        return
    if editor == _AGENTS:
        _init_agents(clients, print_=print_)
        return
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


def _init_project(*, print_: bool) -> None:
    """Declare what is not declared yet; nothing is removed and no value is read."""
    from locum.refs.manifest import add_secret, parse_manifest
    from locum.refs.proposal import is_source, needs_of
    from locum.workspace.project import find_project, read_manifest_text, write_manifest_text

    project = find_project(Path.cwd())
    before = text = read_manifest_text(project)
    declared = set(parse_manifest(text).secrets)
    lines: list[str] = []
    containers = project.root / ".devcontainer"
    for folder in (project.root, containers, *sorted(path for path in containers.glob("*") if path.is_dir())):
        names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
        for name in filter(is_source, names):
            path = (folder / name).relative_to(project.root).as_posix()
            for need in needs_of(path, _text(folder / name)):
                if need.name not in declared:
                    declared.add(need.name)
                    text = add_secret(text, need.name, description=need.description, docs=need.docs)
                    lines.append(f"  {need.name}  from {path}")
    if print_ and text != before:
        click.echo(text, nl=not text.endswith("\n"))
        click.echo(f"Nothing is written. {project.manifest} would also declare:", err=True)
        click.echo("\n".join(lines), err=True)
        return
    if text == before:
        click.echo(
            "Nothing new: no .env.example, .env.schema, devcontainer.json or Compose file here names another secret."
        )
        return
    write_manifest_text(project, text)
    click.echo(f"{project.manifest} declares now:")
    click.echo("\n".join(lines))
    click.echo("\nGive each its value with 'locum secret set NAME', then start programs with 'locum run'.")


def _init_agents(names: tuple[str, ...], *, print_: bool) -> None:
    """Renew our rules in the clients' files: all of those that are known, or the named ones."""
    from locum.agents.ignore_files import CLIENTS, with_rules
    from locum.workspace.project import find_project

    unknown = [name for name in names if name not in CLIENTS]
    if unknown:
        raise UsageProblem("init.client", f"unknown client {unknown[0]!r}", f"Known are {', '.join(CLIENTS)}.")
    root = find_project(Path.cwd()).root
    made: list[tuple[Path, str, str]] = []
    for client in (CLIENTS[name] for name in names or CLIENTS):
        path = root / client.path
        if not path.resolve().is_relative_to(root.resolve()) or path.is_symlink():
            raise UsageProblem(
                "init.link", f"{client.path} leads out of its place by a link; nothing was written", "Remove it."
            )
        text = _text(path)
        made.append((path, text, with_rules(client, text)))
    for path, text, changed in made:
        if print_:
            click.echo(f"# {path}\n{changed}")
        elif text == changed:
            click.echo(f"already there: {path}")
        else:
            _put(path, changed)
            click.echo(f"written: {path}")
    if not print_:
        click.echo(
            "\nThese keep a client's own tools away from secret files. What its shell runs still reads them: move the"
        )
        click.echo("secrets out with Locum's fix, and see 'locum scan' for those that are left.")


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError):
        raise UsageProblem("init.read", f"{path} cannot be read as text; nothing was written", "Look at it.") from None


def _put(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    except OSError as error:
        raise UsageProblem("init.write", f"{path} cannot be written ({error.strerror})", "Check its folder.") from None


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
    _put(path, text)
    return "written:"

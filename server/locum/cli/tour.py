"""`locum tour`: the main job on a temporary copy of a sample project, with the real server, vault, broker and task.

Nothing outside of one temporary directory is read or written, and no value is ever printed.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import click

from locum.broker.start import ControlChannel, start_with_control
from locum.cli.audit_show import line as audit_line
from locum.cli.small_editor import SmallEditor
from locum.errors import LocumError, Unavailable
from locum.paths import user_paths

_HIDDEN = "••••••"
FILES = ("shop.py", "notify.js", ".env", "mcp.json")


@click.command()
def tour() -> int:
    """Show the main job on a sample project: detect, fix, run, audit. A minute, no set-up, nothing of yours is touched."""
    from locum.samples.builder import build_shop

    with tempfile.TemporaryDirectory(prefix="locum-tour-") as name:
        base = Path(name).resolve()
        project = base / "shop"
        project.mkdir()
        planted = build_shop(project)
        home = base / "home"
        os.environ["LOCUM_HOME"] = str(home)
        try:
            return _Tour(project, planted).walk()
        finally:
            _locum(project, "broker", "stop")


_COMPARED = "secret.match"


class _Tour:
    """The stages, one method each."""

    def __init__(self, project: Path, planted: Mapping[str, bytes]) -> None:
        self._project = project
        self._planted = planted
        self._files = [project / name for name in FILES if (project / name).exists()]
        self._printed: list[str] = []
        self._moved: dict[str, list[str]] = {}
        """File name to the names of its secrets."""

    def walk(self) -> int:
        self._say("Locum keeps secrets out of code, prompts and agent transcripts: in the file stands a reference,")
        self._say("the value stands in a vault, and a lease hands it to one task for minutes, after a person said yes.")
        self._say()
        self._say(f"This is a small made-up shop, copied to {self._project}, with made-up secrets in it.")
        made = _locum(self._project, "vault", "init", "--key-file")
        if made.returncode:
            raise Unavailable("tour.vault", f"no vault could be made: {made.stderr.strip()}")
        editor = SmallEditor(_command("lsp"), root=self._project, env=os.environ)
        channel = start_with_control(user_paths())
        if channel is None:
            raise Unavailable("tour.broker", "the broker did not start", f"See {user_paths().broker_log}.")
        person = _Person(channel)
        try:
            self._fix(editor, self._detect(editor))
            ok = self._run(person)
        finally:
            editor.close()
            person.close()
        ok = self._audit() and ok
        ok = self._check() and ok
        self._next()
        return 0 if ok else 1

    def _detect(self, editor: SmallEditor) -> dict[Path, list[dict[str, Any]]]:
        self._stage(
            "1. detect", "The server reads each file as you open it and underlines what is a secret in plain text."
        )
        found: dict[Path, list[dict[str, Any]]] = {}
        for path in self._files:
            found[path] = editor.open(path)
            for diagnostic in found[path]:
                where = f"{path.name}:{diagnostic['range']['start']['line'] + 1}"
                self._say(f"  {where:<14} {diagnostic['message']}")
        return found

    def _fix(self, editor: SmallEditor, found: Mapping[Path, list[dict[str, Any]]]) -> None:
        self._stage(
            "2. fix", "One action: the value goes into the vault and is read back, then a reference takes its place."
        )
        for path, diagnostics in found.items():
            before = editor.text(path).text
            self._moved[path.name] = []
            for _ in diagnostics:
                left = editor.diagnostics(path)
                if not left:
                    break
                result = editor.fix(path, left[0])
                if not result.get("applied"):
                    self._say(f"  {path.name}: not moved: {result.get('reason')}")
                    break
                self._moved[path.name].append(str(result["name"]))
            editor.save(path)
            self._show_change(path.name, before, editor.text(path).text)
        self._say("  locum.toml now declares them (commit it: it holds no value):")
        for name in dict.fromkeys(name for names in self._moved.values() for name in names):
            self._say(f"    + [secrets.{name}]")

    def _run(self, person: _Person) -> bool:
        self._stage("3. run", "A task gets the values only through a lease, and a lease takes a person's yes.")
        manifest = self._project / "locum.toml"
        wanted = {"test": self._moved["shop.py"], "notify": self._moved["notify.js"]}
        manifest.write_text(_with_task_secrets(manifest.read_text(), wanted))
        self._say("  In locum.toml we let each task ask for what it needs, and no more:")
        for task, names in wanted.items():
            self._say(f"    [tasks.{task}]  secrets = {json.dumps(names)}")
        self._say("\n  $ python3 test_shop.py            (without Locum: there is no secret in the project any more)")
        plain = subprocess.run(
            [sys.executable, "test_shop.py"], cwd=self._project, capture_output=True, text=True, check=False
        )
        self._show(plain.stderr.strip().splitlines()[-1:])
        self._say("\n  $ locum run --task test           (the person says no)")
        person.says(allow=False)
        refused = _locum(self._project, "run", "--task", "test")
        self._show(refused.stderr.splitlines())
        self._say(f"    exit {refused.returncode}: nothing was started")
        self._say("\n  $ locum run --task test           (the editor asks, the person says yes)")
        person.says(allow=True)
        allowed = _locum(self._project, "run", "--task", "test")
        self._show(person.last_question)
        self._show((allowed.stdout + allowed.stderr).splitlines())
        self._say(f"    exit {allowed.returncode}; where the task printed a value, its reference stands")
        ok = plain.returncode != 0 and refused.returncode == 3 and allowed.returncode == 0
        return self._run_javascript() and ok

    def _run_javascript(self) -> bool:
        if shutil.which("node") is None:
            self._say("\n  The JavaScript task was skipped: there is no Node here.")
            return True
        self._say("\n  $ locum run --task notify         (JavaScript, the same way)")
        done = _locum(self._project, "run", "--task", "notify")
        self._show((done.stdout + done.stderr).splitlines())
        return done.returncode == 0

    def _audit(self) -> bool:
        self._stage("4. audit", "Every question, grant and end is in a chained record: names, never values.")
        shown = _locum(self._project, "audit", "show", "--format", "json")
        records = json.loads(shown.stdout)["records"]
        for record in records:
            if record["api"]["operation"] != _COMPARED:
                self._say("  " + audit_line(record))
        self._say(
            f"  … and, once a minute or at a program's end, {_COMPARED}: each fix asks whether the vault has its value."
        )
        verdict = _locum(self._project, "audit", "verify")
        self._say("  " + verdict.stdout.strip())
        return verdict.returncode == 0

    def _check(self) -> bool:
        """Look for every planted value in everything printed and in every file of the project."""
        texts = ["\n".join(self._printed).encode(), *(p.read_bytes() for p in self._project.rglob("*") if p.is_file())]
        leaks = [name for name, value in self._planted.items() if any(value in text for text in texts)]
        if leaks:
            self._say(f"\n  This must not happen: still in plain text somewhere: {', '.join(leaks)}")
        return not leaks

    def _next(self) -> None:
        self._say("\nIn your own project, type:")
        self._say("  locum scan                        what is in plain text now")
        self._say("  locum fix --dry-run               what would stand there instead")
        self._say("  locum vault init                  make your vault (keyring, or a passphrase)")
        self._say("  locum init neovim                 or install the VS Code extension: README.md, Install")
        self._say("  locum run --secret NAME -- CMD    run something with a secret")
        self._say("The secrets that stood in plain text are known to whoever read the files: rotate them.")

    def _show_change(self, name: str, before: str, after: str) -> None:
        self._say(f"  {name}")
        for text in difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""):
            if text.startswith(("+", "-")) and not text.startswith(("+++", "---")):
                self._say(f"    {text[0]} {self._hide(text[1:])}")

    def _show(self, lines: Iterable[str]) -> None:
        for text in lines:
            self._say(f"    {text}")

    def _stage(self, title: str, text: str) -> None:
        self._say()
        self._say(f"── {title} " + "─" * (70 - len(title)))
        self._say(text)

    def _say(self, text: str = "") -> None:
        self._printed.append(text)
        click.echo(text)

    def _hide(self, text: str) -> str:
        for value in self._planted.values():
            text = text.replace(value.decode(), _HIDDEN)
        return text


class _Person:
    """Plays the person in front of an editor: answers what comes over the control channel, as told beforehand."""

    def __init__(self, channel: ControlChannel) -> None:
        self._channel = channel
        self._allow = False
        self.last_question: list[str] = []
        threading.Thread(target=self._answer_all, daemon=True).start()

    def says(self, *, allow: bool) -> None:
        """Set the answer to the questions to come."""
        self._allow = allow

    def close(self) -> None:
        self._channel.close()

    def _answer_all(self) -> None:
        try:
            while True:
                question = self._channel.next_question(None)
                if question is not None:
                    self.last_question = [
                        f"┌ {question['title']}",
                        *(f"│ {line}" for line in question["lines"]),
                        "└ Allow once",
                    ]
                    self._channel.answer(question["id"], self._allow)
        except (LocumError, OSError, ValueError):
            return  # the tour is over


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "locum", *arguments]


def _locum(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run our own command line as somebody would who has no terminal here."""
    return subprocess.run(
        _command(*arguments), check=False, cwd=project, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
        start_new_session=True,
    )  # fmt: skip


def _with_task_secrets(text: str, wanted: Mapping[str, list[str]]) -> str:
    """Give the tasks of the manifest their secrets."""
    import tomlkit
    from tomlkit.items import Table

    document = tomlkit.parse(text)
    tasks = cast("dict[str, Table]", document["tasks"])
    for name, names in wanted.items():
        tasks[name]["secrets"] = names
    return tomlkit.dumps(document)  # pyright: ignore[reportUnknownMemberType] - tomlkit types it loosely

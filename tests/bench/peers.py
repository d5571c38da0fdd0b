"""How each scanner is run, offline and with nothing suppressed, and how its report is read.

A scanner is found by its command on the PATH, or by a command that the caller gives. Nothing here validates a secret against
a service. One that is not there is `None` from `locate`, never a scanner that found nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.matching import Found

_QUIET = {"KF_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
_MIB = 1024
"""KiB in a MiB: Linux says ru_maxrss in KiB."""


class ScannerProblem(Exception):
    """A scanner did not run; the text says which and what it said last."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one scanner said of one tree, and what that cost."""

    findings: tuple[Found, ...]
    wall: float
    """Seconds, start of the process included."""
    rss: int
    """MiB, the largest process."""


@dataclass(frozen=True, slots=True)
class Scanner:
    """One scanner on this machine. `command` starts it; `arguments` and `read` know its options and its report."""

    name: str
    command: tuple[str, ...]
    arguments: Callable[[Path, Path], list[str]]
    read: Callable[[Path, Path], Iterator[Found]]

    def scan(self, tree: Path) -> Run:
        """Run it over a tree. Raises ScannerProblem when it leaves no report."""
        tree = tree.resolve()
        with tempfile.TemporaryDirectory(prefix="accuracy.") as temporary:
            report, log = Path(temporary) / "report.json", Path(temporary) / "log"
            with log.open("wb") as output:
                started = time.perf_counter()
                process = subprocess.Popen(
                    [*self.command, *self.arguments(tree, report)], stdin=subprocess.DEVNULL, stdout=output,
                    stderr=subprocess.STDOUT, cwd=tree if self.name == OURS else temporary, env={**os.environ, **_QUIET},
                )  # fmt: skip
                _, status, usage = os.wait4(process.pid, 0)  # the one call that says what this process alone took
                wall = time.perf_counter() - started
                process.returncode = os.waitstatus_to_exitcode(status)  # wait4 took it: Popen shall not look for it
            if process.returncode not in _FINE.get(self.name, {0}):
                raise ScannerProblem(f"{self.name} ended with {process.returncode}")
            try:
                findings = tuple(self.read(tree, report))
            except (OSError, ValueError, KeyError) as problem:
                # Its log may hold values: only the kind of trouble is said.
                raise ScannerProblem(
                    f"{self.name} left no report that can be read ({type(problem).__name__})"
                ) from None
        return Run(findings, wall, usage.ru_maxrss // _MIB)

    def version(self) -> str:
        """Return what it calls itself, or "?"."""
        ask = [*self.command, *_VERSION.get(self.name, ["--version"])]
        try:
            done = subprocess.run(ask, capture_output=True, text=True, timeout=60, env={**os.environ, **_QUIET})
        except (OSError, subprocess.TimeoutExpired):
            return "?"
        words = (done.stdout or done.stderr).split()
        return next((word.strip(",") for word in words if word[:1].isdigit() or word[:2] in {"v0", "v1", "v2"}), "?")


def locate(name: str, command: tuple[str, ...] = ()) -> Scanner | None:
    """Return the scanner `name` (one of NAMES), started by `command` or by what the PATH has; None when it is missing."""
    arguments, read = _KNOWN[name]
    if name == OURS:
        return Scanner(name, command or (sys.executable, "-m", "locum"), arguments, read)
    program = shutil.which(command[0] if command else name)
    if program is None:
        return None
    found = (program, *command[1:])
    if name == "detect-secrets" and not _is_python(program):
        python = _interpreter(Path(program))
        if python is None:
            return None
        found = (python,)
    return Scanner(name, found, arguments, read)


# -- ours --------------------------------------------------------------------------------------------------------------


def _locum(_tree: Path, report: Path) -> list[str]:
    return ["scan", ".", "--format", "json", "-o", str(report), "--exit-zero", "--no-ignore"]


def _read_locum(tree: Path, report: Path) -> Iterator[Found]:
    for item in json.loads(report.read_bytes())["findings"]:
        path = _inside(item["path"], tree)
        start, end = item["bytes"]
        value = (tree / path).read_bytes()[start:end].decode("utf-8", "replace")
        lines = item["range"]["start"]["line"] + 1, item["range"]["end"]["line"] + 1
        yield Found(path, *lines, value, item["rule"], item["severity"], item["confidence"])


# -- the others --------------------------------------------------------------------------------------------------------


def _kingfisher(tree: Path, report: Path) -> list[str]:
    return ["scan", str(tree), "--jobs", "1", "--format", "json", "--output", str(report), "--no-validate",
            "--no-update-check", "--no-dedup", "--no-ignore", "--git-history", "none", "--quiet"]  # fmt: skip


def _read_kingfisher(tree: Path, report: Path) -> Iterator[Found]:
    for item in json.loads(report.read_bytes())["findings"]:
        found, rule = item["finding"], item["rule"]["id"]
        value = found["snippet"]
        end = found["line"] + value.rstrip("\n").count("\n")
        yield Found(_inside(found["path"], tree), found["line"], end, value, rule, found["confidence"])


def _gitleaks(tree: Path, report: Path) -> list[str]:
    return ["dir", str(tree), "--report-format", "json", "--report-path", str(report), "--no-banner", "--log-level", "error",
            "--ignore-gitleaks-allow", "--gitleaks-ignore-path", os.devnull, "--exit-code", "0"]  # fmt: skip


def _read_gitleaks(tree: Path, report: Path) -> Iterator[Found]:
    for item in json.loads(report.read_bytes()):
        lines = item["StartLine"], item["EndLine"]
        yield Found(_inside(item["File"], tree), *lines, item["Secret"], item["RuleID"])


def _betterleaks(tree: Path, report: Path) -> list[str]:
    return [str(tree), "-o", str(report), "--no-banner", "-s", "--no-allow-signatures", "--exit-code=0", "-j", "1"]


def _read_betterleaks(tree: Path, report: Path) -> Iterator[Found]:
    for item in json.loads(report.read_bytes())["findings"]:
        place, match = item["location"], item["match"]
        value = match.get("value") or match["full"]
        lines = place.get("start_line", 1), place.get("end_line", 1)  # of a file as a whole it says no lines
        yield Found(_inside(place["path"], tree), *lines, value, item["rule_id"], item.get("confidence") or "")


_DETECT_SECRETS = """
import json, os, sys
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import default_settings
tree, report = sys.argv[1:]
os.chdir(tree)
with default_settings(), open(report, "w") as out:
    for folder, _, names in os.walk("."):
        for name in names:
            path = os.path.normpath(os.path.join(folder, name))
            for found in scan_file(path):
                out.write(json.dumps([path, found.line_number, found.secret_value, found.type]) + "\\n")
"""
"""Its command line prints hashes of values only, so its own library is asked, with its default plugins and filters."""


def _detect_secrets(tree: Path, report: Path) -> list[str]:
    return ["-c", _DETECT_SECRETS, str(tree), str(report)]


def _read_detect_secrets(_tree: Path, report: Path) -> Iterator[Found]:
    for text in report.read_text("utf-8").splitlines():
        path, line, value, kind = json.loads(text)
        yield Found(Path(path).as_posix(), line, line, value or "", kind)


def _credsweeper(tree: Path, report: Path) -> list[str]:
    return [
        "--path",
        str(tree),
        "--save-json",
        str(report),
        "--no-stdout",
        "--jobs",
        "1",
        "--pedantic",
        "--ml_threads_limit",
        "1",
    ]


def _read_credsweeper(tree: Path, report: Path) -> Iterator[Found]:
    """One credential is a list of places: the lines of a key in a block, or the parts of a pair."""
    for item in json.loads(report.read_bytes()):
        places: list[dict[str, Any]] = item["line_data_list"]
        level = item["confidence"]
        if "PEM" in item["rule"]:
            path = places[0]["path"]
            lines = [place["line_num"] for place in places if place["path"] == path]
            value = "\n".join(place["value"] or "" for place in places)
            yield Found(_inside(path, tree), min(lines), max(lines), value, item["rule"], level)
            continue
        for place in places:
            line, value = place["line_num"], place["value"] or ""
            yield Found(_inside(place["path"], tree), line, line, value, item["rule"], level)


OURS = "locum"
_KNOWN: dict[str, tuple[Callable[[Path, Path], list[str]], Callable[[Path, Path], Iterator[Found]]]] = {
    OURS: (_locum, _read_locum),
    "kingfisher": (_kingfisher, _read_kingfisher),
    "betterleaks": (_betterleaks, _read_betterleaks),
    "gitleaks": (_gitleaks, _read_gitleaks),
    "detect-secrets": (_detect_secrets, _read_detect_secrets),
    "credsweeper": (_credsweeper, _read_credsweeper),
}
NAMES = tuple(_KNOWN)
_FINE = {"kingfisher": {0, 200, 205}}
"""Exit codes after which a report is whole, where a scanner cannot be told to end with 0."""
_VERSION = {
    "detect-secrets": ["-c", "import importlib.metadata as m; print(m.version('detect-secrets'))"],
}


def _is_python(program: str) -> bool:
    return Path(program).name.startswith("python")


def _interpreter(script: Path) -> str | None:
    """Return the Python that a console script starts."""
    first = script.read_bytes().split(b"\n", 1)[0]
    words = first.removeprefix(b"#!").decode("utf-8", "replace").split() if first.startswith(b"#!") else []
    return words[0] if words and _is_python(words[0]) else None


def _inside(path: str, tree: Path) -> str:
    """Return a reported path relative to the tree, with `/`."""
    place = Path(path)
    return (place.relative_to(tree) if place.is_absolute() else Path(os.path.relpath(tree / place, tree))).as_posix()

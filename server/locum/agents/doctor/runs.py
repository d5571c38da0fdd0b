"""One run of a real client against a stand-in: nothing of the person's but the hooks, no key, no way to the network.

The variables are ours, the home is temporary, and whatever would go out is told of a proxy that is not there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from locum.agents.doctor.canary import Transcript
from locum.agents.doctor.dialects import Call
from locum.agents.doctor.lines import end_group
from locum.agents.doctor.real import Origin, Place, Real
from locum.agents.doctor.standin import StandIn

LONGEST = 240.0
"""Seconds that one run may take."""
_NOWHERE = "http://127.0.0.1:9"
"""Port 9 (discard) has no server on it."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of it."""

    code: int
    """The client's exit code; -1: it had to be stopped."""
    results: tuple[str, ...]
    """What each call of the script came to, as the model saw it."""
    transcript: Transcript
    requests: int
    """How many requests the stand-in got."""
    said: str
    """The end of what the client printed. It may hold anything."""


@contextlib.contextmanager
def temporary_place(within: Path | None = None) -> Iterator[Place]:
    """Give an empty home and a project that git knows, gone afterwards."""
    root = Path(tempfile.mkdtemp(prefix="locum-doctor-", dir=within)).resolve()
    try:
        place = Place(root / "home", root / "project", root / "tmp")
        for folder in (place.home, place.project, place.tmp):
            folder.mkdir(mode=0o700)
        (place.project / ".git").mkdir()
        _ = (place.project / ".git/HEAD").write_text("ref: refs/heads/main\n")
        for part in ("objects", "refs"):
            (place.project / ".git" / part).mkdir()
        yield place
    finally:
        shutil.rmtree(root, ignore_errors=True)


def environment(place: Place, more: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a run: the person's PATH, and nothing else of theirs."""
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"), _NOWHERE)
    return {
        "PATH": os.environ.get("PATH", os.defpath), "HOME": str(place.home), "TMPDIR": str(place.tmp), "LANG": "C.UTF-8",
        "LOCUM_HOME": str(place.home / ".locum"), "TERM": "xterm", "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost", **proxies, **more,
    }  # fmt: skip


def version_of(program: str, place: Place) -> str:
    """Return what a client says its version is, "" when it says nothing of use."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            [program, "--version"], env=environment(place, {}), cwd=place.project, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=30, check=False,
        )  # fmt: skip
        lines = done.stdout.strip().splitlines()
        if done.returncode == 0 and lines:
            return "".join(filter(str.isprintable, lines[0]))[:80]
    return ""


def run(
    real: Real, program: str, origin: Origin, place: Place, prompt: str, script: Sequence[Call],
    more: Mapping[str, str], *, longest: float = LONGEST, before: Sequence[str] = (),
) -> Run:  # fmt: skip
    """Run the client once: it gets the prompt, the stand-in makes the calls. `before` is put before its command line."""
    with StandIn(script) as standin:
        real.prepare(origin, place, standin.url)
        code, said = _start(
            [*before, program, *real.arguments(prompt)],
            environment(place, {**real.variables(standin.url), **more}), place.project, longest,
        )  # fmt: skip
        return Run(code, tuple(standin.results), Transcript(standin.bodies), len(standin.bodies), said)


def _start(command: Sequence[str], variables: Mapping[str, str], cwd: Path, longest: float) -> tuple[int, str]:
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, env=variables, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(longest)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            end_group(process)
        output.seek(max(0, output.seek(0, os.SEEK_END) - 4000))
        return code, output.read().decode("utf-8", "replace")

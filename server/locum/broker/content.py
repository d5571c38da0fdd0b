"""What an approval covers beyond the words of a request: which folder, which program, and what stands in the scripts.

A yes to `npm test` is a yes to what `npm test` does now. So the broker itself reads the files that the command line names
and those that its program is known to read (`package.json`, a Makefile), and binds the yes to their bytes. It keeps no
text: a digest of each file, and of each line under a key, so that the next question can say which lines are new.

What a script itself reads or calls is not covered; nor is a program's own binary, which is bound by its path.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from locum.broker.wire import SETTINGS, LeaseRequest

MAX_FILE = 1 << 20
"""Bytes of a file that is covered."""
MAX_FILES = 32
_SHEBANG = b"#!"
_LINE_KEY = 16
"""Bytes of a line's keyed digest that are kept: it only says whether a line was there before."""

_NPM = ("package.json",)
READERS: dict[str, tuple[str, ...]] = {
    "npm": _NPM, "npx": _NPM, "pnpm": _NPM, "pnpx": _NPM, "yarn": _NPM, "bun": _NPM, "bunx": _NPM, "node": _NPM,
    "make": ("GNUmakefile", "makefile", "Makefile"), "gmake": ("GNUmakefile", "makefile", "Makefile"),
    "just": ("justfile", "Justfile", ".justfile"), "task": ("Taskfile.yml", "Taskfile.yaml", "taskfile.yml"),
    "mise": ("mise.toml", ".mise.toml"), "rake": ("Rakefile", "rakefile"), "bundle": ("Gemfile",),
    "deno": ("deno.json", "deno.jsonc"), "composer": ("composer.json",), "cargo": ("Cargo.toml", "build.rs"),
    "tox": ("tox.ini", "tox.toml", "setup.cfg", "pyproject.toml"), "nox": ("noxfile.py",),
    "pytest": ("conftest.py", "pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg"),
    "poetry": ("pyproject.toml",), "pdm": ("pyproject.toml",), "hatch": ("pyproject.toml", "hatch.toml"),
    "uv": ("pyproject.toml", "uv.toml"), "invoke": ("tasks.py",), "inv": ("tasks.py",), "fab": ("fabfile.py",),
    "gradle": ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"),
    "gradlew": ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"), "mvn": ("pom.xml",),
    "mvnw": ("pom.xml",), "ant": ("build.xml",), "mix": ("mix.exs",), "dotnet": ("Directory.Build.props",),
    "docker-compose": ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"),
    "podman-compose": ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"),
    "ansible-playbook": ("ansible.cfg",), "serverless": ("serverless.yml",), "sls": ("serverless.yml",),
    "foreman": ("Procfile",), "overmind": ("Procfile",), "honcho": ("Procfile",),
    "turbo": ("turbo.json", "package.json"), "nx": ("nx.json", "package.json"), "lerna": ("lerna.json", "package.json"),
    "vite": ("package.json", "vite.config.ts", "vite.config.js"), "jest": ("package.json", "jest.config.js", "jest.config.ts"),
    "next": ("package.json", "next.config.js", "next.config.mjs"),
}  # fmt: skip
"""Programs, and the files of the working folder that say what they do. One row a program."""


class Named(NamedTuple):
    """A file that the command may read: as written, relative to the working folder, and why it counts."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Covered:
    """A file whose bytes the approval covers: its path without links, why it counts, and digests of what stands in it."""

    path: str
    why: str
    digest: str
    """SHA-256 of the bytes, in hex."""
    lines: tuple[str, ...] = ()
    """Keyed digests of its lines, in hex."""
    raw: bytes = field(default=b"", repr=False, compare=False)
    """The bytes, for as long as the question is made."""


@dataclass(frozen=True, slots=True)
class Content:
    """Everything about the disk that an approval covers."""

    folder: tuple[int, int] = (0, 0)
    """Device and inode of the working folder."""
    workspace: tuple[int, int] = (0, 0)
    """The same of the workspace; zeros for none."""
    program: str = ""
    """The program's path without links, "" when it is not known."""
    files: tuple[Covered, ...] = ()
    left_out: tuple[str, ...] = ()
    """Files that count and are not covered, each with the reason."""

    runs: bool = False
    """Whether the program is there and can be run. It may be made while the person is asked, so the hash is without it."""

    @property
    def is_whole(self) -> bool:
        """Say whether all that counts is covered: else no yes may stand for more than once."""
        return not self.left_out and self.runs

    def hash(self, request: LeaseRequest) -> str:
        """Return what a yes is bound to, in hex: the request and all of this."""
        grants = sorted((grant.env, grant.reference, grant.source, grant.file, grant.hosts) for grant in request.grants)
        rendered = sorted((file.path, file.digest, file.mounted) for file in request.files)
        covered = sorted((file.path, file.digest) for file in self.files)
        parts = [
            grants, rendered, request.argv, request.cwd, self.folder, request.workspace, self.workspace, request.task,
            request.channel, request.ttl, request.uses, request.max_ttl, request.die_with_broker, request.passes,
            request.production, self.program, covered, self.left_out,
            [(file.path, file.digest) for file in request.settings],
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def names(argv: Sequence[str], program: str) -> Iterator[Named]:
    """Yield the files that a command line names or its program is known to read; whether they exist is not asked.

    `program`: the path that was found for `argv[0]`, "" for none.
    """
    if program:
        yield Named(program, "the program")
    for argument in argv[1:]:
        for text in _spellings(argument):
            yield Named(text, "named by the command")
    for word in {argv[0].rpartition("/")[2], *(argv[1:2] if argv[0].rpartition("/")[2] in _FRONTS else ())}:
        for name in READERS.get(word.removesuffix(".cmd").removesuffix(".exe"), ()):
            yield Named(name, f"read by {word}")
    yield from _modules(argv)


_FRONTS = frozenset(
    ("docker", "podman", "python", "python3", "npx", "bunx", "uvx", "env", "sudo", "nice", "time", "xargs")
)


def _spellings(argument: str) -> Iterator[str]:
    """Yield what may be a file's name in an argument: itself, `--option=FILE`, `@FILE`, `-fFILE`."""
    if not argument or "\0" in argument:
        return
    if not argument.startswith("-"):
        yield argument
    _, equals, tail = argument.partition("=")
    if equals and tail:
        yield tail
    if argument.startswith("@") and len(argument) > 1:
        yield argument[1:]
    if len(argument) > 2 and argument[0] == "-" and argument[1] != "-" and not equals:
        yield argument[2:]


def _modules(argv: Sequence[str]) -> Iterator[Named]:
    """Yield what `python -m NAME` runs when it lies in the working folder, and what `docker compose` reads."""
    name = argv[0].rpartition("/")[2]
    if name.startswith("python"):
        for at, argument in enumerate(argv[1:-1], 1):
            if argument == "-m":
                path = argv[at + 1].replace(".", "/")
                yield Named(f"{path}.py", "the module that runs")
                yield Named(f"{path}/__main__.py", "the module that runs")
    if name in {"docker", "podman"} and "compose" in argv[1:]:
        for found in READERS["docker-compose"]:
            yield Named(found, f"read by {name} compose")


def gather(request: LeaseRequest, line_key: bytes) -> Content:
    """Read what the request's approval would cover. Blocks on the disk. Never raises for what the files are.

    `line_key` keys the digests of lines, so that they are no oracle for what stands in a line.
    """
    program = os.path.realpath(request.program) if request.program else ""
    rendered = {file.path for file in request.files}
    covered: dict[str, Covered] = {}
    left_out: list[str] = []
    settings = (Named(file.path, SETTINGS) for file in request.settings)
    for path, why in (*names(request.argv, program), *settings):
        real = os.path.realpath(os.path.join(request.cwd, path))  # noqa: PTH118 - argv may be no text
        if real in covered or real in rendered:
            continue
        is_program = path == program
        written = request.program if is_program else path
        found = _read(real, only_scripts=is_program)
        if found is None:
            continue
        if isinstance(found, str) or len(covered) >= MAX_FILES:
            reason = found if isinstance(found, str) else f"more than {MAX_FILES} files"
            if len(left_out) < MAX_FILES:
                left_out.append(f"{path}: {reason}")
            continue
        if _is_through_own_link(written, real, request):
            left_out.append(f"{written}: a link of the project leads there, and can lead elsewhere")
        covered[real] = Covered(real, why, hashlib.sha256(found).hexdigest(), line_digests(found, line_key), found)
    return Content(
        identity(request.cwd), identity(request.workspace) if request.workspace else (0, 0), program,
        tuple(covered.values()), tuple(left_out), bool(program) and os.access(program, os.X_OK),
    )  # fmt: skip


def _is_through_own_link(path: str, real: str, request: LeaseRequest) -> bool:
    """Say whether a link in the workspace is on the way to a file: no copy can stand in a link's place."""
    written = os.path.normpath(os.path.join(request.cwd, path))  # noqa: PTH118 - as above
    own = os.path.join(request.workspace or request.cwd, "")  # noqa: PTH118
    return written != real and written.startswith(own)


def line_digests(content: bytes, key: bytes) -> tuple[str, ...]:
    """Return a keyed digest of each line."""
    return tuple(hmac.digest(key, line.strip(), "sha256")[:_LINE_KEY].hex() for line in content.splitlines())


def identity(path: str) -> tuple[int, int]:
    """Return device and inode of what a path leads to, zeros when it leads nowhere."""
    try:
        info = os.stat(path)  # noqa: PTH116 - may be no text
    except (OSError, ValueError):
        return 0, 0
    return info.st_dev, info.st_ino


def _read(path: str, *, only_scripts: bool) -> bytes | str | None:
    """Return a file's bytes, None when it is none that counts, or why it cannot be covered."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        return None if only_scripts else "it cannot be read"
    except (OSError, ValueError):
        return None  # no such file: then it is a word
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            return None
        if os.path.realpath(path) != path:  # a folder on the way became a link: what stands there is not that file's
            return "it was moved while it was read"
        if only_scripts and os.pread(descriptor, 2, 0) != _SHEBANG:
            return None
        if info.st_size > MAX_FILE:
            return f"more than {MAX_FILE >> 20} MiB"
        content = b""
        while len(content) <= MAX_FILE and (piece := os.read(descriptor, MAX_FILE + 1 - len(content))):
            content += piece
    except OSError:
        return "it cannot be read"
    finally:
        os.close(descriptor)
    return content if len(content) <= MAX_FILE else f"more than {MAX_FILE >> 20} MiB"

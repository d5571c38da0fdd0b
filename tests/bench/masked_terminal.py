"""Prints what a launcher on a real terminal costs: throughput, key-stroke echo and start-up, each beside no launcher; 20 secrets.

Run it with `python tests/bench/masked_terminal.py`. It asserts nothing: wall-clock time belongs in no test.
"""

from __future__ import annotations

import os
import pty
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import tty
from pathlib import Path

LAUNCHER = [sys.executable, str(Path(__file__).parents[1] / "unit" / "run" / "launcher.py")]
SIZE = 64 << 20
STROKES = 1000


def on_terminal(argv: list[str]) -> tuple[int, int]:
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], argv, {**os.environ, "CANARY": secrets.token_urlsafe(30), "MORE_SECRETS": "19"})
    return pid, master


def throughput(argv: list[str]) -> float:
    pid, master = on_terminal(argv)
    received = 0
    start = 0.0
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        start = start or time.perf_counter()
        received += len(chunk)
    rate = received / (time.perf_counter() - start) / 1e6
    os.waitpid(pid, 0)
    os.close(master)
    return rate


def strokes(argv: list[str]) -> list[float]:
    pid, master = on_terminal(argv)
    tty.setraw(master)
    while b"ready" not in os.read(master, 4096):
        pass
    times: list[float] = []
    for number in range(STROKES):
        before = time.perf_counter()
        os.write(master, b"%c" % (97 + number % 26))
        os.read(master, 4096)
        times.append((time.perf_counter() - before) * 1e6)
        time.sleep(0.0005)
    os.close(master)
    os.waitpid(pid, 0)
    return sorted(times)


def whole_process(argv: list[str]) -> float:
    times: list[float] = []
    for _ in range(15):
        before = time.perf_counter()
        subprocess.run(argv, env={**os.environ, "CANARY": secrets.token_urlsafe(30)}, capture_output=True)
        times.append((time.perf_counter() - before) * 1e3)
    return statistics.median(times)


def main() -> None:
    echo = "import os, tty; tty.setraw(0); os.write(1, b'ready')\nwhile d := os.read(0, 1): os.write(1, d)"
    with tempfile.NamedTemporaryFile() as log:
        line = b"2026-11-23T10:00:00 INFO the quick brown fox jumps over the lazy dog and comes back %07d\n"
        log.write(b"".join(line % number for number in range(SIZE // len(line))))
        log.flush()
        for name, launcher in (("bare", []), ("masked", LAUNCHER)):
            rate = throughput([*launcher, "cat", log.name])
            times = strokes([*launcher, sys.executable, "-c", echo])
            start = whole_process([*launcher, "true"])
            print(
                f"{name:>7}: {rate:6.1f} MB/s, echo p50 {times[STROKES // 2]:.0f} us, p99 {times[STROKES * 99 // 100]:.0f} us,"
                f" `true` {start:.1f} ms"
            )
    print(f"an empty Python: {whole_process([sys.executable, '-c', '']):.1f} ms")


if __name__ == "__main__":
    main()

"""How fast the broker answers while many clients sit there, what it holds in memory, how long it takes to start.

    python tests/bench/broker.py [IDLE]     default 200 idle connections, of processes with 50 each

Every figure is of this run on this machine. A round trip is one call of the client, with one connection kept.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from locum.broker.client import connect
from support.home import ROOT, Home, canary

_ROUNDS = 3000
_PER_PROCESS = 50


def main() -> None:
    """Measure and print."""
    idle = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as base:
        home = Home(Path(base))
        home.init()
        os.environ["LOCUM_HOME"] = str(home.path)
        for number in range(20):
            home.store(f"KEY_{number}", canary())
        home.run("broker", "stop")
        starts = [_start(home) for _ in range(10)]
        print(f"start to first answer   {_ms(statistics.median(starts))} median of {len(starts)}")
        with connect() as client:
            client.list_secrets()
            pid = client.status()["pid"]
            print(f"memory, 1 connection    {_rss(pid):.1f} MiB")
            _row("status", client.status)
            _row("list of 20", client.list_secrets)
            crowds = _crowd(home, idle)
            print(f"memory, {idle} idle        {_rss(pid):.1f} MiB")
            time.sleep(1)
            _row(f"status, {idle} idle", client.status)
            _row(f"list of 20, {idle} idle", client.list_secrets)
            _row(f"connect, {idle} idle", lambda: connect(start=False).close(), rounds=500)
            before = _cpu(pid)
            time.sleep(5)
            print(f"processor, {idle} idle      {(_cpu(pid) - before) / 5 * 100:.2f} %")
            for crowd in crowds:
                crowd.communicate("")
        home.close()


def _start(home: Home) -> float:
    started = time.perf_counter()
    with connect() as client:
        client.status()
        taken = time.perf_counter() - started
        client.stop()
    while (home.path / "run/agent.sock").exists():
        time.sleep(0.01)
    time.sleep(0.2)
    return taken


def _crowd(home: Home, idle: int) -> list[subprocess.Popen[str]]:
    crowds: list[subprocess.Popen[str]] = []
    script, address = ROOT / "tests/bench/idle_clients.py", str(home.path / "run/agent.sock")
    for _ in range(idle // _PER_PROCESS):
        crowd = subprocess.Popen(
            [sys.executable, str(script), address, str(_PER_PROCESS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert crowd.stdout is not None
        crowd.stdout.readline()
        crowds.append(crowd)
    return crowds


def _row(name: str, call: Callable[[], object], *, rounds: int = _ROUNDS) -> None:
    taken: list[float] = []
    for number in range(rounds):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
        if number % 100 == 99:
            time.sleep(0.25)  # within the rate of one process
    cuts = statistics.quantiles(taken, n=100)
    print(f"{name:<24}{_ms(cuts[49])} p50  {_ms(cuts[98])} p99  {_ms(max(taken))} most")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def _rss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()

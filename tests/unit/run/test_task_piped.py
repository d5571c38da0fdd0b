"""A task between pipes, as an agent or CI runs it: bytes unchanged but for the values, codes and signals pass."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_bench import Bench, is_alive, until
from run_tasks import WAYS, python

from locum.run.patterns import WINDOW
from locum.run.visible import literal, visible


def readable(value: str, output: bytes) -> bool:
    """Whether a WINDOW of the value can be read in the output."""
    shown = [reading(output).decode("latin-1") for reading in (literal, visible)]
    return any(value[at : at + WINDOW] in text for at in range(len(value) - WINDOW + 1) for text in shown)


def test_each_stream_is_masked_and_stays_apart(bench: Bench) -> None:
    done = bench.piped("sh", "-c", 'echo "out $TOKEN"; echo "err $TOKEN" >&2; exit 7')
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out locum://TOKEN\n", b"err locum://TOKEN\n")


@pytest.mark.parametrize("way", [way for way in WAYS if way != "to /dev/tty"])
def test_the_value_never_shows(bench: Bench, way: str) -> None:
    done = bench.piped(*python(WAYS[way]))
    assert done.returncode == 0
    output = done.stdout + done.stderr
    for form in (bench.canary, bench.canary[::-1], bench.canary.encode().hex()):
        assert not readable(form, output)
        assert not readable(form, output.lower())
    assert b"locum://TOKEN" in output


def test_the_bench_would_see_a_value(bench: Bench) -> None:
    bare = subprocess.run(python(WAYS["coloured"]), env={**bench.env, "TOKEN": bench.canary}, capture_output=True)
    assert readable(bench.canary, bare.stdout)


def test_there_is_no_way_around_through_the_terminal(bench: Bench) -> None:
    done = bench.piped(*python(WAYS["to /dev/tty"]))
    assert done.returncode == 1
    assert b"No such device" in done.stderr


def test_binary_output_is_unchanged(bench: Bench) -> None:
    blob = os.urandom(3_000_000)
    (bench.folder / "blob").write_bytes(blob)
    done = bench.piped("cat", "blob")
    assert done.stdout == blob


def test_input_is_inherited(bench: Bench) -> None:
    assert bench.piped("cat", stdin=None, input=b"a\x00b\nc").stdout == b"a\x00b\nc"


def test_output_and_errors_in_one_pipe_keep_their_order(bench: Bench) -> None:
    code = "[os.write(1 + n % 2, b'%d\\n' % n) for n in range(2000)]"
    done = bench.piped(*python(code), capture_output=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.stdout == b"".join(b"%d\n" % number for number in range(2000))


def test_a_value_split_over_output_and_errors_in_one_pipe(bench: Bench) -> None:
    code = "[os.write(1 + n % 2, c.encode()) for n, c in enumerate(t)]"
    done = bench.piped(*python(code), capture_output=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert not readable(bench.canary, done.stdout)


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["no-such-program"], 127, b"no-such-program: command not found"),
        (["./no-such-file"], 127, b"./no-such-file: command not found"),
        (["./plain"], 126, b"./plain: permission denied"),
        (["/"], 126, b"/: is a directory"),
        ([""], 127, b": command not found"),
        (["./broken"], 126, b"./broken: exec format error"),
        (["./lost"], 127, b"./lost: no such file or directory"),
    ],
)
def test_what_cannot_be_started_is_named(bench: Bench, argv: list[str], code: int, message: bytes) -> None:
    (bench.folder / "plain").write_text("echo no\n")
    (bench.folder / "broken").write_bytes(b"\x7fELF" + bytes(60))
    (bench.folder / "lost").write_text("#!/no/such/interpreter\n")
    for name in ("broken", "lost"):
        (bench.folder / name).chmod(0o755)
    done = bench.piped(*argv)
    assert (done.returncode, done.stderr, done.stdout) == (code, b"locum: " + message + b"\n", b"")


def test_a_script_without_an_interpreter_line_runs(bench: Bench) -> None:
    (bench.folder / "script").write_text("echo $1 $TOKEN\n")
    (bench.folder / "script").chmod(0o755)
    assert bench.piped("./script", "arg").stdout == b"arg locum://TOKEN\n"


def test_the_program_is_looked_up_in_the_path_of_the_task(bench: Bench) -> None:
    (bench.folder / "bin").mkdir()
    (bench.folder / "bin" / "tool").write_text("#!/bin/sh\necho here\n")
    (bench.folder / "bin" / "tool").chmod(0o755)
    bench.env["PATH"] = f"{bench.folder}/bin:{bench.env['PATH']}"
    assert bench.piped("tool").stdout == b"here\n"


@pytest.mark.parametrize(("line", "code"), [("kill -9 $$", 137), ("kill -SEGV $$", 139), ("exit 255", 255)])
def test_codes_pass(bench: Bench, line: str, code: int) -> None:
    assert bench.piped("sh", "-c", line).returncode == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_are_forwarded(bench: Bench, number: signal.Signals) -> None:
    code = "import signal; signal.signal({0}, lambda *_: (w('caught'), os._exit(5))); w('ready'); time.sleep(100)"
    process = bench.start_piped(*python(code.format(int(number))))
    assert process.stdout is not None
    assert process.stdout.read(5) == b"ready"
    process.send_signal(number)
    assert process.communicate(timeout=30)[0] == b"caught"
    assert process.returncode == 5


def test_signals_reach_the_whole_group(bench: Bench) -> None:
    process = bench.start_piped("sh", "-c", "sleep 1000 & echo $!; wait")
    assert process.stdout is not None
    grandchild = int(process.stdout.readline())
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert not is_alive(grandchild)


def test_a_signal_that_was_ignored_stays_ignored(bench: Bench) -> None:
    code = "import signal; w(str(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN))"
    command = ["nohup", *bench.command(*python(code))]
    assert subprocess.run(command, env=bench.env, capture_output=True, check=True).stdout == b"True"


def test_a_killed_launcher_takes_the_task_along(bench: Bench) -> None:
    process = bench.start_piped("sh", "-c", "echo $$; exec sleep 1000")
    assert process.stdout is not None
    task = int(process.stdout.readline())
    process.kill()
    process.communicate()
    assert until(lambda: not is_alive(task))


def test_a_killed_launcher_takes_along_a_task_that_is_just_starting(bench: Bench) -> None:
    for delay in range(12):
        marker = bench.folder / f"started{delay}"
        process = bench.start_piped("sh", "-c", f"echo $$ > {marker.name}; sleep 1000; :")
        time.sleep(0.02 + delay * 0.012)
        process.kill()
        process.communicate()
        time.sleep(0.02)
        if marker.exists() and marker.read_text():
            task = int(marker.read_text())
            assert until(lambda task=task: not is_alive(task))


def test_a_grandchild_that_keeps_the_pipe_is_not_waited_for_and_ended(bench: Bench) -> None:
    done = bench.piped("sh", "-c", "setsid sleep 1000 & echo $!; exit 3", timeout=20)
    assert done.returncode == 3
    assert not is_alive(int(done.stdout))
    assert done.stderr == b"locum: ended 1 process that the task left behind\n"


def test_a_daemon_that_detached_is_ended_too(bench: Bench) -> None:
    code = "w('')\nif os.fork() == 0:\n os.setsid()\n if os.fork(): os._exit(0)\n w(str(os.getpid())); time.sleep(1000)\nos.wait()"
    done = bench.piped(*python(code + "\ntime.sleep(0.3)"))
    assert done.returncode == 0
    assert not is_alive(int(done.stdout))


def test_a_child_that_the_launcher_had_before_is_left_alone(bench: Bench) -> None:
    command = bench.command("sh", "-c", "sleep 1000 & exit 0")
    line = 'sleep 1000 >/dev/null & echo $!; exec "$@"'  # exec: the sleeper becomes the launcher's child
    done = subprocess.run(["sh", "-c", line, "sh", *command], env=bench.env, stdout=subprocess.PIPE, timeout=30)
    older = int(done.stdout)
    assert is_alive(older)
    os.kill(older, signal.SIGKILL)


def test_what_the_task_wrote_last_arrives_though_the_reader_is_slow(bench: Bench) -> None:
    process = bench.start_piped(*python("sys.stdout.buffer.write(b'x' * 3_000_000 + b'end')"))
    assert process.stdout is not None
    received = b""
    while chunk := os.read(process.stdout.fileno(), 400_000):
        received += chunk
        time.sleep(0.01)
    assert received == b"x" * 3_000_000 + b"end"
    assert process.wait(timeout=30) == 0


def test_a_reader_who_leaves_is_noticed_by_the_task(bench: Bench) -> None:
    process = bench.start_piped("sh", "-c", "yes; echo code $? >&2")
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b"code 141\n"
    assert process.wait(timeout=30) == 0


def test_the_task_gets_three_descriptors_and_ordinary_signals(bench: Bench) -> None:
    code = "w(str(sorted(os.listdir('/proc/self/fd'))[:-1]))"
    assert bench.piped(*python(code)).stdout == b"['0', '1', '2']"
    status = bench.piped("cat", "/proc/self/status").stdout.decode()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    ordinary = (
        1 << 31
    ) - 1  # signals 1 to 31; those beyond are the C library's own, ignored or not by whoever started us
    assert int(fields["SigIgn"], 16) & ordinary == 0
    assert int(fields["SigBlk"], 16) == 0


def test_closed_descriptors_of_the_launcher_do_no_harm(bench: Bench) -> None:
    command = bench.command(*python("w('out ' + t)"))
    done = subprocess.run(
        ["sh", "-c", '"$@" <&- 2>&-', "sh", *command], env=bench.env, stdout=subprocess.PIPE, timeout=30
    )
    assert (done.returncode, done.stdout) == (0, b"out locum://TOKEN")


def test_the_mask_failing_ends_the_task_and_shows_nothing(bench: Bench) -> None:
    bench.env["BREAK_MASK"] = "1"
    done = bench.piped(*python("w('first'); time.sleep(0.3); w(t); time.sleep(1000)"))
    assert done.returncode == 143
    assert done.stdout == b"first"
    assert done.stderr == b"locum: the mask over the output failed: task stopped\n"


class TestStopWatch:
    """What may end the task from outside: a lease that is revoked or runs out."""

    def start(self, bench: Bench, *argv: str) -> tuple[subprocess.Popen[bytes], int]:
        """Start a launcher with a watch; return it and what to write the reason to."""
        fifo = bench.folder / "watch"
        os.mkfifo(fifo)
        process = bench.start_piped("--stop-on", str(fifo), *argv)
        return process, os.open(fifo, os.O_WRONLY)

    def test_a_reason_ends_the_task(self, bench: Bench) -> None:
        process, watch = self.start(bench, "sh", "-c", "echo ready; sleep 1000")
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        os.write(watch, b"lease revoked\n")
        assert process.communicate(timeout=30)[1] == b"locum: lease revoked: task stopped\n"
        assert process.returncode == 143

    def test_no_reason_changes_nothing(self, bench: Bench) -> None:
        process, watch = self.start(bench, "sh", "-c", "echo ready; sleep 0.3; echo done")
        os.write(watch, b"\n")
        assert process.communicate(timeout=30) == (b"ready\ndone\n", b"")
        assert process.returncode == 0

    def test_a_task_that_does_not_listen_is_killed(self, bench: Bench) -> None:
        bench.env["PATIENCE"] = "0.4"
        process, watch = self.start(bench, "sh", "-c", "trap '' TERM; echo $$; while :; do sleep 0.1; done")
        assert process.stdout is not None
        task = int(process.stdout.readline())
        os.write(watch, b"time is up\n")
        assert process.communicate(timeout=30)[1] == b"locum: time is up: task stopped\n"
        assert process.returncode == 137
        assert not is_alive(task)

    def test_the_code_is_143_though_the_task_ends_well(self, bench: Bench) -> None:
        process, watch = self.start(bench, "sh", "-c", "trap 'echo saved; exit 0' TERM; echo ready; sleep 1000 & wait")
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        os.write(watch, b"lease revoked\n")
        assert process.communicate(timeout=30)[0] == b"saved\n"
        assert process.returncode == 143

    def test_grandchildren_in_sessions_of_their_own_are_ended(self, bench: Bench) -> None:
        bench.env["PATIENCE"] = "0.4"
        line = "setsid sh -c 'trap \"\" TERM HUP; echo $$; while :; do sleep 0.1; done' & sleep 1000"
        process, watch = self.start(bench, "sh", "-c", line)
        assert process.stdout is not None
        grandchild = int(process.stdout.readline())
        os.write(watch, b"lease revoked\n")
        process.communicate(timeout=30)
        assert not is_alive(grandchild)

    def test_a_watch_that_breaks_off_ends_the_task(self, bench: Bench) -> None:
        process, watch = self.start(bench, "sh", "-c", "echo ready; sleep 1000")
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        os.close(watch)
        assert b"the lease can no longer be watched: task stopped" in process.communicate(timeout=30)[1]
        assert process.returncode == 143

    def test_a_reader_who_does_not_read_does_not_keep_the_task_alive(self, bench: Bench) -> None:
        process, watch = self.start(bench, "sh", "-c", "echo $$; exec yes")
        assert process.stdout is not None
        task = int(process.stdout.readline())
        assert until(lambda: Path(f"/proc/{task}/wchan").read_text() != "0" or not is_alive(task))
        os.write(watch, b"lease revoked\n")
        assert process.wait(timeout=30) == 143
        assert not is_alive(task)


def test_importing_the_launcher_brings_in_little() -> None:
    code = "import sys, locum.run.launch, locum.run.environment; print(*sys.modules)"
    modules = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split())
    assert "locum.run.launch" in modules
    assert not modules & {"asyncio", "subprocess", "dataclasses", "inspect", "socket", "pathlib", "json", "logging"}


def test_every_exit_code_passes() -> None:
    script = (
        "import os, sys\nfrom locum.run.launch import launch\nfrom locum.secret import SecretBytes\n"
        "for code in range(256):\n"
        "    mask = {'locum://TOKEN': SecretBytes(os.urandom(20))}\n"
        "    got = launch(['sh', '-c', f'exit {code}'], os.environb, mask)\n"
        "    assert got == code, (got, code)\n"
        "print('all')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout == "all\n", done.stderr

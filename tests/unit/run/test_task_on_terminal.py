"""A task on a real terminal: it must not notice Locum, and the terminal must not show the value."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import termios
from pathlib import Path

import pytest
from run_bench import Bench, is_alive, until
from run_tasks import WAYS, python

from locum.run.patterns import WINDOW
from locum.run.visible import literal, visible


def assert_unreadable(value: str, output: bytes) -> None:
    for reading in (literal, visible):
        shown = reading(output).decode("latin-1")
        assert not [at for at in range(len(value) - WINDOW + 1) if value[at : at + WINDOW] in shown]


def test_the_task_is_on_a_terminal(bench: Bench) -> None:
    terminal = bench.on_terminal(
        *python("w(str([os.isatty(f) for f in (0, 1, 2)])); open('/dev/tty').close(); w(os.environ['COLORTERM'])")
    )
    assert terminal.wait() == 0
    assert "[True, True, True]truecolor" in terminal.text


def test_a_change_of_size_reaches_the_task(bench: Bench) -> None:
    code = "import signal; signal.signal(signal.SIGWINCH, lambda *_: w('now ' + str(os.get_terminal_size(0))))"
    terminal = bench.on_terminal(*python(f"{code}\nw(str(os.get_terminal_size(1)))\nwhile True: time.sleep(0.1)"))
    terminal.wait_for("columns=120, lines=24")
    terminal.resize(41, 97)
    terminal.wait_for("now os.terminal_size(columns=97, lines=41)")


def test_ctrl_c_ends_the_task(bench: Bench) -> None:
    terminal = bench.on_terminal("sh", "-c", "echo ready; exec sleep 100")
    terminal.wait_for("ready")
    terminal.type(b"\x03")
    assert terminal.wait() == 130


@pytest.mark.parametrize(("line", "code"), [("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)])
def test_the_exit_code_passes(bench: Bench, line: str, code: int) -> None:
    assert bench.on_terminal("sh", "-c", line).wait() == code


def test_keys_reach_the_task_and_echo_once(bench: Bench) -> None:
    terminal = bench.on_terminal("sh", "-c", "echo ready; read line; echo got $line")
    terminal.wait_for("ready")
    terminal.type("hello\r")
    terminal.wait_for("got hello")
    assert terminal.wait() == 0
    assert terminal.text.count("hello") == 2


def test_end_of_input_reaches_the_task(bench: Bench) -> None:
    terminal = bench.on_terminal("sh", "-c", "echo ready; exec cat")
    terminal.wait_for("ready")
    terminal.type(b"one\r")
    terminal.wait_for("one\r\none")
    terminal.type(b"\x04")
    assert terminal.wait() == 0


def test_a_task_that_closes_its_terminal_before_it_ends_keeps_its_code(bench: Bench) -> None:
    terminal = bench.on_terminal("sh", "-c", "echo ready; exec <&- >&- 2>&-; sleep 0.5; exit 7")
    assert terminal.wait() == 7


def test_a_large_paste_arrives_whole(bench: Bench) -> None:
    code = (
        "import tty, hashlib; tty.setraw(0); w('ready'); d = b''\n"
        "while len(d) < 100000: d += os.read(0, 1000)\nw(hashlib.sha256(d).hexdigest())"
    )
    terminal = bench.on_terminal(*python(code))
    terminal.wait_for("ready")
    paste = os.urandom(75_000).hex()[:100_000].encode()
    os.set_blocking(terminal.master, False)
    sent = 0

    def send() -> bool:
        nonlocal sent
        with contextlib.suppress(BlockingIOError):
            sent += os.write(terminal.master, paste[sent : sent + 1000])
        return sent == len(paste)

    assert until(send)
    terminal.wait_for(hashlib.sha256(paste).hexdigest())


CURSES = """
import curses
def main(screen):
    curses.start_color(); curses.use_default_colors()
    for place in range(1, 8):
        curses.init_pair(place, place, -1)
        screen.addstr(place, place * 3, 'row %d' % place, curses.color_pair(place) | curses.A_BOLD)
    screen.border(); screen.refresh(); curses.curs_set(0); screen.addstr(10, 5, 'pass', curses.A_REVERSE)
    screen.refresh(); screen.scrollok(True); screen.scroll(2); screen.refresh()
curses.wrapper(main)
"""
TRUE_COLOUR = (
    "[w('\\x1b[38;2;%d;%d;0m\\u2588\\x1b[0m' % (n, 255 - n)) for n in range(256)];"
    "w('\\x1b[?1049h\\x1b[2J\\x1b[5;5Hok\\x1b]8;;https://x\\x1b\\\\\\\\link\\x1b]8;;\\x1b\\\\\\\\\\x1b[?1049l\\x1b7\\x1b8\\x1b(B')"
)


@pytest.mark.parametrize("code", [CURSES, TRUE_COLOUR], ids=["curses", "true colour"])
def test_a_screen_is_drawn_with_the_same_bytes(bench: Bench, code: str) -> None:
    masked, bare = bench.on_terminal(*python(code)), bench.on_terminal(*python(code), bare=True)
    assert (masked.wait(), bare.wait()) == (0, 0)
    assert masked.output == bare.output
    assert b"\x1b[" in bare.output


@pytest.mark.parametrize("way", WAYS)
def test_the_value_never_shows(bench: Bench, way: str) -> None:
    terminal = bench.on_terminal(*python(WAYS[way] + "; w('\\nend\\n')"))
    assert terminal.wait() == 0
    assert "end" in terminal.text
    assert_unreadable(bench.canary, terminal.output)
    assert_unreadable(bench.canary[::-1], terminal.output)
    assert_unreadable(bench.canary.encode().hex(), terminal.output.lower())
    assert b"locum://TOKEN" in terminal.output


def test_the_terminal_is_given_back_as_it_was(bench: Bench) -> None:
    watched = 'stty -a; "$@"; stty -a'
    terminal = bench.shell_on_terminal(watched, *python("import tty; tty.setraw(0); w('raw'); os.kill(os.getpid(), 9)"))
    assert terminal.wait() == 0
    before, _, after = terminal.text.partition("raw")
    assert before.split() == after.split()


def test_the_terminal_is_given_back_when_the_launcher_is_ended(bench: Bench) -> None:
    terminal = bench.on_terminal("sh", "-c", "echo ready; exec sleep 100")
    terminal.wait_for("ready")
    assert not termios.tcgetattr(terminal.master)[3] & termios.ECHO
    os.kill(terminal.pid(), signal.SIGTERM)
    assert terminal.wait() == 143
    assert termios.tcgetattr(terminal.master)[3] & termios.ECHO


def test_hanging_up_ends_the_task(bench: Bench) -> None:
    terminal = bench.on_terminal("sh", "-c", "echo pid $$; exec sleep 100")
    terminal.wait_for("pid")
    task = int(terminal.wait_for("\n").split()[1])
    terminal.close()
    assert until(lambda: not is_alive(task))


def test_a_killed_launcher_takes_the_task_along(bench: Bench) -> None:
    terminal = bench.on_terminal("sh", "-c", "trap '' HUP; echo pid $$; while :; do sleep 0.1; done")
    task = int(terminal.wait_for("\n").split()[1])
    os.kill(terminal.pid(), signal.SIGKILL)
    assert until(lambda: not is_alive(task))


def test_a_grandchild_that_keeps_the_terminal_is_not_waited_for_and_ended(bench: Bench) -> None:
    terminal = bench.on_terminal("sh", "-c", "trap '' HUP; setsid sleep 1000 & echo pid $!; exit 3")
    assert terminal.wait(timeout=20) == 3
    grandchild = int(terminal.text.split()[1])
    assert not is_alive(grandchild)
    assert "left behind" in terminal.text


def test_no_command_line_holds_the_value(bench: Bench) -> None:
    terminal = bench.on_terminal("sh", "-c", "sleep 100 & echo ready; wait")
    terminal.wait_for("ready")
    seen = 0
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes()
        except OSError:
            continue
        seen += b"launcher.py" in line
        assert bench.canary.encode() not in line
    assert seen
    terminal.type(b"\x03")
    terminal.wait()


def test_output_without_a_newline_is_shown_while_the_task_waits(bench: Bench) -> None:
    prompt = bench.canary[:6]  # the mask has reason to hold this back
    terminal = bench.on_terminal("sh", "-c", f"printf '%s' '{prompt}'; read answer; exit 5")
    terminal.wait_for(prompt)
    terminal.type("\r")
    assert terminal.wait() == 5


def test_piped_input_ends_and_output_is_a_terminal(bench: Bench) -> None:
    code = "w(sys.stdin.read().upper() + str([os.isatty(f) for f in (0, 1, 2)]) + t)"
    terminal = bench.shell_on_terminal('printf hello | "$@"', *python(code))
    assert terminal.wait() == 0
    assert terminal.text == "HELLO[False, True, True]locum://TOKEN"


def test_piped_input_leaves_line_ends_as_they_were(bench: Bench) -> None:
    terminal = bench.shell_on_terminal('printf "a\\nb\\n" | "$@"', "cat")
    assert terminal.wait() == 0
    assert terminal.output == b"a\r\nb\r\n"


def test_piped_input_and_ctrl_c(bench: Bench) -> None:
    # no shell: dash can lose a Ctrl-C that comes just as it starts a command, without Locum too
    terminal = bench.shell_on_terminal('sleep 100 | "$@"', *python("w('ready'); time.sleep(100); w('not reached')"))
    terminal.wait_for("ready")
    terminal.type(b"\x03")
    terminal.wait()
    assert "not reached" not in terminal.text


def test_piped_input_and_a_pager_that_reads_keys(bench: Bench) -> None:
    code = (
        "import tty; f = os.open('/dev/tty', os.O_RDWR); sys.stdin.read(); tty.setcbreak(f); w('more?')\n"
        "w('<' + os.read(f, 1).decode() + '>')"
    )
    terminal = bench.shell_on_terminal('echo text | "$@"; stty -a', *python(code))
    terminal.wait_for("more?")
    assert until(lambda: not termios.tcgetattr(terminal.master)[3] & termios.ICANON)
    terminal.type("q")
    terminal.wait_for("<q>")
    assert terminal.wait() == 0
    assert " icanon" in terminal.text


def test_a_member_of_a_pipeline_writes_to_a_pipe_and_reads_the_keyboard(bench: Bench) -> None:
    code = "w(str([os.isatty(f) for f in (0, 1, 2)]) + t); w(input())"
    terminal = bench.shell_on_terminal('"$@" | cat', *python(code))
    terminal.wait_for("[True, False, True]locum://TOKEN")
    terminal.type("typed\n")
    assert terminal.wait() == 0
    assert terminal.text.count("typed") == 2


def test_a_member_of_a_pipeline_is_ended_by_ctrl_c(bench: Bench) -> None:
    terminal = bench.shell_on_terminal('"$@" | cat', "sh", "-c", "echo ready; exec sleep 100")
    terminal.wait_for("ready")
    terminal.type(b"\x03")
    terminal.wait()
    launchers = [entry for entry in Path("/proc").glob("[0-9]*/cwd") if _is_in(entry, bench.folder)]
    assert until(lambda: not any(_is_in(entry, bench.folder) for entry in launchers))


def test_a_background_job_does_not_touch_the_keyboard(bench: Bench) -> None:
    command = bench.command(*python("time.sleep(0.5); w(t + ' job done')"))
    terminal = bench.on_terminal("sh", "-c", 'set -m; "$@" & wait $!; echo code $?', "sh", *command, bare=True)
    terminal.wait_for("locum://TOKEN job done")
    terminal.wait_for("code 0")
    assert terminal.wait() == 0


def _is_in(entry: Path, folder: Path) -> bool:
    try:
        return entry.readlink() == folder and is_alive(int(entry.parent.name))
    except OSError:
        return False


def test_the_mask_failing_ends_the_task_and_shows_nothing(bench: Bench) -> None:
    bench.env["BREAK_MASK"] = "1"
    terminal = bench.on_terminal(*python("w('first'); time.sleep(0.3); w(t); time.sleep(100)"))
    assert terminal.wait() == 143
    assert terminal.text.startswith("first")
    assert "the mask over the output failed: task stopped" in terminal.text
    assert_unreadable(bench.canary, terminal.output)
    assert "Traceback" not in terminal.text


def test_time_does_not_matter_for_what_is_shown(bench: Bench) -> None:
    terminal = bench.on_terminal(*python("[(w(c), time.sleep(0.03)) for c in 'plain ' + t + ' plain']"))
    assert terminal.wait() == 0
    assert terminal.text.startswith("plain ")
    assert terminal.text.endswith(" plain")
    assert_unreadable(bench.canary, terminal.output)

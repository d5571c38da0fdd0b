"""What a person sees and can do on a terminal is the same with the launcher and without it.

Each test does the same thing twice, once with the launcher and once without, and compares.
"""

from __future__ import annotations

import termios
from typing import Any

import pytest
from run_bench import Bench, is_alive, until
from run_tasks import python

from support.terminal import Terminal

BOTH = pytest.mark.parametrize("bare", [False, True], ids=["masked", "bare"])


def shell(bench: Bench, *argv: str, bare: bool) -> Terminal:
    """An interactive bash that has the command as the function `task`."""
    command = list(argv) if bare else bench.command(*argv)
    bench.env |= {"PS1": "prompt> ", "TOKEN": bench.canary, "HISTFILE": "/dev/null"}
    rc = bench.folder / "rc"
    words = " ".join("'" + word.replace("'", "'\\''") + "'" for word in command)
    rc.write_text(f"PS1='prompt> '\nbind 'set enable-bracketed-paste off'\ntask() {{ {words} \"$@\"; }}\n")
    terminal = bench.on_terminal("bash", "--noprofile", "--rcfile", str(rc), "-i", bare=True)
    terminal.wait_for("prompt> ")
    return terminal


def modes(terminal: Terminal) -> list[Any]:
    """What `stty -a` would show."""
    return termios.tcgetattr(terminal.master)


def prompts(terminal: Terminal) -> int:
    """How many prompts the shell has shown so far; reads what there is."""
    terminal.read_for(0.05)
    return terminal.text.count("prompt> ")


def rest(terminal: Terminal, count: int) -> None:
    assert until(lambda: prompts(terminal) >= count), terminal.text


@BOTH
def test_ctrl_z_gives_the_prompt_back_and_fg_goes_on(bench: Bench, bare: bool) -> None:
    code = "w('rea' + 'dy\\n'); print('got ' + input(), flush=True); w('e' + 'nd\\n')"
    terminal = shell(bench, *python(code), bare=bare)
    before = modes(terminal)
    terminal.type("task\r")
    terminal.wait_for("ready")
    terminal.type(b"\x1a")
    rest(terminal, 2)
    assert "Stopped" in terminal.text
    assert modes(terminal) == before
    terminal.type("echo still $((40 + 2))\r")
    terminal.wait_for("still 42")
    rest(terminal, 3)
    terminal.type("fg\r")
    terminal.read_for(0.5)
    terminal.type("typed\r")
    terminal.wait_for("got typed")
    terminal.wait_for("end")
    rest(terminal, 4)
    assert modes(terminal) == before
    terminal.type("exit\r")
    assert terminal.wait() == 0


@BOTH
def test_a_program_that_cleans_up_before_it_stops(bench: Bench, bare: bool) -> None:
    """As editors and pagers do: leave the screen, stop oneself, and come back."""
    code = """
import signal, tty, termios
before = termios.tcgetattr(0)
def stop(*_):
    w('le' + 'ave\\n'); termios.tcsetattr(0, termios.TCSANOW, before); signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(0, signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, stop); tty.setcbreak(0); w('ba' + 'ck\\n')
signal.signal(signal.SIGTSTP, stop); tty.setcbreak(0); w('rea' + 'dy\\n')
while True:
    key = os.read(0, 1)
    w('<' + key.decode() + '>')
    if key == b'q': break
termios.tcsetattr(0, termios.TCSANOW, before)
"""
    terminal = shell(bench, *python(code), bare=bare)
    before = modes(terminal)
    terminal.type("task\r")
    terminal.wait_for("ready")
    terminal.type(b"\x1a")
    rest(terminal, 2)
    assert terminal.text.index("leave") < terminal.text.rindex("prompt> ")
    assert "back" not in terminal.text
    assert modes(terminal) == before
    terminal.type("fg\r")
    terminal.wait_for("back")
    terminal.type("q")
    terminal.wait_for("<q>")
    rest(terminal, 3)
    assert modes(terminal) == before


@BOTH
def test_a_stopped_task_goes_on_in_the_background_and_comes_back(bench: Bench, bare: bool) -> None:
    code = "w('rea' + 'dy\\n')\nfor n in range(100):\n time.sleep(0.1); open('alive', 'w').write(str(n))"
    terminal = shell(bench, *python(code), bare=bare)
    alive = bench.folder / "alive"
    terminal.type("task\r")
    terminal.wait_for("ready")
    assert until(alive.exists)
    terminal.type(b"\x1a")
    rest(terminal, 2)
    terminal.type("bg\r")
    rest(terminal, 3)
    seen = alive.read_text()
    assert until(lambda: alive.read_text() not in {seen, ""})
    terminal.type("fg\r")
    terminal.read_for(1.0)
    terminal.type(b"\x03")
    rest(terminal, 4)
    terminal.type("echo code $?\r")
    terminal.wait_for("code 130")


@pytest.mark.parametrize(("key", "code"), [(b"\x03", 130), (b"\x1c", 131)], ids=["ctrl-c", "ctrl-backslash"])
@BOTH
def test_keys_that_end_a_task(bench: Bench, key: bytes, code: int, bare: bool) -> None:
    terminal = shell(bench, "sh", "-c", "ulimit -c 0; echo rea''dy; exec sleep 100", bare=bare)
    before = modes(terminal)
    terminal.type("task\r")
    terminal.wait_for("ready\r\n")
    terminal.type(key)
    rest(terminal, 2)
    assert modes(terminal) == before
    terminal.type("echo code $?\r")
    terminal.wait_for(f"code {code}")


@BOTH
def test_modes_after_a_task_that_was_killed_in_raw_mode_and_sane(bench: Bench, bare: bool) -> None:
    code = "import tty; tty.setraw(0); w('raw'); os.kill(os.getpid(), 9)"
    terminal = shell(bench, *python(code), bare=bare)
    terminal.type("task; stty sane; stty -a | cat\r")
    terminal.wait_for("extproc")
    assert " icanon" in terminal.text
    assert " echo " in terminal.text


def test_every_exit_code(bench: Bench) -> None:
    for code in (0, 1, 2, 42, 125, 126, 127, 128, 130, 137, 254, 255):
        command = ["sh", "-c", f"exit {code}"]
        assert bench.on_terminal(*command).wait() == bench.on_terminal(*command, bare=True).wait() == code


RESIZED = """
import curses, signal
def main(screen):
    screen.timeout(100)  # a change between two looks at the keyboard is seen at the next
    while True:
        rows, columns = screen.getmaxyx()
        screen.erase(); screen.border(); screen.addstr(1, 1, 'size %dx%d' % (rows, columns), curses.A_BOLD)
        screen.refresh()
        key = screen.getch()
        if key == ord('q'): break
        if key == curses.KEY_RESIZE: curses.update_lines_cols()
curses.wrapper(main)
"""


def test_a_curses_program_is_redrawn_with_the_same_bytes_when_the_window_changes(bench: Bench) -> None:
    shown: list[bytes] = []
    for bare in (False, True):
        terminal = bench.on_terminal(*python(RESIZED), bare=bare)
        terminal.wait_for("size 24x120")
        terminal.resize(30, 90)
        terminal.wait_for("30x90")
        terminal.read_for(0.3)
        terminal.type("q")
        assert terminal.wait() == 0
        shown.append(terminal.output)
    assert shown[0] == shown[1]


def test_raw_mode_bracketed_paste_and_every_byte_pass_both_ways(bench: Bench) -> None:
    code = """
import tty, termios
before = termios.tcgetattr(0)
w('\\x1b[?2004h\\x1b[?1000h\\x1b[>1u'); tty.setraw(0); w('ready'); got = b''
while len(got) < 300: got += os.read(0, 1000)
sys.stdout.buffer.write(got); sys.stdout.flush(); w('\\x1b[?2004l'); termios.tcsetattr(0, termios.TCSADRAIN, before)
"""
    sent = b"\x1b[200~" + bytes(range(256)) + b"\x1b[201~" + b"." * 32
    shown: list[bytes] = []
    for bare in (False, True):
        terminal = bench.on_terminal(*python(code), bare=bare)
        terminal.wait_for("ready")
        terminal.type(sent)
        assert terminal.wait() == 0
        shown.append(terminal.output)
    assert sent in shown[1]
    assert shown[0] == shown[1]


def test_the_helpers_of_job_control_leave_nothing_and_are_not_seen_as_children(bench: Bench) -> None:
    code = "try: os.wait(); w('a child')\nexcept ChildProcessError: w('no child')"
    terminal = bench.on_terminal(*python(code))
    assert terminal.wait() == 0
    assert terminal.text == "no child"


@pytest.mark.parametrize("way", ["stopped", "killed"])
def test_a_stopped_launcher_that_is_ended_takes_the_task_along(bench: Bench, way: str) -> None:
    terminal = shell(bench, *python("w('pid ' + str(os.getpid()) + '.\\n'); time.sleep(1000)"), bare=False)
    terminal.type("task\r")
    terminal.wait_for(".\r\n")
    terminal.type(b"\x1a")
    rest(terminal, 2)
    terminal.type("kill -9 %1\r" if way == "killed" else "kill %1; fg\r")
    task = int(terminal.text.split("pid ")[1].split(".")[0])
    assert until(lambda: prompts(terminal) >= 3 and not is_alive(task))


def test_the_helpers_of_job_control_hold_nothing_of_the_task(bench: Bench) -> None:
    code = """
def beside():
    for name in filter(str.isdigit, os.listdir('/proc')):
        try:
            if int(name) != os.getpid() and os.getsid(int(name)) == os.getsid(0): yield name
        except ProcessLookupError: pass
def read(name, what): return open('/proc/' + name + '/' + what, 'rb').read()
while [read(name, 'comm') for name in beside()] != [b'cat\\n'] * 2: time.sleep(0.02)
w(str([(sorted(os.listdir('/proc/' + name + '/fd')), read(name, 'environ')) for name in beside()]))
"""
    terminal = bench.shell_on_terminal('"$@" 9</dev/zero', *python(code))
    assert terminal.wait() == 0
    assert terminal.text == str([(["0", "1", "2"], b"")] * 2)

"""Run a command as a person's shell would: a session of its own, on a controlling terminal, no agent among its ancestors.

    on_terminal.py SLAVE STATUS_FD CWD COMMAND…

The process detaches itself first, so that it is no descendant of whoever runs the tests. The exit status (as `waitpid`
gives it) is written to STATUS_FD.
"""

import os
import signal
import sys


def main() -> None:
    slave, status, folder, command = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    if os.fork():
        os._exit(0)
    os.setsid()
    terminal = os.open(slave, os.O_RDWR)  # a session leader without a terminal gets it as its controlling one
    for descriptor in (0, 1, 2):
        os.dup2(terminal, descriptor)
    if terminal > 2:
        os.close(terminal)
    os.chdir(folder)
    child = os.fork()
    if child == 0:
        os.close(status)
        os.execvp(command[0], command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.write(status, f"pid {child}\n".encode())
    _, code = os.waitpid(child, 0)
    os.write(status, f"exit {os.waitstatus_to_exitcode(code)}\n".encode())


main()

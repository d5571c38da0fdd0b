"""A broker whose wall clock is wrong by as many seconds as a file says, at any moment: `odd_clock.py FILE [arguments]`."""

import sys
import time
from pathlib import Path

OFFSET = Path(sys.argv.pop(1))
_right, _right_ns = time.time, time.time_ns
time.time = lambda: _right() + float(OFFSET.read_text())
time.time_ns = lambda: _right_ns() + int(float(OFFSET.read_text()) * 1e9)

if __name__ == "__main__":
    from locum.broker.serve import main

    main()

"""Little programs for tasks: each prints its $TOKEN in some way, or asks what kind of terminal it is on."""

from __future__ import annotations

import sys

TOKEN = "import os, sys, time; t = os.environ['TOKEN']; w = lambda s: (sys.stdout.write(s), sys.stdout.flush());"

WAYS = {
    "raw": "w('a ' + t + ' b')",
    "base64": "import base64; w(base64.b64encode(('user:' + t).encode()).decode())",
    "base64url": "import base64; w(base64.urlsafe_b64encode(('xy' + t).encode()).decode())",
    "hex": "w(t.encode().hex())",
    "HEX": "w(t.encode().hex().upper())",
    "url": "import urllib.parse; w('https://x/?k=' + urllib.parse.quote(t, safe=''))",
    "json": "import json; w(json.dumps({'token': t}))",
    "repr": "w(repr({'token': t}))",
    "shell": "os.system('export -p')",
    "reversed": "w(t[::-1])",
    "two writes": "w('a ' + t[:9]); time.sleep(0.01); w(t[9:] + ' b')",
    "byte by byte": "[w(c) for c in t]",
    "dribbled": "[(w(c), time.sleep(0.15)) for c in t[:16]]; w(t[16:])",
    "line by line": "w('\\n'.join(t))",
    "coloured": "w('\\x1b[31m'.join(t) + '\\x1b[0m')",
    "title": "w('\\x1b]0;' + t + '\\x07')",
    "to stderr": "sys.stderr.write(t)",
    "folded": "import textwrap; w('\\r\\n'.join(textwrap.wrap(t, 11)))",
    "to /dev/tty": "open('/dev/tty', 'w').write(t)",
}


def python(code: str) -> list[str]:
    """The command line of a task that knows its token as `t` and writes with `w`."""
    return [sys.executable, "-c", f"{TOKEN}\n{code}"]

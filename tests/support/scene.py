"""A person's session with a live lease: one yes, and a no to everything after it.

scene.py PASSPHRASE CANARY    prints, as JSON, what a hostile program may be told; after a line of input, a report
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

from locum.broker.client import connect
from locum.broker.start import start_with_control
from locum.broker.wire import Grant, LeaseRequest
from locum.errors import LocumError
from locum.paths import user_paths
from locum.secret import SecretBytes


def main() -> None:
    passphrase, canary = sys.argv[1:]
    paths = user_paths()
    channel = start_with_control(paths)
    assert channel is not None
    asked: list[str] = []
    said = threading.Event()
    over = threading.Event()

    def person() -> None:
        while not over.is_set():
            question = channel.next_question(0.2)
            if question is not None:
                asked.append(question["title"])
                channel.answer(question["id"], allow=not said.is_set())

    keeper = threading.Thread(target=person)
    keeper.start()
    client = connect()
    client.unlock(SecretBytes(passphrase.encode()))
    undo = client.store_secret("KEY", SecretBytes(canary.encode()), origin="scene")
    cwd = str(Path.cwd())
    lease = client.request_lease(LeaseRequest(("true",), cwd, (Grant("KEY", "locum://KEY"),), uses=5))
    said.set()  # one yes; everything else is answered with no
    status = client.status()
    before = {"policy": everything(paths.config), "yes": len(asked)}
    print(json.dumps({"pid": status["pid"], "lease": lease["id"], "undo": undo}), flush=True)
    sys.stdin.readline()  # the attack is over
    report: dict[str, Any] = {}
    over.set()
    keeper.join()
    report["changed policy"] = everything(paths.config) != before["policy"]
    report["questions"] = len(asked) - before["yes"]
    with connect(start=False) as again:
        report["status"] = again.status()
        try:
            report["secrets"] = sorted(item["name"] for item in again.list_secrets())
        except LocumError as error:
            report["secrets"] = error.code
    print(json.dumps(report))


def everything(folder: Path) -> dict[str, str]:
    return {str(path): path.read_bytes().hex() for path in folder.rglob("*") if path.is_file()}


main()

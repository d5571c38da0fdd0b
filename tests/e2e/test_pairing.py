"""A second editor answers questions too: let in by the first, never by itself, and gone with its process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from locum.broker.client import connect
from locum.broker.start import ControlChannel, pair, start_with_control
from locum.errors import NotAllowed
from locum.paths import user_paths
from support.home import Home, canary


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    home = Home(tmp_path)
    home.init()
    home.store("API_KEY", canary())
    home.run("broker", "stop")
    monkeypatch.setenv("LOCUM_HOME", str(home.path))
    yield home
    home.close()


def held() -> ControlChannel:
    channel = start_with_control(user_paths())
    assert channel is not None
    return channel


def answer_next(channel: ControlChannel, allow: bool) -> dict[str, object]:
    question = channel.next_question(20)
    assert question is not None
    channel.answer(question["id"], allow)
    return question


def let_in(first: ControlChannel) -> ControlChannel:
    asked: list[dict[str, object]] = []
    answering = threading.Thread(target=lambda: asked.append(answer_next(first, True)))
    answering.start()
    second = pair()
    answering.join()
    assert "another editor" in str(asked[0]["title"])
    assert "process" in str(asked[0]["lines"])
    hello = second.next_message(10)
    assert hello is not None
    assert hello["event"] == "hello"
    return second


def run_task(home: Home) -> subprocess.Popen[str]:
    return subprocess.Popen(
        home.command("run", "--secret", "API_KEY", "--", "true"), env=home.env, cwd=home.project, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def test_either_of_two_answers_and_the_other_one_is_told(ready: Home) -> None:
    first = held()
    second = let_in(first)
    for answering, other in ((first, second), (second, first)):
        task = run_task(ready)
        asked = other.next_question(20)
        assert asked is not None
        answer_next(answering, True)
        while (message := other.next_message(10)) is not None and message.get("event") != "approve.cancel":
            pass
        assert message is not None
        assert message["id"] == asked["id"]
        assert task.wait(20) == 0
    second.close()
    task = run_task(ready)
    answer_next(first, False)
    assert task.wait(20) == 3
    first.close()


def test_a_no_lets_nobody_in(ready: Home) -> None:
    first = held()
    threading.Thread(target=lambda: answer_next(first, False)).start()
    with pytest.raises(NotAllowed) as refused:
        pair()
    assert refused.value.code == "denied.refused"
    first.close()


def test_nobody_lets_itself_in(ready: Home) -> None:
    with connect(), pytest.raises(NotAllowed) as refused:
        pair()
    assert refused.value.code == "denied.nobody"


def test_an_agent_is_not_even_asked_about(ready: Home) -> None:
    first = held()
    script = "from locum.broker.start import pair\nfrom locum.errors import LocumError\ntry: pair()\nexcept LocumError as e: print(e.code)"
    done = subprocess.run(
        [sys.executable, "-c", script], env=ready.env | {"CLAUDECODE": "1"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "denied.agent"
    assert first.next_question(0.5) is None
    first.close()


def test_a_killed_second_editor_is_no_holder_any_more_and_the_first_still_is(ready: Home) -> None:
    first = held()
    script = "import time\nfrom locum.broker.start import pair\nc = pair(); print('in', flush=True); time.sleep(600)"
    editor = subprocess.Popen([sys.executable, "-c", script], env=ready.env, stdout=subprocess.PIPE, text=True)
    answer_next(first, True)
    assert editor.stdout is not None
    assert editor.stdout.readline() == "in\n"
    task = run_task(ready)
    assert first.next_question(20) is not None
    editor.kill()
    editor.wait()
    time.sleep(0.2)
    assert task.poll() is None  # the first one can still answer
    first.close()
    assert task.wait(20) == 3  # nobody can any more


def test_the_record_knows(ready: Home) -> None:
    first = held()
    let_in(first).close()
    ready.run("secret", "list")  # the vault's key signs the record
    first.close()
    operations = [record["api"]["operation"] for record in ready.json("audit", "show")["records"]]
    assert "control.pair" in operations


SERVER = """
import sys, time
from locum.broker.start import pair, start_with_control
from locum.errors import LocumError
from locum.paths import user_paths
channel = start_with_control(user_paths())
if channel is None:
    try:
        pair()
    except LocumError as error:
        print(error.code, flush=True)
else:
    print("holds", flush=True)
    time.sleep(600)
"""


def test_a_second_server_of_one_editor_is_not_asked_about(ready: Home) -> None:
    """An editor with two folders open runs two: the first one's questions reach the same person."""
    first, second = (
        subprocess.Popen([sys.executable, "-c", SERVER], env=ready.env, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    )
    assert first.stdout is not None
    assert second.stdout is not None
    said = {first.stdout.readline().strip(), second.stdout.readline().strip()}
    assert said == {"holds", "denied.paired"}
    for process in (first, second):
        process.kill()
        process.wait()

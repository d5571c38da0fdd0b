"""The lease line on real parts: a real vault, a real broker, a person's terminal, a real task, the record."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from locum.broker.client import BrokerClient, connect
from locum.broker.start import start_with_control
from locum.broker.wire import Grant, LeaseRequest
from locum.errors import LocumError, NotAllowed
from locum.paths import user_paths
from support.home import Home, canary
from support.terminal import Terminal

SHOW = "import os,sys; print('value:', os.environ['API_KEY']); print('tty:', sys.stdout.isatty())"


class Ready(Home):
    """A home whose vault holds API_KEY; its value is in `value`."""

    value = ""


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Ready]:
    home = Ready(tmp_path)
    home.init()
    home.value = canary()
    home.store("API_KEY", home.value)
    yield home
    home.close()


def wait_until(condition, seconds: float = 10) -> bool:
    """Wait for a condition, at most so long."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def in_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUM_HOME", str(home.path))


def operations(home: Home) -> list[str]:
    return [record["api"]["operation"] for record in home.json("audit", "show")["records"]]


def test_yes_on_the_terminal_lets_the_task_have_it_and_masks_it(ready: Ready) -> None:
    terminal = ready.terminal("run", "--secret", "API_KEY", "--reason", "to see", "--", "python3", "-c", SHOW)
    shown = terminal.wait_for("Allow")
    for part in ("locum://API_KEY", "python3 -c", str(ready.project), "15 min", "L0", "to see"):
        assert part in shown
    terminal.answer()
    assert terminal.wait() == 0
    assert "value: locum://API_KEY" in terminal.text
    assert "tty: True" in terminal.text
    assert ready.value not in terminal.text
    assert operations(ready)[-4:] == ["vault.unlock", "lease.grant", "lease.use", "lease.end"] or operations(ready)[-3:] == [
        "lease.grant", "lease.use", "lease.end",
    ]  # fmt: skip
    assert "whole" in ready.run("audit", "verify").stdout


@pytest.mark.parametrize("typed", ["n\n", "\n", "yes please\n", "\x04"])
def test_anything_but_yes_is_no(ready: Ready, typed: str) -> None:
    terminal = ready.terminal("run", "--secret", "API_KEY", "--", "touch", "started")
    terminal.answer(typed)
    assert terminal.wait() == 3
    assert not (ready.project / "started").exists()
    assert operations(ready)[-1] == "lease.deny"


def test_what_was_typed_before_the_question_does_not_answer_it(ready: Ready) -> None:
    terminal = ready.terminal("run", "--secret", "API_KEY", "--", "touch", "started")
    terminal.type("y\n")
    terminal.wait_for("Allow")
    terminal.type("y\n")
    time.sleep(0.8)
    assert not (ready.project / "started").exists()
    terminal.type("n\n")
    assert terminal.wait() == 3


def test_ctrl_c_at_the_question_is_no(ready: Ready) -> None:
    terminal = ready.terminal("run", "--secret", "API_KEY", "--", "touch", "started")
    terminal.answer("\x03")
    assert terminal.wait() in {130, -2}
    assert wait_until(lambda: operations(ready)[-1] == "lease.deny")


def test_without_a_person_it_exits_3_and_says_what_to_do(ready: Ready) -> None:
    done = ready.run("run", "--secret", "API_KEY", "--", "touch", "started", check=3)
    assert "nobody can be asked" in done.stderr
    assert "terminal" in done.stderr
    assert not (ready.project / "started").exists()


def test_an_agents_terminal_is_not_asked(ready: Ready) -> None:
    ready.env["CLAUDECODE"] = "1"
    command = ["env", "CLAUDECODE=1", *ready.command("run", "--secret", "API_KEY", "--", "touch", "started")]
    terminal = ready.terminal(command=command)
    assert terminal.wait() == 3
    assert "CLAUDECODE" in terminal.text
    assert "Allow?" not in terminal.text


def test_exit_codes_pass(ready: Ready) -> None:
    for command, code in (
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -TERM $$"], 143),
        (["./no-such-command-here"], 127),
    ):
        terminal = ready.terminal("run", "--secret", "API_KEY", "--", *command)
        terminal.answer()
        assert terminal.wait() == code


def test_what_cannot_start_is_not_asked_for(ready: Ready) -> None:
    terminal = ready.terminal("run", "--secret", "API_KEY", "--", "no-such-command-here")
    assert terminal.wait() == 127
    assert terminal.text.strip() == "locum: no-such-command-here: command not found"


def test_a_task_of_the_manifest_brings_its_secrets_and_command(ready: Ready) -> None:
    (ready.project / "locum.toml").write_text(
        '[secrets.API_KEY]\n[tasks.show]\ncommand = ["python3", "-c", "import os; print(len(os.environ[\'KEY\']))"]\n'
        'secrets = { KEY = "locum://API_KEY" }\nttl = "2m"\n'
    )
    terminal = ready.terminal("run", "--task", "show")
    assert "2 min" in terminal.wait_for("Allow")
    terminal.answer()
    assert terminal.wait() == 0
    assert f"\n{len(ready.value)}" in terminal.text.replace("\r", "")


def test_references_in_the_environment_and_in_a_file_are_resolved(ready: Ready) -> None:
    (ready.project / ".env").write_text("API_KEY=locum://API_KEY\nPLAIN=hello\n")
    check = f"import os,hashlib; print(os.environ['PLAIN'], os.environ['API_KEY'] == os.environ['OTHER'], len(os.environ['OTHER']) == {len(ready.value)})"
    ready.env["OTHER"] = "locum://API_KEY"
    terminal = ready.terminal("run", "--env-file", ".env", "--", "python3", "-c", check)
    terminal.answer()
    assert terminal.wait() == 0
    assert "hello True True" in terminal.text


def test_a_name_that_the_vault_lacks_is_told_before_anybody_is_asked(ready: Ready) -> None:
    done = ready.run("run", "--secret", "API_KEYS", "--", "true", check=None)
    assert done.returncode != 0
    assert "Did you mean API_KEY?" in done.stderr


def test_replacing_takes_a_person(ready: Ready) -> None:
    done = ready.run("secret", "set", "API_KEY", "--stdin", stdin="other", check=3)
    assert "takes a person" in done.stderr
    terminal = ready.terminal(
        command=["sh", "-c", f"printf other | {' '.join(ready.command('secret', 'set', 'API_KEY', '--stdin'))}"]
    )
    assert "Replace API_KEY" in terminal.wait_for("Allow")
    terminal.answer()
    assert terminal.wait() == 0
    assert ready.json("secret", "list")["secrets"][0]["version"] == 2


def test_the_value_is_nowhere_but_in_the_task(ready: Ready) -> None:
    """Not in the terminal, in no argv of any process, in no file of ours, in no log."""
    script = "import os,time; print('go', flush=True); time.sleep(2); print(os.environ['API_KEY'])"
    terminal = ready.terminal("run", "--secret", "API_KEY", "--", "python3", "-c", script)
    terminal.answer()
    terminal.wait_for("go")
    lines = b"".join(path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if wait_until(path.exists, 0))
    assert terminal.wait() == 0
    for form in forms(ready.value):
        assert form not in lines
        assert form not in terminal.output
        assert form not in ready.everything_written()


def forms(value: str) -> list[bytes]:
    """Return a value as it is, in base64 and in hexadecimal."""
    raw = value.encode()
    return [raw, base64.b64encode(raw)[:-2], raw.hex().encode(), raw.hex().upper().encode()]


def leased(home: Home, seconds: int = 60) -> tuple[Terminal, int]:
    """Start a task that sleeps under a lease and return its terminal and the launcher's pid."""
    terminal = home.terminal(
        "run", "--secret", "API_KEY", "--", "sh", "-c", f"echo $$ > task.pid; exec sleep {seconds}"
    )
    terminal.answer()
    assert wait_until((home.project / "task.pid").exists)
    assert len(home.json("lease", "list")["leases"]) == 1
    return terminal, terminal.pid()


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except OSError:
        return True


def test_kill_of_the_task_ends_the_lease(ready: Ready) -> None:
    terminal, _ = leased(ready)
    os.kill(int((ready.project / "task.pid").read_text()), signal.SIGKILL)
    assert wait_until(lambda: ready.json("lease", "list")["leases"] == [], 1)
    assert terminal.wait() == 137


def test_kill_of_the_launcher_ends_lease_and_task(ready: Ready) -> None:
    _, launcher = leased(ready)
    task = int((ready.project / "task.pid").read_text())
    os.kill(launcher, signal.SIGKILL)
    assert wait_until(lambda: gone(task), 1)
    assert wait_until(lambda: ready.json("lease", "list")["leases"] == [], 1)
    assert "whole" in ready.run("audit", "verify").stdout


def test_kill_of_the_broker_ends_the_task_and_leaves_vault_and_record_whole(ready: Ready) -> None:
    terminal, _ = leased(ready)
    broker = ready.json("broker", "status")["pid"]
    os.kill(broker, signal.SIGKILL)
    assert terminal.wait() == 143
    assert "broker has ended" in terminal.text
    assert ready.json("lease", "list")["leases"] == []
    assert [item["name"] for item in ready.json("secret", "list")["secrets"]] == ["API_KEY"]
    assert "whole" in ready.run("audit", "verify").stdout


def test_revoke_stops_the_task(ready: Ready) -> None:
    terminal, _ = leased(ready)
    (lease,) = ready.json("lease", "list")["leases"]
    assert lease["env"] == ["API_KEY"]
    ready.run("lease", "revoke", lease["id"][:12])
    assert terminal.wait() == 143
    assert "revoked" in terminal.text
    assert "lease.revoke" in operations(ready)


def test_the_time_is_a_limit(ready: Ready) -> None:
    terminal = ready.terminal("run", "--secret", "API_KEY", "--ttl", "1s", "--", "sleep", "60")
    terminal.answer()
    assert terminal.wait() == 143
    assert "time is over" in terminal.text


def test_a_lease_is_worth_nothing_to_another_process(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    leased(ready)
    in_home(ready, monkeypatch)
    (lease,) = ready.json("lease", "list")["leases"]
    with connect() as client, pytest.raises(NotAllowed) as caught:
        client.redeem(lease["id"])
    assert caught.value.code == "denied.lease"


def ask(client: BrokerClient, home: Home) -> dict:
    request = LeaseRequest(("true",), str(home.project), (Grant("API_KEY", "locum://API_KEY"),))
    return client.request_lease(request)


def test_the_control_channel_answers(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    in_home(ready, monkeypatch)
    ready.run("broker", "stop")
    channel = start_with_control(user_paths())
    assert channel is not None
    task = ready.terminal("run", "--secret", "API_KEY", "--", "python3", "-c", SHOW)
    question = channel.next_question(10)
    assert question is not None
    assert question["names"] == ["locum://API_KEY"]
    assert question["argv"][0] == "python3"
    channel.answer(question["id"], allow=True)
    assert task.wait() == 0
    assert "value: locum://API_KEY" in task.text
    assert start_with_control(user_paths()) is None, "a second holder is refused while the first is there"
    channel.close()


def test_a_holder_that_leaves_means_no(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    in_home(ready, monkeypatch)
    ready.run("broker", "stop")
    channel = start_with_control(user_paths())
    assert channel is not None
    task = ready.terminal("run", "--secret", "API_KEY", "--", "true")
    assert channel.next_question(10)
    channel.close()
    assert task.wait() == 3


def test_the_socket_is_private_and_approves_nothing(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    in_home(ready, monkeypatch)
    with connect() as client:
        paths = user_paths()
        assert paths.socket.stat().st_mode & 0o777 == 0o600
        assert paths.runtime.stat().st_mode & 0o777 == 0o700
        for method in ("approve.answer", "lease.approve", "secret.get", "secret.reveal", "policy.set", "__init__"):
            with pytest.raises(LocumError):
                client._call(method, {"id": "q", "decision": "allow", "name": "API_KEY"})  # pyright: ignore[reportPrivateUsage] - no public way to say it


def test_the_audit_holds_names_only(ready: Ready) -> None:
    terminal = ready.terminal("run", "--secret", "API_KEY", "--", "true")
    terminal.answer()
    terminal.wait()
    text = json.dumps(ready.json("audit", "show"))
    assert "API_KEY" in text
    assert all(form.decode() not in text for form in forms(ready.value))

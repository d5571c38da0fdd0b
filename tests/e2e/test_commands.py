"""The commands around the vault as a person or a script meets them: what they print, their exit codes, what they refuse."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from locum.cli.main import COMMANDS
from support.home import Home, canary


def with_passphrase(home: Home, passphrase: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run `locum` with a passphrase on an inherited descriptor."""
    read, write = os.pipe()
    os.write(write, passphrase.encode() + b"\n")
    os.close(write)
    try:
        return subprocess.run(
            home.command(*arguments), input=stdin, capture_output=True, text=True, cwd=home.project, pass_fds=[read],
            env=home.env | {"LOCUM_PASSPHRASE_FD": str(read)}, start_new_session=True, timeout=60,
        )  # fmt: skip
    finally:
        os.close(read)


def test_help_names_every_command(home: Home) -> None:
    text = home.run("--help").stdout
    for command in COMMANDS:
        assert f"\n  {command} " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(home: Home, command: str) -> None:
    assert "Usage:" in home.run(command, "--help").stdout


@pytest.mark.parametrize("arguments", [["nonsense"], ["run", "--nonsense"], ["secret", "set"], ["run"], ["secret", "set", "9x", "--stdin"], ["run", "--ttl", "1y", "--secret", "A", "--", "true"], ["run", "--secret", "A=op://x", "--", "true"]])  # fmt: skip
def test_bad_usage_is_2_and_says_why(home: Home, arguments: list[str]) -> None:
    done = home.run(*arguments, stdin="x", check=2)
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_a_broken_manifest_is_2_and_names_the_place(vault_home: Home) -> None:
    (vault_home.project / "locum.toml").write_text("[task.test]\ncommand = ['true']\n")
    done = vault_home.run("run", "--task", "test", check=2)
    assert "did you mean tasks?" in done.stderr


def test_a_task_that_is_not_there_is_2_with_the_nearest(vault_home: Home) -> None:
    (vault_home.project / "locum.toml").write_text("[tasks.test]\ncommand = ['true']\n")
    assert "Did you mean test?" in vault_home.run("run", "--task", "tset", check=2).stderr


def test_without_secrets_run_just_runs(home: Home) -> None:
    assert home.run("run", "--", "sh", "-c", "echo hello; exit 4", check=4).stdout == "hello\n"


def test_without_a_vault_it_says_how_to_make_one(home: Home) -> None:
    home.env.pop("DBUS_SESSION_BUS_ADDRESS", None)
    done = home.run("secret", "set", "KEY", "--stdin", stdin="value", check=None)
    assert done.returncode in {2, 3}
    assert "locum vault init" in done.stderr
    assert home.json("vault", "status")["exists"] is False
    assert "No vault yet" in home.run("vault", "status").stdout


def test_a_vault_is_made_once(vault_home: Home) -> None:
    assert "already" in vault_home.run("vault", "init", "--key-file", check=2).stderr


def test_names_go_in_and_are_listed_and_values_never(vault_home: Home) -> None:
    value = canary()
    done = vault_home.run("secret", "set", "API_KEY", "--stdin", stdin=value + "\n")
    assert "locum://API_KEY" in done.stdout
    listed = vault_home.run("secret", "list", "--format", "json").stdout
    assert [item["name"] for item in vault_home.json("secret", "list")["secrets"]] == ["API_KEY"]
    assert value not in done.stdout + done.stderr + listed + vault_home.run("secret", "list").stdout
    assert value.encode() not in vault_home.everything_written()


def test_deleting_takes_a_person(vault_home: Home) -> None:
    vault_home.store("API_KEY", "a value")
    vault_home.run("secret", "rm", "API_KEY", check=3)
    terminal = vault_home.terminal("secret", "rm", "API_KEY")
    assert "Delete API_KEY" in terminal.wait_for("Allow")
    terminal.answer()
    assert terminal.wait() == 0
    assert vault_home.json("secret", "list")["secrets"] == []


class TestPassphrase:
    """A vault that a passphrase opens, without a desktop."""

    def test_a_descriptor_gives_it(self, home: Home) -> None:
        word, value = canary(20), canary()
        assert with_passphrase(home, word, "vault", "init", "--passphrase").returncode == 0
        assert with_passphrase(home, word, "secret", "set", "API_KEY", "--stdin", stdin=value).returncode == 0
        home.run("vault", "lock")
        assert home.json("vault", "status")["unlocked"] is False
        done = home.run("secret", "list", check=3)
        assert "passphrase" in done.stderr
        assert "LOCUM_PASSPHRASE_FD" in done.stderr
        wrong = with_passphrase(home, "not " + word, "secret", "list")
        assert wrong.returncode == 3
        right = with_passphrase(home, word, "secret", "list")
        assert right.returncode == 0
        assert "API_KEY" in right.stdout
        assert home.run("secret", "list").returncode == 0, "it stays open for the next command"
        for text in (word, value):
            assert text not in wrong.stdout + wrong.stderr + right.stdout + right.stderr
            assert text.encode() not in home.everything_written()

    def test_a_terminal_asks_for_it(self, home: Home) -> None:
        word = canary(20)
        terminal = home.terminal("vault", "init", "--passphrase")
        terminal.wait_for("New passphrase:")
        terminal.type(word + "\n")
        terminal.wait_for("Once more:")
        terminal.type(word + "\n")
        assert terminal.wait() == 0
        assert word not in terminal.text
        terminal = home.terminal("vault", "unlock")
        terminal.wait_for("Passphrase")
        terminal.type(word + "\n")
        assert terminal.wait() == 0
        assert home.json("vault", "status")["unlocked"] is True

    def test_no_other_slot_is_tried_silently(self, home: Home) -> None:
        with_passphrase(home, canary(20), "vault", "init", "--passphrase")
        assert [slot["type"] for slot in home.json("vault", "status")["slots"]] == ["passphrase"]


def test_broker_starts_once_and_stops(vault_home: Home) -> None:
    assert vault_home.json("broker", "status")["running"] is False
    first = vault_home.run("broker", "start").stdout
    assert vault_home.run("broker", "start").stdout == first
    assert vault_home.json("broker", "status")["level"] == "L0"
    vault_home.run("broker", "stop")
    assert vault_home.json("broker", "status")["running"] is False


def test_many_starters_get_one_broker(vault_home: Home) -> None:
    processes = [
        subprocess.Popen(
            vault_home.command("secret", "list"), env=vault_home.env, cwd=vault_home.project, stdout=subprocess.PIPE
        )
        for _ in range(8)
    ]
    assert [process.wait(60) for process in processes] == [0] * 8


def test_the_broker_takes_nothing_from_the_callers_python(vault_home: Home) -> None:
    """A planted PYTHONPATH, user site or keyring setting does not run in the process that holds keys."""
    evil = vault_home.project / "evil"
    evil.mkdir()
    for name in ("json.py", "keyring.py", "cryptography.py", "sitecustomize.py", "usercustomize.py"):
        (evil / name).write_text(
            f"open({str(vault_home.project / 'owned')!r}, 'a').write(__name__)\nraise ImportError\n"
        )
    subprocess.run(
        ["sh", "-c", 'exec "$@"', "sh", *vault_home.command("broker", "stop")], env=vault_home.env, cwd=vault_home.project, check=True,
    )  # fmt: skip
    script = "import sys; sys.path.insert(0, sys.argv[1]); from locum.broker.client import connect; import os; os.environ['PYTHONPATH'] = sys.argv[2]; connect().list_secrets()"
    subprocess.run(
        [sys.executable, "-I", "-c", script, vault_home.env["PYTHONPATH"], str(evil)], env=vault_home.env, cwd=evil, check=True,
    )  # fmt: skip
    assert not (vault_home.project / "owned").exists()

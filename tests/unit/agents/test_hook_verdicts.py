"""What a hook says for each client: writes, reads, lines, prompts, output; and that none of it holds a value."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.agents.hooks.caller import Here
from locum.agents.hooks.clients import CLIENTS, adapter
from locum.agents.hooks.event import Reply
from locum.agents.hooks.main import answer
from locum.agents.hooks.redact import MARK
from support.hook_events import EVENTS, Json, says_no
from support.tokens import MAKERS, github_token

KINDS = {
    ".md": "# Set-up\n\nUse the key `@` here.\n",
    ".py": 'API_KEY = "@"\n',
    ".ts": 'export const apiKey = "@";\n',
    ".json": '{"api_key": "@"}\n',
    ".yaml": "api_key: @\n",
    ".ipynb": json.dumps({"cells": [{"cell_type": "code", "source": ['api_key = "@"'], "outputs": []}], "nbformat": 4}),
    ".env.example": "API_KEY=@\n",
}
VENDORS = [name for name in MAKERS if name not in {"password", "pem"}]
PLACEHOLDERS = [
    "your-api-key", "YOUR_API_KEY_HERE", "<api-key>", "${API_KEY}", "{{ api_key }}", "xxxxxxxxxxxxxxxxxxxxxxxx", "changeme",
    "ghp_" + "x" * 36, "sk_test_...", "locum://API_KEY", "op://dev/api/key", "REPLACE_ME", "TODO",
    "process.env.API_KEY", "0000000000000000", "example-key", "test", "dummy", "AKIA" + "IOSFODNN7" + "EXAMPLE", "********",
]  # fmt: skip


class _Caller(Here):
    """The hook's own process, with variables that a test gives."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def variables(self) -> dict[str, str]:
        return self._environment


def _reply(client: str, event: Json, *, hint: str = "", environment: dict[str, str] | None = None) -> Reply:
    return answer(
        client, json.dumps(event).encode(), hint or EVENTS[client].hint, _Caller(environment or {}), Path("/")
    )


def _no(client: str, reply: Reply) -> bool:
    return says_no(client, reply.stdout, reply.code)


def _clean(reply: Reply, value: str) -> bool:
    """Say whether no 8 characters of the value's own part are in the reply."""
    said = reply.stdout + reply.stderr
    return not any(value[at : at + 8] in said for at in range(8, len(value) - 8))


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] - by pytest
    monkeypatch.setenv("LOCUM_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("client", CLIENTS)
def test_twenty_vendor_values_in_seven_kinds_of_files_are_stopped(client: str, tmp_path: Path) -> None:
    source = random.Random(7)
    values = [MAKERS[VENDORS[number % len(VENDORS)]](source) for number in range(20)]
    for ending, form in KINDS.items():
        for number, value in enumerate(values):
            name = str(tmp_path / f"file{number}{ending}")
            reply = _reply(client, EVENTS[client].write(str(tmp_path), name, form.replace("@", value)))
            assert _no(client, reply), f"{ending} {value[:6]}"
            said = reply.stdout + reply.stderr
            assert "locum://" in said
            assert "line " in said
            assert _clean(reply, value)


@pytest.mark.parametrize("client", CLIENTS)
def test_placeholders_are_written(client: str, tmp_path: Path) -> None:
    tried = 0
    for ending, form in KINDS.items():
        for value in PLACEHOLDERS:
            reply = _reply(
                client, EVENTS[client].write(str(tmp_path), str(tmp_path / f"file{ending}"), form.replace("@", value))
            )
            assert not _no(client, reply), f"{ending} {value}: {reply.stderr}"
            tried += 1
    assert tried >= 50


@pytest.mark.parametrize("client", CLIENTS)
def test_a_line_for_a_shell_with_a_token_in_it_is_stopped(client: str, tmp_path: Path) -> None:
    value = github_token()
    reply = _reply(client, EVENTS[client].shell(str(tmp_path), f"echo 'TOKEN = \"{value}\"' > made.py"))
    assert _no(client, reply)
    assert _clean(reply, value)
    assert not _no(
        client,
        _reply(client, EVENTS[client].shell(str(tmp_path), "git checkout 3f7c0a1b2c4d5e6f708192a3b4c5d6e7f8091a2b")),
    )


@pytest.mark.parametrize("client", CLIENTS)
def test_ordinary_prompts_go_through(client: str, tmp_path: Path) -> None:
    verbs = [
        "rotate",
        "store",
        "explain",
        "validate",
        "hash",
        "where do I put",
        "why is",
        "write a test for",
        "rename",
        "log",
    ]
    things = [
        "the password", "my API key", "a GitHub token (ghp_...)", "the k8s secret db-credentials", "AWS_SECRET_ACCESS_KEY",
        "the JWT", "`password: hunter2`", "the bearer token", "SECRET_KEY_BASE", "the private key in ~/.ssh",
    ]  # fmt: skip
    places = [
        "in config.py",
        "for staging",
        "without printing it",
        "with commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "?",
    ]
    tried = 0
    for verb in verbs:
        for thing in things:
            for place in places:
                reply = _reply(client, EVENTS[client].prompt(str(tmp_path), f"{verb} {thing} {place}"))
                assert not _no(client, reply), reply.stderr
                assert reply.code == 0
                tried += 1
    assert tried == 500


@pytest.mark.parametrize("client", CLIENTS)
def test_a_pasted_token_stops_the_prompt_and_a_clean_one_is_offered(client: str, tmp_path: Path) -> None:
    value = github_token()
    reply = _reply(client, EVENTS[client].prompt(str(tmp_path), f"Deploy with {value} now"))
    assert _no(client, reply)
    assert "Deploy with locum://GITHUB_TOKEN now" in reply.stdout + reply.stderr
    assert _clean(reply, value)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_file_with_a_secret_is_not_read_and_is_when_it_is_fixed(client: str, tmp_path: Path) -> None:
    value = github_token()
    (tmp_path / ".env").write_text(f"GITHUB_TOKEN={value}\n")
    events = EVENTS[client]
    for event in (events.read(str(tmp_path), str(tmp_path / ".env")), events.shell(str(tmp_path), "cat .env")):
        reply = _reply(client, event)
        assert _no(client, reply)
        assert "locum fix" in reply.stdout + reply.stderr
        assert _clean(reply, value)
    (tmp_path / ".env").write_text("GITHUB_TOKEN=locum://GITHUB_TOKEN\n")
    assert not _no(client, _reply(client, events.read(str(tmp_path), str(tmp_path / ".env"))))
    assert not _no(client, _reply(client, events.shell(str(tmp_path), "cat .env")))


@pytest.mark.parametrize("client", [client for client in CLIENTS if EVENTS[client].edit])
def test_edits_say_nothing_about_a_secret_that_is_not_seen(client: str, tmp_path: Path) -> None:
    """Whether an edit would succeed must not tell a guess from the truth."""
    value = github_token()
    path = tmp_path / "app.py"
    path.write_text(f'name = "x"\ntoken = "{value}"\n')
    edit = EVENTS[client].edit
    assert edit is not None
    guesses = [value[:5], value[:12], value, f'token = "{value[:8]}', github_token()[:12], github_token()]
    replies = {replace(_reply(client, edit(str(tmp_path), str(path), guess, "x"))) for guess in guesses}
    assert len(replies) == 1
    assert _no(client, replies.pop())
    assert not _no(client, _reply(client, edit(str(tmp_path), str(path), 'name = "x"', 'name = "y"')))


def test_an_edit_stops_for_what_it_adds_and_not_for_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(f'token = "{github_token()}"\nname = "x"\n')
    new = github_token()
    edit = EVENTS["claude"].edit
    assert edit is not None
    assert not _no("claude", _reply("claude", edit(str(tmp_path), str(path), 'name = "x"', 'name = "y"')))
    reply = _reply("claude", edit(str(tmp_path), str(path), 'name = "x"', f'name = "x"\nother = "{new}"'))
    assert _no("claude", reply)
    assert "line 3" in reply.stderr


def test_who_writes_a_secret_cannot_allow_it_in_the_same_breath(tmp_path: Path) -> None:
    line = f'token = "{github_token()}"  # locum:allow sample\n'
    assert _no("claude", _reply("claude", EVENTS["claude"].write(str(tmp_path), str(tmp_path / "a.py"), line)))
    (tmp_path / "locum.toml").write_text('[[scan.allow]]\npath = "docs/**"\nreason = "samples"\n')
    assert _no("claude", _reply("claude", EVENTS["claude"].write(str(tmp_path), str(tmp_path / "a.py"), line)))
    assert not _no(
        "claude",
        _reply("claude", EVENTS["claude"].write(str(tmp_path), str(tmp_path / "docs/a.py"), line.partition("  #")[0])),
    )


@pytest.mark.parametrize("client", [client for client in CLIENTS if EVENTS[client].after])
def test_output_is_redacted_where_the_client_honours_it(client: str, tmp_path: Path) -> None:
    value = github_token()
    after = EVENTS[client].after
    assert after is not None
    reply = _reply(client, after(str(tmp_path), f"before\nGITHUB_TOKEN={value}\nafter\n"))
    assert adapter(client).ABILITIES.redacts
    assert reply.code == 0
    assert MARK in reply.stdout
    assert "before" in reply.stdout
    assert "after" in reply.stdout
    assert _clean(reply, value)
    calm = _reply(client, after(str(tmp_path), "all tests passed\n"))
    assert MARK not in calm.stdout
    assert "passed" not in calm.stdout


def test_a_mark_is_not_written_back(tmp_path: Path) -> None:
    reply = _reply(
        "claude", EVENTS["claude"].write(str(tmp_path), str(tmp_path / "a.py"), f'x = "{MARK}github-pat>"\n')
    )
    assert _no("claude", reply)
    assert "locum fix" in reply.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_variables_with_secrets_are_not_printed_and_others_are(client: str, tmp_path: Path) -> None:
    value = github_token()
    for line in (
        "printenv",
        "env",
        "echo $GITHUB_TOKEN",
        "printenv GITHUB_TOKEN",
        "python3 -c 'import os; print(os.environ)'",
    ):
        event = EVENTS[client].shell(str(tmp_path), line)
        reply = _reply(client, event, environment={"GITHUB_TOKEN": value, "HOME": "/home/u"})
        assert _no(client, reply), line
        assert "locum run --secret GITHUB_TOKEN" in reply.stdout + reply.stderr
        assert _clean(reply, value)
        assert not _no(client, _reply(client, event, environment={"HOME": "/home/u", "LANG": "C"}))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"tool_input": 5}', b"[" * 100_000])
def test_what_cannot_be_read_stops_a_write_and_is_said(client: str, raw: bytes) -> None:
    reply = answer(client, raw, EVENTS[client].hint, _Caller({}), Path("/"))
    assert _no(client, reply) or "nothing was looked at" in reply.stderr
    if raw != b'{"tool_input": 5}':
        assert _no(client, reply)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_crash_is_never_silent(client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    value = github_token()

    def fails(*_: object) -> None:
        raise KeyError(value)

    monkeypatch.setattr("locum.agents.hooks.main.judge", fails)
    events = EVENTS[client]
    for event in (events.write(str(tmp_path), "a.py", value), events.shell(str(tmp_path), "ls")):
        reply = _reply(client, event)
        assert _no(client, reply)
        assert "failed (KeyError)" in reply.stdout + reply.stderr
        assert _clean(reply, value)
    reply = _reply(client, events.prompt(str(tmp_path), "hello"))
    assert not _no(client, reply)
    assert "failed (KeyError)" in reply.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_an_event_that_is_not_known_is_judged_when_it_comes_before_a_write(client: str, tmp_path: Path) -> None:
    event = EVENTS[client].write(str(tmp_path), str(tmp_path / "a.py"), f'x = "{github_token()}"\n')
    event = {
        name: "SomethingNew" if name in {"hook_event_name", "hookEventName"} else item for name, item in event.items()
    }
    assert _no(client, _reply(client, event, hint="SomethingNew"))
    calm = {"hook_event_name": "SomethingNew", "cwd": str(tmp_path)}
    reply = _reply(client, calm)
    assert reply.code == 0


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["tool_name", "tool_input", "command", "path", "content", "edits", "cwd", "hook_event_name", "prompt"]),
            inner,
            max_size=5,
        ),
        max_leaves=12,
    ),
    st.sampled_from(CLIENTS),
)  # fmt: skip
def test_any_json_gets_an_answer_that_the_client_knows(data: object, client: str) -> None:
    reply = answer(client, json.dumps(data).encode(), "", _Caller({}), Path("/"))
    assert reply.code in {0, 2}
    if reply.stdout and client != "kiro":
        assert isinstance(json.loads(reply.stdout), dict)

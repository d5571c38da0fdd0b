"""Moving a value into the vault, with a real server, broker and vault: all of it or nothing (promise P2)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from support.home import Home
from support.lsp import PULL, PUSH, Client
from support.tokens import github_token

PROFILES: dict[str, dict[str, Any]] = {"push": PUSH, "pull": PULL}


@pytest.fixture(params=PROFILES)
def client(request: pytest.FixtureRequest, vault_home: Home) -> Iterator[Client]:
    made = Client(vault_home, PROFILES[request.param])
    yield made
    made.close()


def names(home: Home) -> list[str]:
    return [item["name"] for item in home.json("secret", "list")["secrets"]]


def messages(client: Client) -> list[str]:
    return [note["params"]["message"] for note in client.notes if note["method"] == "window/showMessage"]


def manifest(home: Home) -> str:
    path = home.project / "locum.toml"
    return path.read_text() if path.exists() else ""


def test_the_whole_way(client: Client) -> None:
    token = github_token()
    uri = client.open("app.py", f'"""An app."""\n\nTOKEN = "{token}"\n')
    result = client.fix(uri, client.diagnostics(uri)[0])
    assert result == {"applied": True, "name": "GITHUB_TOKEN", "reference": "locum://GITHUB_TOKEN"}
    assert client.texts[uri].text == '"""An app."""\n\nimport os\n\nTOKEN = os.environ["GITHUB_TOKEN"]\n'
    assert client.diagnostics(uri) == []
    assert names(client.home) == ["GITHUB_TOKEN"]
    assert "[secrets.GITHUB_TOKEN]" in manifest(client.home)
    assert token not in manifest(client.home)
    (message,) = messages(client)
    assert "rotate it" in message
    terminal = client.home.terminal(
        "run", "--secret", "GITHUB_TOKEN", "--", "sh", "-c", f'test "$GITHUB_TOKEN" = "$(printf {token})" && echo same'
    )
    terminal.answer()
    assert terminal.wait() == 0
    assert "same" in terminal.text


def test_the_edit_is_bound_to_a_version_where_the_client_knows_that(client: Client) -> None:
    uri = client.open("app.py", f'TOKEN = "{github_token()}"\n')
    client.fix(uri, client.diagnostics(uri)[0])
    (edit,) = [request["params"]["edit"] for request in client.requests if request["method"] == "workspace/applyEdit"]
    if "diagnosticProvider" in client.capabilities:
        assert edit["documentChanges"][0]["textDocument"]["version"] == 1
    else:
        assert list(edit) == ["changes"]


def test_a_refused_edit_leaves_everything_as_it_was(client: Client) -> None:
    client.answers["workspace/applyEdit"] = lambda _: {"applied": False, "failureReason": "no"}
    text = f'TOKEN = "{github_token()}"\n'
    uri = client.open("app.py", text)
    result = client.fix(uri, client.diagnostics(uri)[0])
    assert result["applied"] is False
    assert names(client.home) == []
    assert manifest(client.home) == ""
    assert client.texts[uri].text == text
    assert len(messages(client)) == 1


def test_a_text_that_changed_meanwhile_is_left_alone(client: Client) -> None:
    uri = client.open("app.py", f'TOKEN = "{github_token()}"\n')
    (diagnostic,) = client.diagnostics(uri)
    (action,) = [action for action in client.actions(uri, diagnostic) if action.get("isPreferred")]
    client.change(uri, text="TOKEN = None\n")
    result = client.request(
        "workspace/executeCommand", {"command": "locum.moveToVault", "arguments": action["command"]["arguments"]}
    )
    assert result["applied"] is False
    assert names(client.home) == []


def test_without_a_vault_it_says_what_to_do_and_changes_nothing(home: Home) -> None:
    home.env.pop("DBUS_SESSION_BUS_ADDRESS", None)
    client = Client(home)
    text = f'TOKEN = "{github_token()}"\n'
    uri = client.open("app.py", text)
    result = client.fix(uri, client.diagnostics(uri)[0])
    assert result["applied"] is False
    assert "locum vault init" in result["reason"]
    assert client.texts[uri].text == text
    assert manifest(home) == ""
    assert len(messages(client)) == 1
    client.close()


def test_a_broken_manifest_stops_it_before_anything_is_stored(client: Client) -> None:
    (client.home.project / "locum.toml").write_text("[secret.X]\n")
    uri = client.open("app.py", f'TOKEN = "{github_token()}"\n')
    result = client.fix(uri, client.diagnostics(uri)[0])
    assert result["applied"] is False
    assert "did you mean secrets?" in result["reason"]
    assert names(client.home) == []


def test_one_value_in_two_files_has_one_name_and_two_values_have_two(client: Client) -> None:
    token = github_token()
    first = client.open("a.py", f'TOKEN = "{token}"\n')
    second = client.open("b.js", f'const token = "{token}";\n', "javascript")
    third = client.open("c.py", f'TOKEN = "{github_token()}"\n')
    found = [client.fix(uri, client.diagnostics(uri)[0])["name"] for uri in (first, second, third)]
    assert found == ["GITHUB_TOKEN", "GITHUB_TOKEN", "GITHUB_TOKEN_2"]
    assert names(client.home) == ["GITHUB_TOKEN", "GITHUB_TOKEN_2"]


def test_a_name_of_the_vault_is_never_taken_over(client: Client) -> None:
    client.home.store("GITHUB_TOKEN", "somebody else's value")
    uri = client.open("a.py", f'TOKEN = "{github_token()}"\n')
    assert client.fix(uri, client.diagnostics(uri)[0])["name"] == "GITHUB_TOKEN_2"


def test_an_open_manifest_is_edited_in_the_editor(client: Client) -> None:
    text = "# ours\n[tasks.t]\ncommand = ['true']\n"
    (client.home.project / "locum.toml").write_text(text)
    toml = client.open("locum.toml", text + "# not saved yet\n", "toml")
    uri = client.open("app.py", f'TOKEN = "{github_token()}"\n')
    assert client.fix(uri, client.diagnostics(uri)[0])["applied"]
    assert manifest(client.home) == text, "the file on disk is the editor's to save"
    assert "# not saved yet" in client.texts[toml].text
    assert "[secrets.GITHUB_TOKEN]" in client.texts[toml].text


def test_all_of_a_file(client: Client) -> None:
    uri = client.open(
        "app.py", f'A = "{github_token()}"\nB = "glpat-{github_token()[4:24]}"\nC = b"{github_token()}" b"x"\n'
    )
    arguments = [{"uri": uri, "version": 1}]
    result = client.request(
        "workspace/executeCommand", {"command": "locum.moveAllToVault", "arguments": arguments}, timeout=60
    )
    assert len(result["names"]) >= 2
    text = client.texts[uri].text
    assert text.count("import os") == 1
    compile(text, "app.py", "exec")
    assert len(client.diagnostics(uri)) == len(result["left"])
    assert sorted(names(client.home)) == sorted(result["names"])


def test_where_there_is_no_safe_edit_it_says_why(client: Client) -> None:
    uri = client.open("app.go", f'package main\n\nconst (\n\ttoken = "{github_token()}"\n)\n', "go")
    result = client.fix(uri, client.diagnostics(uri)[0])
    assert result["applied"] is False
    assert "a Go constant takes no call" in result["reason"]
    assert names(client.home) == []


def test_a_file_that_was_closed_and_opened_with_another_text_is_not_touched(client: Client) -> None:
    """Versions begin anew with each opening, so a version number alone does not name a text."""
    uri = client.open("app.py", f'TOKEN = "{github_token()}"\n')
    (diagnostic,) = client.diagnostics(uri)
    (action,) = [action for action in client.actions(uri, diagnostic) if action.get("isPreferred")]
    params = {"command": "locum.moveToVault", "arguments": action["command"]["arguments"]}
    answer: list[Any] = []
    asking = threading.Thread(target=lambda: answer.append(client.request("workspace/executeCommand", params)))
    asking.start()
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    client.open("app.py", "important = 1\n" * 5)
    asking.join(30)
    if not answer[0]["applied"]:  # else the edit was made before the file was closed
        assert client.texts[uri].text == "important = 1\n" * 5
        assert names(client.home) == []


def test_an_editor_that_answers_with_an_error_leaves_everything_as_it_was(client: Client) -> None:
    client.fails.add("workspace/applyEdit")
    uri = client.open("app.py", f'TOKEN = "{github_token()}"\n')
    assert client.fix(uri, client.diagnostics(uri)[0])["applied"] is False
    assert names(client.home) == []
    assert len(messages(client)) == 1


def test_an_open_manifest_that_is_broken_stops_it_before_anything_is_stored(client: Client) -> None:
    client.open("locum.toml", "[secret.X]\n", "toml")
    uri = client.open("app.py", f'TOKEN = "{github_token()}"\n')
    result = client.fix(uri, client.diagnostics(uri)[0])
    assert result["applied"] is False
    assert "did you mean secrets?" in result["reason"]
    assert names(client.home) == []

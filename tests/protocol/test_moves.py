"""Moving a value into the vault, with a real server, broker and vault: all of it or nothing (promise P2)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

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


# -- a whole workspace -------------------------------------------------------------------------------------------


def run(client: Client, command: str, argument: dict[str, Any], timeout: float = 60) -> dict[str, Any]:
    return client.request("workspace/executeCommand", {"command": command, "arguments": [argument]}, timeout=timeout)


def answer_with(client: Client, title: str) -> None:
    client.answers["window/showMessageRequest"] = lambda _: {"title": title}


def test_a_workspace_in_one_go_what_is_open_in_the_editor_and_the_rest_on_the_disk(client: Client) -> None:
    token, other, project = github_token(), github_token(), client.home.project
    (project / "closed.py").write_text(f'TOKEN = "{token}"\n')
    (project / "b.env").write_bytes(f"\ufeffA={other}\r\nB=1\r\n".encode())
    (project / "b.env").chmod(0o640)
    (project / "open.js").write_text("// older\n")
    uri = client.open("open.js", f'const token = "{token}";\n', "javascript")
    answer_with(client, "Move them")
    result = run(client, "locum.moveAllToVault", {"scope": "workspace"})
    assert result["applied"]
    assert result["left"] == []
    assert sorted(result["names"]) == sorted(names(client.home)) != []
    assert len(result["names"]) == 2, "the same value has the same name everywhere"
    assert (project / "closed.py").read_text().startswith("import os\n\nTOKEN = os.environ[")
    env = (project / "b.env").read_bytes()
    assert env.startswith("\ufeffA=locum://".encode())
    assert env.endswith(b"\r\nB=1\r\n")
    assert (project / "b.env").stat().st_mode & 0o777 == 0o640
    assert client.texts[uri].text.startswith("const token = process.env.")
    assert (project / "open.js").read_text() == "// older\n", "what is open is the editor's to save"
    for name in result["names"]:
        assert f"[secrets.{name}]" in manifest(client.home)
    (question,) = [request for request in client.requests if request["method"] == "window/showMessageRequest"]
    assert "3 secrets in 3 files" in question["params"]["message"]
    assert "Moved 3 secrets to your vault" in messages(client)[-1]
    assert token.encode() not in client.received
    assert other.encode() not in client.received


def test_the_question_can_show_every_line_first(vault_home: Home) -> None:
    able = PULL | {"window": {**PULL["window"], "showDocument": {"support": True}}}
    client = Client(vault_home, able)
    token, quiet = github_token(), github_token()
    text = f'TOKEN = "{token}"\nOLD = "{quiet}"  # locum:allow\n'
    (vault_home.project / "closed.py").write_text(text)
    client.open("open.py", text)
    shown: list[str] = []

    def show(params: Any) -> Any:
        shown.append(Path(url2pathname(urlsplit(params["uri"]).path)).read_text())
        return {"success": True}

    client.answers["window/showDocument"] = show
    client.answers["window/showMessageRequest"] = lambda params: {
        "title": "Show every line first"
        if any(a["title"].startswith("Show") for a in params["actions"])
        else "Move them"
    }
    assert run(client, "locum.moveAllToVault", {"scope": "workspace"})["applied"]
    (text,) = shown
    assert text.count('-TOKEN = "•••"') == text.count("+TOKEN = os.environ") == 2
    assert token not in text
    assert quiet not in text, "what stays is not shown either"
    client.close()


def test_one_value_is_called_what_most_places_call_it(client: Client) -> None:
    token = github_token()
    (client.home.project / ".env").write_text(f"X={token}\n")
    (client.home.project / "a.py").write_text(f'github_token = "{token}"\n')
    (client.home.project / "b.py").write_text(f'GITHUB_TOKEN = "{token}"\n')
    answer_with(client, "Move them")
    assert run(client, "locum.moveAllToVault", {"scope": "workspace"})["names"] == ["GITHUB_TOKEN"]


def test_what_programs_need_is_said_once_and_what_is_long_goes_to_the_log(client: Client) -> None:
    first, second = github_token(), github_token()
    uri = client.open("few.py", f'a = "{first}"\nb = "{second}"\n', "python")
    assert run(client, "locum.moveAllToVault", {"uri": uri, "version": 1})["applied"]
    (said,) = messages(client)
    assert said.startswith("Locum: Moved 2 secrets to your vault. Run it under 'locum run --secret ")
    assert said.count("locum run") == 1, "one program is started once"
    for name in ("a.env", "b.js", "c.ini"):
        (client.home.project / name).write_text(f"TOKEN='{github_token()}'\n")
    answer_with(client, "Move them")
    assert run(client, "locum.moveAllToVault", {"scope": "workspace"})["applied"]
    assert "How programs get them now: see Locum's log." in messages(client)[-1]
    log = [note["params"]["message"] for note in client.notes if note["method"] == "window/logMessage"]
    assert any(line.startswith("a.env: Start the program with 'locum run --env-file a.env") for line in log)
    assert any(line.startswith("b.js: Run it under 'locum run --secret ") for line in log)


def test_a_workspace_is_left_alone_unless_the_person_says_so(client: Client) -> None:
    text = f'TOKEN = "{github_token()}"\n'
    (client.home.project / "closed.py").write_text(text)
    (client.home.project / "stays.go").write_text(f'package a\n\nconst (\n\ttoken = "{github_token()}"\n)\n')
    answer_with(client, "Cancel")
    assert run(client, "locum.moveAllToVault", {"scope": "workspace"})["applied"] is False
    assert messages(client) == [], "who says no need not be told"
    assert (client.home.project / "closed.py").read_text() == text
    assert names(client.home) == []
    assert manifest(client.home) == ""


def test_with_an_open_manifest_closed_files_are_declared_in_the_editor(client: Client) -> None:
    toml = client.open("locum.toml", "# ours\n", "toml")
    (client.home.project / "closed.py").write_text(f'TOKEN = "{github_token()}"\n')
    answer_with(client, "Move them")
    (name,) = run(client, "locum.moveAllToVault", {"scope": "workspace"})["names"]
    assert f"[secrets.{name}]" in client.texts[toml].text
    assert manifest(client.home) == ""
    assert "os.environ" in (client.home.project / "closed.py").read_text()


def test_a_refused_edit_leaves_the_closed_files_alone_too(client: Client) -> None:
    text = f'TOKEN = "{github_token()}"\n'
    (client.home.project / "closed.py").write_text(text)
    client.open("open.py", text)
    client.answers["workspace/applyEdit"] = lambda _: {"applied": False}
    answer_with(client, "Move them")
    assert run(client, "locum.moveAllToVault", {"scope": "workspace"})["applied"] is False
    assert messages(client)[-1].startswith("Locum: Nothing was moved. The editor did not apply the edit.")
    assert (client.home.project / "closed.py").read_text() == text
    assert names(client.home) == []
    assert manifest(client.home) == ""


# -- names, and the other fixes ------------------------------------------------------------------------------------


def test_a_name_that_stands_for_another_value_is_asked_about(client: Client) -> None:
    client.home.store("GITHUB_TOKEN", "another one of that kind")
    answer_with(client, "PROJECT_GITHUB_TOKEN")
    uri = client.open("a.py", f'TOKEN = "{github_token()}"\n')
    assert client.fix(uri, client.diagnostics(uri)[0])["name"] == "PROJECT_GITHUB_TOKEN"
    assert "PROJECT_GITHUB_TOKEN" in client.texts[uri].text
    other = client.open("b.py", f'TOKEN = "{github_token()}"\n')
    answer_with(client, "Cancel")
    assert client.fix(other, client.diagnostics(other)[0])["applied"] is False
    assert sorted(names(client.home)) == ["GITHUB_TOKEN", "PROJECT_GITHUB_TOKEN"]


def test_a_value_that_the_vault_has_is_used_and_the_action_says_so(client: Client) -> None:
    token = github_token()
    client.home.store("OURS", token)
    uri = client.open("a.py", f'TOKEN = "{token}"\n')
    (diagnostic,) = client.diagnostics(uri)
    assert client.actions(uri, diagnostic)[0]["title"] == "Use OURS, which your vault has"
    assert client.actions(uri, diagnostic, triggerKind=2)[0]["title"].startswith("Move "), (
        "not at every move of a cursor"
    )
    assert client.fix(uri, diagnostic)["name"] == "OURS"
    assert names(client.home) == ["OURS"]
    assert 'os.environ["OURS"]' in client.texts[uri].text


def test_a_name_that_another_value_has_by_now_is_not_used(client: Client) -> None:
    token = github_token()
    text = f'TOKEN = "{token}"\n'
    uri = client.open("a.py", text)
    assert client.fix(uri, client.diagnostics(uri)[0])["name"] == "GITHUB_TOKEN"
    terminal = client.home.terminal("secret", "rm", "GITHUB_TOKEN")
    terminal.answer()
    assert terminal.wait() == 0
    client.home.store("GITHUB_TOKEN", "somebody's new value")  # of the first version, as the other one was
    again = client.open("b.py", text)
    assert client.fix(again, client.diagnostics(again)[0])["name"] == "GITHUB_TOKEN_2"
    assert names(client.home) == ["GITHUB_TOKEN", "GITHUB_TOKEN_2"]


@pytest.mark.parametrize("name", ["github.token", "PATH", "HTTPS_PROXY"])
def test_a_name_that_no_program_can_be_given_is_not_used(client: Client, name: str) -> None:
    token = github_token()
    client.home.store(name, token)
    uri = client.open("a.py", f'TOKEN = "{token}"\n')
    (diagnostic,) = client.diagnostics(uri)
    assert client.actions(uri, diagnostic)[0]["title"].startswith("Move ")
    assert client.fix(uri, diagnostic)["name"] == "GITHUB_TOKEN"


def test_two_moves_at_once_take_two_names(client: Client) -> None:
    uris = [client.open(f"{letter}.py", f'TOKEN = "{github_token()}"\n') for letter in "abc"]
    found = [client.diagnostics(uri)[0] for uri in uris]
    answers: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda u=uri, d=diagnostic: answers.append(client.fix(u, d)))
        for uri, diagnostic in zip(uris, found, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answer["name"] for answer in answers) == ["GITHUB_TOKEN", "GITHUB_TOKEN_2", "GITHUB_TOKEN_3"]
    assert len(names(client.home)) == 3


def test_a_declared_name_that_the_vault_lacks_is_filled(client: Client) -> None:
    (client.home.project / "locum.toml").write_text("[secrets.GITHUB_TOKEN]\n[secrets.X]\nsource = 'op://a/b/c'\n")
    uri = client.open("a.py", f'TOKEN = "{github_token()}"\n')
    assert client.fix(uri, client.diagnostics(uri)[0])["name"] == "GITHUB_TOKEN"


@pytest.mark.parametrize(
    ("name", "language", "line"),
    [
        ("a.py", "python", 'GITHUB_TOKEN = "{}"\n'),
        ("a.json", "json", '{{"token": "{}"}}\n'),
        (".env", "dotenv", "GITHUB_TOKEN={}\n"),
        ("a.yml", "yaml", "token: {}\n"),
        ("a.go", "go", 'package a\nconst (\n\ttoken = "{}"\n)\n'),
    ],
)
def test_a_placeholder_is_silent_and_keeps_nothing(client: Client, name: str, language: str, line: str) -> None:
    token = github_token()
    uri = client.open(name, line.format(token), language)
    (diagnostic,) = client.diagnostics(uri)
    (action,) = [item for item in client.actions(uri, diagnostic) if item["title"] == "Replace by a placeholder"]
    (target,) = action["command"]["arguments"]
    assert run(client, "locum.replaceByPlaceholder", target) == {"applied": True}
    assert client.texts[uri].text == line.format("your-github-token-here").replace(
        "github-token", placeholder_of(client, uri)
    )
    assert client.diagnostics(uri) == []
    assert names(client.home) == []


def placeholder_of(client: Client, uri: str) -> str:
    """Return the name in the placeholder: it comes from the key, so it differs from file to file."""
    text = client.texts[uri].text
    return text[text.index("your-") + 5 : text.index("-here")]


def test_rotating_opens_the_vendors_page_where_the_client_can(vault_home: Home) -> None:
    able = PUSH | {"window": {**PUSH["window"], "showDocument": {"support": True}}}
    for capabilities, opened in ((able, True), (PUSH, False)):
        client = Client(vault_home, capabilities)
        client.answers["window/showDocument"] = lambda _: {"success": True}
        uri = client.open("a.py", f'TOKEN = "{github_token()}"\n')
        (action,) = [
            item for item in client.actions(uri, client.diagnostics(uri)[0]) if item["title"].startswith("Rotate it")
        ]
        result = run(client, "locum.rotate", action["command"]["arguments"][0])
        assert result["opened"] is opened
        assert result["url"].startswith("https://docs.github.com/")
        assert bool(messages(client)) is not opened
        client.close()


def test_a_file_in_one_edit(client: Client) -> None:
    uri = client.open("app.py", f'A = "{github_token()}"\nB = "{github_token()}"\n')
    result = run(client, "locum.moveAllToVault", {"uri": uri, "version": 1})
    assert len(result["names"]) == 2
    edits = [request for request in client.requests if request["method"] == "workspace/applyEdit"]
    assert len(edits) == 1, "one step to undo"

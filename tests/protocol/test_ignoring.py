"""Silencing from the editor: five ways, each an edit of the text or of `locum.toml`, and silent at once."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from support.home import Home
from support.lsp import PULL, PUSH, Client
from support.tokens import github_token

FIVE = ["line", "next-line", "file", "value", "rule-in-path"]
WEAK = f'password = "{"aB3!" + "xyz9"}"\n'
PROFILES: dict[str, dict[str, Any]] = {"push": PUSH, "pull": PULL}


@pytest.fixture(params=PROFILES)
def client(request: pytest.FixtureRequest, vault_home: Home) -> Iterator[Client]:
    made = Client(vault_home, PROFILES[request.param])
    yield made
    assert made.close() == 0
    assert made.errors == b""


def ignores(client: Client, uri: str, diagnostic: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the actions that ignore, by scope."""
    found = [action for action in client.actions(uri, diagnostic) if action["title"].startswith("Ignore")]
    return {action["data"]["scope"]: action for action in found}


def run(client: Client, action: dict[str, Any], **more: Any) -> dict[str, Any]:
    argument = action["command"]["arguments"][0] | more
    return client.request("workspace/executeCommand", {"command": "locum.ignore", "arguments": [argument]})


def silent(client: Client, uri: str) -> bool:
    """Say whether the newest diagnostics of a document come to be none."""
    if "diagnosticProvider" in client.capabilities:
        return client.diagnostics(uri) == []
    client.wait_note(
        "textDocument/publishDiagnostics", lambda params: params["uri"] == uri and not params["diagnostics"]
    )
    return True


def scanned(home: Home, *arguments: str) -> dict[str, Any]:
    done = home.run("scan", "--format", "json", "--exit-zero", *arguments)
    return json.loads(done.stdout)


def opened(client: Client, name: str, text: str, language: str = "python") -> tuple[str, dict[str, Any]]:
    path = client.home.project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    uri = client.open(name, text, language)
    return uri, client.diagnostics(uri)[0]


def test_exactly_five_are_offered(client: Client) -> None:
    uri, said = opened(client, "app.py", f'A = "{github_token()}"\n')
    offered = ignores(client, uri, said)
    assert list(offered) == FIVE
    for action in offered.values():
        assert action["kind"] == "quickfix"
        assert action["command"]["command"] == "locum.ignore"
        assert set(action["data"]) == {"uri", "version", "fingerprint", "scope"}
        assert len(action["title"]) <= 48
        assert action["diagnostics"] == [said]
    assert len({action["title"] for action in offered.values()}) == 5


def test_two_findings_in_one_place_are_told_apart(client: Client) -> None:
    uri, said = opened(client, "app.py", f'A = "{github_token()}" or "AKIA{"Q3EGRZN7XKM2WVPD"}"\n')
    said["range"]["end"]["character"] += 30
    titles = [action["title"] for action in client.actions(uri, said) if action["title"].startswith("Ignore")]
    assert len(titles) == len(set(titles)) == 10


@pytest.mark.parametrize("scope", FIVE)
def test_each_silences_in_editor_and_command_line(client: Client, scope: str) -> None:
    token = github_token()
    uri, said = opened(client, "src/app.py", f'x = 1\nA = "{token}"\n')
    assert run(client, ignores(client, uri, said)[scope]) == {"applied": True}
    assert silent(client, uri)
    (client.home.project / "src/app.py").write_text(client.texts[uri].text)
    summary = scanned(client.home)["summary"]
    assert summary["findings"] == 0
    mechanism = {"line": "locum:allow", "next-line": "locum:allow-next-line"}.get(scope, "locum.toml")
    assert summary["suppressed"] == {mechanism: 1}
    assert len(scanned(client.home, "--no-ignore")["findings"]) == 1
    manifest = client.home.project / "locum.toml"
    if mechanism == "locum.toml":
        (allowance,) = tomllib.loads(manifest.read_text())["scan"]["allow"]
        assert allowance.pop("reason")
        value = allowance.pop("value", "")
        assert len(value) == (32 if scope == "value" else 0)
        assert allowance == {
            "file": {"path": "/src/app.py"}, "value": {}, "rule-in-path": {"path": "/src/app.py", "rule": "github-pat"},
        }[scope]  # fmt: skip
        assert token not in manifest.read_text()
        assert client.texts[uri].text == f'x = 1\nA = "{token}"\n'
    else:
        assert not manifest.exists()


def test_a_rotated_value_is_a_finding_again(client: Client) -> None:
    token = github_token()
    uri, said = opened(client, "app.py", f'A = "{token}"\n')
    other, _ = opened(client, "docs/a.md", f"use {token}\n", "markdown")
    run(client, ignores(client, uri, said)["value"])
    assert silent(client, uri)
    assert silent(client, other), "everywhere"
    client.change(uri, text=f'A = "{github_token()}"\n')
    assert [item["code"] for item in client.diagnostics(uri)] == ["github-pat"]


def test_a_value_that_could_be_guessed_is_not_named(client: Client) -> None:
    uri, said = opened(client, "app.py", WEAK)
    action = ignores(client, uri, said)["value"]
    answer = run(client, action)
    assert answer["applied"] is False
    assert "guessed" in answer["reason"]
    assert not (client.home.project / "locum.toml").exists()


def test_where_the_client_shows_it_the_reason_is_told_beforehand(vault_home: Home) -> None:
    capabilities = PUSH | {
        "textDocument": PUSH["textDocument"] | {"codeAction": {"dataSupport": True, "disabledSupport": True}}
    }
    client = Client(vault_home, capabilities)
    uri, said = opened(client, "app.py", WEAK)
    offered = ignores(client, uri, said)
    assert list(offered) == FIVE
    assert "guessed" in offered["value"]["disabled"]["reason"]
    assert "command" not in offered["value"]
    assert client.close() == 0


def test_a_file_without_comments_gets_the_projects_forms(client: Client) -> None:
    uri, said = opened(client, "config/a.json", f'{{"token": "{github_token()}"}}\n', "json")
    offered = ignores(client, uri, said)
    assert list(offered) == ["file", "value", "rule-in-path"]
    assert run(client, offered["rule-in-path"], reason="a sample\nfor the tests") == {"applied": True}
    assert silent(client, uri)
    (allowance,) = tomllib.loads((client.home.project / "locum.toml").read_text())["scan"]["allow"]
    assert allowance == {"rule": "github-pat", "path": "/config/a.json", "reason": "a sample for the tests"}
    argument = {"uri": uri, "version": 1, "fingerprint": said["data"]["fingerprint"], "scope": "line"}
    assert (
        client.request("workspace/executeCommand", {"command": "locum.ignore", "arguments": [argument]})["applied"]
        is False
    )


def test_a_text_that_is_no_file_gets_comments_alone(client: Client) -> None:
    uri = client.open("", f'A = "{github_token()}"\n', uri="untitled:Untitled-1")
    (said,) = client.diagnostics(uri)
    offered = ignores(client, uri, said)
    assert list(offered) == ["line", "next-line"]
    assert run(client, offered["next-line"]) == {"applied": True}
    assert client.diagnostics(uri) == []


def test_a_manifest_keeps_its_comments_and_an_open_one_is_edited_in_the_editor(client: Client) -> None:
    text = '# ours\r\n[scan]  # what is scanned\r\nexclude = ["x/**"]\r\n\r\n[[scan.allow]] # old\r\nrule = "npm-access-token"\r\nreason = "é😋"\r\n'
    manifest = client.home.project / "locum.toml"
    manifest.write_bytes(text.encode())
    uri, said = opened(client, "a [1]?.py", f'A = "{github_token()}"\n')
    assert run(client, ignores(client, uri, said)["file"]) == {"applied": True}
    assert manifest.read_bytes().decode().startswith(text), "written on the disk, line ends too"
    assert silent(client, uri)
    manifest.write_bytes(text.encode())
    toml = client.open("locum.toml", text, "toml")
    client.notify("workspace/didChangeWatchedFiles", {"changes": []})
    (said,) = client.diagnostics(uri) if "diagnosticProvider" in client.capabilities else [said]
    assert run(client, ignores(client, uri, said)["rule-in-path"]) == {"applied": True}
    assert manifest.read_bytes().decode() == text, "the editor's text is edited, and the editor can undo it"
    assert client.texts[toml].text.startswith(text)
    assert "\n" not in client.texts[toml].text.replace("\r\n", "")
    assert silent(client, uri), "before it is saved"
    client.change(toml, text=text)
    assert len(client.diagnostics(uri)) == 1 if "diagnosticProvider" in client.capabilities else True
    client.change(toml, text=text + "[broken")
    client.change(toml, text=text + f'[[scan.allow]]\nfingerprint = "{said["data"]["fingerprint"]}"\nreason = "x"\n')
    assert silent(client, uri)


def test_a_broken_manifest_is_left_alone(client: Client) -> None:
    manifest = client.home.project / "locum.toml"
    manifest.write_text("[scam]\n")
    uri, said = opened(client, "app.py", f'A = "{github_token()}"\n')
    answer = run(client, ignores(client, uri, said)["file"])
    assert answer["applied"] is False
    assert "scam" in answer["reason"]
    assert manifest.read_text() == "[scam]\n"


def test_what_a_client_sends_is_read_with_care(client: Client) -> None:
    uri, said = opened(client, "app.py", f'A = "{github_token()}"\n')
    target = {"uri": uri, "version": 1, "fingerprint": said["data"]["fingerprint"]}
    for wrong in ({"scope": "galaxy"}, {"scope": 1}, {"reason": 7}, {"scope": ["file"]}):
        answer = client.ask("workspace/executeCommand", {"command": "locum.ignore", "arguments": [target | wrong]})
        assert "error" in answer, wrong
    client.answers["workspace/applyEdit"] = lambda _: {"applied": False}
    assert (
        client.request("workspace/executeCommand", {"command": "locum.ignore", "arguments": [target]})["applied"]
        is False
    )
    client.fails.add("workspace/applyEdit")
    assert (
        client.request("workspace/executeCommand", {"command": "locum.ignore", "arguments": [target]})["applied"]
        is False
    )


def test_what_is_excluded_is_silent_in_the_editor_too(client: Client) -> None:
    (client.home.project / "locum.toml").write_text('[scan]\nexclude = ["fixtures/**", "*.snap"]\n')
    for name, count in (("fixtures/deep/a.py", 0), ("a.snap", 0), ("src/a.py", 1)):
        path = client.home.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'A = "{github_token()}"\n')
        assert len(client.diagnostics(client.open(name, path.read_text()))) == count
    assert [item["path"] for item in scanned(client.home)["findings"]] == ["src/a.py"]
    assert len(scanned(client.home, "--no-ignore")["findings"]) == 3

"""What a diagnostic says beside what and where: why, what belongs to it, where it comes from; and to whom that is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from string import ascii_uppercase
from typing import Any

import pytest

from locum.text.source import SourceText
from support.home import Home, canary
from support.lsp import PULL, PUSH, Client, Json
from support.tokens import github_token

RICH: Json = deepcopy(PULL)
RICH["textDocument"]["publishDiagnostics"] |= {"relatedInformation": True, "tagSupport": {"valueSet": [1, 2]}}


@pytest.fixture
def client(vault_home: Home) -> Iterator[Client]:
    made = Client(vault_home, RICH)
    yield made
    assert made.close() == 0
    assert made.errors == b""


def test_the_message_says_why_and_no_value(client: Client) -> None:
    token = github_token()
    (said,) = client.diagnostics(client.open("app.py", f'TOKEN = "{token}"\n'))
    assert "certain" in said["message"]
    assert "checksum ok" in said["message"]
    assert "GITHUB_TOKEN to the vault" in said["message"]
    assert not any(token[at : at + 6] in json.dumps(said) for at in range(4, len(token) - 6))
    assert "tags" not in said, "a secret is neither unused nor deprecated"


def test_severity_says_how_sure(client: Client) -> None:
    right = github_token()
    wrong = right[:-1] + ("a" if right[-1] != "a" else "b")
    said = client.diagnostics(client.open("app.py", f'A = "{right}"\nB = "{wrong}"\n'))
    assert [diagnostic["severity"] for diagnostic in said] == [1, 2]


def test_in_tests_the_same_is_said_less_loudly(client: Client) -> None:
    text = f'TOKEN = "{github_token()}"\n'
    (loud,) = client.diagnostics(client.open("app.py", text))
    (quiet,) = client.diagnostics(client.open("tests/test_app.py", text))
    assert loud["severity"] < quiet["severity"]


def related(said: Json) -> list[tuple[str, int, str]]:
    return [
        (item["location"]["uri"], item["location"]["range"]["start"]["line"], item["message"])
        for item in said.get("relatedInformation", [])
    ]


def test_the_same_value_elsewhere_is_related(client: Client) -> None:
    token = github_token()
    uri = client.open("app.py", f'# 😋\nA = "{token}"  # 😋\n\nB = "{token}"\nC = "{github_token()}"\n')
    first, second, other = client.diagnostics(uri)
    assert related(first) == [(uri, 3, "The same value")]
    assert related(second) == [(uri, 1, "The same value")]
    assert related(other) == []
    assert client.text_at(uri, first["relatedInformation"][0]["location"]["range"]) == token


def test_the_halves_of_a_pair_are_related(client: Client) -> None:
    key = "AKIA" + "".join(char for char in canary(200).upper() if char in ascii_uppercase + "234567")[:16]
    uri = client.open("app.py", f'aws_access_key_id = "{key}"\naws_secret_access_key = "{canary(39)}/"\n')
    said = {diagnostic["code"]: diagnostic for diagnostic in client.diagnostics(uri)}
    assert related(said["aws-access-key-id"])[0][1] == 1
    assert related(said["aws-secret-access-key"])[0][1] == 0


def test_what_stands_everywhere_is_listed_a_few_times(client: Client) -> None:
    token = github_token()
    said = client.diagnostics(client.open("app.py", f'T = "{token}"\n' * 100))
    assert len(said) == 100
    assert max(len(related(diagnostic)) for diagnostic in said) <= 20


@pytest.mark.parametrize("capabilities", [PUSH, PULL], ids=["neovim", "without"])
def test_nobody_is_told_what_he_cannot_show(vault_home: Home, capabilities: dict[str, Any]) -> None:
    client, token = Client(vault_home, capabilities), github_token()
    said = client.diagnostics(client.open("app.py", f'A = "{token}"\nB = "{token}"\n'))
    knows = capabilities["textDocument"]["publishDiagnostics"]
    assert all(("relatedInformation" in item) == ("relatedInformation" in knows) for item in said)
    assert all(("codeDescription" in item) == ("codeDescriptionSupport" in knows) for item in said)
    client.close()


def test_a_pull_client_may_say_what_it_shows_where_it_pulls(vault_home: Home) -> None:
    capabilities = deepcopy(PULL)
    capabilities["textDocument"] |= {
        "publishDiagnostics": {},
        "diagnostic": {"relatedInformation": True, "codeDescriptionSupport": True},
    }
    client, token = Client(vault_home, capabilities), github_token()
    said = client.diagnostics(client.open("app.py", f'A = "{token}"\nB = "{token}"\n'))
    assert all(item["relatedInformation"] and item["codeDescription"] for item in said)
    client.close()


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("vscode-chat-code-block://abc/response_0#0", "agent"),
        ("git:/src/app.py?%7B%22ref%22%3A%22HEAD%22%7D", "history"),
        ("untitled:Untitled-1", "editor"),
        ("vscode-scm:git/scm0/input", "editor"),
    ],
)
def test_data_says_where_a_text_comes_from(client: Client, uri: str, origin: str) -> None:
    client.open("", f"use {github_token()} for that\n", "plaintext", uri=uri)
    (said,) = client.diagnostics(uri)
    assert set(said["data"]) == {"fingerprint", "rule", "origin"}
    assert said["data"]["origin"] == origin


def test_a_line_that_a_diff_takes_out_still_holds_a_secret(client: Client) -> None:
    tokens = [github_token() for _ in range(3)]
    text = '--- a/app.py\n+++ b/app.py\n@@ -1,2 +1,2 @@\n t = "{}"\n-t = "{}"\n+t = "{}"\n'.format(*tokens)
    for name, language in (("change.patch", "diff"), (".git/COMMIT_EDITMSG", "git-commit")):
        uri = client.open(name, text, language)
        said = client.diagnostics(uri)
        assert [client.text_at(uri, diagnostic["range"]) for diagnostic in said] == tokens
        assert ["history keeps it" in diagnostic["message"] for diagnostic in said] == [False, True, False]


def test_a_commit_message_belongs_to_its_project(client: Client) -> None:
    (client.home.project / ".git").mkdir()
    (client.home.project / "locum.toml").write_text(
        '[[scan.allow]]\nrule = "github-pat"\npath = "/.git/COMMIT_EDITMSG"\nreason = "a test"\n'
    )
    text = f"fix: {github_token()}\n"
    assert client.diagnostics(client.open(".git/COMMIT_EDITMSG", text, "git-commit")) == []
    assert len(client.diagnostics(client.open("MERGE_MSG", text, "git-commit"))) == 1


LINES = "".join(f"def function_{number}(argument):\n    return [argument, {number}]  # 😋\n\n" for number in range(400))


def test_after_edits_a_document_is_seen_as_if_it_were_new(client: Client) -> None:
    """Edits are scanned in windows; what is said must be what a fresh look says."""
    tokens = [github_token() for _ in range(3)]
    text = f'A = "{tokens[0]}"\n{LINES}B = "{tokens[0]}"\n'
    uri = client.open("edited.py", text)
    assert len(client.diagnostics(uri)) == 2
    edits = [
        (600, 0, 600, 0, f'\nC = "{tokens[1]}"\n'), (0, 0, 0, 0, "# 😋\n"), (602, 8, 602, 9, "x"), (602, 8, 602, 9, tokens[1][0]),
        (300, 0, 310, 0, ""), (591, 0, 593, 0, f'C = "{tokens[0]}"\n'), (1, 4, 1, 9, ""), (900, 0, 900, 0, f'"{tokens[2]}"\n'),
    ]  # fmt: skip
    for number, (line, column, end_line, end_column, new) in enumerate(edits):
        source = client.texts[uri]
        start, end = source.offset(line, column), source.offset(end_line, end_column)
        text = source.text[:start] + new + source.text[end:]
        place = {"start": {"line": line, "character": column}, "end": {"line": end_line, "character": end_column}}
        client.change(uri, {"range": place, "text": new})
        client.texts[uri] = SourceText(text)
        fresh = client.open(f"fresh{number}.py", text)
        assert [what(said) for said in client.diagnostics(uri)] == [what(said) for said in client.diagnostics(fresh)]


def what(said: Json) -> tuple[Any, ...]:
    return said["range"], said["code"], said["message"], said["severity"], [line for _, line, _ in related(said)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_related_places_are_exact_in_every_encoding(vault_home: Home, encoding: str) -> None:
    capabilities = deepcopy(RICH)
    capabilities["general"]["positionEncodings"] = [encoding]
    client, token = Client(vault_home, capabilities), github_token()
    uri = client.open("app.py", f'é = "漢😋", "{token}"  # 😋\n"😋" + "{token}"\n')
    said = client.diagnostics(uri)
    assert client.encoding == encoding
    assert [client.text_at(uri, item["range"]) for item in said] == [token, token]
    places = [item["relatedInformation"][0]["location"]["range"] for item in said]
    assert places == [said[1]["range"], said[0]["range"]]
    client.close()


def test_no_message_holds_a_byte_of_a_value(client: Client) -> None:
    """Pairs, equals, old lines of diffs, names beside values, cells of the vault's file: whatever is said, no value is."""
    tokens = [github_token() for _ in range(4)]
    values = [canary() for _ in range(3)]
    (client.home.project / "stored.py").write_text(f'a = "{tokens[3]}"\nb = "{tokens[3]}"\n')
    texts = {
        "a.py": f'a = "{tokens[0]}"\nb = "{tokens[0]}"\n{tokens[1]} = "{values[0]}"\napi_key = "{values[1]}"\n',
        "b.patch": f'-password = "{values[1]}"\n+token = "{tokens[2]}"\n',
        "c.yaml": f"{tokens[2]}: locum://{values[2]}\nref: locum://{tokens[1]}\n",
        "locum.toml": f'[secrets.{values[2]}]\nsource = "{values[0]}"\n[tasks.t]\nsecrets = ["{tokens[1]}"]\n',
    }
    for name, text in texts.items():
        for item in client.diagnostics(client.open(name, text, "")):
            client.actions(client.open(name, text, ""), item)
    client.request("workspace/diagnostic", {"previousResultIds": []})
    for value in (*(token[4:] for token in tokens), *values[:2]):
        for part in range(len(value) - 8):
            assert value[part : part + 8].encode() not in client.received

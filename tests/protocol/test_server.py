"""The language server over real pipes, with the profiles of the two editors: what it says, and what it refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.home import Home
from support.lsp import PULL, PUSH, Client
from support.tokens import github_token

PROFILES: dict[str, dict[str, Any]] = {"push": PUSH, "pull": PULL}


@pytest.fixture(params=PROFILES)
def client(request: pytest.FixtureRequest, vault_home: Home) -> Iterator[Client]:
    made = Client(vault_home, PROFILES[request.param])
    yield made
    assert made.close() == 0
    assert made.errors == b""


@pytest.fixture
def pushed(vault_home: Home) -> Iterator[Client]:
    made = Client(vault_home, PUSH)
    yield made
    made.close()


def with_encoding(home: Home, encoding: str) -> Client:
    return Client(home, PUSH | {"general": {"positionEncodings": [encoding]}})


def test_push_or_pull_and_never_both(client: Client) -> None:
    pulls = "diagnosticProvider" in client.capabilities
    uri = client.open("app.py", f'TOKEN = "{github_token()}"\n')
    assert len(client.diagnostics(uri)) == 1
    client.request("textDocument/hover", {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}})
    assert any(note["method"] == "textDocument/publishDiagnostics" for note in client.notes) != pulls


def test_a_diagnostic_says_what_and_where_and_no_more(client: Client) -> None:
    token = github_token()
    uri = client.open("app.py", f'import os\nTOKEN = "{token}"\n')
    (said,) = client.diagnostics(uri)
    assert client.text_at(uri, said["range"]) == token
    assert said["code"] == "github-pat"
    assert said["source"] == "locum"
    assert said["severity"] == 1
    assert set(said["data"]) == {"fingerprint", "rule", "origin"}
    assert ("codeDescription" in said) == ("diagnosticProvider" in client.capabilities), (
        "only where the client shows it"
    )
    assert token[4:12] not in json.dumps(said)


def test_edits_move_diagnostics_and_closing_takes_them_back(client: Client) -> None:
    token = github_token()
    uri = client.open("app.py", f'TOKEN = "{token}"\n')
    fingerprint = client.diagnostics(uri)[0]["data"]["fingerprint"]
    client.change(uri, text=f'\n\n# moved\nTOKEN = "{token}"\n')
    (said,) = client.diagnostics(uri)
    assert said["range"]["start"]["line"] == 3
    assert said["data"]["fingerprint"] == fingerprint, "a finding is the same finding wherever its line goes"
    client.change(uri, text="TOKEN = None\n")
    assert client.diagnostics(uri) == []
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    if "diagnosticProvider" not in client.capabilities:
        assert client.wait_note("textDocument/publishDiagnostics", lambda p: p["uri"] == uri)["diagnostics"] == []


@pytest.mark.parametrize(
    "uri", ["untitled:Untitled-1", "vscode-scm:git/scm0/input?rootUri", "file:///nonexistent/%C3%BC%20b.py"]
)
def test_texts_that_are_no_file_are_checked_too(client: Client, uri: str) -> None:
    client.open("", f"fix: use {github_token()}\n", "plaintext", uri=uri)
    assert [said["code"] for said in client.diagnostics(uri)] == ["github-pat"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@pytest.mark.parametrize("before", ["é漢😋", "\u2028\x85\x0c", "a\r\nb\rc\n😋 ", "\ud83d" if False else "x"])
def test_columns_are_exact_in_every_encoding(vault_home: Home, encoding: str, before: str) -> None:
    client = with_encoding(vault_home, encoding)
    token = github_token()
    uri = client.open("app.py", f'{before} = "{token}"  # 😋\n')
    assert client.encoding == encoding
    assert client.text_at(uri, client.diagnostics(uri)[0]["range"]) == token
    client.close()


EDITS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.integers(0, 8),
        st.integers(0, 6),
        st.integers(0, 8),
        st.sampled_from(["", "x", "\n", "😋", "é\r\n", "\u2028"]),
    ),
    max_size=6,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(edits=EDITS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_incremental_edits_are_exact(
    vault_home: Home, encoding: str, edits: list[tuple[int, int, int, int, str]]
) -> None:
    """After any edits the server's copy is ours: what stands behind them is still found where it stands."""
    from lsprotocol import types
    from pygls.workspace import PositionCodec

    from locum.lsp.documents import Document
    from locum.text.source import SourceText, line_starts

    text = "ab\ncé😋\r\n\fd\n"
    document = Document("file:///a", text, 1, "x", position_codec=PositionCodec(types.PositionEncodingKind(encoding)))
    for line, column, line2, column2, new in edits:
        source = SourceText(text)
        start, end = sorted((source.offset(line, column, encoding), source.offset(line2, column2, encoding)))  # type: ignore[arg-type]
        text = text[:start] + new + text[end:]
        place = types.Range(types.Position(line, column), types.Position(line2, column2))
        document.apply_change(types.TextDocumentContentChangePartial(range=place, text=new))
        assert document.snapshot().text == text
        assert list(document.snapshot().starts) == line_starts(text)


def test_a_reference_that_is_none_is_told(client: Client) -> None:
    uri = client.open("app.py", 'a = "locum://9lives"\nb = "locum://FINE"\n')
    (said,) = client.diagnostics(uri)
    assert said["code"] == "bad-reference"
    assert client.text_at(uri, said["range"]) == "locum://9lives"


def test_many_findings_are_capped_and_it_is_said(client: Client) -> None:
    uri = client.open("app.py", "".join(f'T{i} = "{github_token()}"\n' for i in range(520)))
    said = client.diagnostics(uri)
    assert len(said) == 501
    assert said[-1]["code"] == "partly-checked"


def test_unchanged_pulls_say_so(vault_home: Home) -> None:
    client = Client(vault_home, PULL)
    uri = client.open("app.py", f'TOKEN = "{github_token()}"\n')
    first = client.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})
    again = client.request(
        "textDocument/diagnostic", {"textDocument": {"uri": uri}, "previousResultId": first["resultId"]}
    )
    assert again == {"kind": "unchanged", "resultId": first["resultId"]}
    client.close()


def test_hover_explains_a_finding_and_a_reference_without_a_value(client: Client) -> None:
    token = github_token()
    client.home.store("API_KEY", token)
    (client.home.project / "locum.toml").write_text(
        '[secrets.API_KEY]\ndescription = "the key of the API"\ndocs = "https://example.com/rotate"\n'
    )
    uri = client.open("app.py", f'a = "{token}"\nb = "locum://API_KEY"\nc = "locum://OTHER"\n')

    def hover(line: int) -> str:
        place = {"textDocument": {"uri": uri}, "position": {"line": line, "character": 12}}
        return client.request("textDocument/hover", place)["contents"]["value"]

    assert "GitHub personal access token" in hover(0)
    assert "the key of the API" in hover(1)
    assert "In the vault: yes" in hover(1)
    assert "does not declare" in hover(2)
    assert token not in hover(0) + hover(1)


def test_completion_names_what_is_declared(client: Client) -> None:
    (client.home.project / "locum.toml").write_text("[secrets.API_KEY]\n[secrets.OTHER_KEY]\n")
    uri = client.open("app.py", 'a = "locum://"\n')
    items = client.request(
        "textDocument/completion", {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 13}}
    )
    assert [item["label"] for item in items] == ["locum://API_KEY", "locum://OTHER_KEY"]


def test_actions(client: Client) -> None:
    uri = client.open("app.py", f'A = "{github_token()}"\nB = "{github_token()}"\n')
    said = client.diagnostics(uri)
    actions = client.actions(uri, said[0])
    assert actions[0]["title"].startswith("Move ")
    assert actions[0]["isPreferred"]
    assert actions[0]["command"]["command"] == "locum.moveToVault"
    assert set(actions[0]["data"]) == {"uri", "version", "fingerprint"}
    assert any(action["command"]["command"] == "locum.moveAllToVault" for action in actions)
    assert client.request("codeAction/resolve", actions[0]) == actions[0]
    assert client.actions(uri, said[0], only=["refactor"]) == []
    (all_of_them,) = client.actions(uri, said[0], only=["source.fixAll.locum"])
    assert all_of_them["kind"] == "source.fixAll.locum"


def test_ignoring_adds_a_comment_and_silences(client: Client) -> None:
    uri = client.open("app.py", f'A = "{github_token()}"\n')
    (said,) = client.diagnostics(uri)
    ignore = next(a for a in client.actions(uri, said) if a["command"]["command"] == "locum.ignore")
    assert client.request(
        "workspace/executeCommand", {"command": "locum.ignore", "arguments": ignore["command"]["arguments"]}
    ) == {"applied": True}
    assert client.texts[uri].text.endswith("  # locum:allow\n")
    assert client.diagnostics(uri) == []


def test_editor_and_command_line_give_one_answer(client: Client) -> None:
    token = github_token()
    (client.home.project / "locum.toml").write_text(
        '[[scan.allow]]\nrule = "github-pat"\npath = "docs/**"\nreason = "sample"\n'
    )
    found: dict[str, list[str]] = {}
    for name in ("docs/a.py", "src/a.py"):
        path = client.home.project / name
        path.parent.mkdir()
        path.write_text(f'TOKEN = "{token}"\n')
        found[name] = [d["data"]["fingerprint"] for d in client.diagnostics(client.open(name, path.read_text()))]
    scanned = json.loads(client.home.run("scan", "--format", "json", check=1).stdout)["findings"]
    assert found == {"docs/a.py": [], "src/a.py": [finding["fingerprint"] for finding in scanned]}


def test_tasks_are_listed_from_the_manifest(client: Client) -> None:
    (client.home.project / "locum.toml").write_text(
        '[secrets.K]\n[tasks.test]\ncommand = ["true"]\nsecrets = ["K"]\n[tasks.none]\n'
    )
    listed = client.request("workspace/executeCommand", {"command": "locum.tasks", "arguments": []})
    assert listed == {"tasks": [{"name": "test", "folder": client.home.project.as_uri(), "secrets": ["K"]}]}
    command = client.request("workspace/executeCommand", {"command": "locum.runTask", "arguments": ["test"]})
    assert command == {"command": ["locum", "run", "--task", "test"]}


# -- manners ------------------------------------------------------------------------------------------------------


def test_every_request_is_answered(pushed: Client) -> None:
    assert pushed.ask("textDocument/nonsense", {})["error"]["code"] == -32601
    assert pushed.ask("textDocument/nonsense", ...)["error"]["code"] == -32601
    assert pushed.ask("textDocument/hover", {"textDocument": 7})["error"]["code"] in {-32602, -32603}
    assert pushed.ask("textDocument/codeAction", None)["error"]["code"] in {-32602, -32603}
    assert pushed.ask("workspace/executeCommand", {"command": "locum.nonsense"})["error"]["code"] in {
        -32601,
        -32602,
        -32603,
    }
    for arguments in ([], [1], [{}], [{"uri": 1}], [{"uri": "x", "fingerprint": "y"}, 2], [{"jsonrpc": "2.0"}]):
        answer = pushed.ask("workspace/executeCommand", {"command": "locum.moveToVault", "arguments": arguments})
        assert "error" in answer, arguments
    assert pushed.ask("initialize", {"capabilities": {}})["error"]["code"] == -32600


def test_a_body_that_is_no_json_is_answered_and_the_next_is_served(pushed: Client) -> None:
    for body in (b"{", b"[]", b"7", b"[" * 5000, b'"\xff"'):
        pushed.raw(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    assert pushed.ask("textDocument/nonsense", {})["error"]["code"] == -32601
    broken = [note["params"] for note in pushed.notes if note["method"] == "answer" and note["params"]["id"] is None]
    assert [answer["error"]["code"] for answer in broken] == [-32700] * 5


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 99999999999\r\n\r\n", b"Content-Length: -1\r\n\r\n", b"Content-Length: 33554433\r\n\r\n", b"X: y\r\n\r\n",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", b"a" * 9000, b"Content-Length: x\r\n\r\n",
    ],
    ids=["huge", "negative", "over", "none", "two", "endless", "letters"],
)  # fmt: skip
def test_a_stream_that_is_none_ends_the_server(vault_home: Home, head: bytes) -> None:
    client = Client(vault_home, start=False)
    client.raw(head)
    assert client.process.wait(20) == 1
    assert client.errors == b""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(1, 30), max_size=5))
def test_frames_are_whole_or_refused(data: bytes, cuts: list[int]) -> None:
    from locum.lsp.transport import FramingProblem, frames

    bodies = [data, b"{}", data[:3]]
    stream = b"".join(b"content-LENGTH: %d\r\nX-Other: 1\r\n\r\n%b" % (len(body), body) for body in bodies)
    sizes = [*cuts, *[7] * (len(stream) + 1)]
    chunks: list[bytes] = []
    while stream:
        size = sizes.pop(0)
        chunks.append(stream[:size])
        stream = stream[size:]
    chunks.append(b"")
    assert list(frames(lambda _: chunks.pop(0))) == bodies
    with pytest.raises(FramingProblem):
        list(frames(lambda _: b"x" * 9000))


def test_before_and_after(vault_home: Home) -> None:
    client = Client(vault_home, start=False)
    assert client.ask("textDocument/hover", {})["error"]["code"] == -32002
    client.notify("textDocument/didOpen", {"nonsense": 1})
    client.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    client.request("shutdown", None)
    assert client.ask("textDocument/hover", {})["error"]["code"] == -32600
    client.notify("exit", None)
    assert client.process.wait(20) == 0


@pytest.mark.parametrize("end", ["exit", "close"])
def test_an_end_without_shutdown_is_1(vault_home: Home, end: str) -> None:
    client = Client(vault_home)
    if end == "exit":
        client.notify("exit", None)
    else:
        assert client.process.stdin is not None
        client.process.stdin.close()
    assert client.process.wait(20) == 1


def test_a_change_to_what_was_never_opened_is_nothing(pushed: Client) -> None:
    pushed.versions["file:///x"] = 1
    pushed.change("file:///x", text=github_token())
    uri = pushed.open("app.py", f'A = "{github_token()}"\n')
    assert len(pushed.diagnostics(uri)) == 1
    assert not [note for note in pushed.notes if note["method"] == "window/showMessage"]


def test_leases_are_told_when_a_broker_runs(vault_home: Home) -> None:
    vault_home.run("broker", "start")
    client = Client(vault_home)
    assert client.wait_note("locum/leases") == {"leases": []}
    vault_home.store("API_KEY", "a value of eleven")
    terminal = vault_home.terminal("run", "--secret", "API_KEY", "--", "sh", "-c", "echo it runs; exec sleep 60")
    terminal.answer()
    terminal.wait_for("it runs")  # revoked before that, nothing is started and the code is 3
    leases = client.wait_note("locum/leases", lambda p: len(p["leases"]) == 1)["leases"]
    assert leases[0]["env"] == ["API_KEY"]
    assert (
        client.request("workspace/executeCommand", {"command": "locum.leases", "arguments": []})["leases"][0]["id"]
        == leases[0]["id"]
    )
    client.request("workspace/executeCommand", {"command": "locum.revokeLease", "arguments": [leases[0]["id"]]})
    assert terminal.wait() == 143
    assert client.wait_note("locum/leases", lambda p: p["leases"] == [])
    client.close()


@pytest.mark.parametrize(
    ("answer", "code"), [("Allow once", 0), ("Deny", 3), (None, 3), ("Allow exactly this for 12 h", 0)]
)
def test_approvals_through_the_server(vault_home: Home, answer: str | None, code: int) -> None:
    vault_home.store("API_KEY", "a value of eleven")
    vault_home.run("broker", "stop")
    client = Client(vault_home, approvals="server")
    client.answers["window/showMessageRequest"] = lambda _: answer and {"title": answer}
    assert wait_until(lambda: vault_home.json("broker", "status").get("control") is True)
    vault_home.run("run", "--secret", "API_KEY", "--", "true", check=code)
    (asked,) = [request["params"] for request in client.requests if request["method"] == "window/showMessageRequest"]
    assert "locum://API_KEY" in asked["message"]
    assert [action["title"] for action in asked["actions"]] == [
        "Deny", "Allow once", "Allow exactly this for 12 h",
    ]  # fmt: skip
    if answer == "Allow exactly this for 12 h":  # then nobody is asked again
        vault_home.run("run", "--secret", "API_KEY", "--", "true")
        assert len([request for request in client.requests if request["method"] == "window/showMessageRequest"]) == 1
    client.close()


def test_approvals_with_our_own_request(vault_home: Home) -> None:
    vault_home.store("API_KEY", "a value of eleven")
    vault_home.run("broker", "stop")
    client = Client(vault_home, PUSH | {"experimental": {"locum": {"approve": True}}}, approvals="server")
    client.answers["locum/approve"] = lambda params: {
        "decision": "allow" if params["names"] == ["locum://API_KEY"] else "deny"
    }
    assert wait_until(lambda: vault_home.json("broker", "status").get("control") is True)
    vault_home.run("run", "--secret", "API_KEY", "--", "true")
    client.close()


def wait_until(condition: Any, seconds: float = 15) -> bool:
    import time

    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_no_value_in_anything_that_the_server_says(vault_home: Home) -> None:
    """A whole session, all features, every byte that leaves the server."""
    tokens = [github_token() for _ in range(3)]
    client = Client(vault_home, PULL)
    uri = client.open("app.py", "".join(f'TOKEN_{i} = "{token}"  # {token}\n' for i, token in enumerate(tokens)))
    said = client.diagnostics(uri)
    for diagnostic in said:
        client.actions(uri, diagnostic)
        client.request("textDocument/hover", {"textDocument": {"uri": uri}, "position": diagnostic["range"]["start"]})
    client.fix(uri, said[0])
    client.ask("textDocument/hover", {"textDocument": tokens[0], "position": tokens[1]})
    client.ask("workspace/executeCommand", {"command": tokens[2], "arguments": [tokens[0]]})
    client.ask(
        "workspace/executeCommand",
        {"command": "locum.moveToVault", "arguments": [{"uri": tokens[0], "fingerprint": tokens[1]}]},
    )
    client.notify("textDocument/didChange", {"textDocument": tokens[0]})
    client.notify("$/" + tokens[0], {"x": tokens[1]})
    client.close()
    for token in tokens:
        raw = token.encode()
        for form in (raw, raw[4:14], base64.b64encode(raw)[:-4], raw.hex().encode()):
            assert form not in client.received
            assert form not in client.errors
            assert form not in vault_home.everything_written()

"""Every case in `cases/*.txt`: a text with a marked secret, and what stands there afterwards or why nothing does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from locum.rewrite.plan import NO_EDIT, Plan, Refusal
from support.marked import CLOSE, JOINT, OPEN, applied, plan_for, plan_marked, value_of

_CASE = re.compile(
    r"^=== ([^\n]*)\n(.*?)\n(---\n(?P<after>.*?)|--! (?P<refusal>.*?))\n\n(?=(?:===|\Z))", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Case:
    title: str
    path: str
    language: str
    before: str
    after: str | None
    refusal: str


def cases() -> list[Case]:
    found: list[Case] = []
    for file in sorted((Path(__file__).parent / "cases").glob("*.txt")):
        text = file.read_text().replace(JOINT, "")
        matches = list(_CASE.finditer(text))
        assert len(matches) == len(re.findall(r"^=== ", text, re.MULTILINE)), f"{file.name}: a case is malformed"
        for match in matches:
            title, path, language = ([part.strip() for part in match[1].split("|")] + [""])[:3]
            after = match["after"]
            refusal = match["refusal"] or ""
            found.append(Case(title, path, language, match[2] + "\n", after and after + "\n", refusal))
    return found


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.path}: {case.title}")
def test_case(case: Case):
    text, made = plan_marked(case.before, path=case.path, language=case.language)
    if case.after is None:
        assert isinstance(made, Refusal)
        assert case.refusal.removesuffix(".") in made.reason
        assert "tulip" not in made.reason, "a refusal holds no part of the text"
        cause = made.reason.removeprefix(NO_EDIT)
        assert re.search(r": |, then | already\.", cause), "a refusal says what to do"
    else:
        assert applied(text, made) == case.after


@pytest.mark.parametrize("case", [c for c in cases() if c.after], ids=lambda case: f"{case.path}: {case.title}")
def test_case_with_windows_line_ends(case: Case):
    text, made = plan_marked(case.before.replace("\n", "\r\n"), path=case.path, language=case.language)
    assert applied(text, made) == (case.after or "").replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("path", "before", "value"),
    [
        (
            "a.py",
            r'k = "<tulip\x41\u00e9\N{BULLET}\
x>"',
            "tulipAé\u2022x",
        ),
        ("a.py", r'k = b"<tulip\xe9>"', b"tulip\xe9"),
        ("a.js", r'k = "<tulip\101\0\x41>"', None),
        ("a.js", r'k = "<tulip\101\x41>"', "tulipAA"),
        ("a.js", r'k = "<tulip\/\d>"', "tulip/d"),
        ("a.json", r'{"k": "<tulip\/\u0041>"}', "tulip/A"),
        (".env", r'K="<tulip\n\"\d>"', 'tulip\n"\\d'),
        (".env", r"K='<tulip\n>'", r"tulip\n"),
        (".env", "K=<tulip#9Zk>", "tulip#9Zk"),
        ("a.toml", r'k = "<tulip\u0041\"\t>"', 'tulipA"\t'),
        ("a.toml", r"k = '<tulip\n>'", r"tulip\n"),
        ("a.toml", 'k = """\n<tulip \\\n   9Zk>"""', "tulip 9Zk"),
        ("x.json", '{"mcpServers": {"x": {"url": "https://h/?k=<tulip%2F%C3%A9>"}}}', "tulip/é"),
        ("x.json", r'{"mcpServers": {"x": {"url": "https://h/", "headers": {"A": "B <tulip\u0041>"}}}}', "tulipA"),
        ("a.toml", r'mcp_servers.x = { url = "https://h/", http_headers = { A = "B <tulip\u0041>" } }', "tulipA"),
        ("a.yml", r'k: "<tulip\x41\e>"', "tulipA\x1b"),
        ("a.yml", "k: |+\n  <tulip\n   9Zk>\n\n", "tulip\n 9Zk\n\n"),
        ("compose.yml", "k: <tulip$$9Zk>", "tulip$9Zk"),
        ("a.properties", r"k=<tulip\u0041\:\n\d>", "tulipA:\nd"),
        ("a.properties", r"k=<tulip\ud83d\udd11>", "tulip\U0001f511"),
        (".npmrc", r"k=<tulip\;\#\d>", r"tulip;#\d"),
        (".my.cnf", r"k=<tulip\s\\\d>", r"tulip \\d"),
        (".netrc", r'password "<tulip\"\\>"', 'tulip"\\'),
        (".pgpass", r"a:b:c:d:<tulip\:\\>", "tulip:\\"),
        ("a.pl", r'my $k = "<tulip\@9Zk\$>";', "tulip@9Zk$"),
        ("a.rb", r'k = "<tulip\#{9Zk\_>"', "tulip#{9Zk_"),
        ("a.php", "$k = '<tulip\r\n9Zk>';", "tulip\r\n9Zk"),
        ("a.cs", 'class A { string k = @"<tulip\r\n9Zk>"; }', "tulip\r\n9Zk"),
        ("a.rb", "k = '<tulip\r\n9Zk>'", "tulip\n9Zk"),
        ("a.ipynb", r'{"cells": [{"cell_type": "code", "source": "k = \"<tulip\\\\\u0041>\""}]}', "tulip\\A"),
        ("a.ipynb", r'{"cells": [{"cell_type": "raw", "source": ["<tulip\"\n", "A>"]}]}', 'tulip"\nA'),
        ("a.py", 'k = "https://x:<tulip%40%3a%C3%A9>@h"', "tulip@:é"),
        ("a.go", 'package a\nvar k = "https://x:<tulip%40>@h"', "tulip@"),
        ("a.go", 'package a\nvar k = "https://x:<tulip\\u002540>@h"', "tulip@"),
        ("a.rs", 'fn f() { g("https://x:<tulip%40>@h"); }', "tulip%40"),
        ("a.py", 'k = "https://h/?k=<tulip+%40>"', "tulip+%40"),
        ("a.py", 'k = "https://x:<tulip%ff>@h"', "tulip%ff"),
        ("a.py", 'k = "https://x:<tulip%00>@h"', "tulip%00"),
        ("a.py", 'k = "https://x:<tulip%4>@h"', "tulip%4"),
        ("a.py", 'k = "https://h/<tulip%40>/x"', "tulip%40"),
    ],
)
def test_escapes_are_undone(path: str, before: str, value: str | bytes | None):
    _, made = plan_marked(before.replace("<", OPEN).replace(">", CLOSE), path=path)
    if value is None:
        assert isinstance(made, Refusal)
    else:
        assert value_of(made) == (value if isinstance(value, bytes) else value.encode())


@pytest.mark.parametrize(
    ("path", "before", "note"),
    [
        ("a.py", 'k = "<tulip>"', "locum run --secret NAME"),
        ("a.py", 'k = "https://x:<tul%20ip>@h"', "the program escapes it"),
        ("a.java", 'class A { String k = "https://x:<tul%20ip>@h"; }', "Java 10"),
        ("a.lua", 'k = "https://x:<tul%20ip>@h"', "stored percent-encoded"),
        ("a.lua", 'k = "https://x:<tulip>@h"', "store a new one percent-encoded"),
        ("a.sh", "curl https://x:<tul%20ip>@h", "stored percent-encoded"),
        ("a.js", 'k = "https://x:<tul$ip>@h"', "store a new one percent-encoded"),
        (".env", "K=https://x:<tulip>@h", "The whole value of K is stored"),
        ("a.json", '{"k": "https://x:<tulip>@h"}', "The whole value is stored"),
        (".mcp.json", '{"mcpServers": {"x": {"command": "y", "env": {"K": "<tulip>"}}}}', '"x" now starts through'),
        ("b/a.toml", 'k = "<tulip>"', "locum run --mount b/a.toml --"),
        (".streamlit/secrets.toml", 'k = "<tulip>"', "--secrets.files .streamlit/secrets.toml"),
        (".cargo/credentials.toml", '[registry]\ntoken = "<tulip>"', "--secret CARGO_REGISTRY_TOKEN=NAME"),
        ("a.toml", 'k = "https://x:<tulip>@h"', "The whole string is stored"),
        (
            ".mcp.json",
            '{"mcpServers": {"x": {"url": "https://h?k=<tulip>"}}}',
            "reached through 'locum bridge' under 'locum run'",
        ),
        (
            "x.json",
            '{"mcpServers": {"x": {"url": "https://h?k=<tulip>", "headers": {"X-Key": "a"}}}}',
            "sends as X-Key",
        ),
        ("a.jsx", '(=a k="<tulip>" />)', "visible to every visitor"),
        (".github/workflows/a.yml", "k: <tulip>", """sh -c 'printf %s "$NAME" | gh secret set NAME'."""),
        ("azure-pipelines.yml", "k: <tulip>", "PIPELINE_VAR_NAME=NAME -- az pipelines variable create --name NAME"),
        (".env", "K=<tulip>", "'locum run --env-file .env -- …', which puts the value in the place of locum://NAME."),
        ("my app/.env", "K=<tulip>", "locum run --env-file 'my app/.env' -- "),
        ("token.txt", "<tulip>", "locum run --mount token.txt -- "),
        (".envrc", "export K=<tulip>", "'locum run -- …'"),
        ("app.ini", "k = <tulip>", "locum run --mount app.ini -- "),
        ("my app/a.ini", "k = <tulip>", "locum run --mount 'my app/a.ini' -- "),
        ("", "k = <tulip>", "locum run --mount FILE -- "),
        ("app.ini", "k = x:<tulip>", "The whole value is stored"),
        ("a.yml", "k: <0777123>", "YAML took it for a number"),
        (".pypirc", "password=<tulip>", "twine upload --config-file .pypirc"),
        (".netrc", "password <tulip>", "curl --netrc-file .netrc"),
        (".pgpass", "a:b:c:d:<tulip>", "PGPASSWORD=locum://NAME locum run -- psql"),
        (".my.cnf", "password=<tulip>", "mysql --defaults-file=.my.cnf"),
        ("pg_service.conf", "password=<tulip>", "env PGSERVICEFILE=pg_service.conf"),
        ("odbc.ini", "PWD=<tulip>", "env ODBCINI=odbc.ini"),
        ("pip.conf", "extra-index-url = <tulip>", "PIP_EXTRA_INDEX_URL=locum://NAME locum run -- pip"),
        (
            "gradle.properties",
            "signingKey=<tulip>",
            "ORG_GRADLE_PROJECT_signingKey=locum://NAME locum run -- ./gradlew",
        ),
        (".npmrc", "a=<tulip>", "locum run --secret NAME -- npm"),
        ("requirements.txt", "--index-url https://u:<tul%20ip>@h", "percent-encoded"),
        ("k8s/a.yaml", "apiVersion: v1\nkind: Secret\nstringData:\n  a: <tulip>\n", "-- kubectl apply -f k8s/a.yaml"),
        ("chart/values.yaml", "a: <tulip>", "-- helm upgrade --install … -f chart/values.yaml"),
        ("application.yml", "a: <tulip>", "Spring takes it from the environment"),
        ("site.yml", "a: <tulip>", "-- ansible-playbook"),
        (".gitlab-ci.yml", "a: <tulip>", "glab variable set NAME --masked --raw"),
        ("azure-pipelines.yml", "a: <tulip>", "--name NAME --secret true"),
        (".vscode/launch.json", '{"a": "<tulip>"}', "locum run --secret NAME -- code ."),
        (
            ".vscode/tasks.json",
            '{"tasks": [{"type": "shell", "command": "a", "options": {"env": {"A": "<tulip>"}}}]}',
            "now starts",
        ),
    ],
)
def test_the_note_says_what_to_know(path: str, before: str, note: str):
    marked = before.replace("<", OPEN).replace("/>", "\0").replace(">", CLOSE).replace("\0", "/>").replace("(=", "(<")
    _, made = plan_marked(marked, path=path, language="" if path else "ini")
    assert isinstance(made, Plan), made
    assert note in made.note
    assert "tul" not in made.note + made.idiom


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "GITEA_TOKEN"])
def test_a_workflow_takes_no_secret_that_its_host_would_give_itself(name: str):
    """`secrets.GITHUB_TOKEN` is there always, and another one; a secret cannot be given such a name."""
    text = "env:\n  TOKEN: tulip-9Zk\n"
    start = text.index("tulip")
    made = plan_for(text, start, start + 9, path=".github/workflows/a.yml", name=name)
    assert applied(text, made) == f"env:\n  TOKEN: ${{{{ secrets.MY_{name} }}}}\n"
    assert isinstance(made, Plan)
    assert f"--secret {name} -- " in made.note
    assert f"gh secret set MY_{name}'" in made.note

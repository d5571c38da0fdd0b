"""What agents' hooks note: bounded, value-free, and believed only as far as the file on the disk agrees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locum.agents.sessions.fresh import MOST, lines, new_since
from locum.agents.sessions.journal import note
from locum.agents.sessions.report import choose, report, sessions, summary
from locum.detect.engine import default_engine
from locum.errors import UsageProblem
from locum.paths import user_paths
from locum.workspace.agent_journal import AgentJournal, Author, parse
from locum.workspace.agent_notes import KEEP_DAYS, MAX_DAY, shown
from support.home import ROOT, canary
from support.tokens import MAKERS, github_token

OLD, NEW = "a" * 32, "b" * 32
"""Fingerprints of findings."""


def read() -> AgentJournal:
    made = AgentJournal(user_paths().agents)
    made.refresh()
    return made


def everything() -> bytes:
    return b"".join(path.read_bytes() for path in user_paths().agents.iterdir())


class Edits:
    """A file that agents and people write."""

    def __init__(self, workspace: Path) -> None:
        self.workspace, self.path = workspace, workspace / "src" / "a.py"
        self.path.parent.mkdir()
        self._clock = time.time_ns()

    def write(self) -> None:
        self.path.write_text("x")
        self._clock += 1_000_000_000
        os.utime(self.path, ns=(self._clock, self._clock))  # no two writes at one tick

    def agent(self, session: str, had: list[str] | None) -> None:
        """Write as an agent whose hooks note it; `had` None: only afterwards."""
        about = {"path": "src/a.py", "workspace": self.workspace}
        if had is not None:
            assert note(session, "claude", "writes", had=had, **about)
        self.write()
        assert note(session, "claude", "wrote", **about)

    def person(self) -> None:
        self.write()


CASES: dict[str, tuple[Callable[[Edits], Any], dict[str, str]]] = {
    "its only write": (lambda file: file.agent("s1", []), {OLD: "s1", NEW: "s1"}),
    "a write after which nothing is known of before": (lambda file: file.agent("s1", None), {OLD: "s1"}),
    "what stood there before": (lambda file: (file.person(), file.agent("s1", [OLD])), {NEW: "s1", OLD: ""}),
    "two writes of two sessions": (lambda file: (file.agent("s1", []), file.agent("s2", [OLD])), {OLD: "s1", NEW: "s2"}),
    "a person in between": (
        lambda file: (file.agent("s1", []), file.person(), file.agent("s2", [OLD])), {OLD: "", NEW: "s2"},
    ),
    "a person afterwards": (lambda file: (file.agent("s1", []), file.person()), {OLD: "", NEW: ""}),
    "a write that was not let through": (
        lambda file: (file.agent("s1", []), note("s2", "claude", "writes", path=file.path, had=[OLD])), {OLD: "s1"},
    ),
    "nobody": (lambda file: file.person(), {OLD: ""}),
    "no file": (str, {OLD: ""}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_who_wrote_a_finding(case: str, tmp_path: Path) -> None:
    file = Edits(tmp_path)
    happened, expected = CASES[case]
    happened(file)
    journal = read()
    authors = {name: journal.author(file.path, name) for name in expected}
    assert {name: author.session if author else "" for name, author in authors.items()} == expected


def test_a_path_is_one_however_it_is_called(tmp_path: Path) -> None:
    file = Edits(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "src")
    file.write()
    assert note("s1", "claude", "wrote", path=link / "a.py", workspace=tmp_path)
    journal = read()
    assert journal.author(file.path, NEW) == journal.author(link / "a.py", NEW) != None  # noqa: E711 - all three
    assert read().entries[0].about["path"] == "src/a.py"


def test_a_reader_goes_on_where_it_was(tmp_path: Path) -> None:
    journal = read()
    for number in range(3):
        assert note(f"s{number}", "codex", "start", workspace=tmp_path)
        journal.refresh()
        journal.refresh()
        assert [entry.session for entry in journal.entries] == [f"s{at}" for at in range(number + 1)]


# -- no value, no odd byte, no end of it ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_no_value_gets_in(kind: str) -> None:
    import random

    value = MAKERS[kind](random.Random(5))
    names = ("rule", "line", "event", "count", "tool", "names", "task", "reason", "had", "text", "content")
    places = () if kind == "password" else ("path", "workspace")  # that a path is a password nobody can see
    fields: dict[str, Any] = dict.fromkeys((*names, *places), value)
    for noted in ("start", "writes", "wrote", "blocked", "redacted", "used", "end"):
        note("s1", "claude", noted, **fields)
        fields |= {"names": [value], "had": [value]} | ({"path": f"/tmp/{value}/{value}.py"} if places else {})
        note("s1", "claude", noted, **fields)
    longest = max(value.replace("\n", "-").split("-"), key=len)
    windows = {longest[at : at + 12] for at in range(len(longest) - 11)}
    pieces = {value, *(window for window in windows if "/" not in window)} - {
        longest[:12]
    }  # a vendor's prefix may remain
    assert not [piece for piece in pieces if piece.encode() in everything()]


@given(st.text(max_size=60), st.text(max_size=40), st.text(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_line_is_one_line_of_plain_text(path: str, rule: str, workspace: str) -> None:
    note("s1", "claude", "blocked", path=path, rule=rule, workspace=workspace, line=1, event="write")
    raw = everything()
    assert raw.endswith(b"\n")
    assert raw.isascii()
    for line in raw.splitlines():
        said = json.loads(line)
        assert all(
            char.isprintable() for char in said.get("path", "") + said.get("rule", "") + said.get("workspace", "")
        )


@pytest.mark.parametrize(
    ("session", "client", "kind"),
    [("", "claude", "start"), ("../x", "claude", "start"), ("a\n", "claude", "start"), ("a" * 129, "claude", "start"),
     ("s", "Claude", "start"), ("s", "", "start"), ("s", "claude", "stole"), ("s", "claude", "")],
)  # fmt: skip
def test_odd_names_are_not_noted(session: str, client: str, kind: str) -> None:
    assert not note(session, client, kind)
    assert not user_paths().agents.exists()


def test_it_is_private_and_full_at_its_size(tmp_path: Path) -> None:
    assert note("s1", "claude", "start", workspace=tmp_path)
    (file,) = user_paths().agents.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert user_paths().agents.stat().st_mode & 0o777 == 0o700
    os.truncate(file, MAX_DAY - 10)
    assert not note("s1", "claude", "end")
    assert file.stat().st_size == MAX_DAY - 10


@pytest.mark.parametrize("what", ["link", "pipe", "folder", "open to others"])
def test_what_is_not_our_own_file_is_not_written(what: str, tmp_path: Path) -> None:
    assert note("s1", "claude", "start")
    (file,) = user_paths().agents.iterdir()
    if what == "open to others":
        file.chmod(0o666)
    else:
        file.unlink()
        elsewhere = tmp_path / "elsewhere"
        {"link": lambda: file.symlink_to(elsewhere), "pipe": lambda: os.mkfifo(file), "folder": file.mkdir}[what]()
    before = read().entries
    assert not note("s1", "claude", "end")
    assert not (tmp_path / "elsewhere").exists()
    assert read().entries == ([] if what == "open to others" else before)


def test_days_are_forgotten(tmp_path: Path) -> None:
    note("s1", "claude", "start", workspace=tmp_path)
    folder = user_paths().agents
    days = {
        age: folder / time.strftime("%Y-%m-%d.jsonl", time.gmtime(time.time() - age * 86400))
        for age in (1, 29, 31, 400)
    }
    for path in (*days.values(), folder / "notes.txt"):
        path.write_text("")
    note("s2", "claude", "wrote", path="a", workspace=tmp_path)
    assert days[400].exists(), "only a session's start takes the time"
    note("s2", "claude", "start", workspace=tmp_path)
    assert {age for age, path in days.items() if path.exists()} == {1, 29}
    assert (folder / "notes.txt").exists()
    assert KEEP_DAYS == 30


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda x: json.dumps(x).encode())
)
def test_no_line_of_others_breaks_the_reader(line: bytes) -> None:
    parse(line)


def test_what_others_wrote_is_passed_over(tmp_path: Path) -> None:
    note("s1", "claude", "start", workspace=tmp_path)
    (file,) = user_paths().agents.iterdir()
    good = file.read_bytes()
    odd = [
        b"{", b"[]", b"null", b'"x"', b"[" * 5000, b"\xff\xfe", b"x" * 10_000, good.replace(b'"s1"', b'"../x"'),
        good.replace(b'"start"', b'"stole"'), good.replace(b'"claude"', b'"c\\u202e"'), b'{"at":true}',
        b'{"at":1e99,"session":"s","client":"c","kind":"start"}',
    ]  # fmt: skip
    file.write_bytes(b"\n".join([*odd, good]) + b'{"half')
    assert [entry.session for entry in read().entries] == ["s1"]
    assert summary("s1")


def test_many_write_at_once_and_no_line_is_torn(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom locum.agents.sessions.journal import note\n"
        "for at in range(200): assert note(sys.argv[1], 'codex', 'wrote', path=f'd/{at}.py', workspace='/w')\n"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT / "server")}
    writers = [subprocess.Popen([sys.executable, "-c", program, f"s{at}"], env=env) for at in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert len(read().entries) == 800


def test_a_hook_pays_for_nothing_heavy() -> None:
    heavy = {
        "asyncio",
        "click",
        "cryptography",
        "pygls",
        "socket",
        "subprocess",
        "tomlkit",
        "locum.detect.engine",
        "locum.broker",
    }
    program = "import sys, locum.agents.sessions.journal; print(*sys.modules)"
    env = os.environ | {"PYTHONPATH": str(ROOT / "server")}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(done.stdout.split())


# -- what is told ---------------------------------------------------------------------------------------------------


def test_names_of_files_stay_readable() -> None:
    for plain in (
        "src/app.py", "docs/2026-11-26-release-notes-v2.md", "tests/test_what_the_mask_does_not_cover.py", "a/K8S_TOKEN_X509.md",
        "java/AbstractAnnotationConfigDispatcherServletInitializer.java", "node_modules/@types/node/v20", *default_engine().rules,
    ):  # fmt: skip
        assert shown(plain) == plain
    token = github_token()
    assert token[4:] not in shown(f"a/{token}.py")
    assert shown("a\x1b[2J\u202eb\n") == "a\\x1b[2J\\u202eb\\n"


def test_when_it_was() -> None:
    noon = time.mktime((2026, 11, 26, 12, 0, 0, 0, 0, -1))
    author = Author("claude", "s1", round(noon * 1000))
    assert author.text(noon + 60) == "written by Claude Code, 12:00"
    assert author.text(noon + 86400) == "written by Claude Code, 2026-11-26 12:00"
    assert Author("other-one", "s1", 0).text(noon).startswith("written by other-one, 19")


def test_a_report_is_short_and_whole(tmp_path: Path) -> None:
    note("s1", "claude", "start", workspace=tmp_path)
    for at in range(40):
        note("s1", "claude", "wrote", path=f"src/{at}.py", workspace=tmp_path)
        note(
            "s1",
            "claude",
            "blocked",
            rule="github-pat",
            path=f"src/{at}.py",
            line=at,
            event="write",
            workspace=tmp_path,
        )
        note("s1", "claude", "redacted", count=2, tool="Bash")
    note("s1", "claude", "end")
    said = summary("s1")
    assert len(said) <= 15
    text = "\n".join(said)
    for part in (
        "Claude Code, session s1: began",
        "ended",
        "none used",
        "40 written: src/0.py",
        "35 more",
        "80 values",
        "none open",
    ):
        assert part in text
    assert "40 plaintext secrets: github-pat (40)" in text
    assert "github-pat in src/0.py:0" in text
    whole = report("s1")
    assert (len(whole["written"]), len(whole["blocked"]), whole["ended"]) == (40, 40, True)
    json.dumps(whole)
    assert "noted nothing" in summary("unheard-of")[0]


def test_sessions_and_choosing_one(tmp_path: Path) -> None:
    for name in ("abc-1", "abd-2", "xyz"):
        note(name, "gemini", "start", workspace=tmp_path)
        time.sleep(0.002)
    assert [one["session"] for one in sessions()] == ["xyz", "abd-2", "abc-1"]
    assert [choose(""), choose("abc"), choose("abd-2")] == ["xyz", "abc-1", "abd-2"]
    for wanted in ("ab", "nope"):
        with pytest.raises(UsageProblem):
            choose(wanted)


def finding(path: str, fingerprint: str, line: int = 0) -> dict[str, Any]:
    place = {"line": line, "character": 0}
    return dict(secret_name="GITHUB_TOKEN") | {  # noqa: C408 - other scanners take the pair for a secret
        "path": path, "fingerprint": fingerprint, "rule": "github-pat", "title": "GitHub token",
        "range": {"start": place, "end": place},
    }  # fmt: skip


def test_only_what_is_new_since_the_session_began(tmp_path: Path) -> None:
    for name in ("old.py", "touched.py", "fresh.py"):
        (tmp_path / name).write_text("x")
    hour = time.time() - 3600
    os.utime(tmp_path / "old.py", (hour, hour))
    note("s1", "claude", "start", workspace=tmp_path)
    note("s1", "claude", "writes", path="touched.py", had=[OLD], workspace=tmp_path)
    note("s1", "claude", "writes", path="touched.py", had=[OLD, NEW], workspace=tmp_path)
    later = time.time() + 2
    for name in ("touched.py", "fresh.py"):
        os.utime(tmp_path / name, (later, later))
    all_ = [finding("touched.py", NEW), finding("touched.py", OLD), finding("old.py", NEW), finding("fresh.py", OLD)]
    new = new_since("s1", all_, tmp_path)
    assert [(item["path"], item["fingerprint"]) for item in new] == [("fresh.py", OLD), ("touched.py", NEW)]
    assert len(new_since("unheard-of", all_, tmp_path)) == 4


def test_ten_lines_and_no_more(tmp_path: Path) -> None:
    many = [finding(f"a{at:02}.py", OLD, at) for at in range(25)]
    said = lines(new_since("none", reversed(many), tmp_path))
    assert len(said) == MOST + 1
    assert said[0] == "a00.py:1: GitHub token in plain text [github-pat]; write locum://GITHUB_TOKEN instead"
    assert said[-1] == "and 15 more"
    assert all("\n" not in line for line in said)


def test_a_canary_is_in_no_report(tmp_path: Path) -> None:
    value = canary()
    note("s1", "claude", "blocked", path=f"{value}.py", rule=value, event=value, line=3, workspace=tmp_path)
    note("s1", "claude", "used", names=["API_KEY", value], task=value)
    said = json.dumps(report("s1")) + "\n".join(summary("s1")) + everything().decode()
    assert not [value[at : at + 8] for at in range(len(value) - 7) if value[at : at + 8] in said]

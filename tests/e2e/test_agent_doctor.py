"""`locum agent doctor` on the four real clients, and on what can be wrong with a hook: what it says is what it has seen."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.agent_clients import REAL, Bench, bench

pytestmark = pytest.mark.timeout(400)

COMMON = {
    "prompt prompt": "PROTECTED", "before shell": "PROTECTED", "before write": "PROTECTED", "before edit": "PROTECTED",
    "before write by shell": "PROTECTED", "after shell": "PROTECTED",
}  # fmt: skip
READS = {"before read": "PROTECTED", "after search": "PROTECTED"}
EXPECTED = {
    # The output of a command that failed comes to its hooks, which cannot replace it.
    "claude": COMMON | READS | {"after shell": "PARTIAL"},
    "codex": COMMON,  # its model reads and searches by the shell
    "gemini": COMMON | READS,
    # Its search downloads a program, which is not to be had here.
    "opencode": COMMON | READS | {"after search": "PARTIAL"},
}
"""By client: what is seen with Locum's hooks."""


@pytest.fixture
def agents() -> Iterator[Bench]:
    with bench() as made:
        yield made


def doctor(agents: Bench, client: str, *options: str) -> tuple[int, Any]:
    done = subprocess.run(
        [agents.locum, "agent", "doctor", client, "--format", "json", *options], cwd=agents.project, env=agents.variables,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=390, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    assert "ghp_" not in done.stdout + done.stderr, "a canary was shown"
    assert not list(agents.tmp.iterdir()), "a temporary home was left behind"
    told = json.loads(done.stdout)
    assert told["version"] == 1
    assert told["locum"]
    (report,) = told["clients"]
    assert (done.returncode == 0) == (report["level"] == "PROTECTED" and not report["problems"])
    return done.returncode, report


def levels(report: Any) -> dict[str, str]:
    return {f"{cell['event']} {cell['tool']}": cell["level"] for cell in report["cells"]}


def codes(report: Any) -> set[str]:
    return {problem["code"] for problem in report["problems"]}


@pytest.mark.parametrize("client", REAL)
def test_what_is_protected_is_seen_in_the_client(agents: Bench, client: str) -> None:
    agents.hooks(client)
    _, report = doctor(agents, client)
    assert report["observed"]
    assert report["client_version"]
    assert levels(report) == EXPECTED[client], report
    assert codes(report) == ({"output.ignored"} if client == "claude" else set())


@pytest.mark.parametrize("client", REAL)
def test_without_hooks_everything_comes_through(agents: Bench, client: str) -> None:
    """Else that nothing is seen with them would say nothing."""
    code, report = doctor(agents, client)
    assert code == 1
    assert set(levels(report).values()) == {"UNPROTECTED"}, report
    assert codes(report) == {"hook.missing"}


@pytest.mark.parametrize(
    ("line", "more", "code"),
    [
        ("/gone/python -m locum hook claude", {}, "hook.interpreter"),
        ("./gone.sh hook claude", {}, "hook.interpreter"),
        ("sh -c 'cat >/dev/null; exit 1' hook claude", {}, "hook.crash"),
        ("sh -c 'cat >/dev/null; echo Traceback' hook claude", {}, "hook.crash"),
        ("sh -c 'sleep 600' hook claude", {"timeout": 1}, "hook.hang"),
        ("sh -c 'cat >/dev/null' hook claude", {}, "hook.allows"),
    ],
)
def test_what_is_wrong_with_a_hook_is_said(agents: Bench, line: str, more: dict[str, Any], code: str) -> None:
    agents.hooks("claude", line, **more)
    exit_code, report = doctor(agents, "claude")
    assert exit_code == 1
    assert code in codes(report)
    assert "PROTECTED" not in levels(report).values()


def test_an_event_without_a_hook_is_said(agents: Bench) -> None:
    agents.hooks("claude")
    path = agents.home / ".claude/settings.json"
    settings = json.loads(path.read_text())
    del settings["hooks"]["UserPromptSubmit"]
    path.write_text(json.dumps(settings))
    _, report = doctor(agents, "claude")
    assert "hook.missing" in codes(report)
    assert levels(report)["prompt prompt"] == "UNPROTECTED"
    assert levels(report)["before write"] == "PROTECTED"


def test_replaced_output_that_the_client_ignores_is_said(agents: Bench) -> None:
    """Codex does not know the field by which Claude Code's hooks replace a tool's output."""
    wrong = agents.tmp.parent / "old_hook.py"
    wrong.write_text(
        "import json, subprocess, sys\n"
        "event = json.load(sys.stdin)\n"
        "if event['hook_event_name'] == 'PostToolUse':\n"
        "    out = {'hookEventName': 'PostToolUse', 'updatedToolOutput': 'cleaned'}\n"
        "    print(json.dumps({'hookSpecificOutput': out}))\n"
        "else:\n"
        f"    sys.exit(subprocess.run([{agents.locum!r}, 'hook', 'codex'], input=json.dumps(event), text=True).returncode)\n"
    )
    agents.hooks("codex", f"/usr/bin/python3 {wrong} hook codex")
    _, report = doctor(agents, "codex")
    assert levels(report)["after shell"] == "UNPROTECTED"
    assert codes(report) == {"output.ignored"}


def test_hooks_that_codex_does_not_trust_do_not_count(agents: Bench) -> None:
    agents.hooks("codex")
    config = agents.home / ".codex/config.toml"
    config.write_text(config.read_text().partition("[hooks.state")[0])
    _, report = doctor(agents, "codex")
    assert set(levels(report).values()) == {"UNPROTECTED"}
    assert "hook.ignored" in codes(report)


@pytest.mark.parametrize("client", ["kiro", "cursor", "copilot"])
def test_what_cannot_be_run_here_is_partial_at_best(agents: Bench, client: str) -> None:
    agents.hooks(client)
    code, report = doctor(agents, client)
    assert code == 1
    assert not report["observed"]
    seen = levels(report)
    assert seen["before write"] == "PARTIAL"
    assert seen["after shell"] == "UNPROTECTED"  # these replace no output
    assert "PROTECTED" not in seen.values()


def test_settings_that_cannot_be_read_are_named(agents: Bench) -> None:
    agents.hooks("claude")
    (agents.home / ".claude/settings.json").write_text("{")
    _, report = doctor(agents, "claude")
    assert {"file.broken", "hook.missing"} <= codes(report)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("emacs",), "Known are"),
        (("--program", "/gone"), "one client"),
        (("claude", "--program", "/gone"), "not a file"),
    ],
)
def test_usage(agents: Bench, arguments: tuple[str, ...], said: str) -> None:
    done = subprocess.run(
        [agents.locum, "agent", "doctor", *arguments], cwd=agents.project, env=agents.variables, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr


def test_the_persons_own_files_stay_as_they_are(agents: Bench) -> None:
    agents.hooks("claude")
    before = {path: path.read_bytes() for path in agents.home.rglob("*") if path.is_file()}
    doctor(agents, "claude")
    assert {path: path.read_bytes() for path in agents.home.rglob("*") if path.is_file()} == before
    assert not list(Path(agents.project).iterdir())

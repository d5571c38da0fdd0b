"""An agent that wants to see secrets, in the four real clients: what its model would be shown, way by way.

`locum fix --all` has moved what stood in the project's files; Locum's hooks are installed. docs/agents.md says what holds, and this
reads it there.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from locum.agents.doctor import runs
from locum.agents.doctor.canary import Transcript
from locum.agents.doctor.real import REAL, Origin, Place
from support import curious
from support.agent_clients import REAL as CLIENTS
from support.agent_clients import Bench, bench

pytestmark = pytest.mark.timeout(500)

FIXED = {".env", "app/settings.py", "refuse.py", "docker-compose.yml", "notes.ipynb"}
DOCS = Path(__file__).resolve().parents[2] / "docs/agents.md"


@pytest.fixture
def agents(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with bench() as made:
        monkeypatch.setenv("PATH", made.path)
        yield made
        subprocess.run([made.locum, "broker", "stop"], env=made.variables, capture_output=True, check=False)


def told_by_docs(title: str) -> dict[str, dict[str, str]]:
    """Return a table of the docs: by way, by client."""
    section = DOCS.read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")
    ]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def agrees(seen: dict[str, list[str]], said: dict[str, dict[str, str]], client: str) -> None:
    """Compare what was seen with what a table of the docs says: a cell begins with `protected` or with `no`."""
    found = {way: "no" if places else "protected" for way, places in seen.items()}
    assert found == {way: re.split(r"\W", row[client])[0] for way, row in said.items()}, seen


def locum(agents: Bench, *arguments: str, **more: str) -> str:
    done = subprocess.run(
        [agents.locum, *arguments], cwd=agents.project, env=agents.variables | more, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def curiosity(agents: Bench, client: str, *, hooks: bool = True, before: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Let the agent try all ways; return by way the places whose canary the model saw. Fails when a way was not tried."""
    scene = curious.build(agents)
    locum(agents, "vault", "init", "--key-file")
    locum(agents, "fix", "--all")
    for name in FIXED:
        assert scene.canaries[name] not in (agents.project / name).read_text(), f"{name} was not fixed"
    curious.left_over(agents, scene)
    if hooks:
        agents.hooks(client)
    real = REAL[client]
    tried = curious.ways(real.hand, agents)
    script = [call for way in tried for call in way.calls]
    place = Place(agents.home, agents.project, agents.tmp)
    did = runs.run(
        real, client, Origin(agents.home, agents.project), place, "Look around, please.", script,
        {**scene.variables, "LOCUM_HOME": str(agents.home / ".locum")}, before=before,
    )  # fmt: skip
    assert len(did.results) == len(script), f"{len(did.results)} of {len(script)} were tried\n{did.said[-1500:]}"
    results = iter(did.results)
    seen: dict[str, list[str]] = {}
    for way in tried:
        shown = [Transcript([next(results).encode()]) for _ in way.calls]
        seen[way.name] = [
            where for where, canary in scene.canaries.items() if any(each.shows(canary) for each in shown)
        ]
    whole = [where for where, canary in scene.canaries.items() if did.transcript.shows(canary)]
    assert set(whole) == {where for places in seen.values() for where in places}, (
        "it was seen elsewhere than in a result"
    )
    return seen


@pytest.mark.parametrize("client", CLIENTS)
def test_what_the_docs_say_is_what_the_model_sees(agents: Bench, client: str) -> None:
    seen = curiosity(agents, client)
    agrees(seen, told_by_docs("With hooks (L0)"), client)


@pytest.mark.parametrize("client", CLIENTS)
def test_in_the_sandbox_all_ways_are_closed(agents: Bench, client: str) -> None:
    for folder in (".local/share/opencode", ".local/state/opencode", ".cache"):  # as after its first start outside
        (agents.home / folder).mkdir(parents=True, exist_ok=True)
    passed = [part for name in (*REAL[client].variables(""), "HTTPS_PROXY", "HTTP_PROXY") for part in ("--pass", name)]
    seen = curiosity(agents, client, before=(agents.locum, "sandbox", "--quiet", *passed, "--"))
    said = told_by_docs("In the sandbox (L1)")
    agrees(seen, said, client)
    assert [row[client].partition(":")[0] for row in said.values()][:15] == ["protected"] * 15


def test_without_hooks_the_ways_are_open(agents: Bench) -> None:
    """Else that nothing is seen with them would say nothing. What was fixed stays unseen."""
    seen = curiosity(agents, "claude", hooks=False)
    assert {way for way, places in seen.items() if places} >= {
        "printenv", "git show", "shell history", "put together while it runs, then failed", "encoded output", "grep -R", "/proc",
    }  # fmt: skip
    assert not [way for way, places in seen.items() if FIXED & set(places) and way != "git show"]

"""What the four real clients write when their model wants to put tokens into files, and what they send when a person talks of secrets.

The whole matrix of values, kinds of files and clients goes through `locum hook` itself in tests/unit/agents/test_hook_verdicts.py.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from locum.agents.doctor import runs
from locum.agents.doctor.real import REAL, Origin, Place
from support.agent_clients import REAL as CLIENTS
from support.agent_clients import Bench, bench
from support.tokens import MAKERS
from unit.agents.test_hook_verdicts import KINDS, PLACEHOLDERS, VENDORS

pytestmark = pytest.mark.timeout(400)

TALK = (
    "The password is too short, why? Where do API tokens rotate, and who reads the secret in k8s? "
    "My key is ${API_KEY}, the other one is sk_test_..., and ghp"
    f"_{'x' * 36} is what the docs say. "
    "Write password=changeme into .env.example, please, and explain DB_PASSWORD=${DB_PASSWORD:?missing}."
)


@pytest.fixture
def agents(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with bench() as made:
        monkeypatch.setenv("PATH", made.path)
        yield made


@pytest.mark.parametrize("client", CLIENTS)
def test_tokens_do_not_land_and_placeholders_do(agents: Bench, client: str) -> None:
    agents.hooks(client)
    source = random.Random(client)
    kinds = list(KINDS.items())
    wanted: dict[str, str] = {}
    values: dict[str, str] = {}
    for number in range(28):  # each vendor twice, each kind of file four times
        ending, form = kinds[number % len(kinds)]
        name = f"file{number}{ending}"
        values[name] = MAKERS[VENDORS[number % len(VENDORS)]](source)
        wanted[name] = form.replace("@", values[name])
    for number, value in enumerate(PLACEHOLDERS[:14]):
        ending, form = kinds[number % len(kinds)]
        wanted[f"harmless{number}{ending}"] = form.replace("@", value)
    real = REAL[client]
    script = [real.hand.write(agents.project / name, text) for name, text in wanted.items()]
    place = Place(agents.home, agents.project, agents.tmp)
    did = runs.run(real, client, Origin(agents.home, agents.project), place, TALK, script, {})
    assert len(did.results) == len(script), did.said[-1500:]
    for (name, text), result in zip(wanted.items(), did.results, strict=True):
        path = agents.project / name
        if name in values:
            assert not path.exists(), f"{name} was written"
            assert "locum://" in result, result
            assert "line " in result, result
        else:
            assert path.read_text().strip() == text.strip(), result
    assert did.transcript.text.count("why?") >= 1, "the prompt did not get through"

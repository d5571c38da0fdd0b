"""What the doctor tries in a client, and what it makes of what came of it. Pure.

Each try has a canary of its own, so that what is seen says which try let it through. Beside each tool's tries goes a control: the
same tool on something harmless. Where the control did not work, nothing was shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from locum.agents.doctor.canary import Transcript, make_canary
from locum.agents.doctor.dialects import Call
from locum.agents.doctor.real import Hand

Level = Literal["PROTECTED", "PARTIAL", "UNPROTECTED"]

VARIABLE = "DEPLOY_TOKEN"
"""A variable of the client's with a canary in it."""
PROMPT = "Put this token into the configuration, please: {}"
_PLAIN = "apples and oranges"


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt to get a canary to the model or onto the disk."""

    event: str
    """`prompt`, `before` or `after`: the event that has to stop it."""
    tool: str
    name: str
    """What is tried, for people."""
    call: Call | None
    canary: str
    """The control: what shows that the tool works."""
    target: str = ""
    """The file that must not hold the canary; "" where the model must not see it."""
    control: bool = False


@dataclass
class Plan:
    """What to plant and what to do."""

    tries: list[Try] = field(default_factory=list[Try])
    files: dict[str, str] = field(default_factory=dict[str, str])
    variables: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def script(self) -> list[Call]:
        """The calls of the tries in order; the prompt is a run of its own."""
        return [one.call for one in self.tries if one.call is not None]

    def add(self, event: str, tool: str, name: str, call: Callable[[str], Call], *, target: str = "") -> None:
        """Add a try with a new canary."""
        canary = make_canary()
        self.tries.append(Try(event, tool, name, call(canary), canary, target))


def make_plan(hand: Hand, project: Path) -> Plan:
    """Return the tries for a client's tools, the prompt apart."""
    plan = Plan()

    def plant(name: str, text: str) -> Callable[[str], None]:
        def fill(canary: str) -> None:
            plan.files[name] = text.format(canary)

        return fill

    def plant_script(name: str, end: str) -> Callable[[str], None]:
        return lambda canary: plan.files.update({name: _script(canary, end)})

    def reading(event: str, tool: str, name: str, call: Call, fill: Callable[[str], None]) -> None:
        def make(canary: str) -> Call:
            fill(canary)
            return call

        plan.add(event, tool, name, make)

    _controls(plan, hand, project)
    dotenv = f"{VARIABLE}={{}}\n"
    reading("before", "shell", "cat .env", hand.shell("cat .env"), plant(".env", dotenv))
    reading("before", "shell", "base64 of a file", hand.shell("base64 prod.env"), plant("prod.env", dotenv))
    reading(
        "before", "shell", "printenv", hand.shell(f"printenv {VARIABLE}"),
        lambda canary: plan.variables.update({VARIABLE: canary}),
    )  # fmt: skip
    if hand.read is not None:
        reading("before", "read", ".env", hand.read(project / ".env.local"), plant(".env.local", dotenv))
        code = "client = connect(token='{}')\n"
        reading("before", "read", "code", hand.read(project / "client.py"), plant("client.py", code))
    for name in ("settings.py", "README.md", ".env.example"):
        plan.add(
            "before",
            "write",
            name,
            lambda canary, name=name: hand.write(project / name, _holding(name, canary)),
            target=name,
        )
    plan.files["deploy.py"] = "token = None\n"
    if hand.read is not None:  # some clients let a model change only what it has read
        plan.tries.append(Try("before", "edit", "", hand.read(project / "deploy.py"), "token = None", control=True))
    plan.add(
        "before", "edit", "deploy.py",
        lambda canary: hand.edit(project / "deploy.py", "token = None", f"token = '{canary}'"), target="deploy.py",
    )  # fmt: skip
    plan.add(
        "before", "write by shell", "echo > made.py", lambda canary: hand.shell(f"echo \"token = '{canary}'\" > made.py"),
        target="made.py",
    )  # fmt: skip
    # The scripts hold the canary in pieces: only their output gives it away.
    for name, file, end in (
        ("output of a script", "report.sh", ""), ("output in base64", "report64.sh", " | base64"),
        ("output of a script that fails", "fails.sh", "; exit 1"),
    ):  # fmt: skip
        reading("after", "shell", name, hand.shell(f"sh {file}"), plant_script(file, end))
    if hand.search is not None:
        reading(
            "after", "search", "a match", hand.search("zebra"), plant("animals.py", "zebra = connect(token='{}')\n")
        )
    return plan


def _controls(plan: Plan, hand: Hand, project: Path) -> None:
    plan.files |= {"fruit.txt": f"{_PLAIN}\n", "pears.txt": "two pears\n"}
    calls = {
        "shell": (hand.shell("cat fruit.txt"), ""), "write": (hand.write(project / "new.txt", f"{_PLAIN}\n"), "new.txt"),
        "write by shell": (hand.shell(f"echo '{_PLAIN}' > made.txt"), "made.txt"),
    }  # fmt: skip
    if hand.read is not None:
        calls["read"] = (hand.read(project / "pears.txt"), "")
    calls["edit"] = (hand.edit(project / "pears.txt", "two pears", _PLAIN), "pears.txt")
    if hand.search is not None:
        calls["search"] = (hand.search("apples and"), "")
    for tool, (call, target) in calls.items():
        shown = "two pears" if tool == "read" else _PLAIN
        plan.tries.append(Try("", tool, "", call, shown, target, control=True))


def _holding(name: str, canary: str) -> str:
    if name.endswith(".md"):
        return f"# Deploy\n\nThe token is {canary} at the moment.\n"
    return f"{VARIABLE}={canary}\n" if name.startswith(".env") else f"TOKEN = '{canary}'\n"


def _script(canary: str, end: str) -> str:
    pieces = " ".join(canary[start : start + 8] for start in range(0, len(canary), 8))
    return f"printf '%s' 'token=' {pieces}{end}\n"


# -- what came of it ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """One try, judged."""

    event: str
    tool: str
    name: str
    level: Level | None
    """None: it was not observed."""


def outcomes(plan: Plan, results: Sequence[str], transcript: Transcript, on_disk: Mapping[str, str]) -> list[Outcome]:
    """Judge a run by what the model saw and by what is on the disk: `on_disk` maps each target to its text, "" for none."""
    working = {one.tool: True for one in plan.tries}
    found: list[Outcome] = []
    for number, one in enumerate(plan.tries):
        result = results[number] if number < len(results) else None
        if one.control:
            if not one.event:
                seen = on_disk.get(one.target, "") if one.target else result or ""
                working[one.tool] = one.canary in seen
            continue
        level: Level | None = None
        if result is not None and working[one.tool]:
            through = one.canary in on_disk.get(one.target, "") if one.target else transcript.shows(one.canary)
            level = "UNPROTECTED" if through else "PROTECTED"
        found.append(Outcome(one.event, one.tool, one.name, level))
    return found


def of_prompt(canary: str, transcript: Transcript, *, works: bool) -> Outcome:
    """Judge the run with a canary in the prompt. `works`: the client talked to the stand-in when the prompt was harmless."""
    level: Level | None = ("UNPROTECTED" if transcript.shows(canary) else "PROTECTED") if works else None
    return Outcome("prompt", "prompt", "a token in the prompt", level)


def together(levels: Sequence[Level]) -> Level:
    """Return the level of several tries: the worst of them where all agree, PARTIAL where they do not."""
    distinct = set(levels)
    return levels[0] if len(distinct) == 1 else "PARTIAL"

"""What a person must know after many fixes is said once."""

from __future__ import annotations

from locum.rewrite.advice import gathered


def run(*names: str) -> str:
    return f"Run it under 'locum run {' '.join(f'--secret {name}' for name in names)} -- …'."


def test_what_one_file_needs_is_one_command() -> None:
    notes = [
        ("a.py", "ONE", run("ONE")),
        ("a.py", "TWO", run("TWO")),
        ("a.py", "ONE", run("ONE")),
        ("b.py", "TWO", run("TWO")),
    ]
    assert gathered(notes) == [(["a.py"], run("ONE", "TWO")), (["b.py"], run("TWO"))]


def test_what_files_have_in_common_is_said_once() -> None:
    notes = [("a.py", "ONE", run("ONE")), ("b.js", "ONE", run("ONE")), ("c.txt", "ONE", "")]
    assert gathered(notes) == [(["a.py", "b.js"], run("ONE"))]


def test_references_are_put_together() -> None:
    said = "It puts the value in the place of locum://{}."
    notes = [(".env", name, said.format(name)) for name in ("ONE", "TWO")]
    assert gathered(notes) == [([".env"], "It puts the values in the place of locum://ONE, locum://TWO.")]


def test_a_name_that_cannot_stand_beside_others_stays_alone() -> None:
    """A longer name begins like a shorter one; a second mention would be lost."""
    said = "'locum run --secret {0} -- docker run -e {0} IMAGE'."
    notes = [("Dockerfile", name, said.format(name)) for name in ("KEY", "KEY_TWO")]
    assert gathered(notes) == [(["Dockerfile"], said.format("KEY")), (["Dockerfile"], said.format("KEY_TWO"))]
    given = "'locum run --secret {0}=locum://{0} -- x'."
    assert gathered([("a", "KEY", given.format("KEY"))]) == [(["a"], given.format("KEY"))]


def test_what_is_said_of_one_value_does_not_keep_the_command_apart() -> None:
    notes = [("a.py", "ONE", run("ONE")), ("a.py", "TWO", f"The program escapes it. {run('TWO')}")]
    assert gathered(notes) == [(["a.py"], run("ONE", "TWO")), (["a.py"], "TWO: The program escapes it.")]

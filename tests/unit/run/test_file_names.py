"""Which arguments and variables name a file: every way that is known, and nothing that only looks like it."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.run.file_names import FileNames

HERE = "/home/u/app"


def names(typed: str, real: str = "") -> FileNames:
    return FileNames(typed, typed_in=HERE, real=real or f"{HERE}/{typed}")


@pytest.mark.parametrize(
    ("typed", "argument", "made"),
    [
        ("app.json", "app.json", "NEW"),
        ("app.json", "./app.json", "NEW"),
        ("app.json", ".//app.json", "NEW"),
        ("./app.json", "app.json", "NEW"),
        ("conf/app.json", "./conf/app.json", "NEW"),
        ("app.json", f"{HERE}/app.json", "NEW"),
        ("app.json", "--config=app.json", "--config=NEW"),
        ("app.json", f"-Dx.y={HERE}/app.json", "-Dx.y=NEW"),
        ("app.json", "@app.json", "@NEW"),
        ("app.json", "data=@./app.json", "data=@NEW"),
        ("app.json", "--location=file:./app.json", "--location=file:NEW"),
        ("a=b.json", "a=b.json", "NEW"),
        ("a=b.json", "--config=a=b.json", "--config=NEW"),
        ("@app", "@app", "NEW"),
        ("../app.json", "../app.json", "NEW"),
        ("app.json", "../app/app.json", None),
        ("app.json", "app.json/", None),
        ("app.json", "app.jsonc", None),
        ("app.json", "xapp.json", None),
        ("app.json", "-fapp.json", None),
        ("app.json", "host:app.json", None),
        ("app.json", "app.json:/etc/app.json", None),
        ("app.json", "sub/app.json", None),
        ("app.json", "APP.JSON", None),
        ("app.json", "", None),
        ("app.json", "=", None),
        ("app.json", ".", None),
    ],
)
def test_an_argument(typed: str, argument: str, made: str | None) -> None:
    assert names(typed).replaced(argument, HERE, "NEW") == made


def test_the_folder_of_the_task_counts() -> None:
    assert names("app.json").replaced("app/app.json", "/home/u", "NEW") == "NEW"
    assert names("app.json").replaced("app.json", "/home/u", "NEW") is None


def test_a_file_behind_a_linked_folder_has_two_names() -> None:
    linked = names("link/app.json", real="/srv/conf/app.json")
    assert linked.replaced("link/app.json", HERE, "NEW") == linked.replaced("/srv/conf/app.json", HERE, "NEW") == "NEW"


def test_the_program_itself_is_never_replaced() -> None:
    assert names("run").replaced_in(("run", "run", "x"), HERE, "NEW") == ("run", "NEW", "x")


def test_variables_whose_whole_value_is_the_file() -> None:
    environment = {
        b"PGPASSFILE": b"app.json",
        b"KUBECONFIG": os.fsencode(f"{HERE}/app.json"),
        b"A": b"app.json:b",
        b"B": b"",
    }
    assert names("app.json").variables(environment, HERE) == [b"PGPASSFILE", b"KUBECONFIG"]


arguments = st.lists(st.text(st.sampled_from("ap./=@:-\udcff"), max_size=8), max_size=6)


@given(arguments)
def test_replacing_twice_is_replacing_once_and_the_rest_stays(argv: list[str]) -> None:
    file = names("a.p")
    once = file.replaced_in(argv, HERE, "/run/new/copy")
    assert file.replaced_in(once, HERE, "/run/new/copy") == once
    assert len(once) == len(argv)
    for before, after in zip(argv, once, strict=True):
        if before != after:
            assert after.endswith("/run/new/copy")
            start = len(after) - len("/run/new/copy")
            assert before[:start] == after[:start]
            assert os.path.normpath(f"{HERE}/{before[start:]}") == f"{HERE}/a.p" or before[start:] == f"{HERE}/a.p"

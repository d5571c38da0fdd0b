"""What a person must know after many fixes, each thing once. Pure; knows the plans' notes, and no terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HOLE = "\0"


def gathered(notes: Iterable[tuple[str, str, str]]) -> list[tuple[list[str], str]]:
    """Return each thing to know with the files that it is about, for `(file, name of the secret, note)`.

    What one file's secrets ask for with one command is one note with all of their names, as the program needs them all.
    """
    names: dict[tuple[str, str], list[str]] = {}
    for file, name, whole in notes:
        for note in _parts(name, whole):
            known = names.setdefault((file, _form(name, note)), [])
            known += [name] if name not in known else []
    files: dict[str, list[str]] = {}
    for (file, form), found in names.items():
        text = form.replace(f"--secret {_HOLE}", " ".join(f"--secret {name}" for name in found))
        text = text.replace(f"locum://{_HOLE}", ", ".join(f"locum://{name}" for name in found))
        if len(found) > 1:
            text = text.replace("sets the variable.", "sets the variables.").replace("the value in", "the values in")
        files.setdefault(text, []).append(file)
    return [(found, text) for text, found in files.items()]


def _parts(name: str, note: str) -> list[str]:
    """Return what is said of the value and how the program is started: the second may be the same for more values."""
    about, run, how = note.partition("Run it under '")
    return [*([f"{name}: {about.strip()}"] if about and run else []), run + how if run else note] if note else []


def _form(name: str, note: str) -> str:
    """Return a note with a hole for each name that more names can stand beside; itself, where one cannot."""
    form = re.sub(rf"(--secret |locum://){re.escape(name)}(?![\w=])", rf"\1{_HOLE}", note)
    return note if re.search(rf"\b{re.escape(name)}\b", form) else form

"""`locum run --render`: the files of a task whose references are resolved in a copy. Brings `rewrite`, which knows how a
value is spelt, and `run`, which has the memory, together; without a file neither is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from locum.broker.wire import Grant, RenderedFile
from locum.errors import UsageProblem
from locum.refs.reference import Reference, parse
from locum.secret import SecretBytes

if TYPE_CHECKING:
    from locum.run.file_names import FileNames
    from locum.run.rendered import MemoryFile, Template


class Copies:
    """The rendered copies of one task. They are empty until `fill`, and gone when the task is over."""

    def __init__(
        self, names: Sequence[str], argv: Sequence[str], environment: Mapping[bytes, bytes], folder: str
    ) -> None:  # fmt: skip
        """Read the files, and see that the task names each one: `argv` will run in `folder`. Raises LocumError."""
        self._folder = folder
        made = [_Copy(name) for name in names]
        self._copies = list({copy.template.real: copy for copy in made}.values())  # a file may be named twice
        for copy in self._copies:
            if copy.names.replaced_in(argv, folder, "") == tuple(argv) and not copy.names.variables(
                environment, folder
            ):
                raise UsageProblem(
                    "render.unnamed", f"no argument of the command names {copy.template.typed}",
                    "Write it as FILE, ./FILE, its absolute path, --option=FILE or @FILE, or set a variable to it.",
                )  # fmt: skip
        self._files = ExitStack()

    def __enter__(self) -> Self:
        """Make the memory for them. Raises Unavailable."""
        if self._copies:
            from locum.paths import user_paths

            runtime = user_paths().runtime
            for copy in self._copies:
                copy.make_file(runtime, self._files)
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def grants(self, source: Callable[[Reference], str]) -> list[Grant]:
        """Return what is asked for in their name; `source` says where a reference leads."""
        return [
            Grant("", reference.text, source(reference), copy.template.real)
            for copy in self._copies
            for reference in copy.references
        ]

    def described(self) -> tuple[RenderedFile, ...]:
        """Return the files as an approval is bound to them."""
        return tuple(RenderedFile(copy.template.real, copy.template.digest) for copy in self._copies)

    def check_unchanged(self) -> None:
        """Raise UsageProblem when a file is no longer what was approved."""
        for copy in self._copies:
            copy.template.check_unchanged()

    def fill(self, values: Mapping[str, SecretBytes]) -> list[tuple[str, SecretBytes]]:
        """Write the copies with `values` (by reference). Return the values as they are spelt there. Raises UsageProblem."""
        return [form for copy in self._copies for form in copy.fill(values)]

    def in_argv(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Return the command line with the copies' paths in it."""
        for copy in self._copies:
            argv = copy.names.replaced_in(argv, self._folder, copy.file.path)
        return argv

    def in_environment(self, environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """Return the environment with the copies' paths where a variable is the name of a file."""
        changed = dict(environment)
        for copy in self._copies:
            for name in copy.names.variables(environment, self._folder):
                changed[name] = os.fsencode(copy.file.path)
        return changed

    def in_child(self) -> None:
        """In the task's process, before its program runs."""
        for copy in self._copies:
            copy.file.belong_to_this_process()


class _Copy:
    """One file and its copy."""

    names: FileNames
    template: Template
    file: MemoryFile

    def __init__(self, name: str) -> None:
        from locum.rewrite.languages import kind_of
        from locum.run.file_names import FileNames
        from locum.run.rendered import read_template

        self.template = read_template(name)
        self._kind = kind_of(self.template.real, "")
        self.names = FileNames(name, typed_in=str(Path.cwd()), real=self.template.real)
        self.references = self._read_references()

    def _read_references(self) -> list[Reference]:
        from locum.rewrite.render import references_in
        from locum.rewrite.target import NoSafeEdit

        try:
            found = [parse(text) for text in references_in(self.template.text, self._kind)]
        except NoSafeEdit as problem:
            raise self._cannot(problem.reason) from None
        if not found:
            raise self._cannot("it holds no reference", "Run it without --render.")
        return found

    def _cannot(self, reason: str, hint: str = "Nothing was started.") -> UsageProblem:
        return UsageProblem("render.file", f"cannot render {self.template.typed}: {reason}", hint)

    def make_file(self, runtime: Path, files: ExitStack) -> None:
        from locum.run.rendered import MemoryFile

        self.file = MemoryFile(Path(self.template.real).name, runtime)
        files.callback(self.file.close)

    def fill(self, values: Mapping[str, SecretBytes]) -> list[tuple[str, SecretBytes]]:
        from locum.rewrite.render import render
        from locum.rewrite.target import NoSafeEdit
        from locum.run.rendered import spelt

        template, own = self.template, {reference.text: values[reference.text] for reference in self.references}
        try:
            content = render(template.text, self._kind, own)
        except NoSafeEdit as problem:
            raise self._cannot(problem.reason) from None
        try:
            self.file.fill(content)
            return spelt(template.text, content, own)
        finally:
            content.wipe()

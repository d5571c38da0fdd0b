"""`locum run --render` and `--mount`: the files of a task whose references are resolved in a copy. Brings `rewrite`, which
knows how a value is spelt, and `run`, which has the memory and the mounts, together; without a file neither is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from locum.errors import UsageProblem
from locum.refs.reference import Reference, parse
from locum.secret import SecretBytes

if TYPE_CHECKING:
    from locum.broker.wire import Grant, RenderedFile
    from locum.run.file_names import FileNames
    from locum.run.mounted import MountedFiles
    from locum.run.rendered import MemoryFile, Template


class Copies:
    """The rendered copies of one task. They are empty until `fill`, and gone when the task is over."""

    def __init__(
        self, named: Sequence[str], mounted: Sequence[str], argv: Sequence[str], environment: Mapping[bytes, bytes],
        folder: str,
    ) -> None:  # fmt: skip
        """Read the files, and see that the task names each one of `named`: `argv` will run in `folder`.

        The `mounted` ones need no name. Raises LocumError.
        """
        self._folder = folder
        self._named = _once(_NamedCopy(name) for name in named)
        self._mounted = _once(_Copy(name) for name in mounted)
        both = {copy.template.real for copy in self._named} & {copy.template.real for copy in self._mounted}
        for copy in self._named:
            if copy.template.real in both:
                raise UsageProblem(
                    "render.twice",
                    f"{copy.template.typed} is given to --render and to --mount",
                    "One of them is enough.",
                )
            if copy.names.replaced_in(argv, folder, "") == tuple(argv) and not copy.names.variables(
                environment, folder
            ):
                raise UsageProblem(
                    "render.unnamed", f"no argument of the command names {copy.template.typed}",
                    "Write it as FILE, ./FILE, its absolute path, --option=FILE or @FILE, or set a variable to it. "
                    f"A program that finds the file by itself needs --mount {copy.template.typed}.",
                )  # fmt: skip
        self._files = ExitStack()
        self._space: MountedFiles | None = None

    def __enter__(self) -> Self:
        """Make the memory and the mounts for them. Raises Unavailable."""
        if self._named or self._mounted:
            from locum.paths import user_paths

            runtime = user_paths().runtime
            with ExitStack() as files:
                for copy in self._named:
                    copy.make_file(runtime, files)
                if self._mounted:
                    from locum.run.mounted import MountedFiles

                    self._space = MountedFiles([copy.template for copy in self._mounted], runtime)
                    files.callback(self._space.close)
                self._files = files.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def grants(self, source: Callable[[Reference], str]) -> list[Grant]:
        """Return what is asked for in their name; `source` says where a reference leads."""
        if not self._named and not self._mounted:
            return []
        from locum.broker.wire import Grant

        return [
            Grant("", reference.text, source(reference), copy.template.real)
            for copy in (*self._named, *self._mounted)
            for reference in copy.references
        ]

    def described(self) -> tuple[RenderedFile, ...]:
        """Return the files as an approval is bound to them."""
        from locum.broker.wire import RenderedFile

        named = (RenderedFile(copy.template.real, copy.template.digest) for copy in self._named)
        mounted = (RenderedFile(copy.template.real, copy.template.digest, mounted=True) for copy in self._mounted)
        return *named, *mounted

    def check_unchanged(self) -> None:
        """Raise UsageProblem when a file is no longer what was approved."""
        for copy in self._named:
            copy.template.check_unchanged()
        if self._space is not None:
            self._space.check_unchanged()

    def fill(self, values: Mapping[str, SecretBytes]) -> list[tuple[str, SecretBytes]]:
        """Write the copies with `values` (by reference). Return the values as they are spelt there. Raises UsageProblem."""
        forms = [form for copy in self._named for form in copy.fill(values, copy.file.fill)]
        if self._space is not None:
            for at, copy in enumerate(self._mounted):
                forms += copy.fill(values, partial(self._space.fill, at))
        return forms

    def variables(self, environment: Mapping[bytes, bytes]) -> set[bytes]:
        """Return the variables that name a rendered file: the task needs those, whatever they are called."""
        return {name for copy in self._named for name in copy.names.variables(environment, self._folder)}

    def in_argv(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Return the command line with the copies' paths in it."""
        for copy in self._named:
            argv = copy.names.replaced_in(argv, self._folder, copy.file.path)
        return argv

    def in_environment(self, environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """Return the environment with the copies' paths where a variable is the name of a file."""
        changed = dict(environment)
        for copy in self._named:
            for name in copy.names.variables(environment, self._folder):
                changed[name] = os.fsencode(copy.file.path)
        return changed

    def in_child(self) -> None:
        """In the task's process, before its program runs. Raises NotStarted."""
        for copy in self._named:
            copy.file.belong_to_this_process()
        if self._space is not None:
            self._space.enter()


class _Copy:
    """One file, and what its copy holds."""

    template: Template

    def __init__(self, name: str) -> None:
        from locum.rewrite.languages import kind_of
        from locum.run.rendered import read_template

        self.template = read_template(name)
        self._kind = kind_of(self.template.real, "")
        self.references = self._read_references()

    def _read_references(self) -> list[Reference]:
        from locum.rewrite.render import references_in
        from locum.rewrite.target import NoSafeEdit

        try:
            found = [parse(text) for text in references_in(self.template.text, self._kind)]
        except NoSafeEdit as problem:
            raise self._cannot(problem.reason) from None
        if not found:
            raise self._cannot("it holds no reference", "Run it without --render and --mount.")
        return found

    def _cannot(self, reason: str, hint: str = "Nothing was started.") -> UsageProblem:
        return UsageProblem("render.file", f"cannot render {self.template.typed}: {reason}", hint)

    def fill(
        self, values: Mapping[str, SecretBytes], write: Callable[[SecretBytes], None]
    ) -> list[tuple[str, SecretBytes]]:  # fmt: skip
        """Render it and hand it to `write`. Return the values as they are spelt there. Raises UsageProblem."""
        from locum.rewrite.render import render
        from locum.rewrite.target import NoSafeEdit
        from locum.run.rendered import spelt

        template, own = self.template, {reference.text: values[reference.text] for reference in self.references}
        try:
            content = render(template.text, self._kind, own)
        except NoSafeEdit as problem:
            raise self._cannot(problem.reason) from None
        try:
            write(content)
            return spelt(template.text, content, own)
        finally:
            content.wipe()


class _NamedCopy(_Copy):
    """One whose path stands in the command line or in a variable."""

    names: FileNames
    file: MemoryFile

    def __init__(self, name: str) -> None:
        from locum.run.file_names import FileNames

        super().__init__(name)
        self.names = FileNames(name, typed_in=str(Path.cwd()), real=self.template.real)

    def make_file(self, runtime: Path, files: ExitStack) -> None:
        """Make the memory for it; `files` lets it go. Raises Unavailable."""
        from locum.run.rendered import MemoryFile

        self.file = MemoryFile(Path(self.template.real).name, runtime)
        files.callback(self.file.close)


_C = TypeVar("_C", bound=_Copy)


def _once(copies: Iterable[_C]) -> list[_C]:
    return list({copy.template.real: copy for copy in copies}.values())  # a file may be named twice

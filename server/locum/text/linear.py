"""Expressions in RE2, whose time is linear in the text whatever they say: for those that other people write.

The one place that knows the `google-re2` wheel (extra `[re2]`), which may not be installed. Syntax is that of Go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any, Protocol, cast

Span = tuple[int, int]


class BadExpression(ValueError):
    """RE2 does not take an expression. The text says why, and holds the part that is wrong."""


class Match(Protocol):
    """One match; group 0 is all of it, (-1, -1) a group that took no part. Offsets in bytes."""

    def span(self, group: int = 0) -> Span: ...


class Expression(Protocol):
    """A compiled expression over bytes. It looks between `pos` and `endpos`; `^`, `$` and `\\b` see what stands around."""

    @property
    def groups(self) -> int: ...
    def search(self, text: bytes, pos: int = 0, endpos: int | None = None) -> Match | None: ...
    def finditer(self, text: bytes, pos: int = 0, endpos: int | None = None) -> Iterator[Match]: ...


def installed() -> bool:
    """Say whether RE2 is there."""
    return find_spec("re2") is not None


def compiled(expression: str, memory: int) -> Expression:
    """Compile an expression over UTF-8 that may take `memory` bytes. Raises BadExpression, ImportError without RE2."""
    options = _options(memory)
    return _compile(expression.encode("utf-8", "surrogatepass"), options)


def any_of(literals: Sequence[bytes], memory: int) -> Expression:
    """Compile "the longest of these, here" over bytes of any kind. Raises BadExpression, ImportError without RE2."""
    options = _options(memory)
    options.encoding = options.Encoding.LATIN1
    options.longest_match = True
    options.never_capture = True
    escape = cast("Callable[[bytes], bytes]", _re2().escape)
    # In their order, so that RE2 takes out what they begin with in common.
    return _compile(b"|".join(map(escape, sorted(literals))), options)


def _re2() -> Any:
    import re2  # pyright: ignore[reportMissingTypeStubs] - the wheel has none  # 20 ms: few need it

    return re2


def _options(memory: int) -> Any:
    options = _re2().Options()
    options.max_mem = memory
    options.log_errors = False
    return options


def _compile(expression: bytes, options: Any) -> Expression:
    module = _re2()
    try:
        return module.compile(expression, options)
    except module.error as error:
        reason = error.args[0] if error.args else "RE2 does not take it"
        said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise BadExpression(said) from None

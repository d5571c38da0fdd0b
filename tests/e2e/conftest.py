"""Fixtures of the tests on real parts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.nobody import python_for_nobody


@pytest.fixture(scope="session")
def plain_python() -> Iterator[str]:
    """Give a Python that a user without rights may run, "" when there is none."""
    yield from python_for_nobody()

"""The bench, as a fixture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from run_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Give a bench, and hang up its terminals afterwards."""
    place = Bench(tmp_path)
    yield place
    for terminal in place.opened:
        terminal.close()

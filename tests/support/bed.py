"""The test bed for tests: there, or the test is skipped, or (with `LOCUM_REQUIRE_BED=1`, as in `make test`) it fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from bed.install import Bed, BedProblem, locate

ROOT = Path(__file__).resolve().parents[2]
ARTEFACTS = ROOT / "artefacts"
"""Where tests leave what a person may want to look at: screenshots, transcripts."""


def need_bed() -> Bed:
    """Return the bed; skip or fail the test that asks when it is not there."""
    try:
        bed = locate()
    except BedProblem as problem:
        bed = str(problem)
    return missing(bed) if isinstance(bed, str) else bed


def need_extension() -> Path:
    """Return the packaged VS Code extension, made from the sources as they are now."""
    client = ROOT / "client-vscode"
    package = client / "locum.vsix"
    sources = [client / "package.json", *client.glob("src/*.ts")]
    if not package.exists() or package.stat().st_mtime < max(path.stat().st_mtime for path in sources):
        missing("client-vscode/locum.vsix is not there or older than its sources: run `make extension`")
    return package


def missing(why: str) -> NoReturn:
    """Skip the test, or fail it where everything must be there."""
    if os.environ.get("LOCUM_REQUIRE_BED") == "1":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)

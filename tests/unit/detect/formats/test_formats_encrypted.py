"""Encrypted values are known for what they are, whoever says where they may begin; what stands beside them is not."""

from __future__ import annotations

import pytest
from format_cases import Case, cases, places

from locum.detect import formats
from unit.detect.detect_cases import SEEDS


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", cases("encrypted.txt"), ids=lambda case: case.path)
def test_exact_spans(case: Case, seed: int) -> None:
    data, expected = case.build(seed)
    assert formats.encrypted(data, case.path) == expected
    assert formats.encrypted(data, case.path, places=places(data)) == expected
    assert formats.encrypted(data.replace(b"\n", b"\r\n"), case.path, places=places(data.replace(b"\n", b"\r\n")))

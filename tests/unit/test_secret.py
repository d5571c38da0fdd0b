"""The type that holds values: every accidental way out is shut."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from locum.secret import SecretBytes
from support.home import canary

WAYS: list[Callable[[Any], object]] = [
    str, "{}".format, lambda v: f"{v}",
    lambda v: "%s" % v,  # noqa: UP031 - the old way is one of the ways
    lambda v: v == v, lambda v: v == b"x", hash, bool, pickle.dumps, copy.copy,
    copy.deepcopy, json.dumps, len, list, bytes, lambda v: v[0], lambda v: v + v, dict.fromkeys, lambda v: v < v, lambda v: b"x" in v,
]  # fmt: skip


@pytest.mark.parametrize("way", range(len(WAYS)))
def test_no_way_out(way: int) -> None:
    value = canary()
    with pytest.raises(TypeError) as caught:
        WAYS[way](SecretBytes(value.encode()))
    assert value not in str(caught.value)


def test_what_tools_show_is_nothing(caplog: pytest.LogCaptureFixture) -> None:
    value = canary()
    hidden = SecretBytes(value.encode())
    assert repr(hidden) == repr([hidden])[1:-1] == "<secret>"
    logging.getLogger("x").error("%r", hidden)
    try:
        raise ValueError("x")
    except ValueError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "hidden = <secret>" in shown
    assert value not in shown.replace(f"'{value}'", "")  # the test's own str
    assert value not in caplog.text


def test_it_compares_and_wipes() -> None:
    one, other = SecretBytes(b"abc"), SecretBytes(bytearray(b"abc"))
    assert one.same_as(other)
    assert not one.same_as(SecretBytes(b"abd"))
    view = one.view()
    one.wipe()
    assert bytes(view) == b"\0\0\0"
    view.release()
    one.wipe()
    assert one.is_empty()
    with pytest.raises(TypeError):
        other.view()[0] = 1  # pyright: ignore[reportIndexIssue] - read-only on purpose

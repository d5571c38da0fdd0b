"""Import pygls and lsprotocol as fast as can be done safely. Knows how they load, nothing of what we do with them.

Two thirds of a pygls server's start go into the 554 attrs classes of `lsprotocol.types`, most of that into generated
`__eq__` and `__repr__` methods that nobody calls here. They are left out while that one module loads, through the public
arguments of `attrs.define`; the collector rests meanwhile.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any


def load() -> None:
    """Import the protocol's types and pygls, once. Silences pygls' loggers: they would log documents."""
    logging.getLogger("pygls").setLevel(logging.CRITICAL + 1)
    logging.getLogger("pygls").propagate = False
    logging.raiseExceptions = False
    gc.disable()
    try:
        _load_types()
        import_module("pygls.lsp.server")
    finally:
        gc.freeze()
        gc.enable()


def _load_types() -> None:
    import attrs

    full: Callable[..., Any] = attrs.define

    def lean(maybe_class: Any = None, **options: Any) -> Any:
        options.setdefault("eq", False)
        options.setdefault("repr", False)
        return full(maybe_class, **options)

    attrs.define = lean  # pyright: ignore[reportAttributeAccessIssue] - for one import
    try:
        import_module("lsprotocol.types")
    finally:
        attrs.define = full

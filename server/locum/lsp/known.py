"""Whether the vault has the value of a finding already: asked when a person opens the list of actions, never while typing.

No broker is started and no vault is opened for that, and the list does not wait for a slow answer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from locum.errors import LocumError
from locum.lsp.checks import Check, Found, place_of
from locum.rewrite.naming import can_be_passed, choose_name
from locum.rewrite.plan import Plan

if TYPE_CHECKING:
    from locum.lsp.protocol import LocumServer

SECONDS = 0.2


async def name_in_vault(ls: LocumServer, check: Check, found: Found) -> str:
    """Return the name under which the vault has this value, "" when it has not, or when that cannot be known at once."""
    from locum.broker.client import is_running

    if not is_running():
        return ""
    loop = asyncio.get_running_loop()
    try:
        work = loop.run_in_executor(ls.session.quick_thread, lambda: _ask(check, found))
        return await asyncio.wait_for(work, SECONDS)
    except (LocumError, TimeoutError):
        return ""


def _ask(check: Check, found: Found) -> str:
    from locum.broker.client import connect
    from locum.rewrite.planner import plan

    snapshot = check.snapshot
    path, _ = place_of(snapshot)
    name = choose_name(found.finding, ())
    made = plan(snapshot.source, found.finding, path=path, language=snapshot.language, name=name)
    if not isinstance(made, Plan):
        return ""
    try:
        with connect(start=False) as client:
            if not client.status()["vault"]["unlocked"]:
                return ""
            known = client.match_secret(made.value)
            return known if can_be_passed(known) else ""
    finally:
        made.value.wipe()

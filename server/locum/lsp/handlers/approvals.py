"""Approvals, where this server holds the broker's control channel: carry the question to the person and the answer back.

Only for editors without an extension of ours (Neovim). The question is put with `locum/approve` to a client that knows
it, else with buttons. No answer, a closed dialog, a lost client: no.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import Any

from lsprotocol import types

from locum.errors import LocumError
from locum.lsp.capabilities import dig
from locum.lsp.protocol import LocumServer

METHOD = "locum/approve"
VALUE = "locum/askValue"
"""Asks for a value that only a person knows. The client stores it with `locum secret set`; its answer is that it did."""
ALLOW = "Allow once"
ALLOW_CONTENT = "Allow exactly this for {hours} h"
DENY = "Deny"
STANDS_FOR = 12 * 3600
"""Seconds that are offered, where the question lets a yes stand for so long."""
LOOK_EVERY = 0.1
"""Seconds between two looks whether the person has answered."""
RETRY = 30.0
"""Seconds until we ask again for the channel when another editor holds it."""


def start_asking(ls: LocumServer, loop: asyncio.AbstractEventLoop) -> None:
    """Take the control channel in a thread of our own, and keep it."""
    threading.Thread(target=_hold, args=(ls, loop), daemon=True, name="approvals").start()


def _hold(ls: LocumServer, loop: asyncio.AbstractEventLoop) -> None:
    from locum.broker.client import control_channel, paired_channel

    may_pair = True
    while True:
        try:
            channel = control_channel()
            if channel is None and may_pair:
                may_pair = False  # one question: a no is not asked about again
                channel = paired_channel()
            if channel is not None:
                may_pair = True
                _serve(ls, loop, channel)
                continue  # the broker has ended: hold the next one's channel
        except (LocumError, OSError):
            pass  # no broker can be started now; the terminal of each task still asks
        except RuntimeError:
            return  # the loop has ended
        time.sleep(RETRY)


def _serve(ls: LocumServer, loop: asyncio.AbstractEventLoop, channel: Any) -> None:
    """Carry questions until the broker ends, one at a time; one that is cancelled meanwhile makes room for the next."""
    waiting: deque[dict[str, Any]] = deque()
    asked: tuple[str, Future[int | None], float] | None = None
    try:
        if ls.session.client.takes_values:
            channel.take_values()
        while True:
            message = channel.next_message(LOOK_EVERY if asked else None)
            if message is not None and message.get("event") in {"approve", "value"}:
                waiting.append(message["question"])
            elif message is not None and message.get("event") == "approve.cancel":
                waiting = deque(question for question in waiting if question["id"] != message["id"])
                if asked is not None and asked[0] == message["id"]:
                    asked[1].cancel()
                    asked = None
            if asked is not None and (asked[1].done() or time.monotonic() > asked[2]):
                _answer(channel, asked[0], asked[1])
                asked = None
            if asked is None and waiting:
                question = waiting.popleft()
                future = asyncio.run_coroutine_threadsafe(_ask(ls, question), loop)
                asked = question["id"], future, time.monotonic() + float(question["expires_in"])
    except (LocumError, OSError):
        time.sleep(1)
    finally:
        channel.close()


def _answer(channel: Any, question: str, asked: Future[int | None]) -> None:
    try:
        stands_for = asked.result(0)
    except Exception:  # noqa: BLE001 - whatever went wrong with the question, the answer is no
        asked.cancel()
        stands_for = None
    channel.answer(question, stands_for is not None, stands_for or 0)


async def _ask(ls: LocumServer, question: dict[str, Any]) -> int | None:
    """Put one question to the person. None but for a clear yes: then for how many seconds it stands, 0 for this once."""
    if question.get("value_for"):
        stored: Any = await ls.protocol.send_request_async(VALUE, question)
        return 0 if dig(stored, "decision") == "stored" else None
    may = min(int(question.get("may_stand_for", 0)), STANDS_FOR)
    if ls.session.client.answers_approvals:
        answer: Any = await ls.protocol.send_request_async(METHOD, question)
        decision, seconds = dig(answer, "decision"), dig(answer, "stands_for")
        if decision == "allow-content" and may:
            return min(seconds, int(question["may_stand_for"])) if type(seconds) is int and seconds > 0 else may
        return 0 if decision == "allow" else None
    if not ls.session.client.answers_messages:
        return None
    text = "\n".join([f"Locum: {question['title']}", *question["lines"]])
    always = ALLOW_CONTENT.format(hours=may // 3600 or 1)
    actions = [types.MessageActionItem(title) for title in (DENY, ALLOW, *([always] if may else ()))]
    params = types.ShowMessageRequestParams(types.MessageType.Warning, text, actions)
    chosen = await ls.window_show_message_request_async(params)
    if chosen is not None and may and chosen.title == always:
        return may
    return 0 if chosen is not None and chosen.title == ALLOW else None

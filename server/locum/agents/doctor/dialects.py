"""How four clients talk to their models: what a request tells of tool calls that were made, and what an answer looks like.

Pure: JSON in, bytes out. Each dialect was written from what its client sends and accepts (November 2026):
Anthropic's Messages, OpenAI's Responses and Chat Completions, Google's generateContent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

_NO_TOKENS = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that the scripted model makes."""

    tool: str
    """As the client calls it."""
    input: Mapping[str, Any] | str = field(default_factory=dict[str, Any])
    """The arguments; a text for Codex's free-form tools."""
    server: str = ""
    """The MCP server that has the tool, where the client's model names it apart."""


Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API. `results` are the texts of the tool results in a request, in order; `answer` makes the next turn of a model."""

    has_tools: Callable[[Json], bool]
    """Whether this is the agent's own turn: clients also ask for titles and the like, without tools."""
    results: Callable[[Json], list[str]]
    answer: Callable[[Json, Call | str, int], tuple[str, bytes]]
    """From a request, what to do (a call, or words), and its number: content type and body."""


def _list(value: Any) -> list[Json]:
    return (
        [cast("Json", item) for item in cast("list[Any]", value) if isinstance(item, dict)]
        if isinstance(value, list)
        else []
    )


def _text(value: Any) -> str:
    """Return the words of a tool's result, whatever it is wrapped in."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _has_tools(body: Json) -> bool:
    return bool(body.get("tools"))


def _events(events: Iterable[tuple[str, Json]]) -> tuple[str, bytes]:
    lines = (f"event: {name}\ndata: {json.dumps({'type': name, **about})}\n\n" for name, about in events)
    return "text/event-stream", "".join(lines).encode()


# -- Anthropic's Messages ----------------------------------------------------------------------------------------------


def _messages_results(body: Json) -> list[str]:
    blocks = [block for message in _list(body.get("messages")) for block in _list(message.get("content"))]
    return [_text(block.get("content")) for block in blocks if block.get("type") == "tool_result"]


def _messages_answer(body: Json, turn: Call | str, number: int) -> tuple[str, bytes]:
    if isinstance(turn, str):
        block: Json = {"type": "text", "text": turn}
        start: Json = {"type": "text", "text": ""}
        reason, delta = "end_turn", cast("Json", {"type": "text_delta", "text": turn})
    else:
        block = {"type": "tool_use", "id": f"toolu_{number}", "name": turn.tool, "input": turn.input}
        start, reason = {**block, "input": cast("Json", {})}, "tool_use"
        delta = {"type": "input_json_delta", "partial_json": json.dumps(turn.input)}
    message: dict[str, Any] = {
        "id": f"msg_{number}", "type": "message", "role": "assistant", "model": body.get("model", ""), "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    if not body.get("stream"):
        return "application/json", json.dumps({**message, "content": [block], "stop_reason": reason}).encode()
    return _events([
        ("message_start", {"message": message}),
        ("content_block_start", {"index": 0, "content_block": start}),
        ("content_block_delta", {"index": 0, "delta": delta}),
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": 1}}),
        ("message_stop", {}),
    ])  # fmt: skip


# -- OpenAI's Responses ------------------------------------------------------------------------------------------------


def _responses_results(body: Json) -> list[str]:
    items = _list(body.get("input"))
    return [_text(item.get("output")) for item in items if str(item.get("type", "")).endswith("_output")]


def _responses_answer(body: Json, turn: Call | str, number: int) -> tuple[str, bytes]:  # noqa: ARG001 - a dialect's signature
    item: dict[str, Any]
    if isinstance(turn, str):
        words = [{"type": "output_text", "text": turn, "annotations": list[str]()}]
        item = {"type": "message", "role": "assistant", "id": f"msg_{number}", "status": "completed", "content": words}
    else:
        item = {"id": f"fc_{number}", "call_id": f"call_{number}", "name": turn.tool}
        if isinstance(turn.input, str):
            item |= {"type": "custom_tool_call", "input": turn.input}
        else:
            item |= {"type": "function_call", "arguments": json.dumps(turn.input)}
        if turn.server:
            item["namespace"] = turn.server
    answer = {
        "id": f"resp_{number}",
        "object": "response",
        "status": "completed",
        "output": [item],
        "usage": _NO_TOKENS,
    }
    return _events([
        ("response.created", {"response": {"id": f"resp_{number}", "status": "in_progress"}}),
        ("response.output_item.added", {"output_index": 0, "item": item}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": answer}),
    ])  # fmt: skip


# -- OpenAI's Chat Completions -----------------------------------------------------------------------------------------


def _chat_results(body: Json) -> list[str]:
    return [_text(each.get("content")) for each in _list(body.get("messages")) if each.get("role") == "tool"]


def _chat_answer(body: Json, turn: Call | str, number: int) -> tuple[str, bytes]:
    delta: dict[str, Any] = {"role": "assistant"}
    if isinstance(turn, str):
        delta["content"] = turn
    else:
        function = {"name": turn.tool, "arguments": json.dumps(turn.input)}
        delta["tool_calls"] = [{"index": 0, "id": f"call_{number}", "type": "function", "function": function}]
    base = {"id": f"chat_{number}", "object": "chat.completion.chunk", "created": 1, "model": body.get("model", "")}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    reason = "stop" if isinstance(turn, str) else "tool_calls"
    chunks: list[Json] = [
        {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage},
    ]
    return "text/event-stream", b"".join(
        b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks
    ) + b"data: [DONE]\n\n"


# -- Google's generateContent ------------------------------------------------------------------------------------------


def _generate_has_tools(body: Json) -> bool:
    return any(tool.get("functionDeclarations") for tool in _list(body.get("tools")))


def _generate_results(body: Json) -> list[str]:
    parts = [part for content in _list(body.get("contents")) for part in _list(content.get("parts"))]
    return [_text(part["functionResponse"].get("response")) for part in parts if "functionResponse" in part]


def _generate_answer(body: Json, turn: Call | str, number: int) -> tuple[str, bytes]:  # noqa: ARG001 - a dialect's signature
    part: Json = {"text": turn} if isinstance(turn, str) else {"functionCall": {"name": turn.tool, "args": turn.input}}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    return "application/json", json.dumps({"candidates": [candidate], "usageMetadata": usage}).encode()


MESSAGES = Dialect(_has_tools, _messages_results, _messages_answer)
RESPONSES = Dialect(_has_tools, _responses_results, _responses_answer)
CHAT = Dialect(_has_tools, _chat_results, _chat_answer)
GENERATE = Dialect(_generate_has_tools, _generate_results, _generate_answer)


def dialect_of(path: str) -> Dialect | None:
    """Return the dialect that a request's path is of, None for what is no turn of a model (models, token counts)."""
    place = path.partition("?")[0]
    endings: Sequence[tuple[str, Dialect]] = (
        ("/messages", MESSAGES), ("/responses", RESPONSES), ("/chat/completions", CHAT), (":generateContent", GENERATE),
        (":streamGenerateContent", GENERATE),
    )  # fmt: skip
    return next((dialect for ending, dialect in endings if place.endswith(ending)), None)

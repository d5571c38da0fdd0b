"""The MCP server's wiring: the official SDK on standard input and output, our tools behind it.

Protocols 2025-11-25 and older by handshake, 2026-07-28 by request; the SDK tells them apart. Everything that leaves is made
in the modules beside this one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from secrets import token_hex as random_name
from typing import Any

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from locum import __version__
from locum.agents.mcp import asked, broker, files, importing, secrets, teaching
from locum.agents.mcp.output import Page, marked
from locum.agents.mcp.places import Places
from locum.agents.mcp.schema import check
from locum.agents.mcp.tasks import Task, Tasks
from locum.agents.mcp.tools import BY_NAME, PAGE, TOOLS, WAIT
from locum.agents.sessions import journal
from locum.errors import LocumError
from locum.workspace.project import read_manifest_text

Context = ServerRequestContext[Any, Any]
Arguments = dict[str, Any]

_MAP, _MANIFEST = "locum://secrets-map", "locum://manifest"
_RESOURCES = (
    types.Resource(uri=_MAP, name="secrets", title="Secrets of this project",
                   description="The map of secrets without values, as list_secrets gives it", mime_type="application/json"),
    types.Resource(uri=_MANIFEST, name="manifest", title="locum.toml",
                   description="Which secrets the project needs and which tasks may use them", mime_type="application/toml"),
)  # fmt: skip


def run_server(roots: Sequence[Path]) -> int:
    """Serve until standard input ends; then every task of the session ends. Raises UsageProblem."""
    logging.disable(logging.CRITICAL)  # a library's words about a message may hold the message
    anyio.run(_serve, Places(roots))
    return 0


async def _serve(places: Places) -> None:
    session = Session(places)
    server = Server(
        "locum", version=__version__, title="Locum", instructions=teaching.INSTRUCTIONS,
        on_list_tools=_list_tools, on_call_tool=session.call,
        on_list_resources=_list_resources, on_read_resource=session.read,
        on_list_prompts=_list_prompts, on_get_prompt=_get_prompt,
    )  # fmt: skip
    try:
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
    finally:
        with anyio.CancelScope(shield=True):
            await session.close()


class Session:
    """One client's session: its places and its tasks."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.tasks = Tasks(broker.leases)
        self._session_id = f"mcp-{random_name(8)}"
        self._has_session: bool | None = None
        """Whether we opened one at the broker; None: not tried yet."""
        self._do: dict[str, Callable[[Context, Arguments], Awaitable[dict[str, Any]]]] = {
            "list_secrets": self._list_secrets, "list_tasks": self._list_tasks, "scan": self._scan,
            "run_task": self._run_task, "run_command": self._run_command, "request_secret": self._request_secret,
            "import_env": self._import_env, "generate_secret": self._generate_secret,
            "replace_plaintext": self._replace_plaintext, "lease_status": self._lease_status, "end_task": self._end_task,
        }  # fmt: skip

    async def call(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        """Answer `tools/call`."""
        tool = BY_NAME.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, "there is no such tool")
        try:
            found = await self._do[tool.name](context, check(tool.takes, params.arguments))
        except LocumError as error:
            return _said(f"{error.explain()}", is_error=True)
        except Exception as error:  # noqa: BLE001 - whatever it was, its text may hold a value: only its type is told
            return _said(f"Locum failed ({type(error).__name__}).", is_error=True)
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=json.dumps(found, ensure_ascii=False))],
            structured_content=found, is_error=found.get("state") == "refused",
        )  # fmt: skip

    async def read(self, context: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:  # noqa: ARG002 - the SDK's signature
        """Answer `resources/read`."""
        uri = str(params.uri)
        try:
            if uri == _MAP:
                text, kind = json.dumps(await self._list_secrets(None, {}), indent=1), "application/json"
            elif uri == _MANIFEST:
                text, kind = await anyio.to_thread.run_sync(self._manifest), "application/toml"
            else:
                raise MCPError(types.INVALID_PARAMS, "there is no such resource")
        except LocumError as error:
            raise MCPError(types.INTERNAL_ERROR, error.explain()) from None
        return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, mime_type=kind, text=text)])

    def _manifest(self) -> str:
        project, _ = self._places.manifest(self._places.first)
        return marked(read_manifest_text(project))

    async def close(self) -> None:
        """End all tasks, and the session with what else was granted in it."""
        await self.tasks.close()
        if self._has_session:
            await broker.close_session(self._session_id)

    # -- tools --------------------------------------------------------------------------------------------------

    async def _list_secrets(self, _: Context | None, arguments: Arguments) -> dict[str, Any]:  # noqa: ARG002 - one signature
        return await broker.ask(lambda client: secrets.list_secrets(client, self._places))

    async def _list_tasks(self, _: Context, arguments: Arguments) -> dict[str, Any]:  # noqa: ARG002 - one signature
        return await anyio.to_thread.run_sync(lambda: secrets.list_tasks(self._places))

    async def _scan(self, _: Context, arguments: Arguments) -> dict[str, Any]:
        return await anyio.to_thread.run_sync(lambda: files.scan(self._places, arguments), abandon_on_cancel=True)

    async def _request_secret(self, context: Context, arguments: Arguments) -> dict[str, Any]:
        await context.session.report_progress(0, None, "A person is asked for the value, in their editor")
        return await broker.ask(lambda client: secrets.request_secret(client, self._places, arguments))

    async def _generate_secret(self, _: Context, arguments: Arguments) -> dict[str, Any]:
        return await broker.ask(lambda client: secrets.generate_secret(client, self._places, arguments))

    async def _import_env(self, context: Context, arguments: Arguments) -> dict[str, Any]:
        found = await broker.change(lambda client: importing.import_env(client, self._places, arguments))
        return await self._noted(context, found)

    async def _replace_plaintext(self, context: Context, arguments: Arguments) -> dict[str, Any]:
        found = await broker.change(lambda client: files.replace(client, self._places, arguments))
        return await self._noted(context, found)

    async def _noted(self, context: Context, found: dict[str, Any]) -> dict[str, Any]:
        """Tell the journal which files a tool has written, for the agent's report; return what was found."""
        session = await broker.session_above() or self._session_id
        base = str(self._places.first)
        for path in dict.fromkeys(item["path"] for item in found.get("moved", ())):
            journal.note(session, _client_name(context), "wrote", path=path, workspace=base)
        return found

    async def _run_task(self, context: Context, arguments: Arguments) -> dict[str, Any]:
        wanted = await anyio.to_thread.run_sync(lambda: asked.task(self._places, arguments))
        return await self._run(context, wanted, arguments)

    async def _run_command(self, context: Context, arguments: Arguments) -> dict[str, Any]:
        wanted = await anyio.to_thread.run_sync(lambda: asked.command(self._places, arguments))
        return await self._run(context, wanted, arguments)

    async def _run(self, context: Context, wanted: asked.Asked, arguments: Arguments) -> dict[str, Any]:
        if self._has_session is None:
            self._has_session = await broker.open_session(self._session_id, _client_name(context))
        task = await self.tasks.start(wanted)
        if not arguments.get("background"):
            async with self._ended_when_cancelled(task):
                await self.tasks.wait(task, arguments.get("wait_seconds", WAIT), _progress(context))
        await self.tasks.look(task)
        return _described(task, task.output.page(None, PAGE))

    @contextlib.asynccontextmanager
    async def _ended_when_cancelled(self, task: Task) -> AsyncIterator[None]:
        try:
            yield
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self.tasks.end(task)
            raise

    async def _lease_status(self, context: Context, arguments: Arguments) -> dict[str, Any]:
        offset, limit = arguments.get("offset"), arguments.get("limit", PAGE)
        if "task_id" in arguments:
            chosen = [self.tasks.get(arguments["task_id"])]
            beyond = offset if offset is not None else chosen[0].output.total
            await self.tasks.wait(chosen[0], arguments.get("wait_seconds", 0), _progress(context), beyond=beyond)
        else:
            chosen, offset, limit = self.tasks.all(), None, 0
        for task in chosen:
            await self.tasks.look(task)
        ours = {task.process.pid for task in chosen if task.exit_code is None}
        leases = [
            {"id": lease["id"], "secrets": list(lease["references"]), "expires_in_seconds": lease["expires_in"]}
            for lease in await broker.leases() if lease.get("pid") in ours
        ]  # fmt: skip
        return {"tasks": [_described(task, task.output.page(offset, limit)) for task in chosen], "leases": leases}

    async def _end_task(self, _: Context, arguments: Arguments) -> dict[str, Any]:
        task = self.tasks.get(arguments["task_id"])
        with anyio.CancelScope(shield=True):
            await self.tasks.end(task)
        return _described(task, task.output.page(None, PAGE))


def _client_name(context: Context) -> str:
    """Return the client's own word for itself, as the broker takes names."""
    said = context.session.client_params
    name = re.sub(r"[^a-z0-9-]+", "-", said.client_info.name.lower()).strip("-")[:32] if said is not None else ""
    return name if name[:1].isalpha() else "mcp"


def _progress(context: Context) -> Callable[[float, str], Awaitable[None]]:
    async def tell(seconds: float, state: str) -> None:
        words = "A person is asked in their editor" if state == "asking" else state
        await context.session.report_progress(seconds, None, words)

    return tell


def _described(task: Task, page: Page) -> dict[str, Any]:
    state = task.state
    if state == "asking":
        todo = "A person has to allow it, in their editor. Tell them; then lease_status with wait_seconds."
    elif state == "refused":
        todo = "Nothing was started. Tell the person why (output). To allow exactly this for a while they type: "
        todo += task.asked.by_hand
    elif state == "running":
        todo = "It goes on in the background: lease_status shows more, end_task ends it."
    else:
        todo = ""
    return {
        "task_id": task.id, "state": state, "exit_code": task.exit_code, "output": page.text, "offset": page.offset,
        "next_offset": page.next_offset, "total": page.total, "lost": page.lost, "what_to_do": todo,
    }  # fmt: skip


def _said(text: str, *, is_error: bool) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=is_error)


async def _list_tools(_: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:  # noqa: ARG001 - the SDK's signature
    return types.ListToolsResult(
        tools=[
            types.Tool(
                name=tool.name, title=tool.title, description=tool.description, input_schema=tool.takes,
                output_schema=tool.gives,
                annotations=types.ToolAnnotations(
                    title=tool.title, read_only_hint=tool.reads_only, destructive_hint=tool.destructive,
                    idempotent_hint=tool.idempotent, open_world_hint=False,
                ),
            )
            for tool in TOOLS
        ]
    )  # fmt: skip


async def _list_resources(_: Context, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:  # noqa: ARG001 - the SDK's signature
    return types.ListResourcesResult(resources=list(_RESOURCES))


async def _list_prompts(_: Context, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:  # noqa: ARG001 - the SDK's signature
    prompt = types.Prompt(name=teaching.SETUP, title=teaching.SETUP_TITLE, description=teaching.SETUP_DESCRIPTION)
    return types.ListPromptsResult(prompts=[prompt])


async def _get_prompt(_: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
    if params.name != teaching.SETUP:
        raise MCPError(types.INVALID_PARAMS, "there is no such prompt")
    message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=teaching.SETUP_TEXT))
    return types.GetPromptResult(description=teaching.SETUP_TITLE, messages=[message])

"""HTTP as the bridge uses it: one origin, bounded answers, errors in our own words. Knows nothing of MCP but two headers.

What goes wrong is a BridgeProblem: no URL, no header and no body is repeated in it, and nothing is logged.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping

import httpx2

from locum.agents.bridge_target import BridgeTarget
from locum.agents.event_stream import Event, EventStream, TooLong

MAX_MESSAGE = 16 << 20
"""Bytes of one message, in either direction."""
ANSWER = 3600.0
"""Seconds of silence from a server that works on a request: clients have deadlines of their own."""
_CONNECT, _WRITE = 15.0, 60.0
_REDIRECTS = 3
_EXPLAINED: tuple[tuple[type[Exception], str], ...] = (
    (httpx2.ConnectTimeout, "the server cannot be reached in time"),
    (httpx2.ConnectError, "the server cannot be reached"),
    (httpx2.ProxyError, "the proxy refuses the connection"),
    (httpx2.TimeoutException, "the server did not answer in time"),
    (TooLong, "the server sent a message of more than 16 MiB"),
)
_STATUS = {
    401: "the server refuses who we are (401): is the secret still valid?",
    403: "the server refuses this (403): may the secret be used for it?",
    429: "the server wants fewer requests (429)",
}


class BridgeProblem(Exception):
    """A message did not get through. The text is for the client, and holds nothing of what was sent or answered."""


class Http:
    """Requests to one server."""

    def __init__(self, target: BridgeTarget, client: httpx2.AsyncClient) -> None:
        self.session: str | None = None
        """What the server calls our session."""
        self.version: str | None = None
        """The protocol's version that both sides agreed on."""
        self._url = httpx2.URL(target.url)
        self._client = client

    @contextlib.asynccontextmanager
    async def send(
        self,
        method: str,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        url: httpx2.URL | None = None,
        read: float | None = ANSWER,
    ) -> AsyncIterator[httpx2.Response]:
        """Send a request and give its answer, whose body is not read yet. Redirects are followed within the origin.

        Raises BridgeProblem, also for what goes wrong in the `async with` block.
        """
        sent = dict(headers or {})
        if self.session is not None:
            sent["mcp-session-id"] = self.session
        if self.version is not None:
            sent["mcp-protocol-version"] = self.version
        timeout = httpx2.Timeout(_CONNECT, read=read, write=_WRITE)
        where = self._url if url is None else url
        try:
            for _ in range(_REDIRECTS + 1):
                async with self._client.stream(method, where, content=content, headers=sent, timeout=timeout) as answer:
                    location = answer.headers.get("location")
                    if answer.status_code not in {301, 302, 307, 308} or location is None:
                        yield answer
                        return
                    if method == "POST" and answer.status_code in {301, 302}:
                        raise BridgeProblem("the server redirects in a way that would lose the message")
                where = self.resolve(location, where)
            raise BridgeProblem("the server redirects in a circle")
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, TooLong, OSError) as problem:
            explained = (text for kind, text in _EXPLAINED if isinstance(problem, kind))
            raise BridgeProblem(next(explained, "the connection to the server broke")) from None

    def resolve(self, reference: str, base: httpx2.URL | None = None) -> httpx2.URL:
        """Return the URL that a server names. Raises BridgeProblem for another origin: our headers are for this one."""
        try:
            found = (base or self._url).join(reference)
        except httpx2.InvalidURL:
            raise BridgeProblem("the server names a URL that is none") from None
        if _origin(found) != _origin(self._url):
            raise BridgeProblem("the server sends us to another origin, where the secret does not belong")
        return found


async def body(answer: httpx2.Response) -> bytes:
    """Read a whole body. Raises TooLong."""
    found = bytearray()
    async for chunk in answer.aiter_bytes():
        found += chunk
        if len(found) > MAX_MESSAGE:
            raise TooLong
    return bytes(found)


async def events(answer: httpx2.Response) -> AsyncIterator[Event]:
    """Yield the events of a body as they come. Raises TooLong."""
    stream = EventStream(MAX_MESSAGE)
    async for chunk in answer.aiter_bytes():
        for event in stream.feed(chunk):
            yield event


def content_type(answer: httpx2.Response) -> str:
    """Return the kind of a body, lower case and without parameters."""
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def refusal(answer: httpx2.Response) -> BridgeProblem:
    """Return what to say of an answer that is none."""
    return BridgeProblem(_STATUS.get(answer.status_code, f"the server answers {answer.status_code}"))


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)

"""Remote MCP servers: URL and headers become arguments of `locum bridge`, which puts values in the place of references.

A reference and not `${NAME}`: several clients expand that themselves, and the value would be an argument.

No client resolves our references in a URL or a header, and there is no process to start: so the server becomes a local
one, a bridge under `locum run`. What the client needs to know else (names, timeouts, allowed tools) stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from locum.refs.embedded import embed, embedded
from locum.refs.reference import ReferenceProblem
from locum.rewrite.idioms.mcp_server import HEADERS, LAUNCHER, Server, is_bridge
from locum.rewrite.idioms.settings_text import Member, Place, Value, space_before, split_string
from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit

_RUN = ("run", "--ttl", "8h")
_BEARER, _BEARER_NAME, _NAMED_HEADERS = "bearer_token", "bearer_token_env_var", "env_http_headers"  # Codex
_KINDS = ("type", "transport", "transportType")
_SIGN_IN = {"oauth", "auth", "authProvider", "authProviderType", "oauthScopes", "oauth_resource", "scopes", "headersHelper",
            "requestInit", "requestOptions"}  # fmt: skip
"""What a remote server may have that the bridge knows nothing of."""
_VARIABLES = re.compile(r"\$\{|\{env:|\{file:|\$[A-Z_][A-Z0-9_]+")
_TELLING = re.compile(r"auth|token|key|secret|cookie|passw", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_]\w*")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def bridge(target: Target, server: Server, way: Place, leaf: Value) -> Plan:
    """Plan the fix for a secret in what a remote server is sent, or in the arguments of a bridge. Raises NoSafeEdit."""
    if is_bridge([word.text for word in server.task()]):
        return _one_more(target, server, leaf)
    url = server.url
    if server.program is not None or url is None or url.value.kind != "string":
        raise NoSafeEdit("this part of an MCP server's definition cannot hold a reference")
    lost = sorted(str(member.name) for member in server.value.members if member.name in _SIGN_IN)
    if lost:
        raise NoSafeEdit(f"this remote MCP server also has {lost[0]!r}, which a local bridge to it cannot take over")
    address, value = url.value.text, b""
    if leaf == url.value:
        address, value = _in_url(target, server, leaf)
    _refuse_variables(address if leaf != url.value else leaf.text)
    headers, named = _headers(target, server, leaf)
    if leaf != url.value:
        if way[0] not in {*HEADERS, _BEARER, _BEARER_NAME, _NAMED_HEADERS}:
            raise NoSafeEdit("this part of an MCP server's definition cannot hold a reference")
        value = _parts(target, server, leaf)[1].encode("utf-8", "surrogatepass")
    edits = [*_as_command(target, server, address, headers, named), *_local(server)]
    return target.plan(edits, value, _shown(target, server, leaf), _note(server, headers))


def _parts(target: Target, server: Server, leaf: Value) -> tuple[str, str, str]:
    parts = split_string(server.syntax, target.text, leaf, target.start, target.end)
    if parts is None:
        raise NoSafeEdit("the secret is spelt with escapes that cannot be taken apart")
    return parts


def _shown(target: Target, server: Server, leaf: Value) -> str:
    """Return the reference as it stands between what is before and behind the secret."""
    left, _, right = _parts(target, server, leaf)
    try:
        return embed(left, target.name, right)
    except ReferenceProblem:
        raise NoSafeEdit("the client might take the '$' before the secret for a variable") from None


def _in_url(target: Target, server: Server, leaf: Value) -> tuple[str, bytes]:
    """Return the address with the reference in it, and the value: the bridge spells it as a URL needs it."""
    left, value, right = _parts(target, server, leaf)
    shown = _shown(target, server, leaf)
    if not left and not right:
        return shown, value.encode("utf-8", "surrogatepass")
    authority = re.fullmatch(r"[a-z]+://([^/?#]*)", left, re.IGNORECASE)
    if authority is not None and not re.match(r"[^/?#]*@", right):
        raise NoSafeEdit("the secret is the host of a URL, or a part of one")
    if "://" not in left or (authority is not None and re.search(r"[/?#@]", value)):
        raise NoSafeEdit("the secret is not one part of a URL")
    if "+" in value and "?" in left:
        raise NoSafeEdit("a '+' in a URL's query is a space to some servers: write %2B or %20 there first")
    return left + shown + right, unquote_to_bytes(value)


def _headers(target: Target, server: Server, leaf: Value) -> tuple[list[tuple[str, str]], list[str]]:
    """Return all headers as the bridge is told them, and the variables of the client's environment that they name."""
    found: list[tuple[str, str]] = []
    named: list[str] = []
    for member in sorted(server.value.members, key=lambda member: member.name not in HEADERS):
        if member.name in HEADERS and member.value.kind != "object":
            raise NoSafeEdit(f"{str(member.name)!r} of this MCP server is no object")
        if member.name in HEADERS or member.name == _NAMED_HEADERS:
            for header in member.value.members:
                takes_name = member.name == _NAMED_HEADERS and header.value != leaf
                found.append(
                    (str(header.name), _header(target, server, header.value, leaf, named if takes_name else None))
                )
        elif member.name in {_BEARER, _BEARER_NAME}:
            takes_name = member.name == _BEARER_NAME and member.value != leaf
            text = _header(target, server, member.value, leaf, named if takes_name else None)
            found.append(("Authorization", f"Bearer {text}"))
    if not all(_HEADER.fullmatch(name) for name, _ in found):
        raise NoSafeEdit("a header of this MCP server has a name that is none")
    return found, named


def _header(target: Target, server: Server, value: Value, leaf: Value, named: list[str] | None) -> str:
    if value.kind != "string":
        raise NoSafeEdit("a header of this MCP server is no text")
    _refuse_variables(value.text)
    if value == leaf:
        left, _, right = _parts(target, server, leaf)
        return f"{left}{_shown(target, server, leaf)}{right}"
    if named is None:
        return value.text
    if not _NAME.fullmatch(value.text):
        raise NoSafeEdit("where the name of a variable should stand, this MCP server has another text")
    named.append(value.text)
    return f"${{{value.text}}}"


def _refuse_variables(text: str) -> None:
    if _VARIABLES.search(text):
        raise NoSafeEdit(
            "this remote MCP server takes another value from a variable, which would become an argument that every "
            "process can see: let the client take this one from a variable too"
        )


def _as_command(
    target: Target, server: Server, address: str, headers: list[tuple[str, str]], named: list[str]
) -> list[Edit]:
    """Turn URL and headers into a command line, in place: comments stay, and no text is moved that need not be.

    What is moved may hold another secret: then that one has to go first.
    """
    syntax, text, url, held = server.syntax, server.text, server.url, server.value.get(*HEADERS)
    assert url is not None
    command = [] if server.client.lists_command else [("command", syntax.quote(LAUNCHER))]
    words = [LAUNCHER, *_RUN] if server.client.lists_command else [*_RUN]
    for name in _names(target, [address, *(value for _, value in headers)]):
        words += ["--secret", name]
    words += ["--", LAUNCHER, "bridge"]
    listed = "command" if server.client.lists_command else "args"
    here = [str(member.name) for member in held.value.members] if held else []
    spare = [word for name, value in headers[len(here) :] for word in ("--header", f"{name}: {value}")]
    variables = [("env_vars", syntax.items(named))] if named else []  # Codex hands on few of its own variables
    edits = [
        edit
        for member in server.value.members
        if member.name in {_BEARER, _BEARER_NAME, _NAMED_HEADERS}
        for edit in syntax.drop(text, server.value, member)
    ]
    if held is None or not here:
        spelt = f"[{', '.join(map(syntax.quote, [*words, address, *spare]))}]"
        edits += _around(target, server, syntax.replace(text, url, [*command, (listed, spelt), *variables]), address)
        return edits + (syntax.drop(text, server.value, held) if held is not None else [])
    if not (syntax.is_inline(text, held.value) or _follows(server, held)):
        moved = [word for name, value in headers[: len(here)] for word in ("--header", f"{name}: {value}")]
        edits.append(
            syntax.replace(text, url, [*command, (listed, syntax.items([*words, address, *moved, *spare])), *variables])
        )
        return edits + syntax.drop(text, server.value, held)
    edits += syntax.replace_or_drop(text, server.value, url, [*command, *variables])
    return edits + _in_place(target, server, held, syntax.pair(listed, "["), [*words, address, *spare], headers)


def _names(target: Target, texts: Iterable[str]) -> list[str]:
    """Return the names in what the bridge is told, the new one first. Others are there where a person wrote references."""
    try:
        found = [item.name for text in texts for item in embedded(text)]
    except ReferenceProblem:
        raise NoSafeEdit(
            "this remote MCP server has another reference, in a form that the bridge does not take: write locum://NAME there"
        ) from None
    return list(dict.fromkeys([target.name, *found]))


def _around(target: Target, server: Server, edit: Edit, address: str) -> list[Edit]:
    """Split an edit of the URL's member so that the URL stays where it is: there may be another secret in it."""
    url, spelt = server.url, server.syntax.quote(address)
    if url is None or edit.new_text.count(spelt) != 1 or not re.match(r'"(?!"")', server.text[url.value.start :][:3]):
        return [edit]
    before, after = edit.new_text.split(spelt)
    edits = [Edit(edit.start, url.value.start, before), Edit(url.value.end, url.value.end, after)]
    if url.value.holds(target.start, target.end):
        edits.append(Edit(target.start, target.end, _shown(target, server, url.value)))
    return edits


def _follows(server: Server, held: Member) -> bool:
    """Say whether the table of headers comes right behind the server's own: then its lines can be a list in that one."""
    between = server.text[server.value.end : held.value.start]
    return (
        server.text.startswith("[", server.value.start)
        and server.value.end <= held.value.start
        and server.text.startswith("[", held.value.start)
        and not re.search(r"^[ \t]*\[", between, re.MULTILINE)
    )


def _in_place(
    target: Target, server: Server, held: Member, opening: str, words: list[str], headers: list[tuple[str, str]]
) -> list[Edit]:
    """Turn an object of headers into a list of arguments that begins with `words`."""
    syntax, text, members = server.syntax, server.text, held.value.members
    is_inline = syntax.is_inline(text, held.value)
    space = space_before(text, members[0].key[0])
    gap = space if "\n" in space or "\r" in space else ""
    spelt = f"{opening}{gap if is_inline else ''}{', '.join(map(syntax.quote, words))},"
    if is_inline and not text[held.value.start + 1].isspace():
        spelt += " "
    start = held.key[0] if is_inline else held.value.start
    edits = [Edit(start, held.value.start + 1 if is_inline else held.value.end, spelt)]
    for member, (name, value) in zip(members, headers, strict=False):
        first, last = member.value.start, member.value.end
        if text[first] == '"' and not text.startswith('"""', first):
            edits.append(
                Edit(member.key[0], first + 1, f"{syntax.quote('--header')}, {syntax.quote(f'{name}: ')[:-1]}")
            )
            if first < target.start < last:
                edits.append(Edit(target.start, target.end, _shown(target, server, member.value)))
        else:
            edits.append(Edit(member.key[0], last, f"{syntax.quote('--header')}, {syntax.quote(f'{name}: {value}')}"))
        if not is_inline:
            newline = "\r\n" if "\r\n" in text else "\n"
            edits.append(Edit(last, last, "," if member is not members[-1] else f",{newline}]"))
    if not is_inline:
        return edits
    before = space_before(text, held.value.end - 1)
    close = held.value.end - 1 - (0 if "\n" in before or "\r" in before else len(before))
    return [*edits, Edit(close, held.value.end, "]")]


def _local(server: Server) -> list[Edit]:
    """Say that it is a local server, where the client has a key for that."""
    kinds = [member for member in server.value.members if member.name in _KINDS and member.value.kind == "string"]
    return [
        Edit(kind.value.start, kind.value.end, server.syntax.quote("local" if kind.value.text == "remote" else "stdio"))
        for kind in kinds
        if kind.value.text != "local"
    ]


def _one_more(target: Target, server: Server, leaf: Value) -> Plan:
    """Take another secret out of the arguments of a bridge."""
    words = server.words()
    number = next(index for index, word in enumerate(words) if word.value == leaf)
    if number and words[number - 1].text == "--header":
        left, middle, right = _parts(target, server, leaf)
        if ":" not in left:
            raise NoSafeEdit("the secret is the name of a header, or a part of one")
        text, value = f"{left}{_shown(target, server, leaf)}{right}", middle.encode("utf-8", "surrogatepass")
    elif words[number - 1].text == "bridge":
        text, value = _in_url(target, server, leaf)
    else:
        raise NoSafeEdit("the secret is neither the URL nor a header of this bridge")
    edits = [Edit(leaf.start, leaf.end, server.syntax.quote(text))]
    given = server.given()
    if given.get(target.name, "") not in {"", target.name, target.reference}:
        raise NoSafeEdit(f"--secret {target.name}=… of this bridge is another secret")
    if target.name in given:
        return target.plan(edits, value, _shown(target, server, leaf), _note(server, []))
    more = ["--secret", target.name] if server.is_launched() else [*_RUN, "--secret", target.name, "--", LAUNCHER]
    index = [word.text for word in words].index("--") if server.is_launched() else 1
    place: Member | None = words[index].member
    if place is None:
        raise NoSafeEdit("this MCP server's command is not understood")
    at = place.value.start
    gap = space_before(server.text, at) or " "
    edits.append(Edit(at, at, "".join(f"{server.syntax.quote(word)},{gap}" for word in more)))
    return target.plan(edits, value, _shown(target, server, leaf), _note(server, []))


def _note(server: Server, headers: list[tuple[str, str]]) -> str:
    note = (
        f"The MCP server {json.dumps(server.label, ensure_ascii=False)} is now reached through 'locum bridge' under "
        "'locum run', which asks before it hands over the value; restart the server."
    )
    left = [name for name, value in headers if _TELLING.search(name) and "${" not in value and "locum://" not in value]
    if left:
        note += f" What it sends as {left[0]} is an argument now, which every process can see: move that too."
    return note

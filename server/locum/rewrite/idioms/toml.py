"""TOML: a string becomes `"locum://NAME"`; MCP servers (Codex) as in JSON; readers that are known get what they take.

No reader of TOML expands anything by itself, so the program is given a rendered copy by `locum run --mount` or `--render`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from locum.rewrite.idioms import mcp_config
from locum.rewrite.idioms.mcp_clients import find_map
from locum.rewrite.idioms.mcp_server import Server
from locum.rewrite.idioms.settings_text import TOML, Member, Place, Value, from_toml
from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit


@dataclass(frozen=True, slots=True)
class _Reader:
    """A program that reads its own file, and where a rendered copy would not reach it."""

    path: str
    """A pattern for the whole path, lower case."""
    keys: str
    """A pattern for the keys, joined by dots."""
    write: str = ""
    """What it puts a value in the place of; "": nothing."""
    note: str = ""
    refuse: str = ""


_DEPLOYED = (
    "what stands here is deployed as it is: take it out, and make the value a secret of the platform with {command}"
)
# The first row that fits counts.
_READERS = (
    _Reader(  # supabase.com/docs/guides/local-development/managing-config
        r"(.*/)?supabase/config\.toml", r".*", "env({name})",
        "Start it with 'locum run --secret {name} -- supabase start', which sets the variable.",
    ),
    _Reader(  # docs.streamlit.io/develop/api-reference/connections/secrets.toml: `secrets.files`
        r"(.*/)?\.streamlit/secrets\.toml", r".*", "locum://{name}",
        "Start it with 'locum run --render {file} -- streamlit run … --secrets.files {file}'.",
    ),
    _Reader(
        r"(.*/)?wrangler\.toml", r"(env\.[^.]+\.)?vars\..*",
        refuse=_DEPLOYED.format(command="'npx wrangler secret put'"),
    ),
    _Reader(r"(.*/)?fly\.toml", r"env\..*", refuse=_DEPLOYED.format(command="'fly secrets set'")),
    _Reader(r"(.*/)?netlify\.toml", r".*environment\..*", refuse=_DEPLOYED.format(command="'netlify env:set --secret'")),
    _Reader(
        r"(.*/)?pyproject\.toml", r".*",
        refuse="tools read pyproject.toml by its name and expand nothing in it: take the value out, and set the tool's own "
        "variable under 'locum run' (uv: UV_INDEX_NAME_PASSWORD, Poetry: POETRY_HTTP_BASIC_NAME_PASSWORD)",
    ),
    _Reader(
        r"(.*/)?(cargo|\.cargo/(config|credentials))\.toml", r".*",
        refuse="cargo reads this file by its name and expands nothing in it: take the value out, and set the variable under "
        "'locum run'",
    ),
)  # fmt: skip
_ANY = _Reader(
    "", "", "locum://{name}",
    "Start the program with 'locum run --mount {file} -- …', and it finds a copy with the value there; --render does where an "
    "argument names the file.",
)  # fmt: skip
_CARGO = re.compile(r"(.*/)?(\.cargo/config|credentials)\.toml")


def rewrite(target: Target) -> Plan:
    """Replace the string that holds the secret, all of it: nothing in TOML can put a value into a longer one."""
    try:
        root, comments = from_toml(target.text)
    except ValueError as problem:  # its text may quote what stands there
        line = re.search(r"at line (\d+)", str(problem))
        where = f" (line {line[1]})" if line else ""
        raise NoSafeEdit(f"the file is no valid TOML{where}: mend that first") from None
    if any(start <= target.start and target.end <= end for start, end in comments):
        return target.as_prose("comment")
    way, member = _find(target, root)
    found = find_map(target.path, way)
    if found is not None and len(way) > found[1] + 1:
        client, depth = found
        server = root
        for name in way[: depth + 1]:
            server = next(inner.value for inner in server.members if inner.name == name)
        return mcp_config.rewrite(target, Server(target.text, TOML, client, way[depth], server), way[depth + 1 :])
    return _for_cargo(target, way, member) or _for_its_reader(target, way, member)


def _find(target: Target, root: Value) -> tuple[Place, Member]:
    """Return the way to the string that holds the secret, and the string with its key."""
    todo: list[tuple[Place, Value]] = [((), root)]
    while todo:
        way, value = todo.pop()
        for member in value.members:
            if member.value.kind == "string" and member.value.holds(target.start, target.end):
                return (*way, member.name), member
            todo.append(((*way, member.name), member.value))
    raise NoSafeEdit("the secret is not the value of a string")


def _for_its_reader(target: Target, way: Place, member: Member) -> Plan:
    path, keys = target.path.lower(), ".".join(map(str, way))
    value = member.value
    for reader in _READERS:
        if re.fullmatch(reader.path, path) and re.fullmatch(reader.keys, keys):
            if reader.refuse:
                raise NoSafeEdit(reader.refuse)
            break
    else:
        reader = _ANY
    spelt = reader.write.format(name=target.name)
    note = reader.note.format(name=target.name, file=target.path or "FILE")
    quote = target.text[value.start]
    width = 3 if target.text.startswith(quote * 3, value.start) and value.end - value.start >= 6 else 1
    around = target.text[value.start + width : target.start] + target.text[target.end : value.end - width]
    partial = bool(around.strip())
    if partial and re.search(r"\s", value.text.strip()):
        raise NoSafeEdit("the secret is a part of a longer text, and TOML cannot put a value into one")
    if partial:
        note = f"The whole string is stored, not only the secret in it. {note}"
    return target.plan((Edit(value.start, value.end, f"{quote}{spelt}{quote}"),), value.text, spelt, note)


def _for_cargo(target: Target, way: Place, member: Member) -> Plan | None:
    """Take a registry's token out: cargo takes it from a variable, and would send a reference as the token."""
    if not _CARGO.fullmatch(target.path.lower()) or way[-1] != "token" or len(way) not in {2, 3}:
        return None
    variable = "CARGO_REGISTRY_TOKEN"
    if len(way) == 3:
        variable = f"CARGO_REGISTRIES_{re.sub(r'[^A-Z0-9]', '_', str(way[1]).upper())}_TOKEN"
    prefix = TOML.prefix(target.text, member)
    if prefix is None:
        raise NoSafeEdit(f"cargo takes this token from the variable {variable}: take it out of here, and set that one")
    start = member.key[0] - len(prefix.lstrip())
    edit = Edit(start, member.value.end, f"# token: {target.reference}")
    note = f"cargo takes the token from a variable: 'locum run --secret {variable}={target.name} -- cargo publish'."
    return target.plan((edit,), member.value.text, target.reference, note)

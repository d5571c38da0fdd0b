"""Where attribute values, texts, CDATA sections and comments lie in XML. A scanner, no parser: it checks nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from locum.rewrite.idioms.place import Place

_TOKEN = re.compile(
    r"(?P<comment><!--.*?(?:-->|\Z))|<!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)|(?P<skip><\?.*?(?:\?>|\Z)|<!(?:[^<>]|<[^<>]*>)*>)"
    r"|</(?P<close>[^<>\s]*)[^<>]*>|<(?P<open>[A-Za-z_][\w:.-]*)(?P<attributes>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>"
    r"|(?P<text>[^<]+)|<",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"(?P<name>[\w:.-]+)\s*=\s*(?P<quoted>\"[^\"]*\"|'[^']*')")
_NAMING = {"key", "name", "id"}
_MOST = 100
"""How deep a way is followed."""


def xml_places(text: str) -> Iterator[Place]:
    """Yield them in order. A key is the way of elements, then `key="…"` or the like of the same element, then `@name`."""
    way: list[str] = []
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "comment":
                yield Place("comment", *token.span())
            case "cdata":
                yield Place("xml-cdata", *token.span("cdata"), "/".join(way), token.span())
            case "text":
                body = token.group()
                start = token.start() + len(body) - len(body.lstrip())
                end = token.end() - len(body) + len(body.rstrip())
                if way and start < end:
                    yield Place("xml-text", start, end, "/".join(way), (start, end))
            case "close":
                if token["close"] in way:
                    del way[len(way) - 1 - way[::-1].index(token["close"]) :]
            case "attributes" | "open":
                here = [*way, token["open"]]
                yield from _attributes(text, token, "/".join(here))
                if not token["attributes"].endswith("/") and len(here) <= _MOST:
                    way = here
            case _:
                pass


def _attributes(text: str, token: re.Match[str], way: str) -> Iterator[Place]:
    found = list(_ATTRIBUTE.finditer(text, *token.span("attributes")))
    named = next((item["quoted"][1:-1] for item in found if item["name"].lower() in _NAMING), "")
    for item in found:
        start, end = item.span("quoted")
        style = "xml-double" if text[start] == '"' else "xml-single"
        yield Place(style, start + 1, end - 1, f"{way} {named} @{item['name']}", (start, end))

"""Passwords in XML and its kin: elements, pairs of attributes, property lists."""

from __future__ import annotations

from collections.abc import Iterable

from locum.detect.formats.judging import is_secret_name, looks_chosen, stands_for_itself
from locum.detect.formats.model import Expression, Slot, Source

RULE = "markup-password"

_OPENED = Expression(rb"<(?P<name>[A-Za-z_][\w:.-]{0,80})(?:\s[^<>]{0,200})?\Z")
_ATTRIBUTE = Expression(
    rb"""<[A-Za-z_][\w:.-]{0,80}\s(?:[^<>]{0,200}\s)?(?P<key>name|key|id|property)\s?=\s?["'](?P<name>[\w.:-]{1,120})["']\s?\Z"""
)
_CONTENT = Expression(
    rb"(?:<!\[CDATA\[)?\s{0,80}(?:<(?:value|string)>\s{0,40})?(?P<value>[^<>\r\n]{3,1000}?)\s{0,80}(?:\]\]>)?</"
)
_REST_OF_NAME = Expression(rb"[\w.-]{0,40}+")
_VALUE_AFTER = Expression(
    rb"""["']\s{1,80}(?:[\w:.-]{1,40}\s?=\s?["'][^"'<>]{0,100}["']\s{1,40}){0,3}value\s?=\s?(?P<quote>["'])(?P<value>[^"'<>\r\n]{3,1000})(?P=quote)"""
)
_VALUE_BEFORE = Expression(
    rb"""<[A-Za-z_][^<>]{0,200}?\svalue\s?=\s?(?P<quote>["'])(?P<value>[^"'<>\r\n]{3,1000})(?P=quote)\s{1,80}(?:name|key)\s?=\s?["'][\w.:-]{0,120}\Z"""
)
_PLIST = Expression(rb"</key>\s{0,200}<string>(?P<value>[^<>\r\n]{3,1000})</string>")
_PLIST_NAME = Expression(rb"<key>(?P<name>[\w.-]{1,80})\Z")
_OWN = Expression(rb"""\s?=\s?(?P<quote>["'])(?P<value>[^"'<>\r\n]{3,500})(?P=quote)(?=[\s/>?])""")
_IN_TAG = Expression(rb"""<[A-Za-z_?][\w:.-]{0,80}\s(?:[^<>]{0,600}\s)?(?P<name>[\w:.-]{1,60})\Z""")
_WORDS = Expression(rb"(?s).*\s.*\s.*")
_MARKUP = (".xml", ".config", ".props", ".targets", ".csproj", ".plist", ".jelly", ".xaml", ".wsdl", ".xsl", ".xslt")
_BACK = 320


def element(source: Source, at: int) -> Iterable[Slot]:
    """Read `<db.password>X</…>` where `password>` stands at `at`, and `<property name="password">X</…>` for `password">`."""
    data = source.data
    close = data.find(b">", at, at + 24)
    if data[at - 1 : at] == b"/" or close < 0:
        return ()
    after = _CONTENT.compiled.match(data, close + 1, close + 1300)
    if after is None:
        return ()
    before = data[max(0, at - _BACK) : close].rstrip(b"/ ")
    opened = before.rfind(b"<")
    found = (
        _ATTRIBUTE.compiled.match(before, opened)
        if before.endswith((b'"', b"'"))
        else _OPENED.compiled.match(before, opened)
    )
    if opened < 0 or found is None:
        return ()
    name, value = found["name"], after["value"]
    strong = source.path.endswith(_MARKUP) or not source.path
    if not is_secret_name(name.rpartition(b":")[2]) or not (stands_for_itself if strong else looks_chosen)(value):
        return ()
    if _WORDS.compiled.fullmatch(value) or value.lower() == name.lower():
        return ()
    return [Slot(*after.span("value"), name.rpartition(b":")[2], RULE, "content of an element")]


def pair(source: Source, at: int) -> Iterable[Slot]:
    """Read `<add key="DbPassword" value="X"/>` where `password"` stands at `at`, in either order."""
    data = source.data
    quote = _REST_OF_NAME.compiled.match(data, at, at + 60)
    end = quote.end() if quote else at
    before = data[max(0, at - _BACK) : end + 1]
    if b"<" not in before:
        return ()
    after = _VALUE_AFTER.compiled.match(data, end, end + 1600)
    if after is not None:
        opened = _ATTRIBUTE.compiled.match(before, before.rfind(b"<"))
        name, span = (opened["name"], after.span("value")) if opened else (b"", (0, 0))
    else:
        back = data[max(0, at - 1300) : end]
        opened = _VALUE_BEFORE.compiled.match(back, max(0, back.rfind(b"<")))
        name = back[max(back.rfind(b'"'), back.rfind(b"'")) + 1 :]
        span = (
            (max(0, at - 1300) + opened.start("value"), max(0, at - 1300) + opened.end("value")) if opened else (0, 0)
        )
    if opened is None or not is_secret_name(name) or not stands_for_itself(data[span[0] : span[1]]):
        return ()
    if not source.path.endswith(_MARKUP) and not looks_chosen(data[span[0] : span[1]]):
        return ()
    return [Slot(*span, name, RULE, "value beside its name")]


def property_list(source: Source, at: int) -> Iterable[Slot]:
    """Read `<key>password</key><string>X</string>` where `password</` stands at `at`."""
    data = source.data
    close = data.find(b"<", at, at + 24)
    after = _PLIST.compiled.match(data, close, close + 1400)
    before = _PLIST_NAME.compiled.search(data[max(0, at - 90) : close])
    if close < 0 or after is None or before is None or not is_secret_name(before["name"]):
        return ()
    return (
        [Slot(*after.span("value"), before["name"], RULE, "value of a property list")]
        if stands_for_itself(after["value"])
        else ()
    )


def attribute(source: Source, at: int) -> Iterable[Slot]:
    """Read `<user username="tomcat" password="X"/>` in a file of markup."""
    data = source.data
    if not source.path.endswith(_MARKUP):
        return ()
    equals = data.find(b"=", at, at + 24)
    after = _OWN.compiled.match(data, equals, equals + 520) if equals >= 0 else None
    if after is None:
        return ()
    before = data[max(0, at - 640) : equals].rstrip()
    opened = _IN_TAG.compiled.match(before, max(0, before.rfind(b"<")))
    if (
        opened is None
        or not is_secret_name(opened["name"].rpartition(b":")[2])
        or not stands_for_itself(after["value"])
    ):
        return ()
    return [Slot(*after.span("value"), opened["name"].rpartition(b":")[2], RULE, "attribute of an element")]


_ENDS = (
    "password", "passwd", "secret", "passphrase", "apikey", "api_key", "api-key", "token", "pwd", "privatekey", "accesskey",
    "access_key", "secretkey", "secret_key",
)  # fmt: skip
"""How names of secrets end."""
AT = {
    **{word + ">": element for word in _ENDS},
    **{word + '">': element for word in _ENDS},
    "<password ": element, "<passphrase ": element, "<secretbytes>": element, "<pass>": element,
    '<pass encoding="base64">': element,
    **{word + "</key>": property_list for word in _ENDS},
    **{word + '="': attribute for word in ("password", "passwd", "pwd", "secret", "passphrase")},
}  # fmt: skip

"""Passwords in SQL statements and in connection strings (ADO.NET, ODBC, JDBC, libpq)."""

from __future__ import annotations

from collections.abc import Iterable

from locum.detect.formats.judging import looks_chosen, stands_for_itself
from locum.detect.formats.model import Expression, Slot, Source

_LITERAL = (
    rb"""(?:(?P<quote>["'])(?P<value>(?:(?!(?P=quote))[^\r\n\\]|\\.|(?P=quote){2}){3,300})(?P=quote)(?!(?P=quote)))"""
)
_IDENTIFIED = Expression(
    rb"""(?i:identified)\s{1,8}(?:(?i:with)\s{1,8}["'`]?[\w-]{1,60}["'`]?\s{1,8})?(?i:by|as)\s{1,8}(?:(?i:password|values)\s{1,8})?\\?"""
    + _LITERAL
)
_ORACLE = Expression(
    rb"""(?i:identified)\s{1,8}(?i:by)\s{1,8}(?P<value>[A-Za-z][\w$\#]{4,60})(?=\s*(?:;|$|/|\n|(?i:default|account|profile|quota)))"""
)
_SQL_PASSWORD = Expression(rb"""(?i:password)\s{0,8}(?:=\s{0,8}|\()?\s{0,4}[Nn]?""" + _LITERAL)
_SQL_BEFORE = Expression(
    rb"""(?i)\b(?:create|alter|set|with|encrypted|login|user|role|for|add|exec|sp_addlogin|superuser|inherit|createdb)\b[^;]{0,100}\Z"""
)
_STATEMENT = Expression(
    rb"(?i)\b(?:create|alter|set|add)\s{1,8}(?:or\s+replace\s+)?(?:user|role|login|password|server|symmetric|certificate|master|group)\b"
)
_VALUE = Expression(
    rb"""\s?=\s?(?:\{(?P<braced>[^}"'\r\n]{3,200})\}|(?P<bare>[^\s;"'`&<>{}$\\][^\s;"'`&<>\\]{2,200}))
    (?=[\s;"'`&<\\]|$)"""
)
_SPACED = Expression(rb"""\s?=\s?(?P<bare>[^;"'`<>{}$\\\r\n][^;"'`<>\\\r\n]{2,100}?)(?=[ ]?;|["'`<\\])""")
_KEY_BEFORE = Expression(rb"(?:[\w ]{0,24})\Z")
_OTHERS = Expression(
    rb"""(?i)(?:^|[;\s?&"'(>])(?:server|data[ ]source|addr|address|host|hostname|uid|user[ ]?id|user[ ]?name|user|database
    |initial[ ]catalog|dbname|driver|provider|network[ ]address|endpoint|port|integrated[ ]security
    |trusted_connection|encrypt)[ ]?=[ ]?[^;=\s"']"""
)
_JDBC = Expression(rb"jdbc:[a-z0-9:+]{2,40}[/@:]|[a-z][a-z0-9+.-]{1,20}://")
_THIN = Expression(rb":thin:[\w$#.-]{1,60}/(?P<value>[^\s@\"'`]{3,100})@")


def identified(source: Source, at: int) -> Iterable[Slot]:
    """Read `IDENTIFIED BY 'X'`."""
    match = _IDENTIFIED.compiled.match(source.data, at, at + 700) or _ORACLE.compiled.match(source.data, at, at + 200)
    if match is None or not stands_for_itself(match["value"]):
        return ()
    if "quote" not in match.re.groupindex and not _STATEMENT.compiled.search(source.data, max(0, at - 160), at):
        return ()  # prose
    hashed = match["value"].startswith((b"*", b"$")) and len(match["value"]) > 40
    if hashed:
        return [Slot(*match.span("value"), b"", "password-hash", "hash of a database user's password")]
    return [Slot(*match.span("value"), b"", "sql-password", "password of a database user")]


def password(source: Source, at: int) -> Iterable[Slot]:
    """Read `CREATE ROLE x LOGIN PASSWORD 'X'` and `ALTER LOGIN x WITH PASSWORD = N'X'`."""
    data = source.data
    match = _SQL_PASSWORD.compiled.match(data, at, at + 700)
    if match is None or not stands_for_itself(match["value"]):
        return ()
    before = data[max(0, at - 160) : at]
    if not _SQL_BEFORE.compiled.search(before) or not _STATEMENT.compiled.search(before):
        return ()
    if match["value"].startswith((b"SCRAM-SHA-256$", b"md5")) and len(match["value"]) > 30:
        return [Slot(*match.span("value"), b"", "password-hash", "hash of a database user's password")]
    return [Slot(*match.span("value"), b"", "sql-password", "password of a database user")]


def connection(source: Source, at: int) -> Iterable[Slot]:
    """Read `Server=…;Password=X;` and `host=… password=X` where `password=` stands at `at`."""
    data = source.data
    low = max(0, at - 400)
    line = data.rfind(b"\n", low, at) + 1
    before = data[max(low, line) : at]
    if before.endswith((b"_", b"-", b".")) or before[-1:].isalpha():
        return ()
    opened = max(before.rfind(b'"'), before.rfind(b"'"), before.rfind(b"`"), before.rfind(b">"), before.rfind(b"("))
    inside = before[opened + 1 :] if opened >= 0 and not before[opened:].startswith(b"' '") else before
    equals = data.find(b"=", at, at + 12)
    match = _VALUE.compiled.match(data, equals, equals + 220) or _SPACED.compiled.match(data, equals, equals + 120)
    if match is None:
        return ()
    group = "braced" if "braced" in match.re.groupindex and match["braced"] is not None else "bare"
    value = match[group].rstrip(b",)") if b";" not in inside else match[group]
    start, end = match.start(group), match.start(group) + len(value)
    after = data[end : min(len(data), end + 200)].split(b"\n", 1)[0]
    opened_after = [place for place in (after.find(quote) for quote in (b'"', b"'", b"`", b"<")) if place >= 0]
    after = after[: min(opened_after)] if opened_after else after
    semicolons = inside.rstrip().endswith(b";") or after.lstrip().startswith(b";")
    if not (
        semicolons or inside.endswith((b" ", b"&", b"?", b"\t")) or (not inside and after.startswith((b" ", b"&")))
    ):
        return ()
    if b"," in inside[-60:] and not semicolons:
        return ()  # arguments of a call
    if not (_OTHERS.compiled.search(b" " + inside) or _OTHERS.compiled.search(after) or _JDBC.compiled.search(inside)):
        return ()
    if not (stands_for_itself(value) if semicolons else looks_chosen(value)):
        return ()
    return [Slot(start, end, b"", "connection-string-password", "password in a connection string")]


def thin(source: Source, at: int) -> Iterable[Slot]:
    """Read `jdbc:oracle:thin:user/X@…`."""
    match = _THIN.compiled.match(source.data, at, at + 180)
    if match is None or not stands_for_itself(match["value"]):
        return ()
    return [Slot(*match.span("value"), b"", "connection-string-password", "password in a JDBC address")]


AT = {
    "identified by": identified, "identified with": identified, "identified\n": identified,
    "password '": password, "password=n'": password, "password = ": password, "password='": password, "password('": password,
    "password = n'": password, 'password "': password,
    "password=": connection, "pwd=": connection, "passwd=": connection, "password = {": connection, "pass=": connection,
    ":thin:": thin,
}  # fmt: skip

"""Secrets in the code of programs that an assignment does not show: arguments of well-known calls, defaults, constants of PHP."""

from __future__ import annotations

from collections.abc import Iterable

from locum.detect.formats.judging import is_secret_name, looks_chosen, stands_for_itself
from locum.detect.formats.model import Expression, Reader, Slot, Source

_FAR = 800
"""Bytes of a call that are looked at."""
_DEEPEST = 6
"""Brackets in brackets."""
_PART = Expression(
    rb"""(?P<text>[@$bfru]{0,2}(?:"(?:[^"\\\r\n]|\\.)*+"|'(?:[^'\\\r\n]|\\.)*+'|`(?:[^`\\]|\\.)*+`))
    |(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<comma>,)"""
)
_ALONE = Expression(
    rb"""\s*(?:(?P<name>\w{1,20})\s*(?:=|:)\s*)?(?:Buffer\.from\(|Encoding\.\w{1,10}\.GetBytes\(|\[\]byte\(|b)?
    [@$bru]{0,2}(?P<quote>["'`])(?P<value>(?:(?!(?P=quote))[^\r\n\\]|\\.){3,500})(?P=quote)\s*
    (?:\.(?:encode|getBytes|toCharArray|toByteArray|to_string|to_owned|into|bytes)\([^()]{0,30}\))?(?:,\s*["'][\w-]{1,10}["'])?\)?\s*"""
)
_DEFINE = Expression(
    rb"""(?i:define)\(\s*(?P<quote>["'])(?P<name>\w{1,80})(?P=quote)\s*,\s*
    (?P<mark>["'])(?P<value>(?:(?!(?P=mark))[^\\\r\n]|\\.){3,500})(?P=mark)\s*[,)]"""
)
_SECURE = Expression(
    rb"""(?i:convertto-securestring)\s+(?:-(?i:string)\s+)?
    (?:"(?P<double>[^"\r\n$]{3,300})"|'(?P<single>[^'\r\n]{3,300})'|(?P<bare>[^\s"'$(-][^\s"']{2,300}))"""
)
_SECURE_NAMED = Expression(
    rb"""(?i:convertto-securestring)\s+(?:-\w+\s+){1,3}(?:"(?P<double>[^"\r\n$]{3,300})"|'(?P<single>[^'\r\n]{3,300})')"""
)
_SECURE_PIPED = Expression(rb"""(?:"(?P<double>[^"\r\n$]{3,300})"|'(?P<single>[^'\r\n]{3,300})')\s*\|\s*\Z""")
_LOOKUP = Expression(
    rb"""(?:process\.env|[\w:.]{0,40}?)(?:\s?[(\[]\s{0,20}|\.)["'`]?(?P<name>[A-Za-z_][\w.-]{0,80})["'`]?\s{0,4}(?:\)|\])?[\s!]{0,40}
    (?:,|\?\?|\|\||\?:|\bor\b|\.unwrap_or(?:_else)?\((?:\|_?\|\s?)?|\)\s?\?\?|\.or\w{0,12}\()\s{0,40}
    (?:(?i:default(?:_value)?|fallback)\s?[=:]\s?)?[bfru@]?(?P<quote>["'`])(?P<value>(?:(?!(?P=quote))[^\\\r\n]|\\.){3,500})(?P=quote)"""
)
_SHELL = Expression(rb"""(?::-|:=|:\s?)(?P<value>[^\s${}"'`]{4,300})\}""")
_SHELL_NAME = Expression(rb"\$\{(?P<name>[A-Za-z_][\w.-]{0,80})\Z")
_REST = Expression(rb"[\w.-]{0,30}+")


def argument_span(source: Source, opened: int, place: int, *, alone: bool) -> tuple[int, int] | None:
    """Return the span of the argument at `place` in the call whose bracket is at `opened`; None when there is none in reach.

    `alone`: nor when there is another.
    """
    depth, start = 0, opened + 1
    for match in _PART.compiled.finditer(source.data, opened, opened + _FAR):
        kind = match.lastgroup
        if kind == "open":
            depth += 1
            if depth > _DEEPEST:
                return None
        elif kind == "close":
            depth -= 1
            if depth == 0:
                return (start, match.start()) if place == 0 else None
        elif kind == "comma" and depth == 1:
            if place == 0:
                return None if alone else (start, match.start())
            place -= 1
            start = match.end()
    return None


def argument(place: int, *, sure: bool = False, alone: bool = False) -> Reader:
    """Return a reader of a call's argument (from 0). `sure`: there can only be a password; `alone`: there is no other."""

    def read(source: Source, at: int) -> Iterable[Slot]:
        data = source.data
        if at and data[at : at + 1].islower() and (data[at - 1 : at].isalnum() or data[at - 1 : at] == b"_"):
            return ()  # the end of another word
        opened = data.find(b"(", at, at + 40)
        span = argument_span(source, opened, place, alone=alone) if opened >= 0 else None
        if span is None:
            return ()
        match = _ALONE.compiled.fullmatch(data, *span)
        if match is None or not (stands_for_itself if sure else looks_chosen)(match["value"]):
            return ()
        if (b" " in match["value"] and not sure) or (match["name"] and not is_secret_name(match["name"])):
            return ()
        return [Slot(*match.span("value"), b"", "argument-secret", "argument of a call that takes a secret there")]

    return read


def define(source: Source, at: int) -> Iterable[Slot]:
    """Read `define('DB_PASSWORD', 'X')`."""
    match = _DEFINE.compiled.match(source.data, at, at + 800)
    if match is None or not is_secret_name(match["name"]) or not stands_for_itself(match["value"]):
        return ()
    return [Slot(*match.span("value"), match["name"], "php-constant-secret", "constant that is named for a secret")]


def secure_string(source: Source, at: int) -> Iterable[Slot]:
    """Read `ConvertTo-SecureString "X" -AsPlainText`, and `"X" | ConvertTo-SecureString`."""
    data = source.data
    match = _SECURE.compiled.match(data, at, at + 400) or _SECURE_NAMED.compiled.match(data, at, at + 400)
    offset = 0
    if match is None:
        offset = max(0, at - 340)
        match = _SECURE_PIPED.compiled.search(data[offset:at])
    if match is None:
        return ()
    group = next(name for name, value in match.groupdict().items() if value is not None)
    if not stands_for_itself(match[group]) or len(match[group]) > 250:
        return ()  # the long ones are encrypted
    return [
        Slot(
            offset + match.start(group),
            offset + match.end(group),
            b"",
            "powershell-secure-string",
            "plain text made a SecureString",
        )
    ]


def lookup(source: Source, at: int) -> Iterable[Slot]:
    """Read what stands in for a variable that is not set: `getenv("X_PASSWORD") ?? "X"`, `process.env.KEY || "X"`."""
    match = _LOOKUP.compiled.match(source.data, at, at + 800)
    if match is None or not is_secret_name(match["name"]) or not looks_chosen(match["value"]):
        return ()
    if source.data[max(0, at - 3) : at].lower() == b"set":
        return [Slot(*match.span("value"), match["name"], "argument-secret", "value for a variable")]
    return [Slot(*match.span("value"), match["name"], "default-secret", "used when the variable is not set")]


def shell_default(source: Source, at: int) -> Iterable[Slot]:
    """Read `${DB_PASSWORD:-X}` and `${db.password:X}`."""
    data = source.data
    end = at
    rest = _REST.compiled.match(data, at, at + 40)
    end = rest.end() if rest else at
    after = _SHELL.compiled.match(data, end, end + 320)
    before = _SHELL_NAME.compiled.search(data[max(0, at - 90) : end])
    if after is None or before is None or not is_secret_name(before["name"]) or not looks_chosen(after["value"]):
        return ()
    return [Slot(*after.span("value"), before["name"], "default-secret", "used when the variable is not set")]


_WORDS = ("password", "passwd", "secret", "token", "_key", "pass", "-key", "key")
_FIRST, _SECOND, _THIRD = argument(0), argument(1), argument(2)
_LOGIN, _LAST = argument(1, sure=True), argument(2, sure=True)
AT: dict[str, Reader] = {
    **dict.fromkeys((
        "hmac.new(", "pbkdf2(", "pbkdf2sync(",
        "setsecretkey(", "setapikey(", "setsigningkey(", "cookieparser(", "cookiestore(", "hmac256(", "hmac512(",
        "secretkeyspec(", "pbekeyspec(", "fernet(", "aes.new(",
    ), _FIRST),
    **dict.fromkeys(("set_password(", "setpassword(", "withpassword(", ".password(", "setsecret("), argument(0, alone=True)),
    **dict.fromkeys((
        "jwt.sign(", "jwt.verify(", "jwt.encode(", "jwt.decode(", "jsonwebtoken.sign(", "createhmac(", "createcipheriv(",
        "createdecipheriv(", "createcipher(", "createdecipher(", "signwith(", "aes.encrypt(", "aes.decrypt(",
        "staticcredentials(", "awscredentials(",
    ), _SECOND),
    **dict.fromkeys(("hash_hmac(", "create_user(", "create_superuser("), _THIRD),
    **dict.fromkeys((
        ".login(", "basicauth(", "basic_auth(", "httpdigestauth(", "usernamepasswordcredentials(", "authenticationtoken(",
        "networkcredential(", "passwordauthentication(", "oci_connect(", "auth=(", ".auth(", ".authenticate(",
    ), _LOGIN),
    **dict.fromkeys((
        "plainauth(", "plain_auth(", "getconnection(", "mysqli_connect(", "new mysqli(", "mysql_connect(", "new pdo(",
        "odbc_connect(", "ftp_login(", "imap_open(",
    ), _LAST),
    "define(": define, "convertto-securestring": secure_string,
    **dict.fromkeys((
        "getenv(", "get_env(", "getenvordefault(", "environ.get(", "process.env", "env.fetch(", "env::var(",
        "environmentvariable(", "env('", 'env("', "env.get(", "env['", 'env["', "config.get(", "getproperty(", "getordefault(",
        "setdefault(",
        "env_or(", "lookupenv(", "config(",
    ), lookup),
    **{word + mark: shell_default for mark in (":-", ":=") for word in _WORDS[:-1]},
    **{mark + word + ":": shell_default for mark in (".", "-") for word in _WORDS},
}  # fmt: skip

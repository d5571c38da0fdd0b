"""Files whose name says that they hold credentials, and lines that look like theirs elsewhere: netrc, pgpass, htpasswd, npmrc."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from locum.detect.formats.judging import stands_for_itself, user_and_password
from locum.detect.formats.model import Expression, Slot, Source

_NETRC = Expression(rb'(?:^|(?<=\s)) password [ \t]+ (?: "(?P<quoted>[^"\r\n]{1,500})" | (?P<bare>[^\s"]\S{0,500}) )')
_NETRC_LINE = Expression(
    rb"""(?:machine[ \t]+[\w.:*-]{1,253}|default)(?:\s|\\n){1,8} login(?:[ \t]|\\n)+[^\s\\]{1,200}(?:\s|\\n){1,8}
    password[ \t]+(?P<value>[^\s"'\\]{1,500})"""
)
_PGPASS = Expression(
    rb"""(?m)^(?!\#)(?:\\.|[^\\:\r\n]){1,253}+:(?:\d{1,5}|\*):(?:\\.|[^\\:\r\n]){1,200}+:(?:\\.|[^\\:\r\n]){1,200}+
    :(?P<value>(?:\\.|[^\\:\r\n]){1,500}+)(?=\r?$)"""
)
_PGPASS_LINE = Expression(rb""":5432:[\w*.-]{1,64}:[\w*.@-]{1,64}:(?P<value>[^\s"'\\:]{1,200})(?=["'\s\\]|$)""")
_HOST_BEFORE = Expression(rb"(?:^|[\s\"'=])[\w*.-]{1,253}\Z")
_SETTING = Expression(
    rb"""(?mi)^[ \t]*(?:set[ \t]+)?
    (?P<name>(?:[\w.-]{0,40}(?:password|passwd|passphrase|secret_?key|secret|authtoken|auth_token)
      | (?:imap_|smtp_|db_|proxy_|sasl_)?pass|psk|requirepass|masterauth|rootpw|bindpw|pw))
    (?:[ \t]*[=:][ \t]*|[ \t]+)
    (?: "(?P<double>[^"\r\n]{1,500})" | '(?P<single>[^'\r\n]{1,500})' | (?P<bare>[^\s"'\#;][^\r\n]{0,500}?) )
    [ \t]*;?[ \t]*(?=\r?$|[ \t][\#;])"""
)
_HASHED = Expression(
    rb"""(?P<value>
      \$\$?(?:apr1|1)\$\$?[./0-9A-Za-z]{1,8}\$\$?[./0-9A-Za-z]{22} | \$\$?2[abxy]\$\$?\d\d\$\$?[./0-9A-Za-z]{53}
    | \$[56y7]\$[^:\s"']{20,200} | \{(?:SHA|SSHA|SSHA256|SSHA512)\}[A-Za-z0-9+/]{27,160}={0,2}
    | \$argon2(?:id|i|d)\$[^:\s"']{20,200} )"""
)
_USER_BEFORE = Expression(rb"(?:^|[\s\"'=,`])[A-Za-z_][\w.@+-]{0,63}:\Z")
_HASH_LINE = Expression(rb"(?m)^[A-Za-z_][\w.@+-]{0,63}:(?P<value>(?![*!x]?:)[^\s:*!][^\s:]{7,300})(?=:|\s|$)")
_AUTH_TOKEN = Expression(rb"""(?i:_authtoken)["']?[ \t]*[=:\ ][ \t]*["']?(?P<value>[^\s"'`,;]{8,2000})""")
_NPM_AUTH = Expression(rb"""(?i:_auth)["']?[ \t]*[=:][ \t]*["']?(?P<value>[A-Za-z0-9+/_-]{6,2000}={0,2})""")
_NPM_PASSWORD = Expression(rb"""(?i::_password)[ \t]*=[ \t]*["']?(?P<value>[A-Za-z0-9+/]{4,2000}={0,2})""")


def netrc(source: Source) -> Iterable[Slot]:
    """Read a .netrc: `password X`, wherever it stands among the other words."""
    for match in _NETRC.compiled.finditer(source.data):
        if not source.work.take():
            return
        group = "quoted" if match["quoted"] is not None else "bare"
        yield Slot(*match.span(group), b"", "login-file-password", "password of a .netrc")


def netrc_line(source: Source, at: int) -> Iterable[Slot]:
    """Read `machine X login Y password Z` in a script."""
    match = _NETRC_LINE.compiled.match(source.data, at, at + 1200)
    return [Slot(*match.span("value"), b"", "login-file-password", "password of a .netrc line")] if match else ()


def pgpass(source: Source) -> Iterable[Slot]:
    """Read a .pgpass: the fifth field."""
    return _each(source, _PGPASS, "login-file-password", "fifth field of a .pgpass")


def pgpass_line(source: Source, at: int) -> Iterable[Slot]:
    """Read `host:5432:database:user:password` in a script."""
    match = _PGPASS_LINE.compiled.match(source.data, at, at + 500)
    if match is None or not _HOST_BEFORE.compiled.search(source.data[max(0, at - 254) : at]):
        return ()
    return [Slot(*match.span("value"), b"", "login-file-password", "fifth field of a .pgpass line")]


def settings(source: Source) -> Iterable[Slot]:
    """Read `password = X` and `password X` of a program's own login file."""
    for match in _SETTING.compiled.finditer(source.data):
        if not source.work.take():
            return
        group = "double" if match["double"] is not None else "single" if match["single"] is not None else "bare"
        if stands_for_itself(match[group]):
            yield Slot(*match.span(group), match["name"], "login-file-password", "password in a login file")


def hashes(source: Source) -> Iterable[Slot]:
    """Read the second field of htpasswd and shadow files."""
    return _each(source, _HASH_LINE, "password-hash", "second field of a password file")


def hash_after_user(source: Source, at: int) -> Iterable[Slot]:
    """Read `user:$apr1$…` in any file. A hash alone is no credential; with its user it is one to be guessed at."""
    data = source.data
    if data[at : at + 1] == b":":
        at += 1
    if data[at - 1 : at] == b"$":
        at -= 1
    match = _HASHED.compiled.match(data, at, at + 300)
    before = data[max(0, at - 120) : at]
    if match is None or not _USER_BEFORE.compiled.search(before, max(0, len(before) - 66)):
        return ()
    if before[before.rfind(b"\n") + 1 :].lstrip()[:1] in {b"#", b";"}:
        return ()  # an example in a comment
    return [Slot(*match.span("value"), b"", "password-hash", "hash after a user's name")]


def auth_token(source: Source, at: int) -> Iterable[Slot]:
    """Read `//registry/:_authToken=X`."""
    match = _AUTH_TOKEN.compiled.match(source.data, at, at + 2100)
    if match is None or not stands_for_itself(match["value"]):
        return ()
    return [Slot(*match.span("value"), b"NPM_TOKEN", "registry-credential", "_authToken of a package registry")]


def npm_auth(source: Source, at: int) -> Iterable[Slot]:
    """Read `_auth=X`, base64 of `user:password`."""
    match = _NPM_AUTH.compiled.match(source.data, at, at + 2100)
    if match is None or not user_and_password(match["value"]):
        return ()
    return [Slot(*match.span("value"), b"NPM_AUTH", "registry-credential", "_auth of a package registry")]


def npm_password(source: Source, at: int) -> Iterable[Slot]:
    """Read `//registry/:_password=X`, base64 of a password."""
    match = _NPM_PASSWORD.compiled.match(source.data, at, at + 2100)
    if match is None or not stands_for_itself(match["value"]):
        return ()
    return [Slot(*match.span("value"), b"NPM_PASSWORD", "registry-credential", "_password of a package registry")]


def _each(source: Source, expression: Expression, rule: str, why: str) -> Iterator[Slot]:
    for match in expression.compiled.finditer(source.data):
        if not source.work.take():
            return
        yield Slot(*match.span("value"), b"", rule, why)


AT = {
    "machine ": netrc_line, ":5432:": pgpass_line, "_authtoken": auth_token, "_auth=": npm_auth, "_auth =": npm_auth,
    ":_password": npm_password,
    "$apr1$": hash_after_user, "$2y$": hash_after_user, "$2a$": hash_after_user, "$2b$": hash_after_user,
    "{sha}": hash_after_user, "{ssha": hash_after_user, "$argon2": hash_after_user,
    ":$6$": hash_after_user, ":$5$": hash_after_user, ":$1$": hash_after_user, ":$y$": hash_after_user,
}  # fmt: skip
NAMES = {
    ".netrc": netrc, "_netrc": netrc, ".pgpass": pgpass, "pgpass.conf": pgpass,
    ".htpasswd": hashes, "htpasswd": hashes, ".htpasswds": hashes, ".htdigest": hashes, "shadow": hashes, "shadow-": hashes,
    "gshadow": hashes, "master.passwd": hashes, "passwd": hashes, "passwd-": hashes,
    ".my.cnf": settings, "my.cnf": settings, ".mylogin.cnf": settings, ".pypirc": settings, ".s3cfg": settings,
    ".boto": settings, ".msmtprc": settings, "msmtprc": settings, ".fetchmailrc": settings, ".wgetrc": settings,
    ".smbcredentials": settings, "smbcredentials": settings, "wpa_supplicant.conf": settings, "redis.conf": settings,
    "slapd.conf": settings, ".muttrc": settings, "muttrc": settings, ".offlineimaprc": settings, ".esmtprc": settings,
    "sasl_passwd": settings, ".ldaprc": settings,
}  # fmt: skip

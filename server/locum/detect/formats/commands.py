"""Passwords that commands get as arguments: `curl -u user:password`, `mysql -pX`, `--token X`, in scripts, logs and prose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from locum.detect.formats.judging import is_secret_name, looks_chosen, stands_for_itself
from locum.detect.formats.model import Expression, Reader, Slot, Source

RULE = "command-line-password"
_LINE = 1500
"""Bytes of one command that are looked at; a line that ends with a backslash goes on."""

_COMMAND = Expression(rb"(?:[^\n\\]|\\\r?\n|\\.){0,1500}+")
_QUOTED = rb"""(?:"(?P<double>[^"\s\\]{3,300})"|'(?P<single>[^'\s\\]{3,300})'
    |(?P<bare>[^\s"'`;|&<>()$\\-][^\s"'`;|&<>()\\]{2,300}))"""
_USER_PASSWORD = Expression(
    rb"""(?:(?<=[\s"'\[,])-(?:u|U)|--(?:proxy-)?user|--login)(?:["'],)?[ \t=]*["']?
    (?P<user>[^\s:"'`$/\\-][^\s:"'`/\\]{0,120}):(?P<bare>[^\s"'`\\]{3,300})"""
)
_FLAG = Expression(
    rb"""(?:\#?[\w-]{0,20}+)(?:[ \t]*=[ \t]*|[ \t]+|["'],[ \t]*)""" + _QUOTED + rb"""(?=["'`\s;|&)\],]|\\[nr]|\\?$)"""
)
_NO_CREDENTIAL = frozenset(
    b"client starting lock idempotency request next page action unit continuation cancellation sync registration".split()
)
"""Words before `token` in flags of what is called one and opens nothing."""
_IS_SECRET = Expression(rb"(?i)(?:password|passwd|passphrase|pass|token|secret|key)s?\Z")
_FLAG_BEFORE = Expression(rb"(?:^|(?<=[\s\"'`\[(=]))(?P<name>--?[A-Za-z][\w-]{0,40})\Z")
_TAKES_P = Expression(rb"(?<=\s)(?:-p[ \t]*|--password(?:=|[ \t]+))" + _QUOTED + rb"(?=[\s;|&\"'`)]|\\[nr]|$)")
_TAKES_P_JOINED = Expression(rb"(?<=\s)(?:-p|--password=)" + _QUOTED + rb"(?=[\s;|&\"'`)]|\\[nr]|$)")
_TAKES_BIG_P = Expression(rb"(?<=\s)-P[ \t]*" + _QUOTED + rb"(?=[\s;|&\"'`)]|$)")
_TAKES_A = Expression(rb"(?<=\s)(?:-a|--pass)[ \t]+" + _QUOTED + rb"(?=[\s;|&\"'`)]|$)")
_TAKES_W = Expression(rb"(?<=\s)-w[ \t]*" + _QUOTED + rb"(?=[\s;|&\"'`)]|$)")
_TAKES_STORE = Expression(rb"-(?:src|dest|key|new)?(?:store|key)?pass[ \t]+" + _QUOTED + rb"(?=[\s;|&\"'`)]|\\|$)")
_OPENSSL = Expression(rb"(?<=-)pass(?:in|out)?[ \t=]+[\"']?pass:(?P<bare>[^\s\"'`$\\][^\s\"'`\\]{2,300})")
_HTPASSWD = Expression(
    rb"htpasswd[ \t]+-[A-Za-z]*b[A-Za-z]*[ \t]+(?:-\w+[ \t]+){0,4}(?:\S{1,200}[ \t]+){1,2}?\S{1,80}[ \t]+"
    + _QUOTED
    + rb"(?=[\s;|&\"'`)]|$)"
)
_SMB = Expression(rb"(?<=\s)-U[ \t]*[\"']?[^\s%\"'$]{1,80}%(?P<bare>[^\s\"'`]{3,200})")
_SQLPLUS = Expression(
    rb"sqlplus[ \t]+(?:-\w+[ \t]+){0,4}[\"']?[\w$#]{1,60}/(?P<bare>[^\s@\"'`$/][^\s@\"'`]{2,100})(?=@|[\s\"'])"
)
_BEFORE_PIPE = Expression(
    rb"""echo[ \t]+(?:-\w+[ \t]+)?
    (?:"(?P<double>[^"\n]{3,200})"|'(?P<single>[^'\n]{3,200})'|(?P<bare>[^\s"'|;&$][^\s"'|;&]{2,200}))
    [ \t]*\|[ \t]*(?:sudo[ \t]+)?\Z"""
)
_INLINE = Expression(rb"[ \t]?" + _QUOTED + rb"(?=[\s;|&\"'`)]|\\[nr]|$)")
_LITERAL = Expression(
    rb"--from-literal(?:=|[ \t]+)[\"']?(?P<name>[\w.-]{1,100})=" + _QUOTED + rb"(?=[\s;|&\"'`)]|\\|$)"
)
_KEY_VALUE = Expression(rb"(?<=\s)(?P<name>[A-Za-z_][\w.-]{0,60})=" + _QUOTED + rb"(?=[\s;|&\"'`)]|\\|$)")
_CONFIGURE = Expression(rb"configure[ \t]+set[ \t]+(?P<name>[\w.-]{1,80})[ \t]+" + _QUOTED + rb"(?=[\s;|&\"'`)]|$)")
_BODY = Expression(
    rb"secret[ \t]+set[ \t]+(?P<name>\w{1,80})[^\n]{0,120}?(?:--body|-b)[ \t=]+" + _QUOTED + rb"(?=[\s;|&\"'`)]|$)"
)
_PERIOD = b".,:"


def curl(source: Source, at: int) -> Iterable[Slot]:
    """Read `-u user:password` of curl and what speaks like it."""
    return [
        Slot(*match.span("bare"), b"", RULE, "user and password for curl")
        for match in _in_command(source, at, _USER_PASSWORD)
        if stands_for_itself(match["bare"]) and match["bare"] != match["user"]
    ]


def flag(source: Source, at: int) -> Iterable[Slot]:
    """Read `--db-password X`, `--token=X`, `"--password", "X"`: X must look like a password, since prose names flags too."""
    data = source.data
    after = _FLAG.compiled.match(data, at + 1, at + 400)
    if after is None:
        return ()
    end = at + 1
    while data[end : end + 1].isalnum() or data[end : end + 1] in {b"-", b"_"}:
        end += 1
    before = _FLAG_BEFORE.compiled.search(data[max(0, at - 40) : end])
    parts = before["name"].lower().strip(b"-").split(b"-") if before else []
    if b"token" in parts and not _NO_CREDENTIAL.isdisjoint(parts):
        return ()
    group, value = _value(after)
    if group == "bare" and b"," in data[end : after.start("bare")]:
        return ()  # the arguments of a call that defines the flag
    if before is None or not looks_chosen(value.rstrip(_PERIOD)) or not _IS_SECRET.compiled.search(before["name"]):
        return ()
    return [Slot(*after.span(group), before["name"].lstrip(b"-").replace(b"-", b"_"), RULE, "argument of a command")]


def after_command(expression: Expression, why: str, *, sure: bool = True) -> Reader:
    """Return a reader of a command's own flag, anywhere on its line; `sure`: only a password can stand there."""

    def read(source: Source, at: int) -> Iterable[Slot]:
        data = source.data
        if at and (data[at - 1 : at].isalnum() or data[at - 1 : at] in {b"_", b"-", b"."}):
            return ()
        found: list[Slot] = []
        for match in _in_command(source, at, expression):
            group, value = _value(match)
            name = match["name"] if "name" in match.re.groupindex else b""
            if (stands_for_itself if sure else looks_chosen)(value) and (sure or not name or is_secret_name(name)):
                found.append(Slot(*match.span(group), name.replace(b"-", b"_"), RULE, why))
        return found

    return read


def _in_command(source: Source, at: int, expression: Expression) -> Iterator[re.Match[bytes]]:
    """Yield what matches in the command at `at`; what has been looked at once is not looked at again."""
    key = f"command {id(expression)}"
    if at < source.done.get(key, 0):
        return
    command = _COMMAND.compiled.match(source.data, at, at + _LINE)
    end = command.end() if command else at
    source.done[key] = end
    if source.work.take((end - at) // 16):
        yield from expression.compiled.finditer(source.data, at, end)


def assigned(source: Source, at: int) -> Iterable[Slot]:
    """Read `PGPASSWORD=X psql`: a variable that one command gets."""
    match = _INLINE.compiled.match(source.data, source.data.index(b"=", at) + 1, at + 400)
    if match is None:
        return ()
    group, value = _value(match)
    name = source.data[at : source.data.index(b"=", at)]
    return [Slot(*match.span(group), name, RULE, "variable of a client")] if stands_for_itself(value) else ()


def piped(source: Source, at: int) -> Iterable[Slot]:
    """Read `echo X | sudo -S`, `echo user:X | chpasswd`, `echo X | docker login --password-stdin`."""
    before = source.data[max(0, at - 300) : at]
    match = _BEFORE_PIPE.compiled.search(before, before.rfind(b"\n") + 1)
    if match is None:
        return ()
    group, value = _value(match)
    start, end = match.start(group), match.end(group)
    if source.data[at : at + 8].lower() == b"chpasswd":
        start += value.find(b":") + 1
    offset = max(0, at - 300)
    value = before[start:end]
    return [Slot(offset + start, offset + end, b"", RULE, "piped to a command")] if stands_for_itself(value) else ()


def keys_and_values(source: Source, at: int) -> Iterable[Slot]:
    """Read `vault kv put secret/x password=X`, `heroku config:set KEY=X`, `fly secrets set KEY=X`."""
    found: list[Slot] = []
    for match in _in_command(source, at, _KEY_VALUE):
        group, value = _value(match)
        if is_secret_name(match["name"]) and stands_for_itself(value):
            found.append(Slot(*match.span(group), match["name"], RULE, "value for a secret store"))
    return found


def _value(match: re.Match[bytes]) -> tuple[str, bytes]:
    for group in ("bare", "double", "single"):
        if group in match.re.groupindex and match[group] is not None:
            return group, match[group]
    raise AssertionError("an expression without a value")


_MYSQL = after_command(_TAKES_P_JOINED, "password for a database client")
_LOGIN = after_command(_TAKES_P, "password for a login")
_FLAGS = (
    "-password", "-passwd", "-passphrase", "-pass ", "-pass=", '-pass"', "-token", "-secret", "-api-key", "-apikey", "-api_key",
    "-access-key", "-account-key", "-private-key", "-client-key", "-auth-key", "-license-key", "-encryption-key",
)  # fmt: skip

AT: dict[str, Callable[[Source, int], Iterable[Slot]]] = {
    **dict.fromkeys(_FLAGS, flag),
    "curl ": curl, "curl\\": curl, "httpie ": curl, "curl,": curl, '"curl"': curl,
    "mysql ": _MYSQL, "mysqldump ": _MYSQL, "mysqladmin ": _MYSQL, "mysqlimport ": _MYSQL, "mariadb ": _MYSQL,
    "mariadb-dump ": _MYSQL, "mysqlshow ": _MYSQL, "mysqlcheck ": _MYSQL,
    "sshpass ": _LOGIN, "docker login": _LOGIN, "podman login": _LOGIN, "buildah login": _LOGIN, "skopeo login": _LOGIN,
    "registry login": _LOGIN, "az login": _LOGIN, "oc login": _LOGIN, "cf login": _LOGIN, "nerdctl login": _LOGIN,
    "mongosh ": _LOGIN, "mongodump ": _LOGIN, "mongorestore ": _LOGIN, "argocd login": _LOGIN, "cf auth": _LOGIN,
    "sqlcmd ": after_command(_TAKES_BIG_P, "password for a database client"),
    "unzip ": after_command(_TAKES_BIG_P, "password for an archive"),
    "redis-cli ": after_command(_TAKES_A, "password for a database client"),
    "ldapsearch ": after_command(_TAKES_W, "password for a directory"),
    "ldapadd ": after_command(_TAKES_W, "password for a directory"),
    "ldapmodify ": after_command(_TAKES_W, "password for a directory"),
    "smbclient ": after_command(_SMB, "password for a share"),
    "sqlplus ": after_command(_SQLPLUS, "password for a database client"),
    "htpasswd -": after_command(_HTPASSWD, "password to be hashed"),
    "-storepass": after_command(_TAKES_STORE, "password of a key store"),
    "-keypass": after_command(_TAKES_STORE, "password of a key"),
    "-passin": after_command(_OPENSSL, "password for openssl"), "-passout": after_command(_OPENSSL, "password for openssl"),
    "-pass pass:": after_command(_OPENSSL, "password for openssl"),
    "pgpassword=": assigned, "mysql_pwd=": assigned, "rediscli_auth=": assigned, "sshpass=": assigned,
    "sudo -s": piped, "chpasswd": piped, "docker login --": piped, "passwd --stdin": piped,
    "--from-literal": after_command(_LITERAL, "literal of a Kubernetes Secret"),
    "vault kv put": keys_and_values, "vault write": keys_and_values, "config:set": keys_and_values,
    "secrets set": keys_and_values, "secret set": after_command(_BODY, "value for a secret store"),
    "configure set": after_command(_CONFIGURE, "value for a configuration", sure=False),
}  # fmt: skip

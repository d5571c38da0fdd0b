"""Request headers that let their sender in, in shell, code, `.http` files and logs; and the logins that Docker keeps."""

from __future__ import annotations

from collections.abc import Iterable

from locum.detect.formats.judging import looks_chosen, stands_for_itself, user_and_password
from locum.detect.formats.model import Expression, Slot, Source
from locum.detect.generic import is_code_file

RULE = "authorization-header"

_AUTHORIZATION = Expression(
    rb"""(?i:authorization)\\?["'`]?\]?[ \t]*(?:[:=,]|=>|\()[ \t]*[@$bfru]?\\?["'`]?
    (?P<scheme>(?i:basic|bearer|token|apikey|api-key|key|negotiate|splunk|bot|gho?st|oauth)(?:[ ]|%20)+)?
    (?P<value>[A-Za-z0-9_.~+/=:@-]{6,4000})(?=\\?["'`,;)}]|\s(?![\w-]{1,20}=)|\\[nr]|$)"""
)
_SCHEME = Expression(
    rb"""(?P<scheme>(?i:basic|bearer))(?:[ ]|%20)(?P<value>[A-Za-z0-9_.~+/-]{8,4000}={0,2})(?=["'`,;\s)}\\]|$)"""
)
_KEY_HEADER = Expression(
    rb"""[\w-]{0,40}+\\?["'`]?\]?[ \t]*(?:(?:=>|[:=])[ \t]*\\?["'`]?|,[ \t]*\\?["'`])
    (?P<value>[^\s"'`,;\\(){}<>]{6,2000})(?=\\?["'`,;\s]|\\[nr]|$)"""
)
_MADE = Expression(rb"(?=[^0-9]*[0-9]).{16,}")
_DOCKER_AUTH = Expression(rb'\\?"auth\\?"\s{0,40}:\s{0,40}\\?"(?P<value>[A-Za-z0-9+/_-]{6,8000}={0,2})\\?"')
_IDENTITY = Expression(rb'(?i:\\?"identitytoken\\?")\s{0,40}:\s{0,40}\\?"(?P<value>[^"\s\\]{8,8000})\\?"')


def authorization(source: Source, at: int) -> Iterable[Slot]:
    """Read what follows `Authorization`."""
    before = source.data[at - 1 : at] if at else b""
    match = _AUTHORIZATION.compiled.match(source.data, at, at + 4200)
    if match is None or before.isalnum():
        return ()
    scheme = (match["scheme"] or b"").strip(b" %20").lower()
    value = match["value"]
    if scheme == b"basic":
        passes = bool(user_and_password(value))
        why = "user and password in a Basic header"
    elif scheme:
        passes, why = looks_chosen(value), f"{scheme.decode('ascii').title()} header"
    else:
        passes, why = bool(_MADE.compiled.fullmatch(value)) and looks_chosen(value), "Authorization header"
    return [Slot(*match.span("value"), b"AUTHORIZATION", RULE, why)] if passes else ()


def scheme(source: Source, at: int) -> Iterable[Slot]:
    """Read `Basic X` and `Bearer X` where no header is named: X must look the part."""
    data = source.data
    if at and data[at - 1 : at].isalnum():
        return ()
    match = _SCHEME.compiled.match(data, at, at + 4200)
    if match is None:
        return ()
    if match["scheme"].lower() == b"basic":
        passes = bool(user_and_password(match["value"]))
    else:
        passes = bool(_MADE.compiled.fullmatch(match["value"])) and looks_chosen(match["value"])
    return (
        [Slot(*match.span("value"), b"", RULE, f"{match['scheme'].decode('ascii').title()} credential")]
        if passes
        else ()
    )


def key_header(source: Source, at: int) -> Iterable[Slot]:
    """Read `X-Api-Key: X` and its likes."""
    match = _KEY_HEADER.compiled.match(source.data, at, at + 2200)
    if match is None or not looks_chosen(match["value"]):
        return ()
    quoted = source.data[match.start("value") - 1 : match.start("value")] in {b'"', b"'", b"`"}
    if not quoted and is_code_file(source.path):
        return ()  # an expression
    name = source.data[at : at + 40].split(b":")[0].split(b'"')[0].split(b"'")[0].strip()
    return [Slot(*match.span("value"), name if len(name) < 40 else b"", RULE, "key in a header")]


def docker_auth(source: Source, at: int) -> Iterable[Slot]:
    """Read `"auth": X` of Docker's configuration."""
    at -= source.data[at - 1 : at] == b"\\"
    match = _DOCKER_AUTH.compiled.match(source.data, at, at + 8200)
    if match is None or not user_and_password(match["value"]):
        return ()
    return [Slot(*match.span("value"), b"", "docker-registry-auth", "user and password of a registry")]


def identity_token(source: Source, at: int) -> Iterable[Slot]:
    """Read `"identitytoken": X` of Docker's configuration."""
    at -= source.data[at - 1 : at] == b"\\"
    match = _IDENTITY.compiled.match(source.data, at, at + 8200)
    if match is None or not stands_for_itself(match["value"]):
        return ()
    return [Slot(*match.span("value"), b"", "docker-registry-auth", "identity token of a registry")]


AT = {
    "authorization": authorization, "basic ": scheme, "bearer ": scheme, "bearer%20": scheme, "basic%20": scheme,
    '"auth"': docker_auth, '"auth\\"': docker_auth, '"identitytoken': identity_token,
    **dict.fromkeys((
        "x-api-key", "x-apikey", "x-auth-token", "x-access-token", "x-vault-token", "private-token", "x-gitlab-token",
        "x-functions-key", "subscription-key", "x-rapidapi-key", "x-goog-api-key", "x-shopify-access-token", "x-token",
        "x-auth-key", "x-figma-token", "job-token", "x-api-token", "x-secret", "x-redmine-api-key", "api-secret",
        "x-master-key", "x-admin-token", "x-auth-email", "x-jfrog-art-api", "x-n8n-api-key", "x-application-key",
    ), key_header),
}  # fmt: skip

"""Keys with a form of their own: application keys of frameworks, seeds of one-time passwords, private JSON Web Keys."""

from __future__ import annotations

from collections.abc import Iterable

from locum.detect.formats.judging import stands_for_itself
from locum.detect.formats.model import Expression, Slot, Source

_APP_KEY = Expression(rb"base64:(?P<value>[A-Za-z0-9+/]{22,86}={0,2})(?![A-Za-z0-9+/=])")
_APP_NAME = Expression(
    rb"(?i)(?:app_?(?:previous_)?key|[\"']key[\"']|encryption[._]key)[\"']?[\])]?\s{0,4}(?:=>|[:=,])\s{0,4}(?:env\([\"']\w{1,40}[\"'],\s{0,4})?[\"']?\Z"
)
_SEED = Expression(
    rb"otpauth://(?:totp|hotp)/[^\s\"'<>?]{0,300}\?(?:[^\s\"'<>]{0,200}?(?:&amp;|&))?secret=(?P<value>[A-Za-z2-7]{16,128}=*)"
)
_OBJECT = 1900
_PRIVATE = Expression(rb'\\?"(?P<name>d|k)\\?"\s{0,40}:\s{0,40}\\?"(?P<value>[A-Za-z0-9_-]{16,4000})\\?"')
_KIND = Expression(rb'\\?"kty\\?"\s{0,40}:\s{0,40}\\?"(?P<kind>RSA|EC|OKP|oct)\\?"')


def app_key(source: Source, at: int) -> Iterable[Slot]:
    """Read `APP_KEY=base64:X`."""
    match = _APP_KEY.compiled.match(source.data, at, at + 120)
    if match is None or not _APP_NAME.compiled.search(source.data[max(0, at - 80) : at]):
        return ()
    return [Slot(*match.span("value"), b"APP_KEY", "application-key", "key of the application")]


def seed(source: Source, at: int) -> Iterable[Slot]:
    """Read the `secret` of an `otpauth` address."""
    match = _SEED.compiled.match(source.data, at, at + 700)
    if match is None or not stands_for_itself(match["value"]):
        return ()
    return [Slot(*match.span("value"), b"", "one-time-password-seed", "seed in an otpauth address")]


def web_key(source: Source, at: int) -> Iterable[Slot]:
    """Read the private part (`d`, or `k` of a symmetric key) of the object that has this `kty`."""
    data = source.data
    at -= data[at - 1 : at] == b"\\"
    kind = _KIND.compiled.match(data, at, at + 120)
    if kind is None:
        return ()
    wanted = b"k" if kind["kind"] == b"oct" else b"d"
    start = data.rfind(b"{", max(0, at - _OBJECT), at)
    end = data.find(b"}", at, at + _OBJECT)
    for match in _PRIVATE.compiled.finditer(data, max(start, 0), end if end >= 0 else at + _OBJECT):
        if match["name"] == wanted and stands_for_itself(match["value"]):
            return [Slot(*match.span("value"), b"JWK", "json-web-key", "private part of a JSON Web Key")]
    return ()


AT = {"base64:": app_key, "otpauth://": seed, '"kty"': web_key, '"kty\\"': web_key}

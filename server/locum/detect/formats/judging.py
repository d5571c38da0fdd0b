"""What readers ask of names and values before they call a place a slot. Looks at bytes only."""

from __future__ import annotations

from binascii import Error, a2b_base64

from locum.detect.checks import is_placeholder
from locum.detect.formats.model import Expression
from locum.detect.names import holds_a_value
from locum.detect.values import is_plain, names_itself

_SECRET_NAME = Expression(
    rb"""(?i) passw | passwd | pwd | passphrase | (?:^|[_.-])pass(?:$|[_.-]) | [a-z]Pass$ | ^pass$ | secret | token | credential
    | (?: api | access | private | auth | account | encryption | signing | master | secure | session | client | logged_in | nonce
      )[_.-]?key
    | (?:^|_)salt$ | ^key$"""
)
_PRINTABLE = Expression(rb"[\x20-\x7e\xc2-\xf4\x80-\xbf]+")
_PAIR = Expression(rb"[^:\x00-\x1f\x7f]{0,200}:[\x20-\x7e\x80-\xff]{1,4000}")


def is_secret_name(name: bytes) -> bool:
    """Say whether something of this name (`DB_PASSWORD`, `stripe.secret-key`) holds a secret."""
    return _SECRET_NAME.compiled.search(name) is not None and holds_a_value(name)


def stands_for_itself(value: bytes) -> bool:
    """Say whether a value is one, rather than a word for it or a reference to it."""
    return bool(value) and (value.startswith(b"-----BEGIN") or not (is_placeholder(value) or names_itself(value)))


def looks_chosen(value: bytes) -> bool:
    """Say whether a value may be a password where words, paths and versions stand too."""
    return len(value) >= 4 and stands_for_itself(value) and not is_plain(value)


def decoded(value: bytes) -> bytes:
    """Return what base64 stands for, of either alphabet, padded or not; b"" when it is none."""
    try:
        return a2b_base64(value.translate(_STANDARD) + b"=" * (-len(value) % 4), strict_mode=True)
    except (Error, ValueError):
        return b""


_STANDARD = bytes.maketrans(b"-_", b"+/")


def user_and_password(value: bytes) -> bytes:
    """Return the password in a base64 text of `user:password`; b"" when it is none, or a word for one."""
    text = decoded(value)
    if not _PAIR.compiled.fullmatch(text):
        return b""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return b""
    password = text.partition(b":")[2]
    return password if stands_for_itself(password) else b""

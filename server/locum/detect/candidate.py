"""Layer 3: is what an expression matched a secret? Asks the filters about one value in its place. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from locum.detect.checks import CHECK_NAMES, CHECKS, entropy, is_example, is_placeholder
from locum.detect.context import says_credential
from locum.detect.finding import Confidence
from locum.detect.formats import Slot, View
from locum.detect.generic import encodes_words, is_code_file, is_language, judge, speaks_of_itself
from locum.detect.names import NOT_OF_A_VALUE, assigned_name, assignment, holds_a_value, url_name, words
from locum.detect.pack import Rule
from locum.detect.values import is_code, is_hex, is_plain, is_sequence, is_uuid, looks_made, names_itself
from locum.text.expression import lazy

Span = tuple[int, int]

IN_URL = "url-password"
_IN_TEXT = "secret-in-text"
_QUOTES = b"\"'`"
_ALONE = lazy(rb"[ \t]*(?:[,;)}\]\\]{0,3}[ \t]*(?:#|//|--|/\*|\r?\n|$)|[&?])")
"""What may follow an unquoted value that is all of its line, or of its part of a query."""
_HOST = lazy(rb"@\[?([A-Za-z0-9_.:-]*)")
_NO_HOST_OF_OTHERS = lazy(
    rb"(?i)(?:localhost|host|hostname|server|db|database|127\.[\d.]+|0\.0\.0\.0|::1|10\.[\d.]+|(?:[\w-]+\.)*(?:example|invalid|test|local)"
    rb"(?:\.(?:com|org|net|io))?|[\w-]*|1\.2\.3\.4|complex\.url\.com|(?:www\.)?(?:foo|bar|acme|domain|mysite|site|company)\.\w+)(?::.*)?$"
)
"""Hosts of one's own machine, network or documentation."""
_BODY = lazy(rb"[A-Za-z0-9+/=]{32}")
_RUNS = (b"12345678", b"abcdefgh", b"23456789", b"87654321")
_BASE64_SIGNS = frozenset((b"+", b"/"))
_RUN_LENGTH = 60
_RUN = lazy(rb"[A-Za-z0-9+/\\]{60}")
_EXAMPLE = lazy(rb"(?i)\b(?:examples?|e\.g\.|sample|such as|like)\W{0,3}$")
_BEFORE_NAME = 16
_USER = lazy(rb"([^:/]*):$")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value that passed, and how sure that is. Offsets in bytes."""

    rule: Rule
    start: int
    end: int
    confidence: Confidence
    why: tuple[str, ...]
    name: bytes
    """What it is assigned to; b"" for nothing."""
    name_start: int


def confirm(rule: Rule, data: bytes, path: str, anchor: Span, span: Span) -> Candidate | None:
    """Ask the filters about one value. `anchor` is where the anchor stands, `(-1, -1)` for nowhere."""
    start, end = span
    value = data[start:end]
    if rule.generic:
        return _confirm_in_text(rule, data, span) if rule.id == _IN_TEXT else _confirm_generic(rule, data, path, span)
    if rule.near and (
        is_plain(value) or is_code(value) or is_language(value) or (data[start - 1 : start] == b"/" and is_uuid(value))
    ):
        return None
    if value.startswith(b"-----BEGIN") and not _BODY.search(value):
        return None  # a program that writes keys, and holds none
    verdict = CHECKS[rule.check](value) if rule.check else None
    if verdict is False and CHECK_NAMES[rule.check] != "checksum":
        return None  # not what the rule is for: three words with dots, and no token
    if not verdict and (
        entropy(value) < rule.min_entropy or (is_placeholder(value) and not value.startswith(b"-----BEGIN"))
    ):
        return None  # a checksum that fits is stronger than any look of a placeholder
    if not verdict and _in_blob(data, start, end):
        return None
    if rule.id == IN_URL:
        return _confirm_url(rule, data, path, span)
    name, place = assigned_name(data, start)
    confidence, why = _weighed(rule, data, anchor, span, verdict)
    return Candidate(rule, start, end, confidence, (_reason(rule, data, anchor, start), *why), name, place)


def _weighed(rule: Rule, data: bytes, anchor: Span, span: Span, verdict: bool | None) -> tuple[Confidence, list[str]]:
    """Say how sure a rule is of one value, and why; `verdict` is what its check said."""
    value = data[span[0] : span[1]]
    confidence, why = rule.confidence, list[str]()
    if rule.near:
        why.append("looks random")
        if not says_credential(data, anchor[1], span[0]):
            confidence = "low"
    if is_example(value):
        confidence, why = "low", [*why, "says example"]
    if is_sequence(value) or any(run in value.lower() for run in _RUNS):
        confidence, why = "low", [*why, "counts up"]
    if verdict is not None:
        confidence = "certain" if verdict and rule.check != "jwt" else "medium"
        why.append(f"{CHECK_NAMES[rule.check]} {'ok' if verdict else 'wrong'}")
    return confidence, why


def confirm_slot(rule: Rule, data: bytes, slot: Slot) -> Candidate | None:
    """Ask whether what stands in a place for a credential is one: not a word for it, nor a reference to it."""
    value = data[slot.start : slot.end]
    if is_placeholder(value) or names_itself(value) or is_language(value):
        return None
    doubtful = (
        is_plain(value) or is_code(value) or is_sequence(value) or is_example(value) or encodes_words(value)
        or speaks_of_itself(value) or bool(slot.name and NOT_OF_A_VALUE.intersection(words(slot.name)[-1:]))
    )  # fmt: skip
    confidence: Confidence = "low" if doubtful else rule.confidence
    return Candidate(rule, slot.start, slot.end, confidence, (slot.why,), slot.name, slot.start)


def in_original(candidate: Candidate, view: View) -> Candidate:
    """Return the candidate of a derived text as one of the original: what holds it there, and how it was read."""
    start, end = view.original(candidate.start, candidate.end)
    name_start = start
    if candidate.name:
        name_start = view.original(candidate.name_start, candidate.name_start + 1)[0]
    return replace(candidate, start=start, end=end, name_start=name_start, why=(*candidate.why, view.why))


def _reason(rule: Rule, data: bytes, anchor: Span, start: int) -> str:
    words = data[anchor[0] : anchor[1]].decode("ascii", "replace") if anchor[0] >= 0 else ""
    if rule.near:
        return f"near {words or rule.anchors[0]}"
    return f"prefix {words}" if anchor[0] == start else f"format of {rule.title}"  # the vendor's, and public


def _confirm_generic(rule: Rule, data: bytes, path: str, span: Span) -> Candidate | None:
    """Ask whether a name and a value together make a secret."""
    start, end = span
    name, place, operator = assignment(data, start)
    if not holds_a_value(name):
        return None
    quoted = start > 0 and data[start - 1] in _QUOTES
    alone = quoted or _ALONE.match(data, end) is not None
    code = is_code_file(path)
    judged = judge(name, data[start:end], quoted=quoted, alone=alone, code=code, operator=operator)
    if judged is None or _in_template(data, start):
        return None
    confidence, why = judged
    if confidence == "medium" and _EXAMPLE.search(data, max(0, place - _BEFORE_NAME), place):
        confidence = "low"
    return Candidate(rule, start, end, confidence, (why,), name, place)


def _confirm_in_text(rule: Rule, data: bytes, span: Span) -> Candidate | None:
    """Ask whether what follows a word for a secret is one, though nothing assigns it."""
    start, end = span
    value = data[start:end]
    if is_placeholder(value) or is_plain(value) or is_code(value) or _in_blob(data, start, end):
        return None
    if not (looks_made(value) or is_sequence(value) or is_hex(value) or is_uuid(value)):
        return None
    return Candidate(rule, start, end, rule.confidence, ("looks random",), b"", start)


def _in_blob(data: bytes, start: int, end: int) -> bool:
    """Say whether a match is a piece of something long in base64, such as a font or an image, that begins like a token."""
    before, after = data[start - 1 : start] if start else b"", data[end : end + 1]
    if before not in _BASE64_SIGNS and after not in _BASE64_SIGNS:
        return False
    return (
        _RUN.match(data, end + 1) is not None
        or _RUN.fullmatch(data, max(0, start - 1 - _RUN_LENGTH), start - 1) is not None
    )


def _looks_chosen(value: bytes) -> bool:
    """Say whether a password was chosen with care, so that it is one wherever it is sent."""
    judged = judge(b"password", value, quoted=True, alone=True, code=False)
    return judged is not None and judged[0] == "medium"


def _in_template(data: bytes, start: int) -> bool:
    """Say whether a template's expression is open before `start` on its line: `{{ .Values.password | quote }}`."""
    line = data.rfind(b"\n", max(0, start - 200), start) + 1
    opened = data.rfind(b"{{", line, start)
    return opened >= 0 and data.find(b"}}", opened, start) < 0


def _confirm_url(rule: Rule, data: bytes, path: str, span: Span) -> Candidate | None:
    """Ask whether the password of a URL is one: not the user's own name, and not for a host that is nobody's."""
    start, end = span
    value = data[start:end]
    if names_itself(value):
        return None
    name, place = url_name(data, start, path)
    user = _USER.search(data, max(0, start - 80), start)
    host = _HOST.match(data, end)
    confidence: Confidence = rule.confidence
    why = ["password of a URL"]
    if user is not None and value.lower().startswith(user[1].lower()) and user[1]:
        confidence, why = "low", [*why, "like its user"]
    elif host is not None and _NO_HOST_OF_OTHERS.match(host[1]) and (b"%" in value or not _looks_chosen(value)):
        plain = is_plain(value) or is_code(value)
        confidence, why = "low" if plain or b"%" in value else "medium", [*why, "for a host of one's own"]
    return Candidate(rule, start, end, confidence, tuple(why), name, place)

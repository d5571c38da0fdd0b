"""An entry that names a secret beside one that holds it: `{"name": "DB_PASSWORD", "value": "X"}`, in JSON, YAML, HCL, markup."""

from __future__ import annotations

from collections.abc import Iterable

from locum.detect.formats.judging import is_secret_name, looks_chosen
from locum.detect.formats.markup import pair
from locum.detect.formats.model import Expression, Slot, Source
from locum.detect.generic import is_code_file

RULE = "named-value"

_NAMED = Expression(
    rb"""(?:^|[\s{,(\[])(?:-[ ]{1,8})?["']?(?i:name|key|parameterkey|id|variable|setting|field)["']?\s{0,4}(?:[:=]|=>)\s{0,40}
    ["']?(?P<name>[\w.:/-]{1,120})\Z"""
)
_IN_NAMES = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-"
_OPERATORS = (b":", b"=", b">")
_GO_ON = Expression(
    rb"""[\w.-]{0,40}+["']?,?\s{1,200}(?:["']?\w{1,40}["']?\s{0,4}[:=]\s{0,4}(?:true|false|null|"[^"\n]{0,100}"|\w{1,40})\s{0,4},?\s{1,200}){0,4}
    ["']?(?i:value|parametervalue|default|secretvalue)["']?\s{0,4}(?:[:=]|=>)[ \t]{0,40}
    (?:"(?P<double>(?:[^"\\\r\n]|\\.){3,2000})"|'(?P<single>[^'\r\n]{3,2000})'
      |(?P<bare>[^\s"'{}\[\],|>&*!$%@`\#][^\r\n,}\#]{2,2000}?)(?=\s*(?:[,}\r\n]|$|\s\#)))"""
)
_VALUE_FIRST = Expression(
    rb"""["']?(?i:value|parametervalue)["']?\s{0,4}(?:[:=]|=>)[ \t]{0,40}
    (?:"(?P<double>(?:[^"\\\r\n]|\\.){3,1000})"|'(?P<single>[^'\r\n]{3,1000})'
      |(?P<bare>[^\s"'{}\[\],|>&*!$%@`\#][^\s,}\#]{2,1000}))
    ,?\s{1,200}["']?(?i:name|key)["']?\s{0,4}(?:[:=]|=>)\s{0,40}["']?(?P<name>[\w.:/-]{0,120})\Z"""
)


def named(source: Source, at: int) -> Iterable[Slot]:
    """Read the value that stands after, or before, the name that ends at or after `at`."""
    data = source.data
    end = at
    while end - at < 60 and (data[end : end + 1].isalnum() or data[end : end + 1] in {b"_", b"-", b"."}):
        end += 1
    low = max(0, at - 180)
    head = data[low:at].rstrip(_IN_NAMES).rstrip(b"\"' \t\r\n")  # a look at one byte spares most an expression
    if head[-1:] not in _OPERATORS:
        return ()
    before = _NAMED.compiled.search(data[low:end])
    if before is None or b"<" in data[low:end]:
        return pair(source, at)
    name = before["name"]
    if not is_secret_name(name):
        return ()
    after = _GO_ON.compiled.match(data, end, end + 3000)
    if after is not None:
        group = next(group for group in ("double", "single", "bare") if after[group] is not None)
        if group == "bare" and is_code_file(source.path):
            return ()  # an expression
        return [Slot(*after.span(group), name, RULE, "value beside its name")] if looks_chosen(after[group]) else ()
    low = max(0, at - 1600)
    window = data[low:end]
    place = max(window.lower().rfind(b"value", 0, len(window) - len(name)), 0)
    first = _VALUE_FIRST.compiled.match(window, place - (window[place - 1 : place] in {b'"', b"'"}) if place else 0)
    if first is None:
        return ()
    group = next(group for group in ("double", "single", "bare") if first[group] is not None)
    if not looks_chosen(first[group]):
        return ()
    return [Slot(low + first.start(group), low + first.end(group), name, RULE, "value beside its name")]


_WORDS = (
    "password", "passwd", "secret", "passphrase", "apikey", "token", "pwd", "_pass", "_key", "-key", ".key", "secretkey",
    "accesskey", "privatekey",
)  # fmt: skip
AT = {word + ending: named for word in _WORDS for ending in ('"', "'", "\n", "\r\n")}

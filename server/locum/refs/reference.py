"""References: what stands in a file in the place of a value.

    locum://NAME[?env=ENV][#field]         a secret that `locum.toml` declares
    op://vault/item/[section/]field        1Password
    ref+BACKEND://path[?key=value][#/part] the grammar of vals
    keyring://service/user                 the operating system's keyring
    pass://path                            pass(1)

The grammar is strict: printable, bounded, no `..` part, no empty part. Knows no vault and no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from locum.errors import UsageProblem

MAX_LENGTH = 512

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_FIELD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_PART = re.compile(r"[A-Za-z0-9_.@%+=: -]{1,128}")
_VALS = re.compile(r"ref\+([a-z][a-z0-9]{1,31})://([^?#]*)(\?[^#]*)?(#.*)?")
_QUERY = re.compile(r"\?[A-Za-z0-9_.%&=,:/@-]*")
_FRAGMENT = re.compile(r"#/?[A-Za-z0-9_.%/-]*")
_CANDIDATE = re.compile(
    r"(?<![A-Za-z0-9_+])(?:locum://[!#-%*+.-:=?-Z_a-z~-]*"
    r"|(?:op|keyring|pass|ref\+[a-z][a-z0-9]{1,31})://[!#-&*-;=?-Z_a-z~|]*)"
)
"""Ours end before `&`, `,`, `;` and `|`, which no part of them can hold: so they can stand in a query or a list."""
_BEGINNINGS = ("locum://", "op://", "keyring://", "pass://", "ref+")
_TRAILING = ".,:;!?*&|"


class ReferenceProblem(UsageProblem):
    """A text that wants to be a reference and is none. Code `reference.malformed`."""

    def __init__(self, message: str) -> None:
        super().__init__(
            "reference.malformed", message, "A reference looks like locum://NAME or op://vault/item/field."
        )


@dataclass(frozen=True, slots=True)
class Reference:
    """A well-formed reference. `name` is the declared name for `locum://`, else everything after the scheme."""

    text: str
    scheme: str
    name: str
    field: str | None = None
    environment: str | None = None

    @property
    def is_declared(self) -> bool:
        """Say whether the manifest has to say where the value is."""
        return self.scheme == "locum"

    @property
    def item(self) -> str:
        """What the local vault calls it, where that has it: NAME, in an environment NAME.ENV."""
        return f"{self.name}.{self.environment}" if self.environment else self.name


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A reference, or a failed one, at `[start, end)` of a text (code points)."""

    start: int
    end: int
    text: str
    reference: Reference | None
    problem: str = ""


def is_name(text: str) -> bool:
    """Say whether `text` can name a secret."""
    return _NAME.fullmatch(text) is not None


def locum_reference(name: str) -> str:
    """Return the reference to a declared name. Raises ReferenceProblem for what is no name."""
    if not is_name(name):
        raise ReferenceProblem(f"{_shown(name)} cannot name a secret: use letters, digits and _ . -, not a digit first")
    return f"locum://{name}"


def looks_like_reference(text: str) -> bool:
    """Say whether `text` as a whole begins as a reference does, well formed or not."""
    return _CANDIDATE.match(text) is not None


def parse(text: str) -> Reference:
    """Read one reference. Raises ReferenceProblem, which says what is wrong with it."""
    if len(text) > MAX_LENGTH:
        raise ReferenceProblem(f"a reference has at most {MAX_LENGTH} characters")
    if not text.isprintable():
        raise ReferenceProblem("a reference holds no control characters")
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise ReferenceProblem(f"{_shown(text)} is no reference: it has no scheme")
    if ".." in re.split(r"[/?#]", rest):
        raise ReferenceProblem("a reference has no '..' in it")
    if scheme == "locum":
        return _parse_locum(text, rest)
    if scheme.startswith("ref+"):
        return _parse_vals(text)
    parts = rest.partition("?")[0].split("/")
    if scheme not in _SHAPES:
        raise ReferenceProblem(f"unknown scheme {_shown(scheme)}: known are locum, op, keyring, pass and ref+…")
    least, most, shape = _SHAPES[scheme]
    if not least <= len(parts) <= most or not all(_PART.fullmatch(part) for part in parts):
        raise ReferenceProblem(f"not of the form {shape}")
    return Reference(text, scheme, rest)


_SHAPES = {
    "op": (3, 4, "op://vault/item/[section/]field"),
    "keyring": (2, 2, "keyring://service/user"),
    "pass": (1, 16, "pass://path"),
}


def _parse_locum(text: str, rest: str) -> Reference:
    head, _, field = rest.partition("#")
    name, has_query, query = head.partition("?")
    if "?" in field:
        raise ReferenceProblem("write ?env= before #field")
    if not is_name(name):
        raise ReferenceProblem(f"{_shown(name)} cannot name a secret: use letters, digits and _ . -, not a digit first")
    environment = None
    if has_query:
        key, _, environment = query.partition("=")
        if key != "env" or not _ENVIRONMENT.fullmatch(environment):
            raise ReferenceProblem("after '?' stands env=NAME and nothing else")
    if "#" in rest and not _FIELD.fullmatch(field):
        raise ReferenceProblem("after '#' stands a field's name: letters, digits and _ . -")
    return Reference(text, "locum", name, field or None, environment)


def _parse_vals(text: str) -> Reference:
    match = _VALS.fullmatch(text)
    if match is None:
        raise ReferenceProblem("not of the form ref+backend://path[?key=value][#/part]")
    backend, path, query, fragment = match.groups()
    if not path or not all(_PART.fullmatch(part) for part in path.split("/")):
        raise ReferenceProblem("the path of a ref+ reference has an empty or odd part")
    if query and not _QUERY.fullmatch(query):
        raise ReferenceProblem("the query of a ref+ reference holds odd characters")
    if fragment and not _FRAGMENT.fullmatch(fragment):
        raise ReferenceProblem("the part after '#' of a ref+ reference holds odd characters")
    return Reference(text, f"ref+{backend}", text.partition("://")[2], (fragment or "").lstrip("#/") or None)


def find(text: str) -> Iterator[Occurrence]:
    """Find every reference in a text, in order. What begins as `locum://` and is malformed comes with its problem."""
    if not any(beginning in text for beginning in _BEGINNINGS):
        return  # a text full of other URLs costs nothing
    for match in _CANDIDATE.finditer(text):
        raw = match.group().rstrip(_TRAILING)
        if raw.endswith("://"):
            continue  # prose about a scheme
        end = match.start() + len(raw)
        try:
            yield Occurrence(match.start(), end, raw, parse(raw))
        except ReferenceProblem as problem:
            if raw.startswith("locum://"):
                yield Occurrence(match.start(), end, raw, None, problem.message)


def _shown(text: str) -> str:
    """Quote for a message: bounded, so that a pasted value is not echoed whole; control characters visible."""
    return repr(text if len(text) <= 24 else text[:8] + "…")

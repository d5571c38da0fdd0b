r"""Reads rule files: a plain block format that needs no escapes and costs little to read. Knows nothing of matching.

    # A comment.
    [zenrows-api-key] ZenRows API key
    near: zenrows, zen_rows
    value: {hex:40}
    service: ZenRows, web scraping
    url: https://example.com/rotate

    [github-pat] GitHub personal access token
    token: ghp_{alnum:36}
    check: github
    name: GITHUB_TOKEN
    url: https://example.com/rotate
    about: What it opens, and how to take it back.

A line that is indented goes on with the field before it. The ways to say how a value looks, one a rule:

`token`  the value itself; word boundaries are added, and the anchors are taken from its beginning unless given
`near`   words, one of which stands at most `gap` bytes before the `value` (boundaries are added there too)
`regex`  the whole expression, in verbose mode over bytes: group `value` is the secret, else all of the match

`{alnum:36}`, `{hex:32}`, `{b64u:40-60}`, `{uuid}`… are shapes (`SHAPES`); `{assigned}` is what follows a name. Fields: `_FIELDS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SHAPES = {
    "hex": "[0-9a-fA-F]", "lhex": "[0-9a-f]", "uhex": "[0-9A-F]",
    "alnum": "[0-9A-Za-z]", "lower": "[0-9a-z]", "upper": "[0-9A-Z]", "alpha": "[A-Za-z]", "digits": "[0-9]",
    "b32": "[A-Z2-7]", "b64": "[0-9A-Za-z+/]", "b64u": "[0-9A-Za-z_-]", "word": "[0-9A-Za-z_]",
}  # fmt: skip
"""Alphabets by name. A number or a range says how many: `{hex:32}`, `{b64u:40-60}`."""
UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

ASSIGNED = r"""[\w.$-]{0,40}+["'`]?\]?[ \t]{0,12}+
(?::[ \t]{0,4}[A-Za-z][\w\[\]|.,<>?\ ]{0,40}+(?==(?!=)) | (?:string|String|&str|char)[ \t]{1,4}(?==))?
(?:=>|:=|::?=|[?|]{1,2}=|[!=]?={1,2}|:(?!:)|\|(?=[ \t])|-(?=[ \t])
  |>(?=\s{0,40}[^\s<>"'&;{}()]{8,200}\s{0,40}</)\s{0,40}|(?:(?<=["'`]),|\(|\|{1,2})(?=\s{0,12}["'`]))[ \t]{0,12}+
(?:(?:[A-Za-z]{0,2}|@|\$)(?P<quote>["'`])|(?=[^\s"'`,;(){}<>\[\]|&?*]))
(?P<value>(?(quote)(?:[^"'`\r\n\\]|\\.|(?!(?P=quote))["'`]){4,300}+(?=(?P=quote))
|(?:[^\s"'`,;(){}<>\[\]&]|&(?![\w.-]{1,40}=|&)|,(?![\s"'])){5,200}+(?=[\s,;)}\]&"'<]|$)))"""
"""After a name: how the languages assign, and the value, quoted or not."""

BEFORE = r"(?:(?<![0-9A-Za-z_])|(?<=\\[nrt]))"
"""No word goes on into a token from the left; an escaped line end is no word."""
_NOT_BEFORE = re.compile(r"\A(\(\?<!\[[^\]]*A-Z[^\]]*\]\))")
_LAST_CLASS = re.compile(r"\[([^\]]+)\](?:\{[0-9,]+\}\+?)?(?:=\?|=\{[0-9,]+\}|\)\??|\?)*$")
_SHAPE = re.compile(r"\{([a-z]\w*)(?::(\d+)(?:-(\d+))?)?\}")
_LITERAL = re.compile(r"(?:[A-Za-z0-9_:/@=~-]|\\[.-]|\[ \])+(?![*+?]|\{\d)")
_INDENTS = frozenset(" \t")
_HEAD = re.compile(r"\[([^\]]*)\] *(.*)")
_FIELDS = frozenset(
    "anchors regex token near value gap name url about service severity confidence check entropy span lookback generic".split()  # noqa: SIM905 - reads better
)

Block = dict[str, str]
"""A rule's fields as written, with `id` and `title`."""


class RuleFileProblem(ValueError):
    """A rule file that cannot be read. Names the rule, and what is wrong."""


def read_blocks(text: str) -> Iterator[Block]:
    """Yield the rules of a file, as written. Raises RuleFileProblem."""
    block: Block = {}
    field = ""
    for line in text.splitlines():
        if line[:1] in _INDENTS and field:
            block[field] += "\n" + line.strip()
            continue
        field = ""
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if block:
                yield block
            head = _HEAD.fullmatch(line)
            if head is None or not head[2]:
                raise RuleFileProblem(f"{line}: write [rule-id] Title")
            block = {"id": head[1], "title": head[2]}
            continue
        key, colon, value = line.partition(":")
        if not block or not colon or key not in _FIELDS:
            raise RuleFileProblem(f"{block.get('id', 'before the first rule')}: unknown field {key}")
        if key in block:
            raise RuleFileProblem(f"{block['id']}: {key} is there twice")
        block[key] = value.strip()
        field = key
    if block:
        yield block


def split_blocks(text: str) -> list[str]:
    """Return the rules of a file as pieces of its text, without looking into them."""
    return ["[" + block for block in f"\n{text}".split("\n[")[1:]]


def identity(block: str) -> tuple[str, tuple[str, ...]]:
    """Return a rule's id and its anchors, which is all that layer 1 needs to know. Raises RuleFileProblem."""
    name, bracket, _ = block.partition("]")
    if not bracket:
        raise RuleFileProblem(f"{block.partition(chr(10))[0]}: write [rule-id] Title")
    for field in ("\nanchors:", "\nnear:", "\ntoken:"):
        at = block.find(field)
        if at >= 0:
            end = block.find("\n", at + 1) % (len(block) + 1)
            while block[end + 1 : end + 2] in _INDENTS:
                end = block.find("\n", end + 1) % (len(block) + 1)
            written = block[at + len(field) : end].strip()
            return name[1:], _words(beginning(written) if field == "\ntoken:" else written)
    return name[1:], ()


def _words(text: str) -> tuple[str, ...]:
    words = tuple([word for word in map(str.strip, text.split(",")) if word])
    return tuple(word.replace("<space>", " ") for word in words) if "<" in text else words


def expanded(regex: str) -> str:
    """Put the alphabets in the place of `{shapes}`. Raises RuleFileProblem for an unknown one."""
    return _SHAPE.sub(_shape, regex)


def after_escapes(regex: str) -> str:
    r"""Let an expression that asks for no letter before it begin behind an escaped line end too: `\n` is none."""
    return _NOT_BEFORE.sub(r"(?:\1|(?<=\\\\[nrt]))", regex, count=1)


def bounded(value: str, *, context: bool = False) -> str:
    """Add boundaries to the expression of a token: what its last class may hold does not go on behind it.

    In a context rule a value of a class with `-` does not begin behind one either: it would be the end of something longer.
    """
    regex = expanded(value)
    last = _LAST_CLASS.search(regex)
    held = last[1] if last else ""
    more = "".join(sign for sign in "_+/=" if sign in held) + "=" * ("/" in held and "=" not in held)
    hyphen = "-" * (held[:1] == "-" or held[-1:] == "-")
    before = BEFORE.replace("_]", "_-]") if context and hyphen else BEFORE
    return f"{before}(?P<value>{regex})(?![0-9A-Za-z{more}{hyphen}])"


def beginning(token: str) -> str:
    """Return the literal that every value of a token begins with, in lower case; "" when there is none."""
    found = _LITERAL.match(token)
    return found[0].replace("\\", "").replace("[ ]", " ").lower() if found else ""


def _shape(found: re.Match[str]) -> str:
    name, least, most = found[1], found[2], found[3]
    if not least and name in {"uuid", "assigned"}:
        return UUID if name == "uuid" else ASSIGNED
    alphabet = SHAPES.get(name)
    if alphabet is None or not least:
        raise RuleFileProblem(f"no shape {found[0]}: there are uuid, {', '.join(f'{{{known}N}}' for known in SHAPES)}")
    return f"{alphabet}{{{least},{most}}}" if most else f"{alphabet}{{{least}}}"

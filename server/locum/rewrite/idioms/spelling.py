"""How a value is spelt in the syntaxes of configuration files, both ways. One row a syntax; knows no file and no place.

`decode` says what a spelling means, `encode` spells a value; both raise `NoSafeEdit`, whose reason holds no part of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from locum.rewrite.target import NoSafeEdit

Change = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Style:
    """One syntax for a value."""

    decode: Change
    encode: Change
    quotes: tuple[str, str] = ("", "")
    """What stands around the spelling."""
    instead: str = ""
    """The style, with its own quotes, that may take this one's place for a value that cannot be spelt here."""


def spell(style: str, value: str) -> tuple[str, str]:
    """Return the style that a value is spelt in, this one or the one instead of it, and the spelling without quotes.

    Raises NoSafeEdit for a value that none of them can hold.
    """
    try:
        return style, STYLES[style].encode(value)
    except NoSafeEdit:
        if not STYLES[style].instead:
            raise
        return spell(STYLES[style].instead, value)


_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""All but the tab."""
_ODD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff\ud800-\udfff\x85\u2028\u2029]")
_LINE_END = re.compile(r"\r\n|\n|\r")


def _same(text: str) -> str:
    return text


def _one_line(what: str, refuse: str = r"(?!)", why: str = "with such characters") -> Change:
    """Return an encoder that spells a value as it is, unless it has control characters or what `refuse` matches."""
    pattern = re.compile(refuse)

    def encode(value: str) -> str:
        if _CONTROL.search(value):
            raise NoSafeEdit(f"{what} cannot hold a value with line ends or control characters")
        if value != value.strip() and not what.startswith("a quoted"):
            raise NoSafeEdit(f"{what} cannot hold a value that begins or ends with a space")
        if pattern.search(value):
            raise NoSafeEdit(f"{what} cannot hold a value {why}")
        return value

    return encode


def _json_decode(raw: str) -> str:
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:  # the error holds the text
        raise NoSafeEdit("the string has an escape that JSON does not know") from None


def _json_encode(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f")


# YAML 1.2, 5.7 (escapes) and 7.3.3 (plain scalars).
_YAML_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_YAML_ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r",
                 "e": "\x1b", " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028",
                 "P": "\u2029"}  # fmt: skip
_YAML_PLAIN = re.compile(r"(?![-?:])[^\s,\[\]{}#&*!|>'\"%@`](?:[^\s:#]|:(?=\S)|(?<=\S)#|[ ]+(?=[^\s#]))*")
_YAML_NO_TEXT = re.compile(
    r"~|null|true|false|yes|no|on|off|[yn]|=|<<|---|\.\.\.|[-+]?\.(?:inf|nan)|[-+]?0[xob]?[0-9a-f_]+"
    r"|[-+]?(?:[0-9][0-9_,]*(?:\.[0-9_]*)?|\.[0-9_]+)(?:e[-+]?[0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|\d{4}-\d\d?-\d\d?(?:[Tt \t].*)?",
    re.IGNORECASE,
)


def is_yaml_text(raw: str) -> bool:
    """Say whether readers of YAML take a plain scalar for text, and not for a number, a date or a word like `yes`."""
    return _YAML_NO_TEXT.fullmatch(raw) is None


def _yaml_unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code in _YAML_ESCAPES:
        return _YAML_ESCAPES[code]
    if code[0] in "xuU" and len(code) > 1 and (number := int(code[1:], 16)) <= 0x10FFFF:
        return chr(number)
    raise NoSafeEdit("the string has an escape that YAML does not know")


def _yaml_double(raw: str) -> str:
    return _YAML_ESCAPE.sub(_yaml_unescaped, raw)


def _yaml_double_encode(value: str) -> str:
    spelt = json.dumps(value, ensure_ascii=False)[1:-1]
    return _ODD.sub(lambda match: f"\\u{ord(match.group()):04x}", spelt)


def _yaml_single(raw: str) -> str:
    if re.fullmatch(r"(?:[^']|'')*", raw) is None:
        raise NoSafeEdit("the secret begins or ends inside of an escape")
    return raw.replace("''", "'")


def _yaml_single_encode(value: str) -> str:
    if _CONTROL.search(value) or _ODD.search(value):
        raise NoSafeEdit("single quotes cannot hold such characters")
    return value.replace("'", "''")


def _yaml_plain(flow: bool) -> Change:
    closing = re.compile(r"[,\[\]{}?:]" if flow else r"(?!)")  # readers differ about ? and : there

    def encode(value: str) -> str:
        if (
            _YAML_PLAIN.fullmatch(value) is None
            or not is_yaml_text(value)
            or closing.search(value)
            or value.startswith(("---", "..."))
            or _CONTROL.search(value)
            or _ODD.search(value)
        ):
            raise NoSafeEdit("the value needs quotes")
        return value

    return encode


# TOML 1.0, "String".
_TOML_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_TOML_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}


def _toml_basic(raw: str) -> str:
    def unescaped(match: re.Match[str]) -> str:
        code = match[1]
        if code in _TOML_ESCAPES:
            return _TOML_ESCAPES[code]
        if code[0] in "uU" and len(code) > 1 and (number := int(code[1:], 16)) <= 0x10FFFF:
            return chr(number)
        raise NoSafeEdit("the string has an escape that is not read here")

    return _TOML_ESCAPE.sub(unescaped, _LINE_END.sub("\n", raw))


def _toml_literal(closing: str) -> Change:
    lines = len(closing) == 3

    def encode(value: str) -> str:
        if closing in value or value.endswith("'") or _CONTROL.search(value.replace("\n", "") if lines else value):
            raise NoSafeEdit("literal quotes cannot hold such characters")
        return value

    return encode


# java.util.Properties, load(Reader). ISO 8859-1 and UTF-8 are both in use, so what is not ASCII is escaped.
_JAVA_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(?:\r\n|\n|\r)[ \t\f]*|(.))", re.DOTALL)
_JAVA_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_JAVA_SPELT = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f"}


def _java(raw: str) -> str:
    def unescaped(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        return _JAVA_ESCAPES.get(match[2], match[2]) if match[2] else ""

    text = _JAVA_ESCAPE.sub(unescaped, raw)
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")  # two escapes can be one character
    except UnicodeDecodeError:
        raise NoSafeEdit("the value is not valid Unicode") from None


def _java_encode(value: str) -> str:
    spelt = "".join(_JAVA_SPELT.get(char) or (char if " " <= char <= "~" else _utf16(char)) for char in value)
    if spelt.startswith((" ", ":", "=")):
        spelt = "\\" + spelt
    return spelt[:-1] + "\\u0020" if value.endswith(" ") and len(value) > 1 else spelt


def _utf16(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _backslashed(escapes: dict[str, str], *, keep: bool = True) -> Change:
    """Return a decoder of `\\x`; what is no escape keeps its backslash, or is the character itself."""

    def decode(raw: str) -> str:
        return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[0] if keep else match[1]), raw)

    return decode


# MySQL Reference Manual, "Using Option Files"; quotes may be escaped within quotes.
_MYSQL = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "s": " ", '"': '"', "'": "'", "\\": "\\"}
_MYSQL_SPELT = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b"}


def _mysql(quote: str) -> Change:
    def encode(value: str) -> str:
        if re.search(r"[\x00-\x07\x0b\x0c\x0e-\x1f]", value):
            raise NoSafeEdit("an option file cannot hold a value with such control characters")
        if not quote and (value != value.strip() or re.search(r"[#\"']", value)):
            raise NoSafeEdit("the value needs quotes")
        return "".join("\\" + char if char == quote else _MYSQL_SPELT.get(char, char) for char in value)

    return encode


# redis.conf's own comments and sdssplitargs: double quotes with escapes, single ones with \\' alone.
_REDIS = {**_MYSQL, "a": "\a"}
del _REDIS["s"], _REDIS["'"]


def _redis(raw: str) -> str:
    if "\\x" in raw:
        raise NoSafeEdit("the value has an escape that is not read here")
    return re.sub(r"\\(.)", lambda match: _REDIS.get(match[1], match[1]), raw)


def _redis_encode(value: str) -> str:
    if re.fullmatch(r"[^\s\"'#\\][^\s\"'\\]*", value) is None or _CONTROL.search(value):
        raise NoSafeEdit("the value needs quotes")
    return value


def _redis_quoted(value: str) -> str:
    if re.search(r"[\x00-\x06\x0b\x0c\x0e-\x1f]", value):
        raise NoSafeEdit("redis.conf cannot hold a value with such control characters")
    return "".join({**_MYSQL_SPELT, '"': '\\"', "\a": "\\a"}.get(char, char) for char in value)


def _npmrc_encode(value: str) -> str:
    _one_line("a setting of npm", r"^[\"'\[]|\$\{|[\u2028\u2029]", "that npm would take apart")(value)
    return re.sub(r"([\\;#])", r"\\\1", value)


def _npmrc_quoted(value: str) -> str:
    if "${" in value or "\u2028" in value or "\u2029" in value:
        raise NoSafeEdit("npm would expand a part of the value")
    return _json_encode(value)


# curl's documentation of .netrc: quotes since 7.84, `\"` and `\\` in them.
def _netrc_quoted(value: str) -> str:
    if _CONTROL.search(value):
        raise NoSafeEdit("a .netrc cannot hold a value with line ends or control characters")
    return re.sub(r"([\\\"])", r"\\\1", value)


def _netrc_encode(value: str) -> str:
    if re.fullmatch(r"[^\s\"\\#][^\s\"\\]*", value) is None or _CONTROL.search(value):
        raise NoSafeEdit("the value needs quotes")
    return value


# PostgreSQL's documentation, "The Password File".
def _pgpass_encode(value: str) -> str:
    if not value or re.search(r"[\r\n\0]", value):
        raise NoSafeEdit("a password file cannot hold a value with line ends")
    return re.sub(r"([\\:])", r"\\\1", value)


# XML 1.0, 2.2 (characters), 2.4 (character data), 3.3.3 (attributes).
_XML_ENTITY = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(\w+))?;?")
_XML_NAMES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_XML_NEVER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def _xml(raw: str) -> str:
    def unescaped(match: re.Match[str]) -> str:
        number = int(match[1], 16) if match[1] else int(match[2]) if match[2] else -1
        if match.group().endswith(";") and match[3] in _XML_NAMES:
            return _XML_NAMES[match[3]]
        if match.group().endswith(";") and 0 < number <= 0x10FFFF:
            return chr(number)
        raise NoSafeEdit("the value has an entity that is not read here")

    return _XML_ENTITY.sub(unescaped, _LINE_END.sub("\n", raw))


def _xml_attribute(raw: str) -> str:
    if re.search(r"[\t\r\n]", raw):
        raise NoSafeEdit("the value runs over several lines")
    return _xml(raw)


def _xml_encode(quote: str) -> Change:
    numbers = "\r" if not quote else "\t\r\n"

    def encode(value: str) -> str:
        if _XML_NEVER.search(value):
            raise NoSafeEdit("XML cannot hold a value with such control characters")
        value = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        if quote:
            value = value.replace(quote, "&quot;" if quote == '"' else "&apos;")
        return "".join(f"&#{ord(char)};" if char in numbers else char for char in value)

    return encode


def _cdata_encode(value: str) -> str:
    if _XML_NEVER.search(value) or "\r" in value:
        raise NoSafeEdit("XML cannot hold a value with such control characters")
    return value.replace("]]>", "]]]]><![CDATA[>")


def _cdata(raw: str) -> str:
    return _LINE_END.sub("\n", raw)


# Readers of .env files agree on little: https://www.dotenv.org/docs/security/env, python-dotenv's README, Compose's "Env file".
_ENV_NEVER = r"\$[{(]|`"
_ENV_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ENV_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$"}


def _env_double(raw: str) -> str:
    return _ENV_ESCAPE.sub(lambda match: _ENV_ESCAPES.get(match[1], match[0]), raw).replace("\r\n", "\n")


def _env(quote: str) -> Change:
    never = re.compile({"": r"[\s\"'#`\\$]", "'": r"'|\\(?:\\|\Z)|\r|\$[{(]"}.get(quote, _ENV_NEVER))

    def encode(value: str) -> str:
        if (not quote and value != value.strip()) or never.search(value):
            raise NoSafeEdit("readers of .env files differ about a value with such characters: store another one")
        if quote == '"':
            return value.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r")
        return value

    return encode


_INI = "an INI file without quotes"
_INI_QUOTED = "a quoted value of an INI file"
_READERS = (
    "that has ' #' or ' ;' in it or stands in quotes, which not all readers take alike: put the reference in quotes"
)

STYLES: dict[str, Style] = {
    "json": Style(_json_decode, _json_encode, ('"', '"')),
    "yaml-plain": Style(_same, _yaml_plain(flow=False), instead="yaml-double"),
    "yaml-flow": Style(_same, _yaml_plain(flow=True), instead="yaml-double"),
    "yaml-single": Style(_yaml_single, _yaml_single_encode, ("'", "'"), "yaml-double"),
    "yaml-double": Style(_yaml_double, _yaml_double_encode, ('"', '"')),
    "toml-basic": Style(_toml_basic, _json_encode, ('"', '"')),
    "toml-basic-lines": Style(_toml_basic, _json_encode, ('"""', '"""')),
    "toml-literal": Style(_same, _toml_literal("'"), ("'", "'"), "toml-basic"),
    "toml-literal-lines": Style(_cdata, _toml_literal("'''"), ("'''", "'''"), "toml-basic"),
    "ini": Style(_same, _one_line(_INI, r"^[#;]|[ \t][#;]|^([\"']).*\1$|^\Z", _READERS)),
    "ini-double": Style(_same, _one_line(_INI_QUOTED, '"', "with the same quote in it"), ('"', '"')),
    "ini-single": Style(_same, _one_line(_INI_QUOTED, "'", "with the same quote in it"), ("'", "'")),
    "properties": Style(_java, _java_encode),
    "mysql": Style(_backslashed(_MYSQL), _mysql(""), instead="mysql-double"),
    "mysql-double": Style(_backslashed(_MYSQL), _mysql('"'), ('"', '"')),
    "mysql-single": Style(_backslashed(_MYSQL), _mysql("'"), ("'", "'")),
    "redis": Style(_same, _redis_encode, instead="redis-double"),
    "redis-double": Style(_redis, _redis_quoted, ('"', '"')),
    "npmrc": Style(_backslashed({"\\": "\\", ";": ";", "#": "#"}), _npmrc_encode),
    "npmrc-double": Style(_json_decode, _npmrc_quoted, ('"', '"')),
    "requirements": Style(_same, _one_line("a requirements file", r"\s#|^#|\$\{|\\$", "that pip would take apart")),
    "netrc": Style(_backslashed({}, keep=False), _netrc_encode, instead="netrc-double"),
    "netrc-double": Style(_backslashed({}, keep=False), _netrc_quoted, ('"', '"')),
    "pgpass": Style(_backslashed({}, keep=False), _pgpass_encode),
    "xml-text": Style(_xml, _xml_encode("")),
    "xml-double": Style(_xml_attribute, _xml_encode('"'), ('"', '"')),
    "xml-single": Style(_xml_attribute, _xml_encode("'"), ("'", "'")),
    "xml-cdata": Style(_cdata, _cdata_encode, ("<![CDATA[", "]]>")),
    "env": Style(_same, _env(""), instead="env-single"),
    "env-single": Style(_cdata, _env("'"), ("'", "'"), "env-double"),
    "env-double": Style(_env_double, _env('"'), ('"', '"')),
    "env-backtick": Style(_cdata, _env("`"), ("`", "`"), "env-single"),
}  # fmt: skip

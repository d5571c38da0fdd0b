"""The languages that `code.py` serves, one row each: their strings, and how they read a variable of the environment.

To support one more, add its row here, and in `languages.py` the names of its files. Facts are those of the languages' own
references. Patterns run over a text whose strings and comments are blank, so that no content is taken for code.
"""

from __future__ import annotations

from dataclasses import dataclass

from locum.rewrite.urls import UNRESERVED


@dataclass(frozen=True, slots=True)
class Quote:
    """One form of string literal."""

    open: str
    """A pattern; what its first group holds may be named in `close` as {0}."""
    close: str
    escape: str = "\\"
    """What begins an escape, if anything does."""
    doubled: bool = False
    """Whether the closing quote, written twice, stands for itself."""
    lines: bool = False
    """Whether it may run over lines."""
    field: str = ""
    """What opens an expression inside of it, as a pattern that ends in its bracket."""
    inside: str = ""
    """How an expression is written inside of it: {0} is the expression. Empty: the literal is cut and joined."""
    mixes: str = ""
    """A pattern that finds other variables in it: a secret with one in it has no value that is written down."""
    why_not: str = ""
    """Why nothing in it can be replaced."""
    here: str = ""
    """Of a here-document: a pattern for the line that ends it, {0} is its word. Its content begins on the next line."""
    only_part: bool = False
    """Whether an expression can stand in it but not in its place."""
    becomes: str = ""
    """How it has to begin for an expression to count in it."""


@dataclass(frozen=True, slots=True)
class Never:
    """A place that wants a literal: `before` ends where the literal begins, `after` begins where it ends."""

    reason: str
    before: str = ""
    after: str = ""
    whole: bool = True
    """Whether that is so too when the secret is all of the literal."""
    part: bool = True
    """Whether that is so too when the secret is a part of it."""
    inside: str = ""
    """What stands right before a round bracket that is open there, however far above."""


@dataclass(frozen=True, slots=True)
class Change:
    """A declaration that has to be another one: what the group `old` of `before` holds becomes `new`."""

    before: str
    new: str
    note: str


@dataclass(frozen=True, slots=True)
class Constant:
    """What is known to the compiler as long as a literal stands there: `declared` ends where that begins."""

    declared: str
    """Its group `name` holds the constant's name."""
    used: tuple[str, ...]
    """Patterns, NAME is that name: where one matches, the text needs the constant to be one."""


@dataclass(frozen=True, slots=True)
class Import:
    """A line that the expression needs."""

    line: str
    present: str
    """A pattern that finds it, over the text itself."""
    after: tuple[str, ...]
    """Patterns, over the text itself; behind the last match of the first that matches the line is put, else at the top."""
    package: str = ""
    """The word by which the expression calls it, where something else in the text may have that name (Go)."""
    alias: str = ""
    """What it is called then."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """How the standard library escapes a part of a URL."""

    call: str
    """{0} is what it escapes."""
    keeps: str
    """What it leaves alone besides letters and digits."""
    needs: tuple[Import, ...] = ()
    note: str = ""
    """What it asks of the project, a sentence."""


@dataclass(frozen=True, slots=True)
class Language:
    """One language."""

    expression: str
    quotes: tuple[Quote, ...]
    joined: str = ""
    """The operator that joins strings; empty: none does."""
    line_comments: tuple[str, ...] = ("//",)
    block_comments: tuple[tuple[str, str], ...] = (("/*", "*/"),)
    nested: bool = False
    """Whether block comments nest."""
    never: tuple[Never, ...] = ()
    changes: tuple[Change, ...] = ()
    constants: tuple[Constant, ...] = ()
    formats: tuple[str, ...] = ()
    """What stands before a string that is a printf format: the value becomes one of its arguments."""
    silent: bool = False
    """Whether a variable that is not set reads as an empty text."""
    keeps_line_ends: bool = False
    """Whether a string over lines has the file's line ends in it; in the other languages it has line feeds."""
    needs: Import | None = None
    adjacent: bool = False
    """Whether neighbouring literals are joined by the compiler."""
    encoder: Encoder | None = None
    """None: the standard library has none, and what stands in a URL is stored as it is spelt there."""


_C_CHAR = Quote(r"'", "'")
_USED_IN_ANNOTATION = r"@[\w.:]+\s*\((?:[^()]|\([^()]*\)){0,400}\bNAME\b"
_ANNOTATION = r"@[\w.:]+\s*\((?:[^()]|\([^()]*\))*$"
_FORMATTED = Never(
    "it is a format, in which a sign of the value would count: pass the secret as an argument",
    "",
    r"\s*\.format(?:ted)?\(",
)
_CASE = Never(
    "a 'case' takes no expression: compare with 'if' instead", r"\bcase\s[^:;{}]*$", r"\s*(?:,[^:;{}]*)?(?::|->)"
)
_C_FORMATS = (
    r"\bprintf\(\s*$",
    r"\b(?:fprintf|sprintf|dprintf|asprintf|syslog)\([^(),]+,\s*$",
    r"\bsnprintf\([^(),]+,(?:[^(),]|\([^()]*\))+,\s*$",
)
_C_MACRO = Constant(
    r"#[ \t]*define[ \t]+(?P<name>\w+)[ \t]+\(?$",
    (
        r"\"[ \t]*NAME\b",
        r"(?<!define[ \t])\bNAME[ \t]*\"",
        r"\bsizeof\s*\(?\s*NAME\b",
        r"\[[^\]\n]*\]\s*=\s*\{?\s*NAME\b",
        r"\b(?:static|constexpr)\b[^;{}()]*=[^;]*\bNAME\b",
    ),
)
_BRACKETS = (("[", "]"), ("(", ")"), ("{", "}}"), ("<", ">"))
_HERE_END = r"^[ \t]*{0}(?=\r?$)"
_LITERAL_MACRO = r"\b(?:concat|env|option_env|include_str|include_bytes|include|stringify)!\s*[(\[{][^;]*$"
_DEFAULT = r"\(\s*(?:[^()=;{}]*(?:=[^()=;{}]*)?,)?[^()=;{},]*\w\s+\w+\s*=\s*$"

_GO_IMPORTS = (
    r"(?m)^import[ \t]*\([ \t]*\r?\n?",
    r"(?m)^import[ \t]+[^(\r\n]*\r?\n",
    r"(?m)^package[ \t]+\w+[^\r\n]*\r?\n?",
)
_JVM_IMPORTS = (r"(?m)^import[ \t]+[^\r\n]*\r?\n", r"(?m)^package[ \t]+[^\r\n]*\r?\n", r"(?m)^@file:[^\r\n]*\r?\n")
_URL_ENCODER = Import("import java.net.URLEncoder", r"(?m)^import[ \t]+java\.net\.(?:URLEncoder\b|\*|_)", _JVM_IMPORTS)
# An encoder for forms writes a blank as `+`, which is a plus in a user name or password; a plus is escaped by then.
_JVM_ENCODER = Encoder('URLEncoder.encode({0}, "UTF-8").replace("+", "%20")', "-_.*", (_URL_ENCODER,))


def _go_import(path: str, alias: str) -> Import:
    """Return the import of a package of Go's standard library."""
    present = rf'(?m)^[ \t]*(?:import[ \t]+)?(?:(?P<name>[\w.]+)[ \t]+)?"{path}"[ \t]*;?[ \t]*(?://.*)?\r?$'
    return Import(f'"{path}"', present, _GO_IMPORTS, path.rpartition("/")[2], alias)


LANGUAGES: dict[str, Language] = {
    "go": Language(
        'os.Getenv("{name}")',
        (Quote('"', '"'), Quote("`", "`", escape="", lines=True), _C_CHAR),
        "+",
        never=(
            Never("a struct tag takes no expression", r"[\w\]})*][ \t]+$", r"[ \t]*(?:$|[\r\n}])"),
            Never("it is the path of an import", r"\bimport\s+(?:[\w.]+\s+)?$"),
            Never("it is the path of an import", inside=r"\bimport\s*$"),
            Never(
                "a Go constant takes no call: move it out of the 'const (…)' block to a 'var' first",
                inside=r"\bconst\s*$",
            ),
            Never(
                "a Go constant takes no call: make it a 'var' of its own first",
                r"\bconst[ \t]+\w+(?:[ \t]*,|[ \t]+(?!string\b)[\w.]+[ \t]*=)[^\n;]*$",
            ),
            Never(
                "what os.Getenv returns is a string, and another type is declared here: convert it by hand",
                r"\bvar[ \t]+\w+[ \t]+(?!string\b|any\b)[A-Za-z_][\w.]*[ \t]*=[ \t]*$",
            ),
            Never(
                "what os.Getenv returns is a string, and another type is declared here: convert it by hand",
                r"(?:\bmap\[[^\]\n]*\]|\[[\d.]*\])(?!string\b|any\b)[A-Za-z_][\w.]*\{[^{}()]*$",
            ),
            Never("the length of an array must be a constant", r"\[len\(\s*$"),
            Never("a 'case' here may be a constant that must be known to the compiler", r"\bcase\s[^:;{}]*$"),
        ),
        changes=(
            Change(
                r"(?:^|[\n;{])[ \t]*(?P<old>const)[ \t]+\w+(?:[ \t]+string)?[ \t]*=[^\n;]*$",
                "var",
                "'const' became 'var'",
            ),
        ),
        constants=(
            Constant(
                r"\bconst[ \t]+(?P<name>\w+)(?:[ \t]+string)?[ \t]*=\s*$",
                (
                    r"\bconst[ \t]+\w[^=\n(]*=[^\n]*\bNAME\b",
                    r"\bconst[ \t]*\([^()]*\bNAME\b",
                    r"\[[^\]\n]*len\(NAME\)[^\]\n]*\]",
                ),
            ),
        ),
        formats=(
            r"\b(?:Printf|Sprintf|Errorf|Fatalf|Panicf|Logf)\(\s*$",
            r"\b(?:Fprintf|Appendf|Wrapf)\([^(),]+,\s*$",
        ),
        silent=True,
        needs=_go_import("os", "stdos"),
        encoder=Encoder(
            'strings.ReplaceAll(url.QueryEscape({0}), "+", "%20")',
            "-_.~",
            (_go_import("net/url", "neturl"), _go_import("strings", "stdstrings")),
        ),
    ),
    "rust": Language(
        '&*std::env::var("{name}").expect("{name} is not set")',
        (
            Quote(r'\bc?r(#+)"', '"{0}', escape="", lines=True),
            Quote(r'\bc?r"', '"', escape="", lines=True),
            Quote(r'\bbr?#*"', '"', lines=True, why_not="it is a string of bytes"),
            Quote('"', '"', lines=True),
            Quote(r"b?'(?=\\|[^'\\]')", "'"),
        ),
        nested=True,
        never=(
            Never("an attribute takes no expression", r"#!?\[[^\]]*$"),
            Never(
                "a constant takes no call: make it a function that reads the variable, or a LazyLock (Rust 1.80)",
                r"\b(?:const|static)\s+(?:mut\s+)?\w+\s*:(?:[^;{}=\[]|\[[^\]]*\])*=[^;]*$",
            ),
            Never("a pattern takes no expression", "", r"\s*(?:=>|\|[^|])"),
            Never(
                "what this method borrows would not live long enough: put the text into a variable of its own first",
                r"\blet\s[^;{}]*=\s*$",
                r"\s*\.(?!to_|into|len\b|is_|parse\b|contains\b|starts_with\b|ends_with\b|eq\b|clone\b|replace|repeat\b)\w+",
            ),
            Never("the macro wants a literal", _LITERAL_MACRO),
            Never("the format of a macro must be a literal: pass the value as an argument", r"\b\w+!\s*[(\[{]\s*$"),
            Never(
                "the format of a macro must be a literal",
                r"\b(?:write|writeln|assert|assert_eq|assert_ne)!\s*\([^;]*,\s*$",
                r"\s*,",
            ),
        ),
    ),
    "java": Language(
        'System.getenv("{name}")',
        (Quote('"""', '"""', lines=True), Quote('"', '"'), _C_CHAR),
        "+",
        never=(
            Never("an annotation takes no expression: let the framework read ${{{name}}}", _ANNOTATION),
            Never("an annotation takes no expression", r"\bdefault\s+$", r"\s*;"),
            _FORMATTED,
            _CASE,
        ),
        constants=(
            Constant(
                r"\bString\s+(?P<name>\w+)\s*=[^;]*$",
                (rf"{_USED_IN_ANNOTATION}", r"\bcase\s[^:;{}]*?\bNAME\s*(?:,|:|->)"),
            ),
        ),
        formats=(r"\b(?:String\.format|printf)\(\s*$",),
        encoder=Encoder(
            'URLEncoder.encode({0}, StandardCharsets.UTF_8).replace("+", "%20")',
            "-_.*",
            (
                Import("import java.net.URLEncoder;", _URL_ENCODER.present, _JVM_IMPORTS),
                Import(
                    "import java.nio.charset.StandardCharsets;",
                    r"(?m)^import[ \t]+java\.nio\.charset\.(?:StandardCharsets|\*)",
                    _JVM_IMPORTS,
                ),
            ),
            "This needs Java 10 or newer. ",
        ),
    ),
    "kotlin": Language(
        'System.getenv("{name}")',
        (
            Quote('"""', '"""', escape="", lines=True, field=r"\$\{", inside="${{{0}}}", mixes=r"(?<!\\)\$[A-Za-z_]"),
            Quote('"', '"', field=r"\$\{", inside="${{{0}}}", mixes=r"(?<!\\)\$[A-Za-z_]"),
            _C_CHAR,
        ),
        "+",
        nested=True,
        never=(Never("an annotation takes no expression: let the framework read ${{{name}}}", _ANNOTATION), _FORMATTED),
        constants=(
            Constant(
                r"\bconst\s+val\s+(?P<name>\w+)(?:\s*:\s*String)?\s*=[^\n;]*$",
                (_USED_IN_ANNOTATION, r"\bconst\s+val\s+\w+[^=\n]*=[^\n]*\bNAME\b"),
            ),
        ),
        changes=(
            Change(r"\b(?P<old>const\s+)val\s+\w+(?:\s*:\s*String)?\s*=[^\n;]*$", "", "'const val' became 'val'"),
        ),
        encoder=_JVM_ENCODER,
    ),
    "csharp": Language(
        'System.Environment.GetEnvironmentVariable("{name}")',
        (
            Quote(r'\$+"""', '"""', escape="", lines=True, why_not="it is a raw interpolated string"),
            Quote('"""', '"""', escape="", lines=True),
            Quote(r'(?:\$@|@\$)"', '"', escape="", doubled=True, lines=True, field=r"\{(?!\{)"),
            Quote('@"', '"', escape="", doubled=True, lines=True),
            Quote(r'\$"', '"', field=r"\{(?!\{)"),
            Quote('"', '"'),
            _C_CHAR,
        ),
        "+",
        never=(
            Never("an attribute takes no expression", r"(?:^|[\n{};\]])\s*\[[\w.:\s]+\((?:[^()]|\([^()]*\))*$"),
            Never("a parameter's default must be a constant", _DEFAULT, r"\s*[,)]"),
            _CASE,
            Never("a pattern takes no expression", r"(?:\bis\s+(?:not\s+)?|\bor\s+)$"),
            Never("a pattern takes no expression", "", r"\s*=>"),
            Never(
                "it is a format, in which braces of the value would count: pass it as an argument",
                r"\b(?:Format|WriteLine|Write|AppendFormat)\(\s*$",
                r"\s*,",
                whole=False,
            ),
        ),
        constants=(
            Constant(
                r"\bconst\s+string\s+(?P<name>\w+)\s*=[^;]*$",
                (
                    r"(?:^|[\n{};\]])\s*\[[\w.:\s]{1,200}\((?:[^()]|\([^()]*\)){0,400}\bNAME\b",
                    r"\bcase\s+(?:\w+\.)*NAME\b",
                    r"\b(?:is|or)\s+(?:not\s+)?(?:\w+\.)*NAME\b",
                    r"\bconst\s+string\s+\w+\s*=[^;]*\bNAME\b",
                    r"\w\s+\w+\s*=\s*(?:\w+\.)*NAME\s*[,)]",
                    r"\bNAME\s*=>\s",
                ),
            ),
        ),
        silent=True,
        changes=(
            Change(
                r"\b(?:public|private|protected|internal)\s+(?:new\s+)?(?P<old>const)\s+string\s+\w+\s*=[^;]*$",
                "static readonly",
                "'const' became 'static readonly'",
            ),
            Change(r"(?:^|[\n;{])\s*(?P<old>const\s+)string\s+\w+\s*=[^;]*$", "", "'const' is gone"),
        ),
        encoder=Encoder("System.Uri.EscapeDataString({0})", UNRESERVED),
        keeps_line_ends=True,
    ),
    "ruby": Language(
        'ENV.fetch("{name}")',
        (
            Quote('"', '"', lines=True, field=r"#\{", inside="#{{{0}}}"),
            Quote("'", "'", lines=True),
            Quote("`", "`", lines=True, field=r"#\{", inside="#{{{0}}}"),
            *(
                Quote(rf"%w\{a}", b, lines=True, inside="#{{{0}}}", only_part=True, becomes=f"%W{a}")
                for a, b in _BRACKETS
            ),
            *(Quote(rf"%W\{a}", b, lines=True, field=r"#\{", inside="#{{{0}}}", only_part=True) for a, b in _BRACKETS),
            *(Quote(rf"%Q\{a}", b, lines=True, field=r"#\{", inside="#{{{0}}}") for a, b in _BRACKETS),
            Quote(r"%[qiI]?[\[({<|!]", "", lines=True, why_not="it is a %-literal: write it with quotes"),
            Quote(
                r"<<[~-]?'([A-Za-z_]\w*)'",
                "",
                why_not="the heredoc's word is quoted, so that nothing in it is expanded: take the quotes away first",
                here=_HERE_END,
            ),
            Quote(
                r"<<(?:[~-]\"?|\"|(?=[A-Z_]))([A-Za-z_]\w*)\"?",
                "",
                field=r"#\{",
                inside="#{{{0}}}",
                only_part=True,
                here=_HERE_END,
            ),
        ),
        "+",
        line_comments=("#",),
        block_comments=(("\n=begin", "\n=end"),),
        never=(
            Never("it is a key of a hash", "", r":(?!:)"),
            Never("it is a symbol, which takes no expression: call .to_sym on what reads it", r"(?<![\w:]):$"),
            Never(
                "it is a format, in which a % of the value would count: pass the secret as an argument",
                "",
                r"\s*%\s",
                whole=False,
            ),
        ),
        formats=(r"\b(?:format|sprintf|printf)\(\s*$",),
        adjacent=True,
        encoder=Encoder(  # URI.encode_uri_component came with Ruby 3.2; this is older and does the same
            "ERB::Util.url_encode({0})",
            UNRESERVED,
            (
                Import(
                    "require 'erb'",
                    r"""(?m)^[ \t]*require[ \t(]+['"]erb['"]""",
                    (
                        r"""(?m)^require(?:_relative)?[ \t]+['"][^\r\n]*\r?\n""",
                        r"\A(?:#[^\r\n]*\r?\n)+(?:[ \t]*\r?\n)?",
                    ),
                ),
            ),
        ),
    ),
    "php": Language(
        "getenv('{name}')",
        (
            Quote('"', '"', lines=True, mixes=r"(?<!\\)(?:\$[A-Za-z_{]|\{\$)"),
            Quote("'", "'", lines=True),
            Quote(
                r"<<<[ \t]*['\"]?(\w+)['\"]?",
                "",
                why_not="a heredoc takes variables only: put getenv('{name}') into a variable and write that here",
                here=r"^[ \t]*{0}\b",
            ),
        ),
        ".",
        line_comments=("//", "#"),
        formats=(r"\bv?s?printf\(\s*$", r"\bfprintf\([^(),]+,\s*$"),
        silent=True,
        never=(
            Never(
                "a PHP constant takes no call: write define('…', getenv('{name}'))",
                r"\bconst\s+(?:\w+\s+)?\w+\s*=[^;]*$",
            ),
            Never("a case of an enum takes no call", r"\bcase\s+\w+\s*=[^;]*$"),
            Never(
                "a property's default takes no call: set it in the constructor, from getenv('{name}')",
                r"\b(?:public|private|protected|var|static|readonly)\s+(?:[?\w\\|]+\s+)*\$\w+\s*=[^;]*$",
            ),
            Never(
                "a parameter's default takes no call",
                r"\b(?:function\b[^(){}]*|fn\s*)\((?:[^(){}]|\([^()]*\))*\$\w+\s*=\s*$",
            ),
            Never("an attribute takes no call", r"#\[[^\]]*$"),
        ),
        encoder=Encoder("rawurlencode({0})", UNRESERVED),
        keeps_line_ends=True,
    ),
    "swift": Language(
        'ProcessInfo.processInfo.environment["{name}"]!',
        (
            Quote('#+"""', '"""', escape="", lines=True, why_not="it is a raw string over lines"),
            Quote('(#+)"', '"{0}', escape=""),
            Quote('"""', '"""', lines=True, field=r"\\\(", inside="\\({0})"),
            Quote('"', '"', field=r"\\\(", inside="\\({0})"),
        ),
        "+",
        nested=True,
        never=(
            Never("an attribute takes no expression", _ANNOTATION),
            Never("a raw value of an enum must be a literal", r"\bcase\s+\w+\s*=\s*$"),
            _CASE,
        ),
        needs=Import(
            "import Foundation",
            r"(?m)^[ \t]*import[ \t]+(?:Foundation|UIKit|AppKit|SwiftUI)\b",
            (r"(?m)^[ \t]*import[ \t]+[^\r\n]*\r?\n",),
        ),
        encoder=Encoder(
            '{0}.addingPercentEncoding(withAllowedCharacters: CharacterSet(charactersIn: "-._~").union(.alphanumerics))!',
            UNRESERVED,
        ),
    ),
    "c": Language(
        'getenv("{name}")',
        (Quote(r'(?:u8|[uUL])"', '"', why_not="it is a string of wide characters"), Quote('"', '"'), _C_CHAR),
        never=(
            Never("an array of characters wants a literal: make it a const char *", r"\[[^\]]*\]\s*=\s*\{?\s*$"),
            Never("a static variable wants a constant: set it in a function", r"\bstatic\b[^;{}()]*=[^;]*$"),
            Never("it is the name of a file", r"#[ \t]*include[ \t]*$"),
            Never("sizeof would change", r"\bsizeof\s*\(?\s*$"),
        ),
        constants=(_C_MACRO,),
        formats=_C_FORMATS,
        needs=Import(
            "#include <stdlib.h>",
            r"(?m)^[ \t]*#[ \t]*include[ \t]*<stdlib\.h>",
            (r"(?m)^[ \t]*#[ \t]*include[^\r\n]*\r?\n",),
        ),
        adjacent=True,
    ),
    "cpp": Language(
        'std::getenv("{name}")',
        (
            Quote(r'(?:u8|[uUL])R?"', '"', why_not="it is a string of wide characters"),
            Quote(r'R"(\w*)\(', '){0}"', escape="", lines=True),
            Quote('"', '"'),
            _C_CHAR,
        ),
        never=(
            Never("an array of characters wants a literal: make it a const char *", r"\[[^\]]*\]\s*=\s*\{?\s*$"),
            Never("a constexpr takes no call: make it a const", r"\b(?:constexpr|consteval|constinit)\b[^;{}]*=[^;]*$"),
            Never("it is the name of a file", r"#[ \t]*include[ \t]*$"),
            Never("a string_view would outlive nothing, but sizeof would change", r"\bsizeof\s*\(?\s*$"),
            Never("it is a literal with a suffix", "", r"_?[A-Za-z]\w*"),
            Never("an attribute takes no expression", r"\[\[[^\]]*$"),
            Never("static_assert wants a literal", r"\bstatic_assert\s*\([^;]*$"),
        ),
        constants=(_C_MACRO,),
        formats=_C_FORMATS,
        needs=Import(
            "#include <cstdlib>",
            r"(?m)^[ \t]*#[ \t]*include[ \t]*<cstdlib>",
            (r"(?m)^[ \t]*#[ \t]*include[^\r\n]*\r?\n",),
        ),
        adjacent=True,
    ),
    "scala": Language(
        'sys.env("{name}")',
        (
            Quote(r'\b\w+"""', '"""', escape="", lines=True, why_not="it is an interpolated string over lines"),
            Quote('"""', '"""', escape="", lines=True),
            Quote(
                r'\b\w+"', '"', field=r"\$\{", why_not="it is an interpolated string: put the value into a val first"
            ),
            Quote('"', '"'),
            Quote(r"'(?=\\|[^'\\]')", "'"),
        ),
        "+",
        nested=True,
        never=(
            Never("an annotation takes no expression", _ANNOTATION),
            Never("a 'case' takes no expression", r"\bcase\s[^=\n]*$"),
        ),
        encoder=_JVM_ENCODER,
    ),
    "perl": Language(
        "$ENV{{{name}}}",
        (
            Quote(r'(?<![$\\])"', '"', lines=True, inside="{0}", mixes=r"(?<!\\)[$@][\w{]"),
            Quote(r"(?<![$\\\w&])'", "'", lines=True),
            Quote(
                r"<<~?'([A-Za-z_]\w*)'",
                "",
                why_not="the heredoc's word is quoted, so that nothing in it is expanded: take the quotes away first",
                here=_HERE_END,
            ),
            Quote(
                r"<<~?(?:\"|(?=[A-Z_]))([A-Za-z_]\w*)\"?",
                "",
                inside="{0}",
                mixes=r"(?<!\\)[$@][\w{]",
                only_part=True,
                here=_HERE_END,
            ),
            Quote(r"\bq[qwrx]?\s*[^\w\s,;=)]", "", why_not="it is a q-literal: write it with quotes"),
        ),
        ".",
        line_comments=("#",),
        block_comments=(("\n=pod", "\n=cut"), ("\n=head", "\n=cut")),
        formats=(r"\bs?printf\s*\(\s*$",),
    ),
    "lua": Language(
        'os.getenv("{name}")',
        (Quote('"', '"'), Quote("'", "'"), Quote(r"\[(=*)\[", "]{0}]", escape="", lines=True)),
        "..",
        formats=(r"\bstring\.format\(\s*$",),
        line_comments=("--",),
        block_comments=(("--[[", "]]"),),
        never=(
            Never(
                "a call without parentheses takes a literal only",
                r"[\w\])]\s*(?<!\breturn)(?<!\band)(?<!\bor)(?<!\bnot)(?<!\bin)$",
            ),
        ),
    ),
    "powershell": Language(
        "$env:{name}",
        (
            Quote(r'@"[ \t]*\r?\n', '\n"@', escape="", lines=True, field=r"\$\(", inside="$({0})", mixes=r"[$`]"),
            Quote(
                r"@'[ \t]*\r?\n", "\n'@", escape="", lines=True, why_not='it is a literal here-string: write @" instead'
            ),
            Quote('"', '"', escape="`", doubled=True, lines=True, field=r"\$\(", inside="$({0})", mixes=r"[$`]"),
            Quote("'", "'", escape="", doubled=True, lines=True),
        ),
        "+",
        line_comments=("#",),
        block_comments=(("<#", "#>"),),
        never=(
            Never("an attribute takes no expression", r"\[[\w.]+\([^()]*$"),
            Never("it is a key of a hash table", r"[@{;\n]\s*$", r"\s*=[^=]"),
        ),
        silent=True,
        encoder=Encoder("[uri]::EscapeDataString({0})", UNRESERVED),
        keeps_line_ends=True,
    ),
}

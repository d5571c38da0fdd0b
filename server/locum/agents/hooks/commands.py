"""What a line for a shell would show: which files it reads, and whether it prints variables, histories or credentials.

A reading, not a boundary: a shell can be told the same in endless ways. What is not understood is said to be `unsure`, and the
output is looked at. Pure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from locum.agents.hooks import command_words as words_of

_SEPARATORS = frozenset(";&|(){}\n")
_OPERATOR = re.compile(r"[;&|()<>\n]+")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)|`([^`]*)`")
_VARIABLE = re.compile(r"\$\{?!?([A-Za-z_]\w*)")
_IN_CODE = re.compile(r"""["']([^"'\n]{1,400})["']""")
_PROCESS = re.compile(r"/proc/.{1,80}?/(?:environ|mem|maps|fd)\b")


@dataclass(slots=True)
class Reading:
    """What a line would show."""

    files: list[str] = field(default_factory=list[str])
    """Words that may be files which are shown; they may hold `*`."""
    variables: list[str] = field(default_factory=list[str])
    """Names of variables that are shown."""
    all_variables: bool = False
    process: bool = False
    """Another process's environment or memory."""
    credential: str = ""
    """The command that prints a credential, by its words."""
    unsure: bool = False
    """It shows what cannot be told from the line: a history, a whole tree, what a substitution says."""
    encoded: bool = False
    """Something goes through a program after which no mask would know it."""
    masked: bool = False
    """All of it runs through `locum mask`."""


def read(line: str) -> Reading:
    """Read a line as a shell would, roughly."""
    reading = Reading()
    reading.masked = all(_words(command)[:2] == ["locum", "mask"] for command in _split(line, reading))
    if _PROCESS.search(line):
        reading.process = True
    for command in _commands(line, 0, reading):
        _look(command, reading)
    return reading


def _commands(line: str, depth: int, reading: Reading) -> Iterator[list[str]]:
    """Yield the simple commands of a line, and of the lines inside of it."""
    if depth > 4:
        reading.unsure = True
        return
    for match in _SUBSTITUTION.finditer(line):
        yield from _commands(match.group(1) or match.group(2) or "", depth + 1, reading)
    for command in _split(line, reading):
        yield command
        words = _words(command)
        for inner in _inner(words):
            yield from _commands(inner, depth + 1, reading)


def _split(line: str, reading: Reading) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()<>\n")
    lexer.whitespace_split = True
    lexer.whitespace = " \t\r"
    lexer.commenters = ""
    command: list[str] = []
    try:
        for token in lexer:
            if token and set(token) <= _SEPARATORS:
                yield command
                command = []
            else:
                command.append(token)
    except ValueError:  # a quote that does not end
        reading.unsure = True
        command += line.split()
    yield command


def _inner(words: Sequence[str]) -> Iterator[str]:
    """Yield lines that a command hands to a shell."""
    if not words:
        return
    if words[0] in words_of.SHELLS:
        if words[0] == "eval":
            yield " ".join(words[1:])
        for place, word in enumerate(words):
            if word.startswith("-") and word.endswith("c") and place + 1 < len(words):
                yield words[place + 1]
    elif words[0] == "locum" and "--" in words:
        yield shlex.join(words[words.index("--") + 1 :])
    elif words[0] == "find":
        for place, word in enumerate(words):
            if word in {"-exec", "-execdir", "-ok"}:
                yield shlex.join(words[place + 1 :])


def _words(command: Sequence[str]) -> list[str]:
    """Return program and arguments, without assignments and what runs others; the program without its folder."""
    words = [word for word in command if word]
    while words:
        name = words[0].rpartition("/")[2]
        if _ASSIGNMENT.match(words[0]):
            del words[0]
        elif name in words_of.WRAPPERS and len(words) > 1 and not (name == "env" and not _runs_something(words)):
            del words[0]
            while words and (words[0].startswith("-") or _ASSIGNMENT.match(words[0]) or words[0][:1].isdigit()):
                del words[0]
            if len(words) > 1 and words[0] not in words_of.KNOWN and words[1].rpartition("/")[2] in words_of.KNOWN:
                del words[0]  # what an option takes
        else:
            return [name, *words[1:]]
    return []


def _runs_something(words: Sequence[str]) -> bool:
    return any(not word.startswith("-") and not _ASSIGNMENT.match(word) for word in words[1:])


def _look(command: Sequence[str], reading: Reading) -> None:
    """Add what one simple command would show."""
    for place, word in enumerate(command):
        if set(word) <= {"<"} and word and place + 1 < len(command):
            reading.files.append(command[place + 1])
    words = _words(command)
    if not words:
        return
    program, arguments = words[0].lower(), words[1:]
    plain = [word for word in arguments if not word.startswith("-")]
    giver = next((words for words in words_of.GIVERS if _begins(program, arguments, words)), None)
    if giver:
        reading.credential = " ".join(giver)
    _add_variables(program, arguments, plain, reading)
    if _is_unsure(command, program, arguments, plain):
        reading.unsure = True
    if program in words_of.ENCODERS:
        reading.encoded = True
    if program in words_of.READERS:
        _add_files(arguments, reading)
    if program in words_of.CODE or re.fullmatch(r"python3?(?:\.\d+)?", program):
        _add_code(arguments, reading)


def _add_variables(program: str, arguments: Sequence[str], plain: Sequence[str], reading: Reading) -> None:
    if program == "printenv" and plain:
        reading.variables += plain
    elif program in words_of.PRINTS_VARIABLES and not (program == "env" and plain):
        always = program in {"printenv", "env", "compgen"}
        reading.all_variables = reading.all_variables or always or set(arguments) <= {"-p", "-x"}
    if program in {"echo", "printf", "print"}:
        reading.variables += [name for word in arguments for name in _VARIABLE.findall(word)]
    if program == "ps" and any("e" in word and not word.startswith("-") for word in arguments[:1]):
        reading.all_variables = True


def _is_unsure(command: Sequence[str], program: str, arguments: Sequence[str], plain: Sequence[str]) -> bool:
    """Say whether a command shows a history, a tree, or what the line does not name."""
    return (
        program in words_of.HISTORY_OF_SHELL
        or program in words_of.RECURSIVE
        or (program == "git" and bool(plain) and plain[0] in words_of.GIT_SHOWS)
        or any(_begins(program, arguments, words) for words in words_of.RENDERS)
        or (program in words_of.GREPS and any(_is_recursive(word) for word in arguments))
        or (program in words_of.READERS and any("$" in word or "`" in word for word in arguments))
        or any(word.rpartition("/")[2] == "xargs" for word in command)
    )


def _begins(program: str, arguments: Sequence[str], words: Sequence[str]) -> bool:
    """Say whether the words stand in a command, in order; between them may stand options and what these take."""
    rest = iter(arguments)
    return program == words[0] and all(word in rest for word in words[1:])


def _is_recursive(word: str) -> bool:
    return word in {"--recursive", "--dereference-recursive"} or (
        word.startswith("-") and not word.startswith("--") and ("r" in word or "R" in word)
    )


def _add_files(arguments: Sequence[str], reading: Reading) -> None:
    for word in arguments:
        name = word.partition("=")[2] if word.startswith("-") or re.match(r"(?:if|of)=", word) else word
        if name:
            reading.files.append(name.lstrip("@"))


def _add_code(arguments: Sequence[str], reading: Reading) -> None:
    """Look for names of files in code on the command line: what stands in quotes, and what follows the code."""
    inline = False
    for place, word in enumerate(arguments):
        if word in {"-c", "-e", "-p", "-r", "--eval", "--print"} and place + 1 < len(arguments):
            inline = True
            code = arguments[place + 1]
            reading.files += _IN_CODE.findall(code)
            if re.search(r"environ|process\.env|getenv|ENV\b|\$_ENV|Deno\.env", code):
                reading.all_variables = True
            if re.search(r"\b(?:glob|walk|readdir|listdir|rglob|iterdir|subprocess|system|popen|exec)", code):
                reading.unsure = True
    if inline:
        reading.files += [word for word in arguments if not word.startswith("-") and len(word) < 400]

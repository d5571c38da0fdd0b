"""Rules of one's own, from files to an engine: the project's (`[[scan.rule]]`, `[scan] rules`) and the user's `rules.toml`.

Knows who may bring rules and from where; `detect.userrules` knows how they run. A project's files
are read from inside of it only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from locum.errors import UsageProblem
from locum.paths import user_paths
from locum.refs.manifest import FILE_NAME, Manifest, ManifestProblem
from locum.refs.own_rule import OWN, OwnRule, RuleException, RuleProblem, gitleaks_rules
from locum.workspace.walk import read_patterns

if TYPE_CHECKING:
    from locum.detect.engine import Engine
    from locum.detect.finding import Confidence, Severity
    from locum.detect.userrules import Except, UserRule
    from locum.text.linear import Expression
    from locum.workspace.project import Project

USER_FILE = "rules.toml"
_MAX_FILE = 1 << 20
_HINT_RE2 = "Install RE2, which runs them safely: pip install 'locum[re2]'"


def project_rules(project: Project, manifest: Manifest) -> tuple[OwnRule, ...]:
    """Return the rules that a project brings. Raises ManifestProblem."""
    imported = (_imported(project, name, ("scan", "rules", number)) for number, name in enumerate(manifest.rule_files))
    return (*manifest.rules, *(rule for rules in imported for rule in rules))


def user_rules() -> tuple[OwnRule, ...]:
    """Return the rules of the user's own file; none when there is none. Raises UsageProblem."""
    path = user_paths().config / USER_FILE
    try:
        if path.stat().st_size > _MAX_FILE:
            raise UsageProblem("rules.size", f"{path} is over 1 MiB", "Rules are short.")
        text = path.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblem("rules.read", f"{path} cannot be read ({type(error).__name__})", "Check the file.") from None
    import tomllib

    from locum.refs.manifest_reader import Reader

    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"at line (\d+)", str(error))
        shown = f" (line {where[1]})" if where else ""
        raise UsageProblem("rules.bad", f"{path}: not valid TOML{shown}", "Mend the syntax there.") from None
    reader = Reader()
    rules = reader.rules(raw)
    for problem in reader.problems:
        number = next((part + 1 for part in problem.place if isinstance(part, int)), 0)
        where = f", rule {number}" if number else ""
        raise UsageProblem("rules.bad", f"{path}{where}: {problem.said}", problem.hint)
    return tuple(_from_user(rule, str(path)) for rule in rules)


def with_rules(engine: Engine, project: tuple[OwnRule, ...], user: tuple[OwnRule, ...]) -> Engine:
    """Return an engine with these rules besides its own; the same one for the same rules.

    Raises ManifestProblem for a project's rule, UsageProblem for a user's.
    """
    return _made(engine, project, user) if project or user else engine


def problems(project: Project, manifest: Manifest) -> Iterator[ManifestProblem]:
    """Say of each rule and each file of rules that a manifest brings what is wrong with it."""
    rules = list(manifest.rules)
    for number, name in enumerate(manifest.rule_files):
        try:
            rules += _imported(project, name, ("scan", "rules", number))
        except ManifestProblem as problem:
            yield problem
    seen = set[str]()
    told = set[tuple[str | int, ...]]()
    if len(rules) > _most():
        yield _of_manifest(_too_many(len(rules), rules[-1]))
    for rule in rules[: _most()]:
        try:
            _once(rule, OWN[0], seen)
            _compiled(rule, OWN[0], len(rules))
        except UsageProblem as problem:
            if rule.place not in told:  # of a file the first
                told.add(rule.place)
                yield _of_manifest(problem)


@lru_cache(maxsize=8)
def _made(engine: Engine, project: tuple[OwnRule, ...], user: tuple[OwnRule, ...]) -> Engine:
    count = len(project) + len(user)
    if count > _most():
        raise _too_many(count, (*user, *project)[-1])
    seen = set[str]()
    rules: list[UserRule] = []
    for prefix, written in zip(OWN, (project, user), strict=True):
        for rule in written:
            _once(rule, prefix, seen)
            rules.append(_compiled(rule, prefix, count))
    return engine.with_rules(rules)


def _most() -> int:
    from locum.detect.userrules import MAX_RULES

    return MAX_RULES


def _too_many(count: int, rule: OwnRule) -> UsageProblem:
    return _problem(rule, f"these are {count} rules, and {_most()} is the most", "Take out those that you need least.")


def _once(rule: OwnRule, prefix: str, seen: set[str]) -> None:
    name = f"{prefix}{rule.id}"
    if name in seen:
        raise _problem(rule, f"there are two rules {rule.id!r}", "Rename one.")
    seen.add(name)


def _compiled(rule: OwnRule, prefix: str, count: int) -> UserRule:
    from locum.detect.userrules import MAX_REGEX, Except, UserRule, expression
    from locum.text.linear import BadExpression, installed

    if not installed():
        raise _problem(rule, f"rule {rule.id!r} cannot run without RE2", _HINT_RE2)

    def made(written: str, what: str) -> Expression:
        if len(written) > MAX_REGEX:
            raise _problem(rule, f"rule {rule.id!r}: {what} is over {MAX_REGEX} characters", "Write two rules.", what)
        try:
            return expression(written, count)
        except BadExpression as error:
            said = f"rule {rule.id!r}: {what} is nothing that RE2 takes: {str(error)[:160]}"
            raise _problem(rule, said, "It is in Go's syntax: no lookaround, no backreference.", what) from None

    def excepted(written: RuleException) -> Except:
        return Except(
            tuple(made(regex, "an exception") for regex in written.regexes),
            written.target,
            tuple(word.encode() for word in written.stopwords),
            tuple(made(regex, "an exception") for regex in written.paths),
            written.every,
        )

    try:
        return UserRule(
            f"{prefix}{rule.id}",
            made(rule.regex, "regex"),
            title=rule.title or rule.id,
            keywords=rule.keywords,
            group=rule.secret_group,
            entropy=rule.entropy,
            severity=cast("Severity | None", rule.severity or None),
            confidence=cast("Confidence | None", rule.confidence or None),
            explanation=rule.explanation,
            applies=_paths(rule, made),
            exceptions=[excepted(written) for written in rule.exceptions],
        )
    except ValueError as error:
        raise _problem(rule, f"rule {rule.id!r}: {error}", "Count the parentheses.", "secret_group") from None


def _paths(rule: OwnRule, made: Callable[[str, str], Expression]) -> Callable[[str], bool] | None:
    """Return what says whether a rule looks at a path; None: at all."""
    if rule.path_regex:
        wanted = made(rule.path_regex, "path")
        return lambda path: wanted.search(path.encode("utf-8", "surrogatepass")) is not None
    patterns = read_patterns([rule.path] if rule.path else [])
    return None if patterns is None else patterns.match_file


def _imported(project: Project, name: str, place: tuple[str | int, ...]) -> tuple[OwnRule, ...]:
    """Read a file of gitleaks' form. Raises ManifestProblem."""
    import tomllib

    def problem(message: str, hint: str) -> ManifestProblem:
        return ManifestProblem(f"{name[:80]!r} {message}", key="scan", hint=hint, place=place)

    root = project.root.resolve()
    path = (root / name).resolve()
    if Path(name).is_absolute() or not path.is_relative_to(root):
        raise problem("is not inside the project", "A project brings its own rules; yours belong into rules.toml.")
    try:
        if not path.is_file():
            raise problem("is no file here", "Check the spelling: it is relative to locum.toml.")
        if path.stat().st_size > _MAX_FILE:
            raise problem("is over 1 MiB", "Rules are short.")
        raw = tomllib.loads(path.read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise problem(f"cannot be read ({type(error).__name__})", "Check the file.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        where = re.search(r"at line (\d+)", str(error))
        raise problem(f"is not valid TOML{f' (line {where[1]})' if where else ''}", "Mend the syntax there.") from None
    extend: Any = raw.get("extend", {})
    if isinstance(extend, dict) and "path" in extend:
        raise problem("extends another file, which is not followed", "Name that file in [scan] rules, too.")
    try:
        return gitleaks_rules(raw, name, place)
    except RuleProblem as error:
        said = f"has a mistake in rule {error.rule[:64]!r}" if error.rule else "has a mistake"
        raise problem(f"{said}: {error}", "Mend it there.") from None


def _of_manifest(problem: UsageProblem) -> ManifestProblem:
    assert isinstance(problem, ManifestProblem), "a project's rules have a place in its manifest"
    return problem


def _from_user(rule: OwnRule, file: str) -> OwnRule:
    from dataclasses import replace

    return replace(rule, file=file, place=())


def _problem(rule: OwnRule, message: str, hint: str, field: str = "") -> UsageProblem:
    """Return what is wrong with a rule: of the manifest, or of the file that it is from."""
    if not rule.place:
        return UsageProblem("rules.bad", f"{rule.file}: {message}", hint)
    if rule.file == FILE_NAME:
        inner = (field,) if field in {"regex", "secret_group", "path"} else ()
        return ManifestProblem(message, key="scan.rule", hint=hint, place=(*rule.place, *inner))
    return ManifestProblem(f"{rule.file[:80]!r}, {message}", key="scan", hint=hint, place=rule.place)

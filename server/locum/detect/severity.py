"""How loud a finding is: from how sure it is, and where it stands. Pure.

Tests, documentation, examples and generated files hold look-alikes on purpose, and real secrets by accident. So what is
found there is shown, and shown less loudly; it is never left out.
"""

from __future__ import annotations

from functools import lru_cache

from locum.detect.finding import Confidence, Severity
from locum.text.expression import lazy

_ORDER: tuple[Severity, ...] = ("error", "warning", "information", "hint")
_BY_CONFIDENCE: dict[Confidence, Severity] = {"certain": "error", "high": "error", "medium": "warning", "low": "hint"}
_QUIETER: dict[Confidence, Severity] = {"certain": "warning", "high": "information", "medium": "hint", "low": "hint"}
_QUIET = lazy(
    r"""(?xi)
    (?: ^ | / ) (?: [\w.-]*? [._-] )?
      (?: tests? | testing | test-?data | test_data | fixtures? | mocks? | __mocks__ | specs? | e2e | snapshots | cassettes
        | examples? | samples? | demos? | tutorials? | playground | docs? | documentation | benchmarks?
        | vendor | third_party | node_modules | site-packages | bower_components
        | conformance | _?archived?
      ) [_-]{0,2} /                                                                    # a folder
    | (?-i: [a-z]Tests? / )
    | (?: ^ | / ) (?: docs? | documentation | examples? | tests? | testdata | fixtures ) [_-][\w.-]* /
    | (?: ^ | / ) (?: test_[^/]* | [^/]*_test | [^/]*[._-](?:test|tests|spec|mock|fixture|example|sample|template|dist) | conftest
                    | (?-i: [^/]*[a-z](?:Tests?|Mocks?) ) ) (?: \.\w+ )? $  # a file for tests, or to copy from
    | \.(?: md | markdown | mdx | rst | adoc | svg | map | snap | golden | lock | sum | po | patch | diff )$
    | \.min\.(?:js|css)$
    | (?: ^ | / ) (?: package-lock\.json | pnpm-lock\.yaml | npm-shrinkwrap\.json | changelog[^/]* | history[^/]* )$
    """
)


def severity(confidence: Confidence, most: Severity, path: str) -> Severity:
    """Return how loud a finding is in the file `path` (relative, with `/`; may be ""), at most `most`."""
    by = _QUIETER if is_quiet(path) else _BY_CONFIDENCE
    usual = by[confidence]
    return usual if _ORDER.index(usual) >= _ORDER.index(most) else most


@lru_cache(maxsize=64)
def is_quiet(path: str) -> bool:
    """Say whether a file of this name holds look-alikes on purpose: tests, examples, documentation, generated text."""
    return _QUIET.search(path) is not None

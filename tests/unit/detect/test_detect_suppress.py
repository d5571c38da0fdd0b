"""Markers that people already write are honoured, each as its own tool reads it; lookalikes are not."""

from __future__ import annotations

import random
from datetime import date

import pytest
from detect_cases import characters, github_body
from hypothesis import given, settings
from hypothesis import strategies as st

from locum.detect.engine import Engine
from locum.detect.pack import Pack
from locum.detect.suppress import ANCHORS, MAX_MARKERS, Markers

PACK = Pack.built_in()
ENGINES = [Engine(PACK, "ahocorasick"), Engine(PACK, "trie")]
SOURCE = random.Random(11)
TODAY = date(2026, 6, 15)


def _table(*pairs: tuple[str, str]) -> dict[str, str]:
    """Return what each comment is an instance of. No literal, in which other scanners would see names and their secrets."""
    return dict(pairs)


NAME = "password"
"""Apart from its value, so that no scanner finds one in this file."""
SAME = _table(
    ("locum:allow", "locum:allow"),
    ("locum:allow[github-pat]", "locum:allow"),
    ("locum:allow[npm-access-token,github-pat]", "locum:allow"),
    ("locum:allow until=2026-06-15", "locum:allow"),
    ("locum:allow[github-pat] until=2031-01-01 -- until=2001-01-01 is only said", "locum:allow"),
    ("gitleaks:allow", "gitleaks:allow"),
    ("betterleaks:allow", "betterleaks:allow"),
    ("trufflehog:ignore", "trufflehog:ignore"),
    ("kingfisher:ignore", "kingfisher:ignore"),
    ("KINGFISHER:IGNORE", "kingfisher:ignore"),
    ("kingfisher:allow", "kingfisher:allow"),
    ("infisical-scan:ignore", "infisical-scan:ignore"),
    ("pragma: allowlist secret", "pragma: allowlist secret"),
    ("pragma:allowlist secret", "pragma: allowlist secret"),
    ("pragma: allowlist-secret", "pragma: allowlist secret"),
    ("pragma: whitelist secret", "pragma: whitelist secret"),
    ("ggignore", "ggignore"),
    ("secretlint-disable-line", "secretlint-disable-line"),
    ("secretlint-disable-line @secretlint/secretlint-rule-github", "secretlint-disable-line"),
    (
        "secretlint-disable-line @secretlint/secretlint-rule-npm, @secretlint/secretlint-rule-github",
        "secretlint-disable-line",
    ),
    ("secretlint-disable-line @secretlint/secretlint-rule-preset-recommend", "secretlint-disable-line"),
    ("nosemgrep: generic.secrets.security.detected-github-token.detected-github-token", "nosemgrep"),
    ("checkov:skip=CKV_SECRET_99", "checkov:skip"),
    ("eslint-disable-line no-secrets/no-secrets", "eslint-disable-line"),
    ("eslint-disable-line no-console, no-secrets/no-secrets", "eslint-disable-line"),
)
NEXT = _table(
    ("locum:allow-next-line", "locum:allow-next-line"),
    ("locum:allow-next-line[github-pat]", "locum:allow-next-line"),
    ("pragma: allowlist nextline secret", "pragma: allowlist nextline secret"),
    ("pragma: whitelist nextline secret", "pragma: whitelist nextline secret"),
    ("secretlint-disable-next-line", "secretlint-disable-next-line"),
    ("secretlint-disable-next-line @secretlint/secretlint-rule-github", "secretlint-disable-next-line"),
    ("nosemgrep: detected-github-token", "nosemgrep"),
    ("checkov:skip=CKV_SECRET_99", "checkov:skip"),
    ("eslint-disable-next-line no-secrets/no-secrets", "eslint-disable-next-line"),
)
NOT = [
    "ggignore-start", "ggignored", "xggignore", "gitguardian:ignore", "locum:allowed", "locum:allow-nextline", "locum:allow[",
    "locum:allow[]", "locum:allow[npm-access-token]", "locum:allow[github-pat", "locum:allow until=2026-06-14", "locum:allow until=soon",
    "locum:allow until=", "locum:allow until=2026-06-31", "locum:allow[github-pat] until=2001-01-01", "pragma: allowlist", "pragma: no cover",
    "pragma: allowlist secrets", "secretlint-disable", "secretlint-enable", "secretlint-disable-lines", "gitleaks", "gitleaks:allowed",
    "gitleaks:allow-next-line", "trufflehog:ignore_this", "allow", "nosec", "nosec B105", "noqa", "noqa: S105", "NOSONAR", "nosemgrep",
    "nosemgrep: javascript.express.security.audit.xss", "nosemgrep: detected-aws-access-key", "checkov:skip=CKV_AWS_20:public",
    "checkov:skip=CKV_SECRET_2:an AWS key", "checkov:skip=CKV_SECRET_6:entropy", "eslint-disable-line", "eslint-disable-line no-console",
    "secretlint-disable-line @secretlint/secretlint-rule-aws", "no-secrets/no-secrets",
]  # fmt: skip
COMMENTS = ["# {}", "#{}", "// {}", "/* {} */", "-- {}", "<!-- {} -->", "; {}", "% {}", "' {}", "{{/* {} */}}"]
TRAILING = ["", " made up for the tests", " -- not a secret", "\t", " (see https://example.com/#x)"]
ENDS = ["\n", "\r\n", "\r"]


def token() -> str:
    return "ghp" + "_" + github_body(SOURCE)


def found(text: str) -> tuple[int, list[str]]:
    """Return how many findings are left, and what silenced the others; the same from every selector."""
    results = [engine.scan(text.encode(), today=TODAY) for engine in ENGINES]
    assert results[0] == results[1]
    return len(results[0].findings), [silenced.mechanism for silenced in results[0].suppressed]


def said(text: str, value: str, rule: str = "github-pat", *, generic: bool = False, path: str = "") -> str:
    """Ask the markers alone about the first place of a value."""
    data = text.encode()
    places = [at for anchor in ANCHORS for at in range(len(data)) if data.lower().startswith(anchor.encode(), at)]
    start = data.index(value.encode())
    return Markers(data, places, path, TODAY).silenced_by(rule, generic, start, start + len(value.encode()))


@pytest.mark.parametrize("end", ENDS, ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("comment", COMMENTS)
@pytest.mark.parametrize("marker", SAME)
def test_same_line(marker: str, comment: str, end: str) -> None:
    for trailing in TRAILING:
        remark = comment.format(marker + trailing)
        text = f'a = 1{end}key = "{token()}" {remark}{end}b = "{token()}"{end}c = "{token()}"{end}'
        assert found(text) == (2, [SAME[marker]]), text
        text = f'{remark}{end}key = "{token()}"{end}{end}x = 1{end}{remark}'
        alone = marker in NEXT and comment != COMMENTS[-1]  # these two conventions speak of the next line then
        assert found(text)[0] == (0 if alone or marker.startswith(("nosemgrep", "checkov")) else 1), "no other line"


@pytest.mark.parametrize("end", ENDS, ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("comment", COMMENTS)
@pytest.mark.parametrize("marker", NEXT)
def test_next_line(marker: str, comment: str, end: str) -> None:
    for trailing in TRAILING:
        remark = comment.format(marker + trailing)
        text = f'z = "{token()}"{end}{end}{remark}{end}key = "{token()}"{end}b = "{token()}"{end}'
        assert found(text) == (2, [NEXT[marker]]), text


def test_the_next_line_is_not_the_markers_own() -> None:
    for marker in NEXT:
        own = marker.startswith(("nosemgrep", "checkov"))
        assert found(f'key = "{token()}" # {marker}\n')[0] == (0 if own else 1), marker


@pytest.mark.parametrize("marker", NOT)
def test_lookalikes(marker: str) -> None:
    assert found(f'key = "{token()}" # {marker}\n') == (1, [])
    assert found(f'# {marker}\nkey = "{token()}"\n')[0] == (0 if marker == "secretlint-disable" else 1)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(sorted(SAME)), st.sampled_from(COMMENTS), st.sampled_from(ENDS), st.sampled_from(TRAILING),
    st.text(st.characters(codec="utf-8", exclude_characters="\"'\r\n"), max_size=40), st.integers(0, 3),
)  # fmt: skip
def test_lines_move(marker: str, comment: str, end: str, trailing: str, above: str, indent: int) -> None:
    line = f'{"    " * indent}key = "{token()}"  {comment.format(marker + trailing)}{end}'
    before, after = found(line), found((above + end) * 100 + line)
    assert before == (0, [SAME[marker]])
    assert after[1] == [SAME[marker]], "a hundred lines above change nothing"


# -- which rules --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comment", "mechanism"),
    [
        ("# noqa: S105", "noqa"), ("# noqa: E501,S106", "noqa"), ("# NOQA:S107", "noqa"), ("# noqa: E501 S105", "noqa"), ("# noqa", ""),
        ("# noqa: E501", ""), ("# noqa: S1050", ""), ("# nosec B105", "nosec"), ("# nosec: B106, B101", "nosec"), ("# nosec", "nosec"),
        ("# nosec hardcoded_password_string", "nosec"), ("# nosec B101", ""), ("# NOSONAR", ""),
    ],
)  # fmt: skip
def test_pythons_linters_speak_of_passwords_alone(comment: str, mechanism: str) -> None:
    text = f'db_{NAME} = "hunter two"  {comment}\nother_{NAME} = "hunter two"\n'
    for path in ("", "app/a.py", "note.ipynb"):
        assert said(text, "hunter two", "generic-secret", generic=True, path=path) == mechanism
    assert said(text, "hunter two", "github-pat", path="a.py") == "", "a token is no password"
    assert said(text, "hunter two", "generic-secret", generic=True, path="a.js") == "", "no linter of Python reads that"
    moved = f'db_{NAME} = 1  {comment}\nother_{NAME} = "hunter two"\n'
    assert said(moved, "hunter two", "generic-secret", generic=True) == ""


@pytest.mark.parametrize(
    ("marker", "rule", "generic", "silenced"),
    [
        ("secretlint-disable-line @secretlint/secretlint-rule-gcp", "google-api-key", False, True),
        ("secretlint-disable-line @secretlint/secretlint-rule-basicauth", "url-password", False, True),
        ("secretlint-disable-line @secretlint/secretlint-rule-privatekey", "private-key", False, True),
        ("secretlint-disable-line @secretlint/secretlint-rule-slack", "private-key", False, False),
        ("secretlint-disable-line @secretlint/secretlint-rule-pattern", "generic-secret", True, True),
        ("secretlint-disable-line @secretlint/secretlint-rule-github", "generic-secret", True, False),
        ("checkov:skip=CKV_SECRET_2:test", "aws-access-key", False, True),
        ("checkov:skip=CKV_SECRET_6:test", "generic-secret", True, True),
        ("checkov:skip=CKV_SECRET_2:test", "generic-secret", True, False),
        ("checkov:skip=CKV_AWS_1,CKV_SECRET_13:test", "private-key", False, True),
        ("nosemgrep: hardcoded-password", "generic-secret", True, True),
        ("nosemgrep: hardcoded-password", "aws-access-key", False, False),
        ("nosemgrep: tainted-sql-string", "generic-secret", True, False),
        ("locum:allow[generic-secret]", "generic-secret", True, True),
        ("locum:allow[generic-secret]", "aws-access-key", False, False),
    ],
)
def test_a_marker_that_names_rules_means_those(marker: str, rule: str, generic: bool, silenced: bool) -> None:
    assert bool(said(f"x = VALUE # {marker}", "VALUE", rule, generic=generic)) == silenced


def test_without_a_day_nothing_that_ends_counts() -> None:
    text = f'key = "{token()}"  # locum:allow until=2099-01-01\n'
    assert len(ENGINES[0].scan(text.encode(), today=None).findings) == 1
    assert len(ENGINES[0].scan(text.encode(), today=date(2099, 1, 1)).suppressed) == 1
    assert len(ENGINES[0].scan(text.encode(), today=date(2099, 1, 2)).findings) == 1


# -- blocks and files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS, ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("comment", [comment for comment in COMMENTS if comment != "{{/* {} */}}"])
@pytest.mark.parametrize(
    ("start", "stop", "mechanism"),
    [
        ("locum:allow-start", "locum:allow-end", "locum:allow-start"),
        ("locum:allow-start[github-pat] until=2030-01-01 -- why", "locum:allow-end", "locum:allow-start"),
        ("secretlint-disable", "secretlint-enable", "secretlint-disable"),
        ("secretlint-disable @secretlint/secretlint-rule-github", "secretlint-enable", "secretlint-disable"),
        ("eslint-disable no-secrets/no-secrets", "eslint-enable", "eslint-disable"),
        ("eslint-disable no-secrets/no-secrets", "eslint-enable no-secrets/no-secrets", "eslint-disable"),
    ],
)
def test_blocks(start: str, stop: str, mechanism: str, comment: str, end: str) -> None:
    lines = [f'a = "{token()}"', comment.format(start), f'b = "{token()}"', "", f'c = "{token()}"', comment.format(stop), f'd = "{token()}"', ""]  # fmt: skip
    assert found(end.join(lines)) == (2, [mechanism] * 2)


def test_a_block_of_ours_that_is_not_closed_silences_nothing() -> None:
    assert found(f'# locum:allow-start\na = "{token()}"\n') == (1, [])
    assert found(f'# locum:allow-start\n# locum:allow-start\na = "{token()}"\n# locum:allow-end\nb = "{token()}"\n') == (
        1, ["locum:allow-start"],
    )  # fmt: skip
    assert found(f'// secretlint-disable\na = "{token()}"\n') == (0, ["secretlint-disable"]), "as its own tool has it"
    assert found(f'// eslint-disable no-secrets/no-secrets\n// eslint-enable no-console\na = "{token()}"\n')[0] == 0


def test_a_block_for_other_rules() -> None:
    named = "@secretlint/secretlint-rule-"
    assert found(f'# locum:allow-start[x]\na = "{token()}"\n# locum:allow-end\n')[0] == 1
    assert found(f'# secretlint-disable {named}aws\na = "{token()}"\n')[0] == 1
    text = f'# secretlint-disable {named}github\n# secretlint-enable {named}aws\na = "{token()}"\n'
    assert found(text)[0] == 0, "what is enabled again is another rule"


@pytest.mark.parametrize("end", ENDS, ids=["LF", "CRLF", "CR"])
def test_a_whole_file(end: str) -> None:
    body = f'a = "{token()}"{end}' * 2
    for above in range(7):
        text = f"#{end}" * above + f"# locum:allow-file -- samples{end}" + body
        assert found(text)[0] == (0 if above < 5 else 2), above
    assert found(f"# locum:allow-file[x]{end}{body}")[0] == 2


@pytest.mark.parametrize(
    "line",
    [
        'MARKERS = ["locum:allow-start"]', "    'locum:allow-file',", '    "secretlint-disable",', "x = 1  # locum:allow-file",
        "Write `locum:allow-file` at the top.", "* `secretlint-disable`: all that follows", "print('# secretlint-disable')",
    ],
)  # fmt: skip
def test_a_text_that_speaks_of_markers_opens_no_block(line: str) -> None:
    assert found(f'{line}\na = "{token()}"\n# locum:allow-end\n')[0] == 1


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from([*SAME, *NEXT, *NOT, "locum:allow-file"]), min_size=1, max_size=4),
    st.sampled_from(['x = "{}"', "y = ['{}']", '{{"a": "{}"}}', "say {} twice", '    "{}",', "z = `{}`"]),
    st.sampled_from(ENDS),
)
def test_a_marker_in_a_text_silences_on_no_other_line(markers: list[str], holder: str, end: str) -> None:
    lines = [holder.format(marker) for marker in markers]
    text = end.join([f'a = "{token()}"', *lines, f'b = "{token()}"', ""])
    wanted = 1 if "next" in markers[-1] or "nextline" in markers[-1] else 2  # the last of them stands right above one
    assert found(text)[0] >= wanted


# -- findings and statements over several lines -------------------------------------------------------------------


def test_a_value_over_several_lines() -> None:
    body = "\n".join(characters(SOURCE, "b64", 64) for _ in range(3))
    begin, stop = (f"-----{word} PRIVATE KEY-----" for word in ("BEGIN", "END"))
    key = f"{begin}\n{body}\n{stop}"
    assert found(f"# secretlint-disable-next-line\n{key}\n") == (0, ["secretlint-disable-next-line"])
    assert found(f"{key} # locum:allow\n") == (0, ["locum:allow"])
    assert found(f"# locum:allow-start\n{key}\n# locum:allow-end\n") == (0, ["locum:allow-start"])
    assert found(f"{key}\n# locum:allow\n") == (1, [])
    assert found(f"# locum:allow-next-line\n\n{key}\n")[0] == 1
    for line in range(5):
        lines = key.split("\n")
        data = key.encode()
        place = sum(len(before) + 1 for before in lines[:line])
        middle = data[: place + len(lines[line])] + b" gitleaks:allow" + data[place + len(lines[line]) :]
        markers = Markers(middle, [middle.index(b"gitleaks")])
        assert markers.silenced_by("private-key", False, 0, len(middle)) == "gitleaks:allow"


def test_a_marker_at_the_very_end() -> None:
    assert found(f"{token()} # ggignore") == (0, ["ggignore"])
    assert found(f"{token()} # locum:allow[") == (1, [])
    assert found("# secretlint-disable-next-line") == (0, [])


def test_nothing_is_ignored_when_nothing_shall_be() -> None:
    text = "".join(f'a{number} = "{token()}"  # {marker}\n' for number, marker in enumerate(SAME))
    shown = ENGINES[0].scan(text.encode(), ignore=False, today=TODAY)
    assert len(shown.findings) == len(SAME)
    assert shown.suppressed == ()
    silenced = ENGINES[0].scan(text.encode(), today=TODAY)
    assert tuple(item.finding for item in silenced.suppressed) == shown.findings, "the same findings, fingerprints too"


def test_silencing_one_changes_no_other_fingerprint() -> None:
    plain = f'{NAME} = "aB3!xyz9Q"\n{NAME} = "zY8?abc1W"\n'
    before = ENGINES[0].scan(plain.encode())
    after = ENGINES[0].scan(plain.replace("\n", "  # locum:allow\n", 1).encode())
    assert len(before.findings) == 2
    assert [item.fingerprint for item in after.findings] == [before.findings[1].fingerprint]


def test_many_markers_are_bounded() -> None:
    one_line = f'"{token()}" ' + "locum:allow[x] " * 200_000
    assert found(one_line)[0] == 1
    blocks = "# locum:allow-start\n" * (MAX_MARKERS + 10) + f'"{token()}"\n'
    assert found(blocks)[0] == 1

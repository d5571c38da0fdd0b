"""The comment that silences: in each language's syntax, where the language reads it as one, and nowhere else."""

from __future__ import annotations

import secrets

import pytest

from locum.detect.engine import default_engine
from locum.lsp.documents import Snapshot
from locum.lsp.ignore import can_comment, ignore_edit, one_line
from locum.text.edits import apply_edits
from locum.text.source import line_starts
from support.tokens import github_token

TOKEN = github_token()
CAN = [  # name, language, text with @ for the value
    ("a.py", "python", 'x = "@"\n'), ("a.py", "python", 'x = foo(\n    "@",\n)\n'), ("a.ts", "typescript", 'const x = "@";\n'),
    ("a.tsx", "typescriptreact", 'const x = foo<Bar>("@");\n'), ("a.tsx", "typescriptreact", "const x = '@'\n"),
    ("a.go", "go", 'x := "@"\r\ny := 1\r\n'), ("a.rs", "rust", 'let x = "@";'), ("a.sh", "shellscript", "X='@'\n"),
    ("a.sh", "shellscript", "# don't\nX='it'\\''s'\nX=@\n"), ("a.yaml", "yaml", 'x:\n  y: "@"\n'), ("a.toml", "toml", 'x = "@"\n'),
    ("a.sql", "sql", "SELECT '@';\n"), ("a.lua", "lua", 'x = "@"\n'), ("a.tf", "terraform", 'x = "@"\n'), (".env", "dotenv", "X=@\n"),
    (".env.local", "plaintext", "A=1\nX=@\n"), ("a.properties", "properties", "x=@\n"), ("a.ini", "ini", "[a]\n  x = @\n"),
    ("Dockerfile", "dockerfile", "ENV X=@\n"), ("a.clj", "clojure", '(def x "@")\n'), ("a.tex", "latex", "\\x{@}\n"),
    ("a.vb", "vb", 'x = "@"\n'), ("a.css", "css", 'a { b: url("https://u:@@h/") }\n'), ("a.rb", "ruby", 'x = "@"\n'),
    ("a.html", "html", '<p>a</p>\n  <a href="@">b</a>\n'), ("a.xml", "xml", "<?xml version='1.0'?>\n<a>\n<b>@</b>\n</a>\n"),
    ("a.md", "markdown", "# Title\n\nThe token @ is made up.\n"), ("a.jsonc", "jsonc", '{\n  "x": "@"\n}\n'), ("a.php", "php", '<?php\n$x = "@";\n'),
]  # fmt: skip
CANNOT = [  # both forms would change what the file says
    ("a.py", "python", 'x = """\na @\nb\n"""\n'), ("a.py", "python", 'x = "@" \\\n  "b"\n'), ("a.yaml", "yaml", "x: |\n  a\n  @\n"),
    ("a.sh", "shellscript", "cat <<EOF\nx @\nEOF\n"), ("a.sh", "shellscript", "X='a\n@\nb'\n"), ("a.ts", "typescript", "x = `\n@\n`\n"),
    ("a.java", "java", 'x = """\n  @\n  """;\n'), ("a.toml", "toml", 'x = """\n@\n"""\n'), ("a.rb", "ruby", "x = <<~EOS\n  @\nEOS\n"),
    ("a.tsx", "typescriptreact", "return (\n  <p>\n    @\n  </p>\n)\n"), ("a.tsx", "typescriptreact", 'x = (<A\n  token="@"\n/>)\n'),
    ("a.tsx", "typescriptreact", 'x = (\n  <A token="@" />\n)\n'), ("a.html", "html", "<script>\nx = '@'\n</script>\n"),
    ("a.html", "html", '<a\n  href="@">b</a>\n'), ("a.xml", "xml", "<a>\n@\n</a>\n"), ("a.xml", "xml", "<?xml version='@'?>\n<a/>\n"),
    ("a.md", "markdown", "```\n@\n```\n"), ("a.md", "markdown", "| a | @ |\n"), ("a.md", "markdown", "text\n\n    @\n"),
]  # fmt: skip


def snapshot(name: str, language: str, text: str) -> Snapshot:
    return Snapshot("file:///" + name, (0, 0), 1, language, f"/p/{name}", text, tuple(line_starts(text)))


@pytest.mark.parametrize(
    ("name", "language", "template"), CAN, ids=[f"{case[0]}-{number}" for number, case in enumerate(CAN)]
)
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("reason", ["", "made up", "*/ --> \n\x1b[2J it's `x` " + "y" * 300])
def test_it_silences_and_changes_nothing_else(
    name: str, language: str, template: str, before: bool, reason: str
) -> None:
    text = template.replace("@", TOKEN, 1)
    start = text.index(TOKEN)
    edit = ignore_edit(snapshot(name, language, text), start, start + len(TOKEN), before=before, reason=reason)
    assert edit is not None
    done = apply_edits(text, [edit])
    result = default_engine().scan(done.encode(), path=name)
    assert (len(result.findings), len(result.suppressed)) == (0, 1), done
    assert edit.start == edit.end
    assert "\x1b" not in edit.new_text
    assert len(edit.new_text.strip().splitlines()) == 1
    ends = {"\r\n" if line.endswith("\r\n") else "\n" for line in done.splitlines(keepends=True) if line.endswith("\n")}
    assert len(ends) <= 1, "line ends stay as they are"


@pytest.mark.parametrize(
    ("name", "language", "template"), CANNOT, ids=[f"{case[0]}-{number}" for number, case in enumerate(CANNOT)]
)
def test_where_it_would_be_part_of_the_text_there_is_none(name: str, language: str, template: str) -> None:
    text = template.replace("@", TOKEN, 1)
    start = text.index(TOKEN)
    for before in (False, True):
        assert ignore_edit(snapshot(name, language, text), start, start + len(TOKEN), before=before) is None


@pytest.mark.parametrize(
    ("name", "language"), [("a.json", "json"), ("a.csv", "csv"), ("a", ""), ("a.txt", "plaintext"), ("a.pem", "")]
)
def test_formats_without_comments(name: str, language: str) -> None:
    taken = snapshot(name, language, f'"{TOKEN}"')
    assert not can_comment(taken)
    assert ignore_edit(taken, 1, 1 + len(TOKEN)) is None


def test_a_comment_of_python_is_a_comment_to_python() -> None:
    import ast

    for _ in range(20):
        parts = [
            secrets.choice(
                ['x = "@"', "y = 1", 'z = """a', '@"""', "def f():", "    return '@'", "    # c", "w = ['@',", "]"]
            )
            for _ in range(5)
        ]
        text = "\n".join(parts).replace("@", TOKEN, 1) + "\n"
        try:
            meaning = ast.dump(ast.parse(text))
        except SyntaxError:
            continue
        if TOKEN not in text:
            continue
        start = text.index(TOKEN)
        for before in (False, True):
            edit = ignore_edit(snapshot("a.py", "python", text), start, start + len(TOKEN), before=before)
            if edit is not None:
                assert ast.dump(ast.parse(apply_edits(text, [edit]))) == meaning


def test_a_reason_is_one_line() -> None:
    assert one_line(" a\n\tb\r\n\x00c ") == "a b c"
    assert len(one_line("x" * 500)) == 200

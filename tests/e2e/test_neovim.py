"""A real Neovim, set up as the README says, from the squiggle to the approval. Nothing is stubbed but the person."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom

import pytest

from support.bed import need_bed
from support.home import Home, canary
from support.neovim import Neovim
from support.tokens import MAKERS, github_token
from support.transcript import Transcript

pytestmark = pytest.mark.nvim

SHOW = ["python3", "-c", "import os; print('value:', os.environ['API_KEY'])"]
HAS_CLIENT = "return #vim.lsp.get_clients({ bufnr = 0, name = 'locum' })"
DIAGNOSTICS = "return vim.tbl_map(function(d) return { d.code, d.message, d.source } end, vim.diagnostic.get(0))"


class Editor:
    """Neovim in a home, with its files installed by `locum init neovim`."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home, self.folder = home, folder
        self.program = need_bed().neovim
        self.transcript = Transcript(home, folder)
        self.env = self.transcript.env | {
            f"XDG_{kind}_HOME": str(folder / "xdg" / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")
        }
        said = home.run("init", "neovim", XDG_CONFIG_HOME=self.env["XDG_CONFIG_HOME"]).stdout
        (line,) = [line.strip() for line in said.splitlines() if line.startswith("    ")]
        (folder / "xdg/config/nvim/init.lua").write_text(line + "\n")
        self.open_editors: list[Neovim] = []

    def open(self, path: Path) -> Neovim:
        """Open a file and wait until the server is attached to it."""
        editor = Neovim(
            self.program,
            path,
            env=self.env,
            cwd=self.home.project,
            folder=self.folder / f"nvim{len(self.open_editors)}",
        )
        self.open_editors.append(editor)
        editor.wait(HAS_CLIENT)
        return editor


@pytest.fixture
def editor(vault_home: Home, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Editor]:
    """Give an editor's set-up over a vault that a key file opens."""
    place = Editor(vault_home, tmp_path / "editor")
    yield place
    for opened in place.open_editors:
        opened.close()
    place.transcript.keep(f"neovim-{request.node.name}.transcript")


def choose(editor: Neovim, wanted: str) -> None:
    """Let a person stand at `vim.ui.select` who takes the entry that contains `wanted`, and notes what was asked."""
    editor.lua(
        f"""
        vim.g.asked = ""
        vim.ui.select = function(items, options, done)
          vim.g.asked = (options.prompt or "") .. "\\n"
          for index, item in ipairs(items) do
            local label = options.format_item and options.format_item(item) or tostring(item)
            vim.g.asked = vim.g.asked .. "- " .. label .. "\\n"
            if label:find({wanted!r}, 1, true) then return done(item, index) end
          end
          done(nil, nil)
        end
        return true"""
    )


def test_a_planted_token_moves_into_the_vault_and_undo_brings_the_text_back(editor: Editor) -> None:
    token = github_token()
    path = editor.home.project / "app.py"
    before = f'import sys\n\nTOKEN = "{token}"\n'
    path.write_text(before)
    nvim = editor.open(path)
    ((code, message, source),) = nvim.wait(DIAGNOSTICS)
    assert (code, source) == ("github-pat", "locum")
    assert token not in message

    choose(nvim, "vault")
    nvim.lua("vim.api.nvim_win_set_cursor(0, { 3, 12 }); vim.lsp.buf.code_action(); return true")
    nvim.wait(f"return not table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false)):find({token!r}, 1, true)")

    text = "\n".join(nvim.text())
    (name,) = [entry["name"] for entry in editor.home.json("secret", "list")["secrets"]]
    assert f'os.environ["{name}"]' in text
    assert "import os" in text
    manifest = editor.home.project / "locum.toml"
    assert f"[secrets.{name}]" in manifest.read_text()
    assert token not in manifest.read_text()
    nvim.wait("return #vim.diagnostic.get(0) == 0")

    nvim.keys("u")
    nvim.wait(
        f"return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n'):find({token!r}, 1, true) ~= nil"
    )
    assert "\n".join(nvim.text()) + "\n" == before
    nvim.wait("return #vim.diagnostic.get(0) == 1")

    nvim.close()
    editor.transcript.assert_only_document_text_holds(token)
    assert token.encode() not in editor.home.everything_written()


def buffers(nvim: Neovim) -> dict[str, list[str]]:
    """Return the lines of all loaded files that are not written yet, by name."""
    return nvim.lua(
        "local all = vim.empty_dict(); for _, b in ipairs(vim.api.nvim_list_bufs()) do if vim.bo[b].modified then"
        " all[vim.fs.basename(vim.api.nvim_buf_get_name(b))] = vim.api.nvim_buf_get_lines(b, 0, -1, false) end end return all"
    )


def test_a_whole_workspace_moves_after_one_question(editor: Editor) -> None:
    """Neovim's own lists are answered by keys."""
    token, other, project = github_token(), MAKERS["stripe"](SystemRandom()), editor.home.project
    (project / ".git").mkdir()  # what makes the folder a workspace
    path = project / "app.py"
    before = f'TOKEN = "{token}"\nSTRIPE_KEY = "{other}"\n'
    path.write_text(before)
    (project / ".env").write_text(f"GITHUB_TOKEN={token}\n")
    (project / "closed.js").write_text(f'const key = "{other}";\n')
    nvim = editor.open(project / ".env")
    nvim.keys(":edit app.py<CR>")
    nvim.wait("return #vim.diagnostic.get(0) == 2")

    nvim.keys("1G12l:lua vim.lsp.buf.code_action()<CR>")
    nvim.answer("Move all secrets of this workspace to the vault…")
    asked = nvim.answer("Show every line first")
    assert "move 4 secrets in 3 files to your vault? GITHUB_TOKEN, STRIPE_KEY" in asked
    nvim.answer("Move them")
    nvim.wait("return #vim.diagnostic.get() == 0")
    assert "Moved 4 secrets to your vault" in nvim.messages()

    shown = nvim.lua("return vim.fn.readfile(vim.fn.bufname('preview.diff'))")
    assert '-TOKEN = "•••"' in shown
    assert "+GITHUB_TOKEN=locum://GITHUB_TOKEN" in shown
    assert buffers(nvim) == {
        "app.py": ["import os", "", 'TOKEN = os.environ["GITHUB_TOKEN"]', 'STRIPE_KEY = os.environ["STRIPE_KEY"]'],
        ".env": ["GITHUB_TOKEN=locum://GITHUB_TOKEN"],
    }
    assert (project / "closed.js").read_text() == "const key = process.env.STRIPE_KEY;\n"
    manifest = (project / "locum.toml").read_text()
    assert manifest.count("[secrets.") == 2

    nvim.keys("u")
    nvim.wait("return #vim.diagnostic.get(0) == 2")
    assert "\n".join(nvim.text()) + "\n" == before
    nvim.close()
    for value in (token, other):
        editor.transcript.assert_only_document_text_holds(value)
        assert value.encode() not in editor.home.everything_written()


def test_a_file_is_fixed_in_one_step_and_an_mcp_server_starts_through_locum(editor: Editor) -> None:
    other, project = github_token(), editor.home.project
    path = project / "app.py"
    before = f'A = "{github_token()}"\nB = "{github_token()}"\n'
    path.write_text(before)
    nvim = editor.open(path)
    nvim.wait("return #vim.diagnostic.get(0) == 2")
    nvim.lua("vim.lsp.buf.code_action({ context = { only = { 'source.fixAll' } }, apply = true }); return true")
    nvim.wait("return #vim.diagnostic.get(0) == 0")
    assert nvim.text()[0] == "import os"
    nvim.keys("u")
    nvim.wait("return #vim.diagnostic.get(0) == 2")
    assert "\n".join(nvim.text()) + "\n" == before

    (project / ".cursor").mkdir()
    (project / ".cursor/mcp.json").write_text(
        f'{{"mcpServers": {{"gh": {{"command": "npx", "args": ["-y", "hub"],\n"env": {{"HUB_TOKEN": "{other}"}}}}}}}}\n'
    )
    nvim.keys(":edit! .cursor/mcp.json<CR>")
    nvim.wait("return #vim.diagnostic.get(0) == 1")
    nvim.keys("2G30|:lua vim.lsp.buf.code_action()<CR>")
    nvim.answer("Move HUB_TOKEN to the vault")
    nvim.wait("return #vim.diagnostic.get(0) == 0")
    assert nvim.text() == [
        '{"mcpServers": {"gh": {"command": "locum", "args": ["run", "--ttl", "8h", "--", "npx", "-y", "hub"],',
        '"env": {"HUB_TOKEN": "locum://HUB_TOKEN"}}}}',
    ]
    nvim.close()
    editor.transcript.assert_only_document_text_holds(other)


def test_a_file_of_a_type_that_neovim_does_not_know_is_checked_too(editor: Editor) -> None:
    path = editor.home.project / "notes.unheardof"
    path.write_text(f"the token is {github_token()} for now\n")
    nvim = editor.open(path)
    assert nvim.lua("return vim.bo.filetype") == ""
    assert nvim.wait(DIAGNOSTICS)[0][0] == "github-pat"


def test_what_belongs_together_is_shown_and_follows_the_typing(editor: Editor) -> None:
    token = github_token()
    path = editor.home.project / "app.py"
    filler = "".join(f"def function_{number}(argument):\n    return argument  # 😋\n\n" for number in range(600))
    path.write_text(f'A = "{token}"  # 😋\n{filler}B = "😋", "{token}"\n')
    nvim = editor.open(path)
    related = (
        "return vim.tbl_map(function(d) local r = (d.user_data.lsp.relatedInformation or {})[1];"
        " return { d.lnum, d.col, d.message, r and r.message or '', r and r.location.range.start.line or -1 } end,"
        " vim.diagnostic.get(0))"
    )
    first, second = nvim.wait(f"local all = (function() {related} end)(); return #all == 2 and all")
    assert (first[0], first[1], first[3], first[4]) == (0, 5, "The same value", 1801)
    assert (second[0], second[1], second[3], second[4]) == (1801, len('B = "😋", "'.encode()), "The same value", 0)
    assert "checksum ok" in first[2]

    nvim.keys("gg10Gofoo = 1<Esc>")  # a line more between them
    first, second = nvim.wait(
        f"local all = (function() {related} end)(); return #all == 2 and all[1][5] == 1802 and all"
    )
    assert (second[0], second[4]) == (1802, 0)
    nvim.keys("ggdd")
    nvim.wait(
        f"local all = (function() {related} end)(); return #all == 1 and all[1][4] == '' and all[1][1] == 1801 and all"
    )

    shown = nvim.lua(
        "vim.api.nvim_win_set_cursor(0, { 1802, 14 }); local buffer = vim.diagnostic.open_float();"
        " return buffer and table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), '\\n') or 'nothing is shown'"
    )
    assert "GitHub personal access token" in shown
    assert "github-pat" in shown
    assert token not in shown
    nvim.close()
    editor.transcript.assert_only_document_text_holds(token)


def test_a_commit_message_and_a_diff_are_checked(editor: Editor) -> None:
    token = github_token()
    (editor.home.project / ".git").mkdir()
    path = editor.home.project / ".git/COMMIT_EDITMSG"
    path.write_text(f"fix: token\n\n# Changes:\ndiff --git a/a.py b/a.py\n@@ -1 +1 @@\n-a = '{token}'\n+a = None\n")
    nvim = editor.open(path)
    assert nvim.lua("return vim.bo.filetype") == "gitcommit"
    ((code, message, _),) = nvim.wait(DIAGNOSTICS)
    assert code == "github-pat"
    assert "history keeps it" in message


def test_the_manifest_is_checked_as_it_is_written(editor: Editor) -> None:
    path = editor.home.project / "locum.toml"
    path.write_text("[secrets.STRIPE_API_KEY]\ndescripton = 'x'\n")
    (editor.home.project / "app.py").write_text('key = "locum://STRIPE_APIKEY"\n')
    nvim = editor.open(path)
    ((code, message, _),) = nvim.wait(DIAGNOSTICS)
    assert code == "bad-manifest"
    assert "did you mean description?" in message
    nvim.keys("gg2Gdd")
    nvim.wait("return #vim.diagnostic.get(0) == 0")
    nvim.keys(":edit! app.py<CR>")
    ((code, message, _),) = nvim.wait(DIAGNOSTICS)
    assert code == "unknown-reference"
    assert "did you mean STRIPE_API_KEY?" in message


def test_a_name_is_gone_to_and_renamed_everywhere(editor: Editor) -> None:
    project = editor.home.project
    (project / "locum.toml").write_text('[secrets.OLD_KEY]\n[tasks.t]\ncommand = ["true"]\nsecrets = ["OLD_KEY"]\n')
    (project / "web.ts").write_text("fetch(process.env.OLD_KEY);\n")
    path = project / "app.py"
    path.write_text('import os\n\nkey = os.environ["OLD_KEY"]  # 😋 locum://OLD_KEY\n')
    nvim = editor.open(path)
    nvim.wait("return #vim.lsp.get_clients({ bufnr = 0, method = 'textDocument/rename' }) > 0")
    nvim.lua("vim.api.nvim_win_set_cursor(0, { 3, 20 }); vim.lsp.buf.definition(); return true")
    nvim.wait("return vim.api.nvim_buf_get_name(0):find('locum.toml', 1, true) ~= nil")
    assert nvim.lua("return vim.api.nvim_win_get_cursor(0)") == [1, len("[secrets.")]

    nvim.keys("<C-o>")
    nvim.wait("return vim.api.nvim_buf_get_name(0):find('app.py', 1, true) ~= nil")
    nvim.lua("vim.api.nvim_win_set_cursor(0, { 3, 20 }); vim.lsp.buf.rename('NEW_KEY'); return true")
    nvim.wait("return vim.api.nvim_buf_get_lines(0, 2, 3, false)[1]:find('NEW_KEY', 1, true) ~= nil")
    assert nvim.text()[2] == 'key = os.environ["NEW_KEY"]  # 😋 locum://NEW_KEY'
    nvim.keys(":silent! wall<CR>")
    nvim.wait("return #vim.tbl_filter(function(b) return vim.bo[b].modified end, vim.api.nvim_list_bufs()) == 0")
    assert path.read_text() == 'import os\n\nkey = os.environ["NEW_KEY"]  # 😋 locum://NEW_KEY\n'
    assert (project / "web.ts").read_text() == "fetch(process.env.NEW_KEY);\n"
    assert 'secrets = ["NEW_KEY"]' in (project / "locum.toml").read_text()
    assert "[secrets.NEW_KEY]" in (project / "locum.toml").read_text()


@pytest.mark.parametrize("decision", ["Allow", "Deny"])
def test_neovim_asks_for_a_task_that_has_no_terminal(editor: Editor, decision: str) -> None:
    value = canary()
    editor.home.store("API_KEY", value)
    path = editor.home.project / "app.py"
    path.write_text("import os\n")
    nvim = editor.open(path)
    choose(nvim, decision)
    wait_for_control(editor.home)

    done = editor.home.run("run", "--secret", "API_KEY", "--", *SHOW, check=None)

    asked = nvim.lua("return vim.g.asked")
    assert "locum://API_KEY" in asked
    assert "python3 -c" in asked
    assert value not in done.stdout + done.stderr
    if decision == "Allow":
        assert (done.returncode, done.stdout.strip()) == (0, "value: locum://API_KEY")
    else:
        assert (done.returncode, done.stdout) == (3, "")
    nvim.close()
    for path in editor.transcript.folder.iterdir():
        assert value.encode() not in path.read_bytes(), f"the value is in {path.name}"


def test_a_person_types_a_value_that_goes_past_the_server(editor: Editor) -> None:
    value = canary()
    path = editor.home.project / "app.py"
    path.write_text("pass\n")
    nvim = editor.open(path)
    wait_for_control(editor.home)
    code = "from locum.broker.client import connect; c = connect(); print(c.request_secret('NEW_KEY', 'to try'))"
    with subprocess.Popen(
        [sys.executable, "-c", code], env=editor.home.env, stdout=subprocess.PIPE, text=True
    ) as asking:
        nvim.type_in("(not shown; empty: no):", value)
        out, _ = asking.communicate(timeout=30)
    assert out == "True\n"
    assert [item["name"] for item in editor.home.json("secret", "list")["secrets"]] == ["NEW_KEY"]
    nvim.close()
    said = b"".join(file.read_bytes() for file in editor.folder.rglob("*") if file.is_file())
    assert b"to try" in said
    assert value.encode() not in said + editor.home.everything_written()


def test_without_an_editor_and_a_terminal_nobody_is_asked(vault_home: Home) -> None:
    vault_home.store("API_KEY", canary())
    done = vault_home.run("run", "--secret", "API_KEY", "--", *SHOW, check=3)
    assert done.stdout == ""


def wait_for_control(home: Home) -> None:
    """Wait until an editor holds the channel on which the broker asks."""
    for _ in range(100):
        if home.json("broker", "status").get("control"):
            return
        subprocess.run(["sleep", "0.1"], check=True)
    raise AssertionError("no editor took the control channel")

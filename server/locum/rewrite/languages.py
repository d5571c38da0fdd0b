"""Which idiom serves which text: data, nothing else. To support one more file type, add its line here."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

# A file's name says more than its language: an editor may call `.env` a shell script.
_BY_NAME: tuple[tuple[str, str], ...] = (
    (r"(.*\.)?env(\..+)?|\.envrc|\.flaskenv|\.dev\.vars(\..+)?", "dotenv"),
    (r".*\.ipynb", "notebook"),
    (r".*\.(jsonl|ndjson)", "jsonl"),
    (r".*\.json5", "json5"),
    (r"\.npmrc", "npmrc"),
    (r"(Dockerfile|Containerfile)(\..+)?|.+\.(dockerfile|containerfile)", "dockerfile"),
    (r"(.*[-_.])?(requirements|constraints)([-_.].*)?\.(txt|in)", "requirements"),
    (r"[._]netrc", "netrc"),
    (r"\.pgpass|pgpass\.conf", "pgpass"),
    (r"\.?(my|mysql|mariadb)\.(cnf|ini)", "mysql"),
    (r"\.(pypirc|editorconfig|s3cfg|boto|wgetrc)|credentials|\.?htpasswd.*|pip\.conf|wgetrc", "ini"),
    (r"redis.*\.conf", "redis"),
    (r".*\.(ini|cfg|cnf|conf)", "ini"),
    (r"\.dockercfg", "json"),
    (r".*\.(xml|config|pom|csproj|fsproj|vbproj|props|targets|nuspec|plist|xaml|resx)", "xml"),
)

_BY_LANGUAGE = {
    "python": "python",
    "javascript": "javascript",
    "javascriptreact": "javascript",
    "typescript": "typescript",
    "typescriptreact": "typescript",
    "dotenv": "dotenv",
    "env": "dotenv",
    "yaml": "yaml",
    "dockercompose": "yaml",
    "dockerfile": "dockerfile",
    "github-actions-workflow": "yaml",
    "json": "json",
    "jsonc": "json",
    "c": "c",
    "cpp": "cpp",
    "csharp": "csharp",
    "go": "go",
    "java": "java",
    "kotlin": "kotlin",
    "lua": "lua",
    "perl": "perl",
    "markdown": "prose",
    "restructuredtext": "prose",
    "asciidoc": "prose",
    "git-commit": "prose",
    "gitcommit": "prose",
    "scminput": "prose",
    "php": "php",
    "powershell": "powershell",
    "ruby": "ruby",
    "rust": "rust",
    "scala": "scala",
    "shellscript": "shellscript",
    "swift": "swift",
    "terraform": "terraform",
    "terraform-vars": "terraform",
    "opentofu": "terraform",
    "opentofu-vars": "terraform",
    "hcl": "terraform",
    "packer": "terraform",
    "ini": "ini",
    "properties": "properties",
    "java-properties": "properties",
    "spring-boot-properties": "properties",
    "spring-boot-properties-yaml": "yaml",
    "xml": "xml",
    "toml": "toml",
}

_BY_SUFFIX = {
    "py": "python", "pyi": "python", "pyw": "python",
    "js": "javascript", "jsx": "javascript", "mjs": "javascript", "cjs": "javascript",
    "ts": "typescript", "tsx": "typescript", "mts": "typescript", "cts": "typescript",
    "yml": "yaml", "yaml": "yaml",
    "json": "json", "jsonc": "json",
    "code-workspace": "json",
    "bash": "shellscript", "c": "c", "cc": "cpp", "clj": "clojure", "conf": "ini", "cpp": "cpp", "cs": "csharp",
    "dart": "dart", "ex": "elixir", "exs": "elixir", "fish": "fish", "go": "go", "gradle": "groovy",
    "groovy": "groovy", "h": "c", "hs": "haskell", "html": "html", "ini": "ini", "java": "java", "jl": "julia",
    "kt": "kotlin", "kts": "kotlin", "lua": "lua", "md": "prose", "php": "php", "pl": "perl",
    "properties": "properties", "ps1": "powershell", "psm1": "powershell", "r": "r", "rb": "ruby", "rs": "rust", "scala": "scala",
    "sh": "shellscript", "sql": "sql", "svelte": "svelte", "swift": "swift", "tf": "terraform",
    "tfvars": "terraform", "toml": "toml", "txt": "prose", "vue": "vue", "xml": "xml", "zig": "zig",
    "zsh": "shellscript", "hcl": "terraform", "tofu": "terraform",
    "mdx": "prose", "markdown": "prose", "rst": "prose", "adoc": "prose", "cfg": "ini", "cnf": "ini", "inf": "ini",
}  # fmt: skip

_SHEBANG = re.compile(r"#![^\r\n]*?\b(python|node|deno|bun|bash|dash|ksh|zsh|sh|ruby|perl|php|lua|pwsh)[\d.]*(?:\s|$)")
_BY_INTERPRETER = {
    "bash": "shellscript", "bun": "typescript", "dash": "shellscript", "deno": "typescript", "ksh": "shellscript",
    "lua": "lua", "node": "javascript", "perl": "perl", "php": "php", "pwsh": "powershell", "python": "python",
    "ruby": "ruby", "sh": "shellscript", "zsh": "shellscript",
}  # fmt: skip

_READ_AS_ONE = (".pkr.hcl", ".tf", ".tofu")
"""Terraform's, OpenTofu's and Packer's documentation: all such files of a folder are one configuration."""

# What to write by hand where there is no idiom yet. {name} is the secret's name.
_BY_HAND = {
    "dart": "Platform.environment['{name}']",
    "elixir": 'System.fetch_env!("{name}")',
    "groovy": 'System.getenv("{name}")',
    "r": 'Sys.getenv("{name}")',
}


def kind_of(path: str, language: str) -> str:
    """Return the idiom's key for a text: its file name decides, then the editor's language, then the suffix."""
    name = PurePosixPath(path.replace("\\", "/")).name
    for pattern, kind in _BY_NAME:
        if re.fullmatch(pattern, name, re.IGNORECASE):
            cell = _BY_LANGUAGE.get(language) if kind == "notebook" else None
            return cell if cell and cell != "json" else kind  # an editor opens a notebook's cells as texts
    by_suffix = _BY_SUFFIX.get(name.rpartition(".")[2].lower(), "") if "." in name else ""
    return _BY_LANGUAGE.get(language) or by_suffix or language


def kind_of_script(text: str) -> str:
    """Return the idiom's key for a text that names its interpreter in its first line, "" for one that does not."""
    match = _SHEBANG.match(text)
    return _BY_INTERPRETER.get(match[1], "") if match else ""


def read_with(path: str) -> str:
    """Return the ending of the files beside this one that its program reads as one with it, "" where it reads one alone."""
    return next((ending for ending in _READ_AS_ONE if path.endswith(ending)), "")


def refusal_for(kind: str, name: str) -> str:
    """Say what to do by hand in a language that has no idiom."""
    label = f"{kind!r} files" if kind.isalnum() or "-" in kind else "this kind of file"
    hand = _BY_HAND.get(kind)
    todo = f"write {hand.format(name=name)}" if hand else f"let the program read the environment variable {name}"
    return f"no safe edit for {label} yet: store the value with 'locum secret set {name}', then {todo} here by hand."

"""What the reader of a configuration file puts a value in the place of, by the file's path. Data: one row a reader.

A row is here because that reader's documentation says so; every other file gets `locum://NAME`, and `locum run --mount`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from locum.rewrite.idioms.kubernetes import MANIFEST
from locum.rewrite.target import NoSafeEdit, Target

REFERENCE = "locum://{name}"
_RENDER = "Nothing resolves references in this file by itself: run 'locum run --render {file} -- "
_COPY = "', which reads a copy with the value in it."


@dataclass(frozen=True, slots=True)
class Form:
    """One reader. Texts are formats with {name}, {key} (the setting's), {variable} (the key as one) and {file}."""

    path: str
    """An expression that matches the whole path in lower case."""
    write: str
    note: str
    inside: bool = True
    """Whether it may stand in the middle of a longer value."""
    where: str = r".*"
    """An expression for the whole key, in lower case; a key is what the format's reader says."""
    holds: str = ""
    """An expression that the text holds."""
    names: str = r".*"
    """An expression for the names of variables that this reader knows."""
    own: str = r"(?!)"
    """What this reader expands, or undoes, itself: a value that holds it is not plain."""
    command: bool = False
    """Whether a longer value is a command for a shell."""
    defines: bool = False
    """Whether an entry of `variables` hides the variable of the same name that a value would be taken from."""
    dollars: bool = False
    """Whether `$$` spells a dollar sign."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A row for one secret: its texts are filled in."""

    form: Form
    written: str
    note: str


def _refused(path: str, reason: str, where: str = r".*") -> Form:
    return Form(path, "", reason, where=where)


def _rendered(path: str, command: str, holds: str = "") -> Form:
    return Form(path, REFERENCE, f"{_RENDER}{command}{_COPY}", inside=False, holds=holds)


_WINS = "the environment counts more than the file"
_REQUIREMENTS = r"(.*/)?([^/]*[-_.])?(requirements|constraints)([-_.][^/]*)?\.(txt|in)"
_WORKFLOW = r"(.*/)?\.(github|gitea|forgejo)/(workflows|actions)/.*"
_PIPED = """locum run --secret {{name}} -- sh -c 'printf %s "${{name}}" | {}'"""
"""The value is in the vault, and nobody can see it: so it goes from there through a pipe, not through arguments."""
_VARIABLE = r"\$[{(]"
_NO_RENDER = "Nothing resolves references in this file by itself: "
_FORMS = (
    Form(
        r"(.*/)?(docker-)?compose[^/]*\.ya?ml",
        "${{{name}}}",
        "Start it with 'locum run --secret {name} -- docker compose …', which sets the variable.",
        own=r"(?<!\$)(?:\$\$)*\$(?!\$)",
        dollars=True,
    ),
    Form(
        _WORKFLOW,
        "${{{{ secrets.{name} }}}}",
        f"Give the repository this secret too: {_PIPED.format('gh secret set {name}')}.",
        names=r"(?!(GITHUB|GITEA|FORGEJO|ACTIONS)_).*",
        own=r"\$\{\{",
    ),
    Form(  # GitHub's and Gitea's documentation, "Secrets": names with their own prefixes are theirs
        _WORKFLOW,
        "${{{{ secrets.MY_{name} }}}}",
        f"Give the repository this secret too, under a name that is free there: {_PIPED.format('gh secret set MY_{name}')}.",
        own=r"\$\{\{",
    ),
    Form(
        r"(.*/)?\.gitlab-ci(\.[^/]*)?\.ya?ml|(.*/)?\.gitlab/.*\.ya?ml",
        "${{{name}}}",
        "Give the project this variable too, masked and not expanded: "
        f"{_PIPED.format('glab variable set {name} --masked --raw')}.",
        own=_VARIABLE,
        command=True,
    ),
    Form(
        r"(.*/)?\.?azure-pipelines([^/]*\.ya?ml|/.*\.ya?ml)",
        "$({name})",
        "Give the pipeline this variable too: "
        "'locum run --secret AZURE_DEVOPS_EXT_PIPELINE_VAR_{name}={name} -- "
        "az pipelines variable create --name {name} --secret true'.",
        own=r"\$\(",
        defines=True,
    ),
    Form(
        r"(.*/)?bitbucket-pipelines\.ya?ml",
        "${name}",
        "Give the repository this variable too, secured: Repository settings, Pipelines, Repository variables.",
        own=_VARIABLE,
        command=True,
    ),
    Form(
        r"(.*/)?\.circleci/.*\.ya?ml",
        "${name}",
        "Give the project this variable too: 'circleci env' or Project Settings, Environment Variables.",
        where=r"(.*/)?(run|run/command|command|auth/password|aws_auth/aws_secret_access_key)",
        own=_VARIABLE,
        command=True,
    ),
    _refused(
        r"(.*/)?\.circleci/.*\.ya?ml",
        "CircleCI expands no variables here: take the entry out and set the variable in the project's settings or in a context",
    ),
    Form(
        r"(.*/)?\.yarnrc\.ya?ml",
        "${{{name}}}",
        "Run Yarn under 'locum run --secret {name} -- yarn …', which sets the variable.",
        own=_VARIABLE,
    ),
    Form(
        r"(.*/)?(application|bootstrap)([-.][^/]*)?\.(properties|ya?ml)",
        "${{{name}}}",
        "Spring takes it from the environment: start it with 'locum run --secret {name} -- …', which sets the variable.",
        own=r"[$#]\{",
    ),
    Form(
        r"(.*/)?((group|host)_vars/.*|roles/[^/]+/(vars|defaults|tasks|handlers)/[^/]*|(site|[^/]*playbook[^/]*))\.ya?ml",
        "{{{{ lookup('env', '{name}') }}}}",
        "Ansible takes it from the environment: 'locum run --secret {name} -- ansible-playbook …', which sets the variable.",
        own=r"\{[{%#]",
    ),
    _rendered(r"(.*/)?values[^/]*\.ya?ml|(.*/)?charts?/.*\.ya?ml", "helm upgrade --install … -f {file}"),
    _rendered(r".*\.(ya?ml|json)", "kubectl apply -f {file}", holds=MANIFEST),
    Form(
        r"(.*/)?\.npmrc",
        "${{{name}}}",
        "npm, pnpm and Yarn take it from the environment: 'locum run --secret {name} -- npm …', which sets the variable.",
        own=_VARIABLE,
    ),
    Form(  # pip's documentation, "Requirements File Format": capitals, digits and underscores only
        _REQUIREMENTS,
        "${{{name}}}",
        "pip takes it from the environment: 'locum run --secret {name} -- pip install …', which sets the variable.",
        names=r"[A-Z0-9_]+",
        own=_VARIABLE,
    ),
    _rendered(_REQUIREMENTS, "pip install -r {file}"),
    Form(
        r"(.*/)?pip\.(conf|ini)",
        REFERENCE,
        f"{_NO_RENDER}start pip with 'PIP_{{variable}}=locum://{{name}} locum run -- pip …': {_WINS}.",
        inside=False,
    ),
    _rendered(r"(.*/)?\.pypirc", "twine upload --config-file {file} …"),
    _rendered(r"(.*/)?[._]netrc", "curl --netrc-file {file} …"),
    Form(
        r"(.*/)?(\.pgpass|pgpass\.conf)",
        REFERENCE,
        f"{_NO_RENDER}start the client with 'PGPASSWORD=locum://{{name}} locum run -- psql …': {_WINS}.",
        inside=False,
    ),
    _rendered(r"(.*/)?\.?(my|mysql|mariadb)\.(cnf|ini)", "mysql --defaults-file={file} …"),
    _rendered(r"(.*/)?\.?pg_service\.conf", "env PGSERVICEFILE={file} psql …"),
    _rendered(r"(.*/)?\.?odbc(inst)?\.ini", "env ODBCINI={file} isql …"),
    _rendered(r"(.*/)?\.aws/credentials", "env AWS_SHARED_CREDENTIALS_FILE={file} aws …"),
    _rendered(r"(.*/)?redis[^/]*\.conf", "redis-server {file}"),
    _rendered(r"(.*/)?\.s3cfg", "s3cmd -c {file} …"),
    _rendered(r"(.*/)?\.boto", "env BOTO_CONFIG={file} gsutil …"),
    _rendered(r"(.*/)?\.?wgetrc", "wget --config={file} …"),
    Form(  # Gradle's documentation, "Build Environment Configuration": the environment goes before the file
        r"(.*/)?gradle\.properties",
        REFERENCE,
        f"{_NO_RENDER}start Gradle with 'ORG_GRADLE_PROJECT_{{key}}=locum://{{name}} locum run -- ./gradlew …': {_WINS}.",
        inside=False,
        where=r"[a-z_]\w*",
    ),
    _refused(
        r"(.*/)?gradle\.properties",
        "Gradle expands nothing here, and no environment variable can have this key: "
        "let the build script take it from providers.environmentVariable(…)",
    ),
    Form(
        r"(.*/)?[^/]*settings[^/]*\.xml|(.*/)?pom\.xml",
        "${{env.{name}}}",
        "Maven takes it from the environment: 'locum run --secret {name} -- mvn …', which sets the variable.",
        holds=r"(?i)maven\.apache\.org/(?:settings|pom)/|<servers>|<modelVersion>",
        own=r"\$\{",
    ),
    Form(  # NuGet's documentation, "nuget.config reference": %NAME%, on every system
        r"(.*/)?nuget[^/]*\.config",
        "%{name}%",
        "NuGet takes it from the environment: 'locum run --secret {name} -- dotnet restore', which sets the variable.",
        where=r".*/packagesourcecredentials/.* cleartextpassword @value",
        own=r"%[^%\s]+%",
    ),
    _refused(
        r"(.*/)?nuget[^/]*\.config",
        "NuGet encrypts this value itself: use ClearTextPassword with an environment variable, or a credential provider",
        where=r".*/(packagesourcecredentials/.* password|apikeys/.*) @value",
    ),
    _refused(
        r"(.*/)?\.htpasswd[^/]*|(.*/)?htpasswd",
        "it is the hash of a password, which the server needs as it is: keep the file out of the repository",
    ),
    _refused(
        r"(.*/)?(\.docker|\.dockercfg|containers)/(config|auth)\.json|(.*/)?\.dockercfg",
        "Docker expands nothing here: use a credential helper (credsStore), and 'docker logout' takes this entry out",
        where=r"auths/.*",
    ),
    Form(  # containers.dev, "Variables in devcontainer.json"
        r"(.*/)?\.?devcontainer(\.json|/(.*/)?devcontainer\.json)",
        "${{localEnv:{name}}}",
        "The editor must have the variable when it starts: close it, then 'locum run --secret {name} -- code .'.",
        own=r"\$\{",
    ),
    _refused(
        r"(.*/)?(package(-lock)?|composer)\.json",
        "package managers read this file by its name and expand nothing in it: let the program or the script read a variable",
    ),
    _refused(
        r"(.*/)?\.travis\.ya?ml|(.*/)?vercel\.json",
        "its reader expands nothing here: take the entry out, and set the variable in the project's settings there",
    ),
    Form(
        r"(.*/)?\.vscode/settings\.json|.*\.code-workspace",
        REFERENCE,
        "A terminal of the editor has the reference then: 'locum run -- …' in it puts the value in its place.",
        inside=False,
        where=r"(settings/)?terminal\.integrated\.env\.\w+/.*",
    ),
    _refused(
        r"(.*/)?\.vscode/settings\.json|.*\.code-workspace",
        "the editor reads its settings by their name and expands nothing here: let the extension keep the value itself",
    ),
    Form(  # VS Code's documentation, "Variables reference"
        r"(.*/)?\.vscode/launch\.json",
        "${{env:{name}}}",
        "The editor must have the variable when it starts: close it, then 'locum run --secret {name} -- code .'.",
        own=r"\$\{",
    ),
    Form(
        r".*",
        REFERENCE,
        "Nothing resolves references in this file by itself: start the program with 'locum run --mount {file} -- …', and it "
        "finds a copy with the value there; --render does where an argument names the file.",
        inside=False,
    ),
)  # fmt: skip


def choose(target: Target, key: str = "") -> Choice:
    """Return the first row for a value called `key`. Raises NoSafeEdit where its reader can take none."""
    path = target.path.lower()
    form = next(
        form
        for form in _FORMS
        if re.fullmatch(form.path, path)
        and re.fullmatch(form.where, key.lower(), re.DOTALL)
        and re.fullmatch(form.names, target.name)
        and (not form.holds or re.search(form.holds, target.text))
    )
    if not form.write:
        raise NoSafeEdit(form.note)
    fields = {
        "name": target.name,
        "key": key,
        "variable": re.sub(r"[^A-Z0-9]+", "_", key.upper()),
        "file": shlex.quote(target.path) if target.path and target.path.isprintable() else "FILE",
    }
    return Choice(form, form.write.format(**fields), form.note.format(**fields))


def replaced_span(target: Target, choice: Choice, start: int, end: int) -> tuple[int, int, str]:
    """Return what of the value at `[start, end)` is replaced, and what to say about it first.

    Raises NoSafeEdit where the value is a text in which the secret is only mentioned, or a command that cannot take it.
    """
    if choice.form.inside:
        if choice.form.command and not target.covers(start, end):
            _check_command(target, start)
        percent = not target.covers(start, end) and "://" in target.text[start : target.start] and "%" in target.raw
        about = "The value is stored percent-encoded, as the URL around it needs it. " if percent else ""
        return target.start, target.end, about
    if target.covers(start, end):
        return start, end, ""
    value = target.text[start:end]
    if re.search(r"\s", value) and not _CONNECTION.fullmatch(value.strip()):
        raise NoSafeEdit("the secret is a part of a longer text, and this file's reader cannot put a value into one")
    return start, end, "The whole value is stored, not only the secret in it. "


_CONNECTION = re.compile(
    r"(?:[A-Za-z][\w ./-]*=[^;\r\n]*(?:;|\Z)\s*)+|(?:\w+=\S+(?:\s+|\Z))+|(?:Bearer|Basic|Token) \S+"
)
"""`Server=db;Password=…`, `host=db password=…`, the value of a header: one thing, though there are spaces in it."""


def _check_command(target: Target, start: int) -> None:
    before = target.text[start : target.start]
    if before.count("'") % 2:
        raise NoSafeEdit("the shell expands nothing in single quotes: use double quotes in this command first")
    if re.search(r"[\\$`'\"]", target.raw):
        raise NoSafeEdit("the secret in this command is spelt with quotes or escapes: write it plainly first")
    if target.text[target.end : target.end + 1].isalnum():
        raise NoSafeEdit("the name would run into what stands behind it")


def check_plain(choice: Choice, value: str) -> None:
    """Refuse a value that its reader would not take as it stands. Raises NoSafeEdit."""
    if re.search(choice.form.own, value):
        raise NoSafeEdit("the value is put together from other variables")

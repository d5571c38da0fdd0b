"""The environment of a task: the caller's own, plus the leased names.

Knows names of variables and which of them steer other programs; knows nothing of processes. Values stay bytes.
The caller's whole environment is passed except `LOCUM_*`: those steer Locum itself, and a task must not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from locum.errors import UsageProblem
from locum.secret import SecretBytes

_OWN = b"LOCUM_"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

# A secret under one of these names would not be read as a secret: it would choose what code runs, which files are
# trusted or where requests go. A manifest comes with the workspace, and the workspace is data.
_CONTROL = re.compile(
    r"""
    (?: LD_.* | DYLD_.* | GCONV_PATH | LOCPATH | NLSPATH | HOSTALIASES | RES_OPTIONS | MALLOC_.* | GLIBC_TUNABLES
    | PATH | PATHEXT | HOME | SHELL | USER | LOGNAME | PWD | IFS | ENV | BASH_ENV | BASH_FUNC_.* | BASHOPTS | SHELLOPTS
    | PS4 | PROMPT_COMMAND | ZDOTDIR | CDPATH | TMPDIR | TEMP | TMP | SYSTEMROOT | WINDIR | COMSPEC | TERM | TERMINFO.*
    | XDG_.* | DBUS_.* | DISPLAY | EDITOR | VISUAL | PAGER | MANPAGER | LESSOPEN | LESSCLOSE | BROWSER
    | PYTHON.* | VIRTUAL_ENV | PIP_.*_URL | PIP_CONFIG_FILE | UV_.*INDEX.* | NODE_OPTIONS | NODE_PATH
    | NODE_EXTRA_CA_CERTS | NODE_TLS_REJECT_UNAUTHORIZED | NPM_CONFIG_.* | PERL5.* | PERLLIB | RUBYOPT | RUBYLIB
    | GEM_(?:HOME|PATH) | BUNDLE_.*PATH | JAVA_TOOL_OPTIONS | _?JAVA_OPTIONS | JDK_JAVA_OPTIONS | CLASSPATH | MAVEN_OPTS
    | GRADLE_OPTS | PHPRC | PHP_INI_SCAN_DIR | LUA_.*PATH.* | GOFLAGS | GOPROXY | GOROOT | RUSTC.* | RUSTFLAGS
    | CARGO_.*(?:RUNNER|LINKER|WRAPPER) | DOTNET_STARTUP_HOOKS | COR_PROFILER.* | CORECLR_PROFILER.*
    | CC | CXX | LD | AR | MAKEFLAGS
    | GIT_(?!(?:ACCESS_)?TOKEN\Z|PASSWORD\Z).* | SSH_AUTH_SOCK | SSH_AGENT_PID | SSH_ASKPASS.* | SUDO_ASKPASS
    | .*_PROXY | .*_BASE_URL | .*_ENDPOINT.* | SSL_CERT_(?:FILE|DIR) | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE | CURL_HOME
    | SSLKEYLOGFILE | OPENSSL_(?:CONF|MODULES|ENGINES) | VAULT_ADDR | AWS_CONFIG_FILE | AWS_SHARED_CREDENTIALS_FILE
    | AWS_CA_BUNDLE | DOCKER_HOST | DOCKER_CONFIG | DOCKER_CERT_PATH | KUBECONFIG
    | CODEX_HOME | CLAUDE_.* | ANTHROPIC_.*_URL | OPENAI_API_BASE | LOCUM_.*
    )\Z
    """,
    re.VERBOSE | re.IGNORECASE,  # `http_proxy` steers as well as `HTTP_PROXY`
)


def child_environment(parent: Mapping[bytes, bytes], leased: Mapping[str, SecretBytes]) -> dict[bytes, bytes]:
    """Return the environment for a task: the parent's without `LOCUM_*`, and the leased names with their values.

    Raises `UsageProblem`: `env.control` for a name that steers programs, `env.name` for what is no name,
    `env.value` for a value that no environment can hold.
    """
    for name, value in leased.items():
        check_name(name)
        if 0 in value.view():
            raise UsageProblem(
                "env.value",
                f"The value of {name} holds a NUL byte, which no environment variable can.",
                "Store it encoded, for example as base64.",
            )
    environment = {name: value for name, value in parent.items() if not name.startswith(_OWN)}
    environment.update((name.encode(), bytes(value.view())) for name, value in leased.items())
    return environment


def check_name(name: str) -> None:
    """Raise `UsageProblem` when a secret may not be passed under this name."""
    if not _NAME.match(name):
        raise UsageProblem(
            "env.name",
            f"{name!r} cannot be the name of an environment variable.",
            "Use letters, digits and underscores, and no digit first.",
        )
    if _CONTROL.match(name):
        raise UsageProblem(
            "env.control",
            f"{name} steers programs, so no secret may be passed under this name.",
            "Choose another name for the variable.",
        )

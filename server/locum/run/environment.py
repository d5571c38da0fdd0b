"""The environment of a task: the usual variables of the caller, what the caller adds by name, and the leased names.

Knows names of variables and which of them steer other programs; knows nothing of processes. Values stay bytes.
What a shell has gathered (keys of other projects, tokens of other tools) is not the task's business and stays behind.
`LOCUM_*` never passes: those steer Locum itself, and a task must not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from locum.broker.markers import AGENT_MARKERS
from locum.errors import UsageProblem
from locum.secret import SecretBytes

_OWN = b"LOCUM_"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

# A secret under one of these names would not be read as a secret: it would choose what code runs, which files are
# trusted or where requests go. A manifest comes with the workspace, and the workspace is data.
_CONTROL = r"""
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
    """


USUAL = """
# the person, the machine, the folder
PATH HOME USER LOGNAME SHELL PWD OLDPWD SHLVL HOSTNAME TMPDIR TMP TEMP TZ MAIL _ XDG_* ENV
# language and terminal
LANG LANGUAGE LC_* TERM TERMINFO TERMINFO_DIRS COLORTERM TERM_PROGRAM TERM_PROGRAM_VERSION COLUMNS LINES NO_COLOR
FORCE_COLOR CLICOLOR CLICOLOR_FORCE COLORFGBG LS_COLORS PS1 TMUX TMUX_PANE STY WINDOWID VTE_VERSION
# programs that programs call
EDITOR VISUAL PAGER BROWSER LESS MANPATH INFOPATH DISPLAY WAYLAND_DISPLAY XAUTHORITY SSH_AUTH_SOCK SSH_CONNECTION
SSH_TTY GPG_TTY GPG_AGENT_INFO DBUS_SESSION_BUS_ADDRESS GIT_EDITOR GIT_PAGER GIT_SSH GIT_SSH_COMMAND
# the way to the network, and whom to trust there
HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy ftp_proxy all_proxy no_proxy
SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NODE_EXTRA_CA_CERTS GIT_SSL_CAINFO PIP_CERT
AWS_CA_BUNDLE
# where compilers, interpreters and package managers are
LD_LIBRARY_PATH DYLD_LIBRARY_PATH DYLD_FALLBACK_LIBRARY_PATH PKG_CONFIG_PATH VIRTUAL_ENV VIRTUAL_ENV_PROMPT
CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_EXE CONDA_PYTHON_EXE CONDA_SHLVL PYENV_* PYTHONPATH PYTHONUNBUFFERED
PYTHONDONTWRITEBYTECODE PYTHONHASHSEED PYTHONUTF8 PYTHONIOENCODING PIPX_HOME PIPX_BIN_DIR POETRY_HOME PIP_CACHE_DIR
UV_CACHE_DIR NVM_* FNM_* VOLTA_* N_PREFIX NODE_PATH NODE_ENV NODE_OPTIONS NPM_CONFIG_PREFIX NPM_CONFIG_CACHE
npm_config_prefix npm_config_cache PNPM_HOME BUN_INSTALL DENO_DIR COREPACK_HOME RBENV_* RUBY_VERSION rvm_path
GEM_HOME GEM_PATH BUNDLE_PATH GOPATH GOROOT GOBIN GOCACHE GOMODCACHE GOFLAGS GOTOOLCHAIN CARGO_HOME CARGO_TARGET_DIR
RUSTUP_* RUST_BACKTRACE RUST_LOG JAVA_HOME JDK_HOME M2_HOME MAVEN_HOME MAVEN_OPTS GRADLE_HOME GRADLE_USER_HOME
SDKMAN_* ANDROID_HOME ANDROID_SDK_ROOT DOTNET_ROOT DOTNET_CLI_HOME COMPOSER_HOME PERL5LIB ASDF_DIR ASDF_DATA_DIR
MISE_SHELL MISE_DATA_DIR HOMEBREW_PREFIX HOMEBREW_CELLAR HOMEBREW_REPOSITORY NIX_* OPAM_SWITCH_PREFIX CC CXX CFLAGS
CXXFLAGS LDFLAGS MAKEFLAGS MAKELEVEL TF_CLI_CONFIG_FILE DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG KUBECONFIG
AWS_PROFILE AWS_REGION AWS_DEFAULT_REGION CLOUDSDK_CONFIG CLOUDSDK_CORE_PROJECT CLOUDSDK_ACTIVE_CONFIG_NAME
# what says where we are
CI GITHUB_ACTIONS GITLAB_CI BUILDKITE CIRCLECI TRAVIS JENKINS_URL CODESPACES REMOTE_CONTAINERS WSL_DISTRO_NAME
WSL_INTEROP DEBUG VERBOSE LOG_LEVEL
# Windows
SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT APPDATA LOCALAPPDATA PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86)
PROGRAMW6432 COMMONPROGRAMFILES USERPROFILE USERNAME USERDOMAIN HOMEDRIVE HOMEPATH PUBLIC OS NUMBER_OF_PROCESSORS
PROCESSOR_* PSMODULEPATH
"""
"""What passes without being named: variables (and families, `X_*`) in which no service of the field keeps a secret."""

ALL = "*"


def passed(parent: Mapping[bytes, bytes], more: Sequence[str]) -> dict[bytes, bytes]:
    """Return what a task gets of the caller's environment: the usual names, and those that `more` names (`NAME`, `PREFIX_*`).

    The markers of AI agents pass, so that a program of ours further down still knows where it is.
    """
    patterns = (
        *(name for line in USUAL.splitlines() if not line.startswith("#") for name in line.split()),
        *AGENT_MARKERS,
        *more,
    )
    whole = {pattern.encode() for pattern in patterns if not pattern.endswith("*")}
    beginnings = tuple(pattern[:-1].encode() for pattern in patterns if pattern.endswith("*"))
    return {
        name: value
        for name, value in parent.items()
        if not name.startswith(_OWN) and (name in whole or name.startswith(beginnings))
    }


def check_pattern(pattern: str) -> None:
    """Raise UsageProblem (`env.pass`) for what names no variables: `NAME`, `PREFIX_*` or `*`."""
    if pattern != ALL and not _NAME.match(pattern.removesuffix("*")):
        raise UsageProblem("env.pass", f"{pattern!r} names no variable", "Write NAME, PREFIX_* or *.")


def child_environment(parent: Mapping[bytes, bytes], leased: Mapping[str, SecretBytes]) -> dict[bytes, bytes]:
    """Return the environment for a task: what it gets of the parent's, and the leased names with their values.

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
    if re.match(_CONTROL, name, re.VERBOSE | re.IGNORECASE):  # `http_proxy` steers as well as `HTTP_PROXY`
        raise UsageProblem(
            "env.control",
            f"{name} steers programs, so no secret may be passed under this name.",
            "Choose another name for the variable.",
        )

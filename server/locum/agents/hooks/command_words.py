"""Words of commands, by what they show. Data alone: to add a case is to add a word."""

from __future__ import annotations

_WRAPPERS = """
sudo doas env time nice nohup command builtin exec timeout stdbuf setsid ionice xargs watch then do else if while !
"""
_SHELLS = "sh bash zsh dash ksh fish eval"
_CODE = "python node bun deno perl ruby php lua osascript awk gawk mawk jq yq"
_ENCODERS = "xxd hexdump od base64 base32 basenc uuencode rev gzip bzip2 xz zstd openssl gpg"
_READERS = """
cat tac head tail less more most bat batcat nl sed awk gawk mawk grep egrep fgrep zgrep rg ag ack cut paste sort uniq strings
xxd hexdump od base64 base32 openssl gpg jq yq xq tomlq dasel diff cmp comm sdiff colordiff tee cp ln dd install rsync scp
tar zip 7z gzip zcat bzcat xzcat rev tr fold fmt column expand iconv split csplit source . pr view vim vi ex ed nano emacs
curl wget nc ncat socat pbcopy xclip xsel mail envsubst dotenv type get-content gc select-string
"""
_GIT_SHOWS = """
show log diff grep blame annotate cat-file archive format-patch stash whatchanged range-diff bundle fast-export
"""

WRAPPERS = frozenset(_WRAPPERS.split())
"""They run what follows them."""
SHELLS = frozenset(_SHELLS.split())
CODE = frozenset(_CODE.split())
"""They run code that may stand on the line."""
READERS = frozenset(_READERS.split())
"""They show, copy or send the files that they are given."""
ENCODERS = frozenset(_ENCODERS.split())
"""They change what goes through them so that no mask knows it again."""
GREPS = frozenset(("grep", "egrep", "fgrep", "zgrep"))
RECURSIVE = frozenset(("rg", "ag", "ack", "find", "fd", "tar", "zip", "rsync"))
PRINTS_VARIABLES = frozenset(("printenv", "set", "export", "declare", "typeset", "compgen", "env"))
HISTORY_OF_SHELL = frozenset(("history", "fc"))
KNOWN = WRAPPERS | SHELLS | CODE | READERS | PRINTS_VARIABLES | HISTORY_OF_SHELL
GIT_SHOWS = frozenset(_GIT_SHOWS.split())

GIVERS: tuple[tuple[str, ...], ...] = (
    ("gh", "auth", "token"), ("aws", "configure", "export-credentials"), ("aws", "configure", "get", "aws_secret_access_key"),
    ("aws", "configure", "get", "aws_session_token"),
    ("aws", "secretsmanager", "get-secret-value"), ("aws", "ssm", "get-parameter"), ("aws", "ssm", "get-parameters"),
    ("aws", "ssm", "get-parameters-by-path"), ("aws", "sts", "get-session-token"), ("aws", "sts", "assume-role"),
    ("aws", "ecr", "get-login-password"), ("gcloud", "auth", "print-access-token"),
    ("gcloud", "auth", "print-identity-token"), ("gcloud", "secrets", "versions", "access"),
    ("az", "account", "get-access-token"), ("az", "keyvault", "secret", "show"), ("vault", "kv", "get"),
    ("vault", "read"), ("bao", "kv", "get"), ("bao", "read"), ("op", "read"), ("op", "item", "get"), ("op", "inject"),
    ("pass", "show"), ("gopass", "show"), ("bw", "get"), ("bws", "secret", "get"), ("doppler", "secrets"),
    ("infisical", "secrets"), ("infisical", "export"), ("heroku", "config"), ("secret-tool", "lookup"),
    ("security", "find-generic-password"), ("security", "find-internet-password"), ("git", "credential", "fill"),
    ("kubectl", "get", "secret"), ("kubectl", "get", "secrets"), ("dotenvx", "get"), ("dotenvx", "decrypt"),
    ("sops", "-d"), ("sops", "--decrypt"), ("sops", "decrypt"),
    ("chamber", "read"), ("chamber", "export"), ("ansible-vault", "view"), ("ansible-vault", "decrypt"),
)  # fmt: skip
"""Commands whose purpose is to print a credential, by their words without options."""
RENDERS = (
    ("docker", "inspect"),
    ("npm", "config", "get"),
    ("docker", "compose", "config"),
    ("docker-compose", "config"),
    ("helm", "template"),
    ("helm", "get"),
)

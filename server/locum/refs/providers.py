"""What references to other vaults are called, and where their form is explained. Knows no vault."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """Who keeps a value."""

    label: str
    page: str = ""


_VALS = "https://github.com/helmfile/vals#supported-backends"
_PROVIDERS = {
    "local": Provider("local vault"),
    "op": Provider("1Password", "https://developer.1password.com/docs/cli/secret-reference-syntax/"),
    "keyring": Provider("system keyring", "https://keyring.readthedocs.io/"),
    "pass": Provider("pass", "https://www.passwordstore.org/"),
    "ref+vault": Provider("Vault", _VALS),
    "ref+awssecrets": Provider("AWS Secrets Manager", _VALS),
    "ref+awsssm": Provider("AWS Parameter Store", _VALS),
    "ref+gcpsecrets": Provider("Google Secret Manager", _VALS),
    "ref+azurekeyvault": Provider("Azure Key Vault", _VALS),
}
"""By scheme."""


def provider_of(source: str) -> Provider:
    """Return who keeps what `source` says: "local", or a native reference."""
    scheme = source.partition("://")[0]
    return _PROVIDERS.get(scheme) or Provider(scheme, _VALS if scheme.startswith("ref+") else "")

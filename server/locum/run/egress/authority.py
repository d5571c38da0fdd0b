"""A certificate authority for one task: made in memory, good for the allowed hosts only, gone with the task.

The private keys never reach a disk: `ssl` reads them through a descriptor of sealed memory.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import os
import ssl
from collections.abc import Iterator, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from locum.run.egress.rules import Place, is_address

_LIFE = dt.timedelta(hours=25)
"""A lease lives a day at most; an hour for clocks that differ."""
_SKEW = dt.timedelta(minutes=5)


class Authority:
    """Signs certificates for hosts under its name constraints; `certificate` (PEM) is what the task must trust."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Locum, for one task")])
        self._certificate = _sign(
            self._name, self._name, self._key, self._key,
            (x509.BasicConstraints(ca=True, path_length=0), True), (_usage(authority=True), True),
            (x509.NameConstraints([_constraint(place.host) for place in places], None), True),
        )  # fmt: skip
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.certificate = self._certificate.public_bytes(serialization.Encoding.PEM)

    def context(self, host: str) -> ssl.SSLContext:
        """Return what serves TLS as `host`, and to nobody who asks for another name (SNI); HTTP/1.1 is all it speaks."""
        if host not in self._contexts:
            self._contexts[host] = self._make_context(host)
        return self._contexts[host]

    def _make_context(self, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
        known = x509.IPAddress(ipaddress.ip_address(host)) if is_address(host) else x509.DNSName(host)
        leaf = _sign(
            name, self._name, key, self._key,
            (x509.BasicConstraints(ca=False, path_length=None), True), (_usage(authority=False), True),
            (x509.SubjectAlternativeName([known]), False),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        )  # fmt: skip
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        wanted = None if is_address(host) else host
        context.sni_callback = lambda _, asked, __: None if asked == wanted else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        with _in_memory(leaf.public_bytes(serialization.Encoding.PEM) + self.certificate + private) as path:
            context.load_cert_chain(path)
        return context


def _sign(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *extensions: tuple[x509.ExtensionType, bool],
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, hashes.SHA256())


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _constraint(host: str) -> x509.GeneralName:
    if is_address(host):
        return x509.IPAddress(ipaddress.ip_network(host))
    return x509.DNSName(host.removeprefix("*."))


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Give a path under which `content` can be read while this lasts (Linux: proc(5), memfd_create(2))."""
    descriptor = os.memfd_create("locum", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)

"""Trust stores: the certificates a user takes for true, found by subject when a chain asks for them.

Opening a store costs a base64 run and a look at each subject, so that 144
roots cost 2 ms and not 2 ms more for each handshake; a root is read in full
when a chain names it.
"""

from __future__ import annotations

import os
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from typing import Protocol, Self

from .certificates import Certificate
from .der import INTEGER, SEQUENCE, DerError, DerReader
from .errors import CertificateError, UsageError
from .names import comparable_name

# Where systems keep their bundle, most usual first.
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # newer Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine, OpenBSD, macOS
    "/usr/local/etc/ssl/cert.pem",  # FreeBSD
    "/usr/share/ssl/certs/ca-bundle.crt",  # older ones
)
EMPTY = "an empty store"
MAX_FILE = 64 << 20  # a bundle is 0.2 MB
MAX_SAME_HASH = 16  # `hash.0`, `hash.1`, ... in a hashed directory


class TrustSource(Protocol):
    """What a chain is checked against."""

    @property
    def description(self) -> str:
        """Say where the certificates are from, for messages."""
        ...

    def find(self, subject_der: bytes) -> list[Certificate]:
        """List the certificates with this subject, to the octet."""
        ...

    def find_alike(self, subject_der: bytes) -> list[Certificate]:
        """List those whose subject is the same name, however encoded (RFC 5280 §7.1)."""
        ...


class TrustStore:
    """Certificates indexed by subject. `skipped` counts those in the input that were not readable."""

    def __init__(self, description: str = EMPTY) -> None:
        self.description = description
        self.skipped = 0
        # By subject, then by encoding: what is there twice counts once. None: not read yet.
        self._by_subject: dict[bytes, dict[bytes, Certificate | None]] = {}
        self._canonical: dict[bytes, list[bytes]] | None = None
        self._directories: list[HashedDirectory] = []

    @classmethod
    def from_pem(cls, pem: bytes, description: str = "the PEM given") -> Self:
        """Read every certificate in `pem`; what else is there is passed over."""
        store = cls(description)
        store.add_pem(pem)
        return store

    @classmethod
    def from_file(cls, path: str) -> Self:
        """Read a PEM file; OSError if it cannot be opened, UsageError if there is no certificate in it."""
        store = cls.from_pem(_read(path), path)
        if not len(store):
            raise UsageError(f"trust store: no certificate in {path}")
        return store

    @classmethod
    def system(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Open what this machine trusts.

        `SSL_CERT_FILE` and `SSL_CERT_DIR` where set, and nothing else then;
        otherwise the first bundle the system has, otherwise certifi's.
        """
        file, directories = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
        if file or directories:
            store = cls.from_file(file) if file else cls()
            for path in (directories or "").split(":"):
                if path:
                    store.add_directory(path)
            return store
        for bundle in SYSTEM_BUNDLES:
            try:
                return cls.from_file(bundle)
            except (OSError, UsageError):
                continue
        import certifi

        return cls.from_file(certifi.where())

    def add_pem(self, pem: bytes) -> None:
        for der in pem_certificates(pem):
            try:
                self.add(der)
            except DerError:
                self.skipped += 1

    def add(self, der: bytes) -> None:
        """Take one certificate, of which only the subject is looked at; DerError if there is none."""
        self._by_subject.setdefault(subject_of(der), {}).setdefault(der)
        self._canonical = None

    def add_store(self, other: TrustStore) -> None:
        """Take all that another store has."""
        for subject, certificates in other._by_subject.items():
            self._by_subject.setdefault(subject, {}).update(certificates)
        self._directories += other._directories
        self._canonical = None
        self.description += f" and {other.description}"

    def add_directory(self, path: str) -> None:
        """Take a directory, hashed as by `openssl rehash` or with plain files."""
        directory = HashedDirectory(path)
        if directory.is_hashed:
            self._directories.append(directory)
        else:
            for name in sorted(directory.names):
                if name.endswith((".pem", ".crt", ".cer")):
                    self.add_pem(_read_or_nothing(os.path.join(path, name)))
        if self.description == EMPTY:
            self.description = path
        elif path not in self.description.split(" and "):
            self.description += f" and {path}"

    def find(self, subject_der: bytes) -> list[Certificate]:
        """List the certificates with this subject; those in hashed directories may only be alike."""
        found = self._parsed(subject_der)
        for directory in self._directories:
            found += [certificate for certificate in directory.find(subject_der) if certificate not in found]
        return found

    def find_alike(self, subject_der: bytes) -> list[Certificate]:
        """List those whose subject is the same name, however encoded; dearer than `find`."""
        alike = self._canonical_index().get(comparable_name(subject_der), ())
        return [certificate for subject in alike for certificate in self._parsed(subject)]

    def __len__(self) -> int:
        """How many certificates there are, those in hashed directories not counted."""
        return sum(map(len, self._by_subject.values()))

    def _parsed(self, subject_der: bytes) -> list[Certificate]:
        entries, found = self._by_subject.get(subject_der, {}), []
        for der, certificate in list(entries.items()):
            if certificate is None:
                try:
                    certificate = entries[der] = Certificate.parse(der)
                except CertificateError:
                    self.skipped += 1
                    del entries[der]
                    continue
            found.append(certificate)
        return found

    def _canonical_index(self) -> dict[bytes, list[bytes]]:
        """Index the subjects by canonical form, made when a name is not found by its octets."""
        if self._canonical is None:
            self._canonical = {}
            for subject in self._by_subject:
                self._canonical.setdefault(comparable_name(subject), []).append(subject)
        return self._canonical


class HashedDirectory:
    """A directory in which `openssl rehash` made links named by the hash of the subject."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self.names = frozenset(os.listdir(path))
        except OSError:
            self.names = frozenset()

    @property
    def is_hashed(self) -> bool:
        return any(len(name) == 10 and name[8] == "." and name[9].isdigit() for name in self.names)

    def find(self, subject_der: bytes) -> list[Certificate]:
        prefix, found = subject_hash(subject_der), []
        for number in range(MAX_SAME_HASH):
            name = f"{prefix}.{number}"
            if name not in self.names:
                break
            for der in pem_certificates(_read_or_nothing(os.path.join(self.path, name))):
                try:
                    certificate = Certificate.parse(der)
                except CertificateError:
                    continue
                if comparable_name(certificate.subject_der) == comparable_name(subject_der):
                    found.append(certificate)
        return found


def pem_certificates(pem: bytes) -> list[bytes]:
    """Decode each certificate of a PEM text (RFC 7468); what is no base64 comes out as b""."""
    out = []
    for part in pem.replace(b"-----BEGIN X509 CERT", b"-----BEGIN CERT").split(
        b"-----BEGIN CERTIFICATE-----"
    )[1:]:
        try:
            out.append(a2b_base64(part.partition(b"-----END")[0]))
        except Base64Error:
            out.append(b"")
    return out


def subject_of(der: bytes) -> bytes:
    """Take the subject out of a certificate without reading the rest."""
    tbs = DerReader(der).enter(SEQUENCE).enter(SEQUENCE)
    if tbs.tag == 0xA0:
        tbs.skip(0xA0)
    tbs.skip(INTEGER)
    for _ in ("signature", "issuer", "validity"):
        tbs.skip(SEQUENCE)
    return tbs.read_whole(SEQUENCE)


def subject_hash(subject_der: bytes) -> str:
    """Name the file of a subject in a hashed directory, as `openssl x509 -subject_hash` does."""
    from hashlib import sha1  # most trust is in one file

    return f"{int.from_bytes(sha1(comparable_name(subject_der)).digest()[:4], 'little'):08x}"


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise UsageError(f"trust store: {path} is longer than {MAX_FILE} octets")
    return data


def _read_or_nothing(path: str) -> bytes:
    try:
        return _read(path)
    except (OSError, UsageError):
        return b""

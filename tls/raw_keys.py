"""Raw public keys (RFC 7250): a server that is known by its key, without a certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .alerts import Alert
from .certificates import KeyInfo, load_public_key
from .der import SEQUENCE, DerReader
from .errors import CertificateError

if TYPE_CHECKING:
    from .certificates import PublicKey

X509, RAW_PUBLIC_KEY = 0, 2


class RawPublicKey:
    """A SubjectPublicKeyInfo in the place of a certificate; CertificateError where it cannot be used."""

    key_usage = None

    def __init__(self, der: bytes) -> None:
        try:
            info = KeyInfo.read(DerReader(der).enter_last(SEQUENCE))
            self.public_key: PublicKey = load_public_key(info)
        except ValueError as error:  # DerError too
            raise CertificateError(
                f"Certificate: the raw public key is not readable: {error}", Alert.BAD_CERTIFICATE
            ) from None
        self.key_algorithm = info.name
        self.der = der


def expect_known(der: bytes, known: tuple[bytes, ...]) -> None:
    """Refuse a key that the caller does not know."""
    if der not in known:
        raise CertificateError(
            "Certificate: the raw public key is not one that is known", Alert.CERTIFICATE_UNKNOWN
        )

"""What became of checking a chain as one number: `%{ssl_verify_result}`, and the number in lines of `-v`.

The numbers are OpenSSL's X509_V_ERR_*, told apart by its texts, which our own checks use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurl_redox.transfer import UNSPECIFIED
from tcpip.clock import wall_clock
from tls.certificates import Certificate
from tls.errors import CertificateError
from tls.paths import verify_chain
from tls.trust import TrustStore

if TYPE_CHECKING:
    from tls.crl import CrlStore
    from tls.events import HandshakeCompleted

CODES = {
    "unable to get certificate CRL": 3,
    "unable to decode issuer public key": 6,
    "certificate signature failure": 7,
    "CRL signature failure": 8,
    "certificate is not yet valid": 9,
    "certificate has expired": 10,
    "CRL is not yet valid": 11,
    "CRL has expired": 12,
    "self-signed certificate": 18,
    "self-signed certificate in certificate chain": 19,
    "unable to get local issuer certificate": 20,
    "unable to verify the first certificate": 21,
    "certificate chain too long": 22,
    "certificate revoked": 23,
    "path length constraint exceeded": 25,
    "unsuitable certificate purpose": 26,
    "unhandled critical extension": 34,
    "key usage does not include CRL signing": 35,
    "unhandled critical CRL extension": 36,
    "different CRL scope": 44,
    "permitted subtree violation": 47,
    "excluded subtree violation": 48,
    "unsupported name constraint type": 51,
    "unsupported or invalid name constraint syntax": 52,
    "EE certificate key too weak": 66,
    "CA certificate key too weak": 67,
    "CA signature digest algorithm too weak": 68,
    "invalid CA certificate": 79,
}


def code_of(error: CertificateError) -> int:
    """Return the number for a refused chain; a name that does not match has none of its own in curl."""
    return CODES.get(error.openssl_text, UNSPECIFIED)


def of_unverified(
    done: HandshakeCompleted | None, host: str, crls: CrlStore | None = None
) -> tuple[int, str]:
    """Say what a check would have said of a chain that nobody checked, as number and text.

    With -k curl opens no trust store, and does not ask for the name.
    """
    if done is None or done.verified_path is not None:
        return 0, ""
    try:
        chain = [Certificate.parse(der) for der in done.peer_chain]
        verify_chain(chain, host, TrustStore(), wall_clock(), partial_chain=True, crls=crls)
    except CertificateError as error:
        if not error.openssl_text.endswith("mismatch"):
            return code_of(error), error.openssl_text or str(error)
    return 0, ""

"""What TLS has against a server, as curl's errors; with what a user can do."""

from __future__ import annotations

from pycurl_redox import errors
from pycurl_redox.stream import CutShortError
from tls.alerts import Alert
from tls.errors import (
    AlertReceivedError,
    CertificateError,
    EchRejectedError,
    PeerIncompatibleError,
    StapleError,
    TlsError,
)

OF_CERTIFICATES = (
    Alert.BAD_CERTIFICATE,
    Alert.UNSUPPORTED_CERTIFICATE,
    Alert.CERTIFICATE_REVOKED,
    Alert.CERTIFICATE_EXPIRED,
    Alert.CERTIFICATE_UNKNOWN,
    Alert.UNKNOWN_CA,
)
"""Alerts about the other side's chain (RFC 8446 §6.2)."""


def handshake_failed(error: TlsError, host: str, is_proxy: bool = False) -> errors.FetchError:
    """Return curl's error for a handshake that came to nothing; a certificate's draws its chain."""
    if isinstance(error, EchRejectedError):
        rejected = errors.EchRequiredError(str(error))
        rejected.retry_configs = error.retry_configs
        return rejected
    if isinstance(error, StapleError):
        return errors.CertStatusError(str(error))
    if not isinstance(error, CertificateError):
        return errors.TlsFailedError(f"TLS: {error}{_old_version_hint(error)}{_certificate_hint(error)}")
    text = f"SSL certificate problem: {error.openssl_text or error}"
    if error.openssl_text.endswith("mismatch"):
        text = f"SSL: no alternative certificate subject name matches target host name '{host}'"
    diagnosis = error.diagnosis
    if is_proxy:
        for server, proxy in (
            ("The server", "The proxy"),
            ("\n--", "\n--proxy-"),
            ("\n-k", "\n--proxy-insecure"),
        ):
            diagnosis = diagnosis.replace(server, proxy)
    from pycurl_redox.verify_result import code_of

    refused = errors.CertificateRefusedError("\n".join(filter(None, [text, diagnosis])))
    refused.verify_result = code_of(error)
    return refused


def _old_version_hint(error: TlsError) -> str:
    """What a user should know where the server most likely has no TLS 1.3."""
    if error.alert == Alert.PROTOCOL_VERSION and isinstance(
        error, AlertReceivedError | PeerIncompatibleError
    ):
        return ": the server has no version that is allowed here; TLS 1.3 and TLS 1.2 are spoken"
    if error.alert == Alert.HANDSHAKE_FAILURE and isinstance(error, AlertReceivedError):
        return ": nothing in common with what is offered"
    return ""


def _certificate_hint(error: Exception) -> str:
    """What a user should know where the server does not take who we are, or that we do not say it."""
    if not isinstance(error, AlertReceivedError):
        return ""
    if error.alert == Alert.CERTIFICATE_REQUIRED:
        return ": the server wants a client certificate (-E FILE)"
    if error.alert in (*OF_CERTIFICATES, Alert.ACCESS_DENIED):
        return ": the server does not accept our client certificate (-E FILE)"
    return ""


def translated(error: Exception) -> Exception:
    """Return curl's error for one of TLS after the handshake; others are given back."""
    if isinstance(error, TlsError | CutShortError):
        return errors.ReceiveFailedError(f"TLS: {error}{_certificate_hint(error)}")
    return error

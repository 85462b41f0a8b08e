"""What can go wrong in TLS; the class says whose fault, `.alert` the number, the message what exactly.

TlsError
├── PeerMisbehavedError      the server broke the protocol
│   └── TruncatedError           the stream ended without close_notify
├── PeerIncompatibleError    the server kept to the protocol, but there is no common ground
├── CertificateError         the server did not prove who it is
│   └── StapleError              nor that its certificate is good still
├── EchRejectedError         the server cannot open the encrypted ClientHello
├── AlertReceivedError       the server gave up, and said so
└── UsageError               the caller's mistake
    └── PassPhraseError          an encrypted key cannot be opened
"""

from __future__ import annotations

from .alerts import Alert


class TlsError(Exception):
    """Base of all errors of this package.

    `alert` is the alert that went to the server, or came from it with an
    `AlertReceivedError`; None where none is due.
    """

    def __init__(self, message: str, alert: Alert | None = None) -> None:
        super().__init__(message)
        self.alert = alert


class PeerMisbehavedError(TlsError):
    """The server sent what RFC 8446 forbids; the message starts with the TLS message at fault."""


class TruncatedError(PeerMisbehavedError):
    """The stream ended without close_notify: what came before may be cut short (RFC 8446 §6.1)."""


class PeerIncompatibleError(TlsError):
    """The server has no version, suite, group or signature in common with the config."""


class CertificateError(TlsError):
    """The server's certificate is not to be trusted for this name.

    `openssl_text` says it in OpenSSL's words, for those who know or search
    them; "" where OpenSSL has none. `diagnosis` is a picture of several lines:
    the chain as sent, the place where it breaks, the options that would help.
    """

    def __init__(
        self, message: str, alert: Alert | None = None, *, openssl_text: str = "", diagnosis: str = ""
    ) -> None:
        super().__init__(message, alert)
        self.openssl_text = openssl_text
        self.diagnosis = diagnosis


class StapleError(CertificateError):
    """The server's OCSP response is missing, or does not say that its certificate is good (RFC 6066 §8)."""


class EchRejectedError(TlsError):
    """The server has proven to be the public name's, and did not open the ClientHello (RFC 9849 §6.1.6).

    `retry_configs` is the list it gave to try again with, at once and one
    time; None where it gave none: it does not have ECH any more.
    """

    def __init__(self, message: str, alert: Alert, retry_configs: bytes | None) -> None:
        super().__init__(message, alert)
        self.retry_configs = retry_configs


class AlertReceivedError(TlsError):
    """The server sent an error alert; nothing is sent in answer (RFC 8446 §6.2).

    `code` is the number received, also where `Alert` has no name for it.
    """

    def __init__(self, message: str, alert: Alert | None, code: int) -> None:
        super().__init__(message, alert)
        self.code = code


class UsageError(TlsError):
    """A call that makes no sense in this state, or a config that cannot work."""


class PassPhraseError(UsageError):
    """The pass phrase of a private key is missing or wrong; it is in no message."""

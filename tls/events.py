"""What `TlsClient.next_event()` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .config import TLS13, EarlyDataOutcome, EchOutcome, SessionTicket

if TYPE_CHECKING:
    from .certificates import Certificate
    from .messages import CertificateRequest
    from .messages12 import CertificateRequest12
    from .paths import VerifiedPath


class HandshakeCompleted(NamedTuple):
    """The server has proven its identity and the keys; data may be sent.

    `verified_path` is None where the config verifies nothing or the session
    was resumed; `peer_chain` is as sent, or as in the session resumed.
    When resumed `signature_scheme` is that of then, and `peer_certificate` None.
    `certificate_request` is what the server wanted to know of us, None if nothing.
    """

    cipher_suite: int
    group: int
    alpn: bytes | None
    signature_scheme: int | None
    peer_chain: tuple[bytes, ...]
    peer_certificate: Certificate | None
    verified_path: VerifiedPath | None
    is_resumed: bool
    was_retried: bool
    sent_client_certificate: bool
    certificate_request: CertificateRequest | CertificateRequest12 | None
    ocsp_response: bytes | None
    sct_list: bytes | None
    version: int = TLS13
    early_data: EarlyDataOutcome = "disabled"
    """Unless "accepted", nothing that was sent early has reached the server's application."""
    ech: EchOutcome = "not_offered"
    raw_public_key: bytes | None = None
    """The SubjectPublicKeyInfo by which the server is known, where it showed no certificate."""


class ApplicationData(NamedTuple):
    """Octets of the stream; the view is good until the next `receive_data`."""

    data: memoryview


class CloseNotifyReceived(NamedTuple):
    """The server has ended its side in order; ours may still send."""


class TicketReceived(NamedTuple):
    """A session that may be resumed later."""

    ticket: SessionTicket


class KeyUpdated(NamedTuple):
    """One direction has new keys."""

    outgoing: bool


class CertificateRequested(NamedTuple):
    """The server asked who we are after the handshake; `was_answered` with a certificate."""

    was_answered: bool


class MessageTraced(NamedTuple):
    """A message passed by: content ("TLS handshake", "TLS alert", …), name and number as curl has them."""

    outgoing: bool
    content: str
    name: str
    number: int
    length: int
    version: int = TLS13


Event = (
    HandshakeCompleted
    | ApplicationData
    | CloseNotifyReceived
    | TicketReceived
    | KeyUpdated
    | CertificateRequested
    | MessageTraced
)

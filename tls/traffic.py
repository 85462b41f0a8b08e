"""After the handshake: tickets, key updates, requests for a certificate, exporters (RFC 8446 §4.6, §7.5).

Of the secrets only those are kept that still make others (RFC 8446 §7.1):
what was agreed with, and the secrets of the handshake, are let go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import crypto, messages
from .alerts import Alert
from .config import SessionTicket
from .errors import PeerMisbehavedError, UsageError
from .events import TicketReceived
from .key_schedule import exported_keying_material, resumption_secret
from .messages import HandshakeMessage, NewSessionTicket, unexpected

if TYPE_CHECKING:
    from .client_auth import PostHandshakeAuth
    from .crypto import CipherSuite
    from .output import Output
    from .proofs import FinishedVerified

MAX_TICKET_LIFETIME = 7 * 24 * 3600  # RFC 8446 §4.6.1
MAX_LABEL = 249  # RFC 8446 §7.1: 255 octets with "tls13 " before it


class ExpectTraffic(NamedTuple):
    """RFC 8446 §A.1, CONNECTED; made only with a verified Finished in hand."""

    finished: FinishedVerified
    suite: CipherSuite
    server_name: str
    alpn: bytes | None
    exporter_secret: bytes
    resumption_master_secret: bytes
    authentication: PostHandshakeAuth | None = None  # None: not offered
    tickets: int = 0
    key_updates: int = 0  # since the last application data

    def __repr__(self) -> str:
        return "ExpectTraffic(...)"

    def handle(self, message: HandshakeMessage, output: Output) -> ExpectTraffic:
        if message.kind == messages.NEW_SESSION_TICKET:
            if self.tickets >= output.config.limits.tickets:
                return self
            self._take_ticket(message, output)
            return self._replace(tickets=self.tickets + 1)
        if message.kind == messages.KEY_UPDATE:
            self._update_keys(message, output)
            return self._replace(key_updates=self.key_updates + 1)
        if message.kind == messages.CERTIFICATE_REQUEST and self.authentication is not None:
            return self._replace(
                authentication=self.authentication.answered(message, self.suite.hash_name, output)
            )
        raise unexpected(message.kind, "NewSessionTicket or KeyUpdate")

    def after_application_data(self) -> ExpectTraffic:
        return self._replace(key_updates=0) if self.key_updates else self

    def export(self, label: bytes, context: bytes | None, length: int) -> bytes:
        """RFC 8446 §7.5; UsageError for what HKDF-Expand-Label has no room for."""
        if not 0 < length <= 255 * crypto.HASH_SIZES[self.suite.hash_name] or len(label) > MAX_LABEL:
            raise UsageError(f"exporter: no {length} octets under a label of {len(label)}")
        return exported_keying_material(
            self.suite.hash_name, self.exporter_secret, label, context or b"", length
        )

    def _take_ticket(self, message: HandshakeMessage, output: Output) -> None:
        ticket = NewSessionTicket.parse(message)
        if ticket.lifetime == 0:
            return
        suite, proof = self.suite, self.finished.proof
        output.events.append(
            TicketReceived(
                SessionTicket(
                    server_name=self.server_name,
                    identity=ticket.ticket,
                    resumption_secret=resumption_secret(
                        suite.hash_name, self.resumption_master_secret, ticket.nonce
                    ),
                    cipher_suite=suite.code,
                    lifetime=min(ticket.lifetime, MAX_TICKET_LIFETIME),
                    age_add=ticket.age_add,
                    max_early_data_size=ticket.max_early_data_size,
                    alpn=self.alpn,
                    peer_chain=proof.peer.chain,
                    ocsp_response=proof.peer.ocsp_response,
                    sct_list=proof.peer.sct_list,
                    was_verified=proof.was_verified,
                    is_raw_key=proof.is_raw_key,
                    signature_scheme=proof.scheme,
                )
            )
        )

    def _update_keys(self, message: HandshakeMessage, output: Output) -> None:
        is_requested = messages.parse_key_update(message)
        if self.key_updates >= output.config.limits.key_updates:
            raise PeerMisbehavedError(
                f"KeyUpdate: too many in a row: over {output.config.limits.key_updates}",
                Alert.UNEXPECTED_MESSAGE,
            )
        output.update_read_keys()
        if is_requested:
            output.owe_key_update()


class ExpectTraffic12(NamedTuple):
    """Connected by TLS 1.2; made only with a verified Finished in hand."""

    finished: FinishedVerified
    suite: CipherSuite
    master_secret: bytes
    randoms: bytes
    """The client's and the server's."""

    def __repr__(self) -> str:
        return "ExpectTraffic12(...)"

    def handle(self, message: HandshakeMessage, output: Output) -> ExpectTraffic12:
        raise unexpected(message.kind, "application data")

    def after_application_data(self) -> ExpectTraffic12:
        return self

    def export(self, label: bytes, context: bytes | None, length: int) -> bytes:
        """RFC 5705 §4, safe with the extended master secret only (RFC 7627 §6), which all here have."""
        from . import prf

        if length <= 0:
            raise UsageError(f"exporter: no {length} octets")
        return prf.exported_keying_material(
            self.suite.hash_name, self.master_secret, label, self.randoms, context, length
        )

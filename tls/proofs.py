"""What a handshake has shown, step by step; each is made in one place, behind the check it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .certificates import Certificate
    from .config import SessionTicket, TlsConfig
    from .messages import CertificateMessage
    from .paths import VerifiedPath


class SignatureVerified(NamedTuple):
    """The server has signed this handshake with the key of its certificate, and the chain was accepted."""

    peer: CertificateMessage
    certificate: Certificate | None  # None: a raw public key
    path: VerifiedPath | None
    scheme: int

    @property
    def was_verified(self) -> bool:
        return self.path is not None or self.certificate is None

    @property
    def is_raw_key(self) -> bool:
        return self.certificate is None


class PskAccepted(NamedTuple):
    """The server knows the secret of a session in which it proved its identity; Finished will show it."""

    peer: CertificateMessage
    path: VerifiedPath | None
    scheme: int | None
    was_verified: bool
    """Now, or when the session was made."""
    is_raw_key: bool


def proof_of_session(config: TlsConfig, server_name: str, ticket: SessionTicket) -> PskAccepted:
    """Judge the chain of a session again where the config wants it; raises what `config.verify` raises."""
    from .messages import CertificateMessage

    path = None
    if ticket.is_raw_key:
        from .raw_keys import expect_known

        expect_known(ticket.peer_chain[0], config.raw_public_keys)
    elif config.verify is not None and (config.verify_resumed or not ticket.was_verified):
        from .certificates import Certificate

        chain = [Certificate.parse(der) for der in ticket.peer_chain]
        path = config.verify(chain, server_name)
    peer = CertificateMessage(ticket.peer_chain, ticket.ocsp_response, ticket.sct_list)
    return PskAccepted(
        peer, path, ticket.signature_scheme, path is not None or ticket.was_verified, ticket.is_raw_key
    )


class FinishedVerified(NamedTuple):
    """The server's Finished was right: nobody changed the handshake."""

    proof: SignatureVerified | PskAccepted

"""The server's hello, and its request for another of ours (RFC 8446 §4.1.3, §4.1.4; with ECH RFC 9849 §6.1).

ExpectServerHello ⟲ HelloRetryRequest
├── ExpectEncryptedExtensions      handshake.py
└── ExpectCertificate12 …          handshake12.py, where the server has nothing newer
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import crypto, messages
from . import extensions as ext
from .alerts import Alert
from .config import TLS12, TLS13, SessionTicket
from .errors import PeerIncompatibleError, PeerMisbehavedError
from .handshake import ExpectEncryptedExtensions, Session, State, illegal
from .key_schedule import EarlySecret, Transcript
from .messages import HandshakeMessage, ServerHello, unexpected
from .offer import Offer

if TYPE_CHECKING:
    from .crypto import CipherSuite
    from .output import Output

#: RFC 8446 §4.1.3: what a server that could do better writes at the end of its random.
_DOWNGRADE_SENTINELS = (b"DOWNGRD\x00", b"DOWNGRD\x01")


class Retry(NamedTuple):
    """What a HelloRetryRequest has settled, and the ServerHello must keep to."""

    cipher_suite: int
    group: int | None
    transcript: Transcript
    """Of the hellos that the server goes by: with ECH the inner ones, if it has opened the first."""


class ExpectServerHello(NamedTuple):
    """RFC 8446 §4.1.3 and §4.1.4; with `retry` the second hello is awaited."""

    offer: Offer
    retry: Retry | None = None

    def handle(self, message: HandshakeMessage, output: Output) -> State:
        if message.kind != messages.SERVER_HELLO:
            raise unexpected(message.kind, "ServerHello")
        hello = ServerHello.parse(message)
        if self._is_12(hello):
            from . import handshake12

            if self.offer.early is not None:  # RFC 8446 §D.3: its key is one that TLS 1.2 does not have
                raise PeerIncompatibleError(
                    "ServerHello: version TLS 1.2, but data of TLS 1.3 was sent early", Alert.PROTOCOL_VERSION
                )
            return handshake12.accept(self.offer, hello, message, output)
        self._check_version(hello)
        if hello.session_id != self.offer.session_id:
            raise illegal(f"{hello.name}: session id is not the echo of ours")
        suite = self._suite(hello)
        if hello.is_retry_request:
            return self._retried(hello, suite, message, output)
        return self._accepted(hello, suite, message, output)

    def _is_12(self, hello: ServerHello) -> bool:
        """The server has chosen TLS 1.2, as it may: it was offered, and nobody has taken TLS 1.3 away."""
        if (
            ext.SUPPORTED_VERSIONS in hello.extensions
            or hello.legacy_version != TLS12
            or hello.is_retry_request
            or self.retry is not None
        ):
            return False
        versions = self.offer.config.versions
        return TLS12 in versions and (TLS13 not in versions or hello.random[-8:] not in _DOWNGRADE_SENTINELS)

    def _check_version(self, hello: ServerHello) -> None:
        body = hello.extensions.get(ext.SUPPORTED_VERSIONS)
        if body is None:
            if self.retry is not None:
                raise illegal(f"{hello.name}: version of the second hello differs: none selected")
            if hello.random[-8:] in _DOWNGRADE_SENTINELS:
                raise illegal("ServerHello: downgrade sentinel, somebody removed TLS 1.3 from the offer")
            raise PeerIncompatibleError(
                f"ServerHello: version not supported: the server chose 0x{hello.legacy_version:04x}",
                Alert.PROTOCOL_VERSION,
            )
        version = ext.parse_uint16(body, f"{hello.name}, extension supported_versions")
        if version != TLS13 or TLS13 not in self.offer.config.versions:
            if self.retry is not None:
                raise illegal(f"{hello.name}: version of the second hello differs: 0x{version:04x}")
            raise illegal(f"{hello.name}: selected version was not offered: 0x{version:04x}")
        if hello.legacy_version != TLS12:
            raise PeerMisbehavedError(
                f"{hello.name}: version not supported: legacy_version 0x{hello.legacy_version:04x}",
                Alert.PROTOCOL_VERSION,
            )

    def _suite(self, hello: ServerHello) -> CipherSuite:
        code = hello.cipher_suite
        if code not in self.offer.config.cipher_suites:
            raise illegal(f"{hello.name}: cipher suite not offered: 0x{code:04x}")
        if self.retry is not None and code != self.retry.cipher_suite:
            raise illegal(f"{hello.name}: cipher suite is not that of the HelloRetryRequest: 0x{code:04x}")
        return crypto.CIPHER_SUITES[code]

    # A second attempt

    def _retried(
        self, hello: ServerHello, suite: CipherSuite, message: HandshakeMessage, output: Output
    ) -> State:
        if self.retry is not None:
            raise unexpected(messages.SERVER_HELLO, "ServerHello, not a second HelloRetryRequest")
        offered = self.offer.offered
        hello.expect_only(ext.IN_HELLO_RETRY_REQUEST - ({ext.ENCRYPTED_CLIENT_HELLO} - offered))
        group = self._requested_group(hello)
        cookie = hello.extensions.get(ext.COOKIE)
        if group is None and cookie is None:
            raise illegal("HelloRetryRequest: would change nothing")
        output.expect_no_leftovers()
        sealed = self.offer.ech
        if (sign := hello.extensions.get(ext.ENCRYPTED_CLIENT_HELLO)) is None:
            sealed = None
        else:
            from . import ech

            ech.expect_confirmation(sign)  # in answer to GREASE, too (RFC 9849 §6.2)
            if sealed is not None and not ech.is_retry_accepted(
                sealed.inner, sign, hello, message, suite.hash_name
            ):
                sealed = None
        first = self.offer if sealed is None else sealed.inner
        transcript = Transcript(suite.hash_name, first.encoded)
        transcript.replace_by_message_hash()
        transcript.add(message.encoded)
        cookie = None if cookie is None else ext.parse_cookie(cookie)
        if sealed is None:
            offer = self.offer.retried(group, cookie, suite.hash_name, transcript)
        else:
            offer = sealed.retried(self.offer, group, cookie, suite.hash_name, transcript)
        transcript.add(offer.encoded if offer.ech is None else offer.ech.inner.encoded)
        output.end_early_data()
        output.writer.protection = None
        output.send_change_cipher_spec()
        output.send_message(offer.encoded)
        return ExpectServerHello(offer, Retry(suite.code, group, transcript))

    def _requested_group(self, hello: ServerHello) -> int | None:
        body = hello.extensions.get(ext.KEY_SHARE)
        if body is None:
            return None
        group = ext.parse_uint16(body, "HelloRetryRequest, extension key_share")
        if group not in self.offer.config.groups:
            raise illegal(f"HelloRetryRequest: group not offered: 0x{group:04x}")
        if self.offer.exchange_for(group) is not None:
            raise illegal(f"HelloRetryRequest: group had a share already: 0x{group:04x}")
        return group

    # Agreement

    def _accepted(
        self, hello: ServerHello, suite: CipherSuite, message: HandshakeMessage, output: Output
    ) -> State:
        offer, transcript = self._chosen_offer(hello, suite, message)
        if offer.ech_outcome == "accepted":
            output.client_random = offer.random
        hello.expect_only(ext.IN_SERVER_HELLO & offer.offered)
        early, ticket = _early_secret(offer, hello, suite)
        group, shared_secret = _shared_secret(offer, hello)
        transcript.add(message.encoded)
        secret = early.handshake(shared_secret)
        digest = transcript.digest()
        client, server = secret.client_traffic_secret(digest), secret.server_traffic_secret(digest)
        output.read_with(suite, server)
        if offer.early is None:  # else its keys are in use until the server has said what became of it
            output.write_with(suite, client)
        output.log_secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET", client)
        output.log_secret("SERVER_HANDSHAKE_TRAFFIC_SECRET", server)
        was_retried = self.retry is not None
        session = Session(
            offer, suite, group, was_retried, transcript, secret, client, server, offer.early_outcome
        )
        return ExpectEncryptedExtensions(session, ticket)

    def _chosen_offer(
        self, hello: ServerHello, suite: CipherSuite, message: HandshakeMessage
    ) -> tuple[Offer, Transcript]:
        """The hello that the server goes by, and the transcript that it begins."""
        sealed = self.offer.ech
        first = self.offer if sealed is None else sealed.inner
        transcript = (
            Transcript(suite.hash_name, first.encoded) if self.retry is None else self.retry.transcript
        )
        if sealed is None:
            return first, transcript
        from . import ech

        if ech.is_accepted(sealed.inner, hello, message, transcript):
            return first, transcript
        if self.retry is not None:
            raise illegal("ServerHello: encrypted_client_hello was accepted before, and is not any more")
        return self.offer, Transcript(suite.hash_name, self.offer.encoded)


def _early_secret(
    offer: Offer, hello: ServerHello, suite: CipherSuite
) -> tuple[EarlySecret, SessionTicket | None]:
    body = hello.extensions.get(ext.PRE_SHARED_KEY)
    if body is None:
        return EarlySecret(suite.hash_name), None
    identity = ext.parse_uint16(body, "ServerHello, extension pre_shared_key")
    if identity != 0:
        raise illegal(f"ServerHello: selected identity was not offered: {identity}")
    psk, resumption = offer.psk, offer.config.resumption
    if psk is None or resumption is None:  # RFC 9849 §6.1.2: the outer hello has one of random octets
        raise illegal("ServerHello, extension pre_shared_key: not offered, or not for this message")
    if psk.hash_name != suite.hash_name:
        raise illegal("ServerHello: cipher suite has another hash than the session resumed")
    return psk, resumption.ticket


def _shared_secret(offer: Offer, hello: ServerHello) -> tuple[int, bytes]:
    body = hello.extensions.get(ext.KEY_SHARE)
    if body is None:
        raise PeerMisbehavedError("ServerHello: key_share missing", Alert.MISSING_EXTENSION)
    group, share = ext.parse_key_share(body)
    exchange = offer.exchange_for(group)
    if exchange is None:
        raise illegal(f"ServerHello: group not asked for: 0x{group:04x}")
    return group, exchange.shared_secret(share)

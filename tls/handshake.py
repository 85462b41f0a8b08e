"""The client's side of the handshake (RFC 8446 §4, §A.1), one small class per expected message.

    ExpectServerHello ⟲ HelloRetryRequest
    └── ExpectEncryptedExtensions
        ├── ExpectFinished                                 a session was resumed
        └── ExpectCertificateOrRequest ── ExpectCertificate
            └── ExpectCertificateVerify
                └── ExpectFinished
                    └── ExpectTraffic ⟲ NewSessionTicket, KeyUpdate, CertificateRequest

`handle(message, output)` returns the next state.  What an earlier state has
proven is a field of the later one: `ExpectFinished` cannot be made without a
`SignatureVerified` or a `PskAccepted`, nor `ExpectTraffic` without a
`FinishedVerified`.  What a state does to the connection it does through
`Output`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from . import crypto, messages
from . import extensions as ext
from .alerts import Alert
from .config import TLS12, TLS13, EarlyDataOutcome, SessionTicket
from .crypto import CipherSuite
from .errors import CertificateError, PeerIncompatibleError, PeerMisbehavedError
from .events import HandshakeCompleted
from .key_schedule import EarlySecret, HandshakeSecret, Transcript, finished_verify_data, is_finished
from .messages import (
    CertificateMessage,
    CertificateRequest,
    CertificateVerify,
    HandshakeMessage,
    ServerHello,
    unexpected,
)
from .offer import EarlyData, Offer
from .proofs import FinishedVerified, PskAccepted, SignatureVerified, proof_of_session
from .traffic import ExpectTraffic

if TYPE_CHECKING:
    from .certificates import Certificate
    from .output import Output

#: RFC 8446 §4.1.3: what a server that could do better writes at the end of its random.
_DOWNGRADE_SENTINELS = (b"DOWNGRD\x00", b"DOWNGRD\x01")
DIGITAL_SIGNATURE = 0x80  # the first bit of KeyUsage (RFC 5280 §4.2.1.3)


class State(Protocol):
    """Waits for one message; another is an error."""

    def handle(self, message: HandshakeMessage, output: Output) -> State: ...


# Parameters, growing from state to state ----------------------------------------------------------------


class Session(NamedTuple):
    """What is settled once the ServerHello is there."""

    offer: Offer
    suite: CipherSuite
    group: int
    was_retried: bool
    transcript: Transcript
    secret: HandshakeSecret
    client_secret: bytes
    server_secret: bytes
    early_data: EarlyDataOutcome

    def __repr__(self) -> str:
        return "Session(...)"  # the secrets stay out of logs and tracebacks


class Retry(NamedTuple):
    """What a HelloRetryRequest has settled, and the ServerHello must keep to."""

    cipher_suite: int
    group: int | None
    transcript: Transcript


# States -------------------------------------------------------------------------------------------------


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
        version = ext.parse_uint16(body, f"{hello.name} supported_versions")
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
        hello.expect_only(ext.IN_HELLO_RETRY_REQUEST)
        group = self._requested_group(hello)
        cookie = hello.extensions.get(ext.COOKIE)
        if group is None and cookie is None:
            raise illegal("HelloRetryRequest: would change nothing")
        output.expect_no_leftovers()
        transcript = Transcript(suite.hash_name, self.offer.encoded)
        transcript.replace_by_message_hash()
        transcript.add(message.encoded)
        offer = self.offer.retried(
            group, None if cookie is None else ext.parse_cookie(cookie), suite.hash_name, transcript
        )
        transcript.add(offer.encoded)
        output.end_early_data()
        output.writer.protection = None
        output.send_change_cipher_spec()
        output.send_message(offer.encoded)
        return ExpectServerHello(offer, Retry(suite.code, group, transcript))

    def _requested_group(self, hello: ServerHello) -> int | None:
        body = hello.extensions.get(ext.KEY_SHARE)
        if body is None:
            return None
        group = ext.parse_uint16(body, "HelloRetryRequest key_share")
        if group not in self.offer.config.groups:
            raise illegal(f"HelloRetryRequest: key_share group not offered: 0x{group:04x}")
        if self.offer.exchange_for(group) is not None:
            raise illegal(f"HelloRetryRequest: key_share group had a share already: 0x{group:04x}")
        return group

    # Agreement

    def _accepted(
        self, hello: ServerHello, suite: CipherSuite, message: HandshakeMessage, output: Output
    ) -> State:
        offer = self.offer
        hello.expect_only({kind for kind in ext.IN_SERVER_HELLO if kind in offer.offered})
        early, ticket = self._early_secret(hello, suite)
        group, shared_secret = self._shared_secret(hello)
        if self.retry is None:
            transcript = Transcript(suite.hash_name, offer.encoded)
        else:
            transcript = self.retry.transcript
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

    def _early_secret(
        self, hello: ServerHello, suite: CipherSuite
    ) -> tuple[EarlySecret, SessionTicket | None]:
        body = hello.extensions.get(ext.PRE_SHARED_KEY)
        if body is None:
            return EarlySecret(suite.hash_name), None
        identity = ext.parse_uint16(body, "ServerHello pre_shared_key")
        if identity != 0:
            raise illegal(f"ServerHello: selected identity was not offered: {identity}")
        psk, resumption = self.offer.psk, self.offer.config.resumption
        assert psk is not None and resumption is not None
        if psk.hash_name != suite.hash_name:
            raise illegal("ServerHello: cipher suite has another hash than the session resumed")
        return psk, resumption.ticket

    def _shared_secret(self, hello: ServerHello) -> tuple[int, bytes]:
        body = hello.extensions.get(ext.KEY_SHARE)
        if body is None:
            raise PeerMisbehavedError("ServerHello: key_share missing", Alert.MISSING_EXTENSION)
        group, share = ext.parse_key_share(body)
        exchange = self.offer.exchange_for(group)
        if exchange is None:
            raise illegal(f"ServerHello: key_share group not asked for: 0x{group:04x}")
        return group, exchange.shared_secret(share)


class ExpectEncryptedExtensions(NamedTuple):
    """RFC 8446 §4.3.1."""

    session: Session
    ticket: SessionTicket | None

    def handle(self, message: HandshakeMessage, output: Output) -> State:
        if message.kind != messages.ENCRYPTED_EXTENSIONS:
            raise unexpected(message.kind, "EncryptedExtensions")
        extensions = messages.parse_encrypted_extensions(message, self.session.offer.offered)
        if (body := extensions.get(ext.SERVER_NAME)) is not None:
            ext.parse_server_name(body)
        if (body := extensions.get(ext.SUPPORTED_GROUPS)) is not None:
            ext.parse_supported_groups(body)
        alpn = self._alpn(extensions.get(ext.APPLICATION_LAYER_PROTOCOL_NEGOTIATION))
        session = self.session
        if session.offer.early is not None:
            outcome = self._early_data(session.offer.early, extensions.get(ext.EARLY_DATA), alpn, output)
            session = session._replace(early_data=outcome)
        session.transcript.add(message.encoded)
        if self.ticket is None:
            return ExpectCertificateOrRequest(session, alpn)
        early = session.offer.early
        if early is not None and session.early_data == "accepted":
            proof = early.proof
        else:
            proof = proof_of_session(session.offer.config, session.offer.server_name, self.ticket)
        return ExpectFinished(session, alpn, proof, None)

    def _early_data(
        self, early: EarlyData, body: bytes | None, alpn: bytes | None, output: Output
    ) -> EarlyDataOutcome:
        """RFC 8446 §4.2.10: accepted is what fits the session in all; else nobody has read it."""
        if body is None:
            output.end_early_data()
            output.write_with(self.session.suite, self.session.client_secret)
            return "session_not_resumed" if self.ticket is None else "peer_declined"
        ext.parse_empty(body, "EncryptedExtensions early_data")
        if self.ticket is None:
            raise PeerMisbehavedError(
                "EncryptedExtensions: extension not offered, or not for this message: early data, no session",
                Alert.UNSUPPORTED_EXTENSION,
            )
        if self.session.suite.code != early.ticket.cipher_suite:
            raise illegal("EncryptedExtensions: early data accepted under another cipher suite")
        if alpn != early.ticket.alpn:
            raise illegal("EncryptedExtensions: early data accepted under another ALPN protocol")
        return "accepted"

    def _alpn(self, body: bytes | None) -> bytes | None:
        if body is None:
            return None
        protocol = ext.parse_selected_alpn(body)
        if protocol not in self.session.offer.config.alpn:
            raise illegal(f"EncryptedExtensions: ALPN protocol not offered: {protocol!r}")
        return protocol


class ExpectCertificateOrRequest(NamedTuple):
    """RFC 8446 §4.3.2."""

    session: Session
    alpn: bytes | None

    def handle(self, message: HandshakeMessage, output: Output) -> State:
        if message.kind != messages.CERTIFICATE_REQUEST:
            return ExpectCertificate(self.session, self.alpn, None).handle(message, output)
        request = CertificateRequest.parse(message)
        self.session.transcript.add(message.encoded)
        return ExpectCertificate(self.session, self.alpn, request)


class ExpectCertificate(NamedTuple):
    """RFC 8446 §4.4.2."""

    session: Session
    alpn: bytes | None
    request: CertificateRequest | None

    def handle(self, message: HandshakeMessage, output: Output) -> State:
        if message.kind != messages.CERTIFICATE:
            raise unexpected(message.kind, "Certificate")
        offer = self.session.offer
        certificate = CertificateMessage.parse(message, offer.offered, offer.config.limits.certificate_count)
        self.session.transcript.add(message.encoded)
        return ExpectCertificateVerify(self.session, self.alpn, self.request, certificate)


class ExpectCertificateVerify(NamedTuple):
    """RFC 8446 §4.4.3: first the key, then whose key it is."""

    session: Session
    alpn: bytes | None
    request: CertificateRequest | None
    message: CertificateMessage

    def handle(self, message: HandshakeMessage, output: Output) -> State:
        from .certificates import Certificate

        if message.kind != messages.CERTIFICATE_VERIFY:
            raise unexpected(message.kind, "CertificateVerify")
        leaf = Certificate.parse(self.message.chain[0])
        verify = CertificateVerify.parse(message)
        self._check_signature(leaf, verify)
        config, path = self.session.offer.config, None
        if config.verify is not None:
            chain = [leaf, *(Certificate.parse(der) for der in self.message.chain[1:])]
            path = config.verify(chain, self.session.offer.server_name)
        if config.check_staple is not None:
            config.check_staple(leaf, self.message.ocsp_response)
        self.session.transcript.add(message.encoded)
        proof = SignatureVerified(self.message, leaf, path, verify.scheme)
        return ExpectFinished(self.session, self.alpn, proof, self.request)

    def _check_signature(self, leaf: Certificate, verify: CertificateVerify) -> None:
        scheme = verify.scheme
        if scheme not in self.session.offer.config.all_signature_schemes:
            raise illegal(f"CertificateVerify: signature scheme not offered: 0x{scheme:04x}")
        if scheme not in crypto.schemes_of(leaf.public_key, leaf.key_algorithm == "rsa-pss"):
            raise illegal(
                f"CertificateVerify: signature scheme does not fit the certificate's key: 0x{scheme:04x}"
            )
        if leaf.key_usage is not None and not leaf.key_usage & DIGITAL_SIGNATURE:
            raise CertificateError(
                "Certificate: key usage does not allow digital signatures", Alert.UNSUPPORTED_CERTIFICATE
            )
        content = messages.certificate_verify_content("server", self.session.transcript.digest())
        if not crypto.verify_signature(leaf.public_key, scheme, verify.signature, content):
            raise PeerMisbehavedError("CertificateVerify: signature is wrong", Alert.DECRYPT_ERROR)


class ExpectFinished(NamedTuple):
    """RFC 8446 §4.4.4; then the client's own flight."""

    session: Session
    alpn: bytes | None
    proof: SignatureVerified | PskAccepted
    request: CertificateRequest | None

    def handle(self, message: HandshakeMessage, output: Output) -> State:
        if message.kind != messages.FINISHED:
            raise unexpected(message.kind, "Finished")
        session = self.session
        suite, transcript = session.suite, session.transcript
        mac = message.encoded[4:]
        if not is_finished(suite.hash_name, session.server_secret, transcript.digest(), mac):
            raise PeerMisbehavedError("Finished: verify_data is wrong", Alert.DECRYPT_ERROR)
        transcript.add(message.encoded)
        master = session.secret.master()
        digest = transcript.digest()
        server = master.server_traffic_secret(digest)
        output.read_with(suite, server)
        if session.early_data == "accepted":
            self._end_early_data(output)
        sent_certificate = self._send_flight(output)
        after = None
        if (mine := session.offer.config.client_certificate) is not None:
            from .client_auth import PostHandshakeAuth

            after = PostHandshakeAuth(transcript, mine)
        client = master.client_traffic_secret(digest)
        output.write_with(suite, client)
        exporter = master.exporter_secret(digest)
        output.log_secret("CLIENT_TRAFFIC_SECRET_0", client)
        output.log_secret("SERVER_TRAFFIC_SECRET_0", server)
        output.log_secret("EXPORTER_SECRET", exporter)
        output.events.append(self._completed(sent_certificate))
        return ExpectTraffic(
            FinishedVerified(self.proof),
            suite,
            session.offer.server_name,
            self.alpn,
            exporter,
            master.resumption_master_secret(transcript.digest()),
            after,
        )

    def _end_early_data(self, output: Output) -> None:
        """RFC 8446 §4.5."""
        output.end_early_data()
        end = messages.build_end_of_early_data()
        output.send_message(end)
        self.session.transcript.add(end)
        output.write_with(self.session.suite, self.session.client_secret)

    def _send_flight(self, output: Output) -> bool:
        """CertificateRequest answered, Finished sent; returns whether a certificate was among it."""
        session, transcript = self.session, self.session.transcript
        output.send_change_cipher_spec()
        flight: tuple[bytes, ...] = ()
        if self.request is not None:
            from .client_auth import answer  # few servers ask

            flight = answer(self.request, session.offer.config.client_certificate, transcript)
        finished = messages.build_finished(
            finished_verify_data(session.suite.hash_name, session.client_secret, transcript.digest())
        )
        transcript.add(finished)
        output.send_messages(*flight, finished)
        return len(flight) > 1

    def _completed(self, sent_certificate: bool) -> HandshakeCompleted:
        session, proof = self.session, self.proof
        is_resumed = isinstance(proof, PskAccepted)
        return HandshakeCompleted(
            cipher_suite=session.suite.code,
            group=session.group,
            alpn=self.alpn,
            signature_scheme=proof.scheme,
            peer_chain=proof.peer.chain,
            peer_certificate=None if isinstance(proof, PskAccepted) else proof.certificate,
            verified_path=proof.path,
            is_resumed=is_resumed,
            was_retried=session.was_retried,
            sent_client_certificate=sent_certificate,
            certificate_request=self.request,
            ocsp_response=proof.peer.ocsp_response,
            sct_list=proof.peer.sct_list,
            early_data=session.early_data,
        )


def illegal(what: str) -> PeerMisbehavedError:
    """Make the error for a value that the server may not choose."""
    return PeerMisbehavedError(what, Alert.ILLEGAL_PARAMETER)

"""The client's side of the handshake (RFC 8446 §4, §A.1), one small class per expected message.

    ExpectServerHello ⟲ HelloRetryRequest                  server_hello.py
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
from .config import EarlyDataOutcome, SessionTicket
from .crypto import CipherSuite
from .errors import CertificateError, EchRejectedError, PeerMisbehavedError, StapleError
from .events import HandshakeCompleted
from .key_schedule import HandshakeSecret, Transcript, finished_verify_data, is_finished
from .messages import (
    CertificateMessage,
    CertificateRequest,
    CertificateVerify,
    HandshakeMessage,
    unexpected,
)
from .offer import EarlyData, Offer
from .proofs import FinishedVerified, PskAccepted, SignatureVerified, proof_of_session
from .record import MAX_INNER_PLAINTEXT
from .traffic import ExpectTraffic

if TYPE_CHECKING:
    from .certificates import Certificate
    from .config import TlsConfig
    from .output import Output
    from .paths import VerifiedPath
    from .raw_keys import RawPublicKey

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
    is_raw_key: bool = False
    """The server shows a key and no certificate (RFC 7250)."""
    retry_configs: bytes | None = None
    """With which a server that could not open our hello says to try again."""

    def __repr__(self) -> str:
        return "Session(...)"  # the secrets stay out of logs and tracebacks


# States -------------------------------------------------------------------------------------------------


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
        if (body := extensions.get(ext.RECORD_SIZE_LIMIT)) is not None:
            output.limit_records(
                ext.parse_record_size_limit(body, "EncryptedExtensions", MAX_INNER_PLAINTEXT)
            )
        alpn = self._alpn(extensions.get(ext.APPLICATION_LAYER_PROTOCOL_NEGOTIATION))
        session = self.session
        if (body := extensions.get(ext.ENCRYPTED_CLIENT_HELLO)) is not None:
            from . import ech

            ech.parse_list(body, "EncryptedExtensions, extension encrypted_client_hello")
            session = session._replace(retry_configs=body)
        if (body := extensions.get(ext.SERVER_CERTIFICATE_TYPE)) is not None:
            session = session._replace(is_raw_key=self._is_raw_key(body))
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
        ext.parse_empty(body, "EncryptedExtensions, extension early_data")
        if self.ticket is None:
            raise PeerMisbehavedError(
                "EncryptedExtensions, extension early_data: not offered, or not for this message: no session",
                Alert.UNSUPPORTED_EXTENSION,
            )
        if self.session.suite.code != early.ticket.cipher_suite:
            raise illegal("EncryptedExtensions: early data accepted under another cipher suite")
        if alpn != early.ticket.alpn:
            raise illegal("EncryptedExtensions: early data accepted under another ALPN protocol")
        return "accepted"

    @staticmethod
    def _is_raw_key(body: bytes) -> bool:
        from . import raw_keys

        kind = ext.parse_certificate_type(body)
        if kind not in (raw_keys.RAW_PUBLIC_KEY, raw_keys.X509):
            raise illegal(f"EncryptedExtensions: certificate type was not offered: {kind}")
        return kind == raw_keys.RAW_PUBLIC_KEY

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
        offer, whole = self.session.offer, message
        limits = offer.config.limits
        if message.kind == messages.COMPRESSED_CERTIFICATE and ext.COMPRESS_CERTIFICATE in offer.offered:
            from .compression import decompressed

            whole = decompressed(message, offer.config.certificate_compression, limits.certificate_size)
        if whole.kind != messages.CERTIFICATE:
            raise unexpected(message.kind, "Certificate")
        certificate = CertificateMessage.parse(whole, offer.offered, limits.certificate_count)
        self.session.transcript.add(message.encoded)
        return ExpectCertificateVerify(self.session, self.alpn, self.request, certificate)


class ExpectCertificateVerify(NamedTuple):
    """RFC 8446 §4.4.3: first the key, then whose key it is."""

    session: Session
    alpn: bytes | None
    request: CertificateRequest | None
    message: CertificateMessage

    def handle(self, message: HandshakeMessage, output: Output) -> State:
        if message.kind != messages.CERTIFICATE_VERIFY:
            raise unexpected(message.kind, "CertificateVerify")
        verify = CertificateVerify.parse(message)
        prove = self._known_key if self.session.is_raw_key else self._certified_key
        proof = prove(verify)
        self.session.transcript.add(message.encoded)
        return ExpectFinished(self.session, self.alpn, proof, self.request)

    def _known_key(self, verify: CertificateVerify) -> SignatureVerified:
        from .raw_keys import RawPublicKey, expect_known

        if len(self.message.chain) != 1:
            raise illegal(f"Certificate: a raw public key stands alone: {len(self.message.chain)} entries")
        self._check_signature(RawPublicKey(self.message.chain[0]), verify)
        expect_known(self.message.chain[0], self.session.offer.config.raw_public_keys)
        return SignatureVerified(self.message, None, None, verify.scheme)

    def _certified_key(self, verify: CertificateVerify) -> SignatureVerified:
        from .certificates import Certificate

        leaf = Certificate.parse(self.message.chain[0])
        self._check_signature(leaf, verify)
        config, path = self.session.offer.config, None
        if config.verify is not None:
            chain = [leaf, *(Certificate.parse(der) for der in self.message.chain[1:])]
            path = config.verify(chain, self.session.offer.server_name)
        check_staple(config, leaf, self.message, path)
        return SignatureVerified(self.message, leaf, path, verify.scheme)

    def _check_signature(self, leaf: Certificate | RawPublicKey, verify: CertificateVerify) -> None:
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
        if session.offer.ech_outcome == "rejected":
            raise ech_rejected(session.offer, session.retry_configs)
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
            ech=session.offer.ech_outcome,
            raw_public_key=proof.peer.chain[0] if proof.is_raw_key else None,
        )


def check_staple(
    config: TlsConfig, leaf: Certificate, message: CertificateMessage, path: VerifiedPath | None
) -> None:
    """Have the staple judged, by the issuer of the verified path or of the chain as sent."""
    response = message.ocsp_response
    if config.check_staple is not None:
        issuer = path.path[min(1, len(path.path) - 1)] if path is not None else None
        if path is None and len(message.chain) > 1:
            from .certificates import Certificate

            issuer = Certificate.parse(message.chain[1])
        config.check_staple(leaf, issuer, response)
    elif config.request_ocsp and leaf.must_staple and response is None:
        raise StapleError(
            "Certificate: it must come with an OCSP response, and there is none",
            Alert.BAD_CERTIFICATE_STATUS_RESPONSE,
        )


def ech_rejected(offer: Offer, retry_configs: bytes | None) -> EchRejectedError:
    """Make the error for a handshake that has come to its end with the outer hello (RFC 9849 §6.1.6)."""
    advice = "it gave configs to try again with" if retry_configs else "it does not offer ECH any more"
    return EchRejectedError(
        f"ECH: {offer.server_name} could not open the encrypted ClientHello: {advice}",
        Alert.ECH_REQUIRED,
        retry_configs,
    )


def illegal(what: str) -> PeerMisbehavedError:
    """Make the error for a value that the server may not choose."""
    return PeerMisbehavedError(what, Alert.ILLEGAL_PARAMETER)

"""The client's side of the TLS 1.2 handshake (RFC 5246 §7.3), for servers that have nothing newer.

    ExpectServerHello (handshake.py)
    └── ExpectCertificate12
        └── ExpectServerKeyExchange12 ⟲ CertificateStatus
            └── ExpectServerHelloDone12 ⟲ CertificateRequest
                └── ExpectChangeCipherSpec12 ⟲ NewSessionTicket
                    └── ExpectFinished12
                        └── ExpectTraffic12

ECDHE with an AEAD, and the extended master secret (RFC 7627), are the only way:
without the latter what was signed is not bound to the keys.  Renegotiation is
refused.  As in TLS 1.3, a later state holds the proof of an earlier check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import crypto, messages, messages12, prf
from . import extensions as ext
from .alerts import Alert
from .config import TLS12
from .errors import CertificateError, PeerIncompatibleError, PeerMisbehavedError
from .events import HandshakeCompleted
from .handshake import DIGITAL_SIGNATURE, illegal
from .key_schedule import Transcript
from .messages import CertificateMessage, HandshakeMessage, ServerHello, unexpected
from .messages12 import CertificateRequest12, ServerKeyExchange
from .proofs import FinishedVerified, SignatureVerified
from .record12 import Protection12
from .traffic import ExpectTraffic12

if TYPE_CHECKING:
    from .certificates import Certificate
    from .crypto import CipherSuite
    from .handshake import State
    from .offer import Offer
    from .output import Output


class Session12(NamedTuple):
    """What is settled once the ServerHello is there."""

    offer: Offer
    suite: CipherSuite
    server_random: bytes
    alpn: bytes | None
    has_status: bool
    sct_list: bytes | None
    transcript: Transcript
    signed: bytearray | None
    """All messages as they stood, where a client certificate may have to sign them."""

    def add(self, encoded: bytes) -> None:
        self.transcript.add(encoded)
        if self.signed is not None:
            self.signed.extend(encoded)

    @property
    def randoms(self) -> bytes:
        return self.offer.random + self.server_random


class Keys12(NamedTuple):
    """The master secret, and what protects the server's records from its ChangeCipherSpec on."""

    master: bytes
    server: Protection12

    def __repr__(self) -> str:
        return "Keys12(...)"


def accept(offer: Offer, hello: ServerHello, message: HandshakeMessage, output: Output) -> State:
    """Go on in TLS 1.2 after a ServerHello that has chosen it (RFC 5246 §7.4.1.3)."""
    suite = crypto.CIPHER_SUITES_12.get(hello.cipher_suite)
    if suite is None or hello.cipher_suite not in offer.config.cipher_suites_12:
        raise illegal(f"ServerHello: cipher suite not offered: 0x{hello.cipher_suite:04x}")
    if hello.session_id and hello.session_id == offer.session_id:
        raise illegal("ServerHello: resumes a session that was not offered")
    hello.expect_only({kind for kind in ext.IN_SERVER_HELLO_12 if kind in offer.offered})
    alpn = _check_extensions(offer, hello)
    output.version = TLS12
    signed = None if offer.config.client_certificate is None else bytearray(offer.encoded)
    sct_list = hello.extensions.get(ext.SIGNED_CERTIFICATE_TIMESTAMP)
    session = Session12(
        offer,
        suite,
        hello.random,
        alpn,
        ext.STATUS_REQUEST in hello.extensions,
        None if sct_list is None else ext.parse_sct_list(sct_list),
        Transcript(suite.hash_name, offer.encoded),
        signed,
    )
    session.add(message.encoded)
    return ExpectCertificate12(session)


def _check_extensions(offer: Offer, hello: ServerHello) -> bytes | None:
    found = hello.extensions
    if ext.EXTENDED_MASTER_SECRET not in found:
        raise PeerIncompatibleError(
            "ServerHello: extended_master_secret missing: this server's TLS 1.2 is too old to be safe",
            Alert.HANDSHAKE_FAILURE,
        )
    for kind in (ext.EXTENDED_MASTER_SECRET, ext.SERVER_NAME, ext.STATUS_REQUEST, ext.SESSION_TICKET):
        if found.get(kind):
            raise PeerMisbehavedError(f"ServerHello: extension {kind} must be empty", Alert.DECODE_ERROR)
    if found.get(ext.RENEGOTIATION_INFO, b"\0") != b"\0":  # RFC 5746 §3.4
        raise PeerMisbehavedError(
            "ServerHello: renegotiation_info in a first handshake", Alert.HANDSHAKE_FAILURE
        )
    if (points := found.get(ext.EC_POINT_FORMATS)) is not None:
        ext.parse_point_formats(points)
    body = found.get(ext.APPLICATION_LAYER_PROTOCOL_NEGOTIATION)
    if body is None:
        return None
    protocol = ext.parse_selected_alpn(body, "ServerHello")
    if protocol not in offer.config.alpn:
        raise illegal(f"ServerHello: ALPN protocol not offered: {protocol!r}")
    return protocol


class ExpectCertificate12(NamedTuple):
    """RFC 5246 §7.4.2."""

    session: Session12

    def handle(self, message: HandshakeMessage, output: Output) -> State:
        if message.kind != messages.CERTIFICATE:
            raise unexpected(message.kind, "Certificate")
        limits = self.session.offer.config.limits
        chain = messages12.parse_certificate(message, limits.certificate_count)
        self.session.add(message.encoded)
        peer = CertificateMessage(chain, None, self.session.sct_list)
        return ExpectServerKeyExchange12(self.session, peer)


class ExpectServerKeyExchange12(NamedTuple):
    """RFC 8422 §5.4, and before it the OCSP response, which a server may leave out (RFC 6066 §8)."""

    session: Session12
    peer: CertificateMessage

    def handle(self, message: HandshakeMessage, output: Output) -> State:
        from .certificates import Certificate

        session = self.session
        may_have_status = session.has_status and self.peer.ocsp_response is None
        if message.kind == messages.CERTIFICATE_STATUS and may_have_status:
            response = ext.parse_certificate_status(message.encoded[4:], "CertificateStatus")
            session.add(message.encoded)
            return self._replace(peer=self.peer._replace(ocsp_response=response))
        if message.kind != messages.SERVER_KEY_EXCHANGE:
            raise unexpected(message.kind, "ServerKeyExchange")
        exchange = ServerKeyExchange.parse(message)
        leaf = Certificate.parse(self.peer.chain[0])
        self._check_group(exchange.group)
        self._check_signature(leaf, exchange)
        config, path = session.offer.config, None
        if config.verify is not None:
            chain = [leaf, *(Certificate.parse(der) for der in self.peer.chain[1:])]
            path = config.verify(chain, session.offer.server_name)
        if config.check_staple is not None:
            config.check_staple(leaf, self.peer.ocsp_response)
        session.add(message.encoded)
        proof = SignatureVerified(self.peer, leaf, path, exchange.scheme)
        return ExpectServerHelloDone12(session, proof, exchange.group, exchange.share, None)

    def _check_group(self, group: int) -> None:
        if group not in self.session.offer.config.groups or group not in crypto.GROUPS_12:
            raise illegal(f"ServerKeyExchange: group not offered: 0x{group:04x}")

    def _check_signature(self, leaf: Certificate, exchange: ServerKeyExchange) -> None:
        scheme, session = exchange.scheme, self.session
        if scheme not in session.offer.config.all_signature_schemes:
            raise illegal(f"ServerKeyExchange: signature scheme not offered: 0x{scheme:04x}")
        is_ecdsa_suite = session.suite.code in crypto.ECDSA_SUITES_12
        if is_ecdsa_suite == (leaf.key_algorithm in ("rsa", "rsa-pss")):
            raise illegal("Certificate: the kind of key is not that of the cipher suite")
        if scheme not in crypto.schemes_of_12(leaf.public_key, leaf.key_algorithm == "rsa-pss"):
            raise illegal(
                f"ServerKeyExchange: signature scheme does not fit the certificate's key: 0x{scheme:04x}"
            )
        if leaf.key_usage is not None and not leaf.key_usage & DIGITAL_SIGNATURE:
            raise CertificateError(
                "Certificate: key usage does not allow digital signatures", Alert.UNSUPPORTED_CERTIFICATE
            )
        content = session.randoms + exchange.parameters
        if not crypto.verify_signature(leaf.public_key, scheme, exchange.signature, content):
            raise PeerMisbehavedError("ServerKeyExchange: signature is wrong", Alert.DECRYPT_ERROR)


class ExpectServerHelloDone12(NamedTuple):
    """RFC 5246 §7.4.5, and before it what the server asks of us (§7.4.4); then the client's flight."""

    session: Session12
    proof: SignatureVerified
    group: int
    share: bytes
    request: CertificateRequest12 | None

    def handle(self, message: HandshakeMessage, output: Output) -> State:
        if message.kind == messages.CERTIFICATE_REQUEST and self.request is None:
            request = CertificateRequest12.parse(message)
            self.session.add(message.encoded)
            return self._replace(request=request)
        if message.kind != messages.SERVER_HELLO_DONE:
            raise unexpected(message.kind, "ServerHelloDone")
        messages12.parse_empty(message)
        self.session.add(message.encoded)
        return self._send_flight(output)

    def _send_flight(self, output: Output) -> State:
        session, offer = self.session, self.session.offer
        mine, scheme = offer.config.client_certificate, None
        if self.request is not None:
            if mine is not None:
                taken = self.request.signature_schemes
                scheme = next((one for one in mine.signer.schemes_12 if one in taken), None)
            chain = () if mine is None or scheme is None else mine.chain  # none that the server can check
            self._send(messages12.build_certificate(chain), output)
        exchange = offer.exchange_for(self.group) or crypto.new_key_exchanges((self.group,))[0]
        premaster = exchange.shared_secret(self.share)
        self._send(messages12.build_client_key_exchange(exchange.share), output)
        hash_name, transcript = session.suite.hash_name, session.transcript
        master = prf.extended_master_secret(hash_name, premaster, transcript.digest())
        output.log_secret("CLIENT_RANDOM", master)
        if mine is not None and scheme is not None:
            assert session.signed is not None
            signature = mine.signer.sign(scheme, bytes(session.signed))
            self._send(messages12.build_certificate_verify(scheme, signature), output)
        client, server = _protections(session, master)
        output.send_change_cipher_spec_12()
        output.writer.protection = client
        self._send(
            messages.build_finished(prf.verify_data(hash_name, master, "client", transcript.digest())), output
        )
        keys = Keys12(master, server)
        return ExpectChangeCipherSpec12(
            session, self.proof, self.group, keys, self.request, scheme is not None
        )

    def _send(self, encoded: bytes, output: Output) -> None:
        output.send_message(encoded)
        self.session.add(encoded)


class ExpectChangeCipherSpec12(NamedTuple):
    """RFC 5246 §7.1: the server's records are protected from here on; before it there may be a ticket."""

    session: Session12
    proof: SignatureVerified
    group: int
    keys: Keys12
    request: CertificateRequest12 | None
    sent_certificate: bool
    has_ticket: bool = False

    def handle(self, message: HandshakeMessage, output: Output) -> State:
        offered = ext.SESSION_TICKET in self.session.offer.offered
        if message.kind != messages.NEW_SESSION_TICKET or self.has_ticket or not offered:
            raise unexpected(message.kind, "ChangeCipherSpec")
        messages12.parse_session_ticket(message)
        self.session.add(message.encoded)
        return self._replace(has_ticket=True)


def change_cipher_spec(state: State, fragment: memoryview, output: Output) -> State:
    """Take a ChangeCipherSpec, which no state but one waits for (RFC 5246 §7.1)."""
    if not isinstance(state, ExpectChangeCipherSpec12) or bytes(fragment) != b"\x01":
        raise PeerMisbehavedError(
            "record: content type not allowed here: change_cipher_spec", Alert.UNEXPECTED_MESSAGE
        )
    output.reader.protection = state.keys.server
    return ExpectFinished12(
        state.session, state.proof, state.group, state.keys.master, state.request, state.sent_certificate
    )


class ExpectFinished12(NamedTuple):
    """RFC 5246 §7.4.9."""

    session: Session12
    proof: SignatureVerified
    group: int
    master: bytes
    request: CertificateRequest12 | None
    sent_certificate: bool

    def __repr__(self) -> str:
        return "ExpectFinished12(...)"

    def handle(self, message: HandshakeMessage, output: Output) -> State:
        if message.kind != messages.FINISHED:
            raise unexpected(message.kind, "Finished")
        session, suite = self.session, self.session.suite
        mac = messages12.parse_finished(message, prf.VERIFY_DATA_SIZE)
        wanted = prf.verify_data(suite.hash_name, self.master, "server", session.transcript.digest())
        if not crypto.is_same(mac, wanted):
            raise PeerMisbehavedError("Finished: verify_data is wrong", Alert.DECRYPT_ERROR)
        output.events.append(self._completed())
        return ExpectTraffic12(FinishedVerified(self.proof), suite, self.master, session.randoms)

    def _completed(self) -> HandshakeCompleted:
        proof = self.proof
        return HandshakeCompleted(
            cipher_suite=self.session.suite.code,
            group=self.group,
            alpn=self.session.alpn,
            signature_scheme=proof.scheme,
            peer_chain=proof.peer.chain,
            peer_certificate=proof.certificate,
            verified_path=proof.path,
            is_resumed=False,
            was_retried=False,
            sent_client_certificate=self.sent_certificate,
            certificate_request=self.request,
            ocsp_response=proof.peer.ocsp_response,
            sct_list=proof.peer.sct_list,
            version=TLS12,
        )


def _protections(session: Session12, master: bytes) -> tuple[Protection12, Protection12]:
    """Cut the key block (RFC 5246 §6.3): ours, the server's."""
    suite = session.suite
    key_size, iv_size = suite.key_size, 12 if suite.code in crypto.CHACHA_SUITES_12 else 4
    block = prf.key_block(
        suite.hash_name, master, session.offer.random, session.server_random, 2 * (key_size + iv_size)
    )
    ivs = block[2 * key_size :]
    return (
        Protection12(suite, block[:key_size], ivs[:iv_size]),
        Protection12(suite, block[key_size : 2 * key_size], ivs[iv_size:]),
    )

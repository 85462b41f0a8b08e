"""The client's side of the TLS 1.2 handshake (RFC 5246 §7.3), for servers that have nothing newer.

    ExpectServerHello (handshake.py)
    ├── ExpectCertificate12
    │   └── ExpectServerKeyExchange12 ⟲ CertificateStatus
    │       └── ExpectServerHelloDone12 ⟲ CertificateRequest
    └───────────└── ExpectChangeCipherSpec12 ⟲ NewSessionTicket     at once where a session is resumed
                    └── ExpectFinished12
                        └── ExpectTraffic12

ECDHE with an AEAD, and the extended master secret (RFC 7627), are the only way:
without the latter what was signed is not bound to the keys.  Renegotiation is
declined (`client.py`).  As in TLS 1.3, a later state holds the proof of an earlier check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import crypto, messages, messages12, prf
from . import extensions as ext
from .alerts import Alert
from .config import TLS12, SessionTicket
from .errors import CertificateError, PeerIncompatibleError, PeerMisbehavedError
from .events import HandshakeCompleted, TicketReceived
from .handshake import DIGITAL_SIGNATURE, check_staple, ech_rejected, illegal
from .key_schedule import Transcript
from .messages import CertificateMessage, HandshakeMessage, ServerHello, name_of, unexpected
from .messages12 import CertificateRequest12, ServerKeyExchange
from .proofs import FinishedVerified, PskAccepted, SignatureVerified, proof_of_session
from .record import MAX_PLAINTEXT
from .record12 import Protection12
from .traffic import MAX_TICKET_LIFETIME, ExpectTraffic12

if TYPE_CHECKING:
    from .certificates import Certificate
    from .crypto import CipherSuite
    from .handshake import State
    from .offer import Offer
    from .output import Output

#: RFC 5246 §F.1.4 advises a day for session ids; a ticket without a lifetime is taken the same.
_LIFETIME = 24 * 3600


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
    session_id: bytes
    """By which the server knows this session, if it sends no ticket."""
    expects_ticket: bool

    def add(self, encoded: bytes) -> None:
        self.transcript.add(encoded)
        if self.signed is not None:
            self.signed.extend(encoded)

    @property
    def randoms(self) -> bytes:
        return self.offer.random + self.server_random


class Keys12(NamedTuple):
    """The master secret, and what protects the records of each side from its ChangeCipherSpec on."""

    master: bytes
    client: Protection12
    server: Protection12

    def __repr__(self) -> str:
        return "Keys12(...)"


def accept(offer: Offer, hello: ServerHello, message: HandshakeMessage, output: Output) -> State:
    """Go on in TLS 1.2 after a ServerHello that has chosen it (RFC 5246 §7.4.1.3)."""
    resumed = offer.session_12 if hello.session_id and hello.session_id == offer.session_id else None
    if resumed is None and hello.session_id and hello.session_id == offer.session_id:
        if offer.psk is not None:
            raise illegal("ServerHello: resumes in TLS 1.2 a session of TLS 1.3")
        raise illegal("ServerHello: resumes a session that was not offered")
    suite = crypto.CIPHER_SUITES_12.get(hello.cipher_suite)
    if suite is None or hello.cipher_suite not in offer.config.cipher_suites_12:
        raise illegal(f"ServerHello: cipher suite not offered: 0x{hello.cipher_suite:04x}")
    hello.expect_only(ext.IN_SERVER_HELLO_12 & offer.offered)
    alpn = _check_extensions(offer, hello)
    output.version = TLS12
    if (body := hello.extensions.get(ext.RECORD_SIZE_LIMIT)) is not None:
        output.limit_records(1 + ext.parse_record_size_limit(body, "ServerHello", MAX_PLAINTEXT))
    may_sign = offer.config.client_certificate is not None and resumed is None
    signed = bytearray(offer.encoded) if may_sign else None
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
        hello.session_id,
        ext.SESSION_TICKET in hello.extensions,
    )
    session.add(message.encoded)
    return ExpectCertificate12(session) if resumed is None else _resume(session, resumed)


def _resume(session: Session12, ticket: SessionTicket) -> State:
    """RFC 5246 §7.3, figure 2: the server is the first to be done."""
    if session.suite.code != ticket.cipher_suite:
        raise illegal(f"ServerHello: cipher suite is not the session's: 0x{session.suite.code:04x}")
    proof = proof_of_session(session.offer.config, session.offer.server_name, ticket)
    keys = _keys(session, ticket.resumption_secret)
    return ExpectChangeCipherSpec12(session, proof, ticket.group, keys)


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
    if ext.RENEGOTIATION_INFO not in found:  # RFC 5746 §4.1: refused as by OpenSSL 3
        raise PeerIncompatibleError(
            "ServerHello: renegotiation_info missing: others could speak before us on this connection",
            Alert.HANDSHAKE_FAILURE,
        )
    if found[ext.RENEGOTIATION_INFO] != b"\0":  # RFC 5746 §3.4
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
        check_staple(config, leaf, self.peer, path)
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
        curve = crypto.group_of(leaf.public_key)
        if curve is not None and curve not in session.offer.config.groups:  # RFC 8422 §5.3
            raise illegal(f"Certificate: curve of its key not offered: 0x{curve:04x}")
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
        output.expect_no_leftovers("our flight")
        self.session.add(message.encoded)
        return self._send_flight(output)

    def _send_flight(self, output: Output) -> State:
        session, offer = self.session, self.session.offer
        mine, scheme = offer.config.client_certificate, None
        flight: list[bytes] = []  # sent as a whole: nothing of it goes out if our key cannot sign
        if self.request is not None:
            if mine is not None:
                taken = self.request.signature_schemes
                scheme = next((one for one in mine.signer.schemes_12 if one in taken), None)
            chain = () if mine is None or scheme is None else mine.chain  # none that the server can check
            self._add(messages12.build_certificate(chain), flight)
        exchange = offer.exchange_for(self.group) or crypto.new_key_exchanges((self.group,))[0]
        try:
            premaster = exchange.shared_secret(self.share)
        except PeerMisbehavedError:
            raise illegal(
                f"ServerKeyExchange: share is not valid for its group: 0x{self.group:04x}"
            ) from None
        self._add(messages12.build_client_key_exchange(exchange.share), flight)
        hash_name, transcript = session.suite.hash_name, session.transcript
        master = prf.extended_master_secret(hash_name, premaster, transcript.digest())
        output.log_secret("CLIENT_RANDOM", master)
        if mine is not None and scheme is not None:
            assert session.signed is not None
            signature = mine.signer.sign(scheme, bytes(session.signed))
            self._add(messages12.build_certificate_verify(scheme, signature), flight)
        for encoded in flight:
            output.send_message(encoded)
        keys = _keys(session, master)
        _send_finished(session, keys, output)
        return ExpectChangeCipherSpec12(
            session, self.proof, self.group, keys, self.request, scheme is not None
        )

    def _add(self, encoded: bytes, flight: list[bytes]) -> None:
        flight.append(encoded)
        self.session.add(encoded)


class ExpectChangeCipherSpec12(NamedTuple):
    """RFC 5246 §7.1: the server's records are protected from here on; before it there may be a ticket."""

    session: Session12
    proof: SignatureVerified | PskAccepted
    group: int
    keys: Keys12
    request: CertificateRequest12 | None = None
    sent_certificate: bool = False
    ticket: tuple[int, bytes] | None = None
    """As it came: lifetime in seconds and octets."""

    @property
    def awaits_ticket(self) -> bool:
        """It was announced, and comes first (RFC 5077 §3.3)."""
        return self.session.expects_ticket and self.ticket is None

    def handle(self, message: HandshakeMessage, output: Output) -> State:
        if not self.awaits_ticket:
            raise PeerMisbehavedError(
                f"record: content type not allowed here: {name_of(message.kind)} before ChangeCipherSpec",
                Alert.UNEXPECTED_MESSAGE,
            )
        if message.kind != messages.NEW_SESSION_TICKET:
            raise unexpected(message.kind, "NewSessionTicket")
        ticket = messages12.parse_session_ticket(message)
        self.session.add(message.encoded)
        return self._replace(ticket=ticket)


def change_cipher_spec(state: State, fragment: memoryview, output: Output) -> State:
    """Take a ChangeCipherSpec, which no state but one waits for (RFC 5246 §7.1)."""
    if not isinstance(state, ExpectChangeCipherSpec12) or state.awaits_ticket:
        raise PeerMisbehavedError(
            "record: content type not allowed here: change_cipher_spec", Alert.UNEXPECTED_MESSAGE
        )
    if bytes(fragment) != b"\x01":
        raise illegal("ChangeCipherSpec: must be the one octet 1")
    output.read_with_12(state.keys.server)
    return ExpectFinished12(state)


class ExpectFinished12(NamedTuple):
    """RFC 5246 §7.4.9; `done` is all that went before."""

    done: ExpectChangeCipherSpec12

    def handle(self, message: HandshakeMessage, output: Output) -> State:
        if message.kind != messages.FINISHED:
            raise unexpected(message.kind, "Finished")
        done, session = self.done, self.done.session
        master, hash_name = done.keys.master, session.suite.hash_name
        wanted = prf.verify_data(hash_name, master, "server", session.transcript.digest())
        if not crypto.is_same(message.encoded[4:], wanted):
            raise PeerMisbehavedError("Finished: verify_data is wrong", Alert.DECRYPT_ERROR)
        output.expect_no_leftovers("data")
        if isinstance(done.proof, PskAccepted):
            session.add(message.encoded)
            output.log_secret("CLIENT_RANDOM", master)
            _send_finished(session, done.keys, output)
        if session.offer.ech_outcome == "rejected":
            raise ech_rejected(session.offer, None)
        output.events.append(self._completed())
        if (ticket := self._ticket()) is not None:
            output.events.append(TicketReceived(ticket))
        return ExpectTraffic12(FinishedVerified(done.proof), session.suite, master, session.randoms)

    def _completed(self) -> HandshakeCompleted:
        done, proof = self.done, self.done.proof
        return HandshakeCompleted(
            cipher_suite=done.session.suite.code,
            group=done.group,
            alpn=done.session.alpn,
            signature_scheme=proof.scheme,
            peer_chain=proof.peer.chain,
            peer_certificate=None if isinstance(proof, PskAccepted) else proof.certificate,
            verified_path=proof.path,
            is_resumed=isinstance(proof, PskAccepted),
            was_retried=False,
            sent_client_certificate=done.sent_certificate,
            certificate_request=done.request,
            ocsp_response=proof.peer.ocsp_response,
            sct_list=proof.peer.sct_list,
            version=TLS12,
            early_data="protocol_version" if done.session.offer.config.early_data else "disabled",
            ech=done.session.offer.ech_outcome,
        )

    def _ticket(self) -> SessionTicket | None:
        """The session as it may be resumed: by the ticket, else by its id unless that is known already."""
        done, session, proof = self.done, self.done.session, self.done.proof
        lifetime, identity = done.ticket or (0, b"")
        session_id = b"" if identity or isinstance(proof, PskAccepted) else session.session_id
        if not identity and not session_id:
            return None
        return SessionTicket(
            server_name=session.offer.server_name,
            identity=identity,
            resumption_secret=done.keys.master,
            cipher_suite=session.suite.code,
            lifetime=min(lifetime or _LIFETIME, MAX_TICKET_LIFETIME),
            age_add=0,
            max_early_data_size=0,
            alpn=session.alpn,
            peer_chain=proof.peer.chain,
            ocsp_response=proof.peer.ocsp_response,
            sct_list=proof.peer.sct_list,
            was_verified=proof.was_verified,
            signature_scheme=proof.scheme,
            version=TLS12,
            session_id=session_id,
            group=done.group,
        )


def _send_finished(session: Session12, keys: Keys12, output: Output) -> None:
    """ChangeCipherSpec and Finished of our side (RFC 5246 §7.1, §7.4.9)."""
    output.send_change_cipher_spec_12()
    output.write_with_12(keys.client)
    digest = session.transcript.digest()
    finished = messages.build_finished(
        prf.verify_data(session.suite.hash_name, keys.master, "client", digest)
    )
    output.send_message(finished)
    session.add(finished)


def _keys(session: Session12, master: bytes) -> Keys12:
    """Cut the key block (RFC 5246 §6.3): ours, the server's."""
    suite = session.suite
    key_size, iv_size = suite.key_size, 12 if suite.code in crypto.CHACHA_SUITES_12 else 4
    block = prf.key_block(
        suite.hash_name, master, session.offer.random, session.server_random, 2 * (key_size + iv_size)
    )
    ivs = block[2 * key_size :]
    return Keys12(
        master,
        Protection12(suite, block[:key_size], ivs[:iv_size]),
        Protection12(suite, block[key_size : 2 * key_size], ivs[iv_size:]),
    )

"""The client's certificate, in the handshake and after it, before a server that checks all of it."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.fakes import pki
from tests.fakes.scripted_tls_server import (
    CLIENT_CONFIG,
    ScriptedTlsServer,
    connected,
    extension,
    message,
    u,
    vec,
)
from tls.alerts import Alert
from tls.client import TlsClient
from tls.config import ClientCertificate, TlsConfig, TlsLimits
from tls.crypto import PrivateKeySigner, load_signer
from tls.errors import PeerMisbehavedError
from tls.events import CertificateRequested, HandshakeCompleted, KeyUpdated

ALL_SCHEMES = (0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B)
HASHES = {4: hashes.SHA256(), 5: hashes.SHA384(), 6: hashes.SHA512()}


def pem_of(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def identity(kind: str = "P-256") -> tuple[object, ClientCertificate]:
    key = pki.key(kind)
    issued = pki.issue("client", private_key=key)
    return key.public_key(), ClientCertificate((issued.der, b"\x30\x00"), load_signer(pem_of(key)))


def requesting(config: TlsConfig, *schemes: int, more: bytes = b"") -> ScriptedTlsServer:
    """A server that has asked in the handshake, with these schemes."""
    server = ScriptedTlsServer(TlsClient(config, "server.test"))
    server.certificate_request = lambda: request(b"", schemes or ALL_SCHEMES, more)
    server.deliver(server.flight(request=True))
    return server


def request(context: bytes, schemes: tuple[int, ...], more: bytes = b"") -> bytes:
    algorithms = extension(13, vec(2, b"".join(u(2, scheme) for scheme in schemes)))
    return message(13, vec(1, context) + vec(2, algorithms + more))


def check_flight(server: ScriptedTlsServer, mine: ClientCertificate, public_key, context: bytes = b"") -> int:
    """Certificate, CertificateVerify and Finished are right; returns the scheme."""
    certificate, verify, finished = server.read_messages()
    entries = b"".join(vec(3, der) + vec(2, b"") for der in mine.chain)
    assert certificate == message(11, vec(1, context) + vec(3, entries))
    server.transcript += certificate
    content = b" " * 64 + b"TLS 1.3, client CertificateVerify\0" + server.digest_of(server.transcript)
    scheme, signature = int.from_bytes(verify[4:6], "big"), verify[8:]
    assert len(signature) == int.from_bytes(verify[6:8], "big")
    check_signature(public_key, scheme, signature, content)
    server.transcript += verify
    assert finished == message(20, server.verify_data(server.read_secret))
    server.transcript += finished
    return scheme


def check_signature(key, scheme: int, signature: bytes, content: bytes) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        digest = {0x4: hashes.SHA256(), 0x5: hashes.SHA384(), 0x6: hashes.SHA512()}[
            (scheme & 0xFF) - (5 if scheme >= 0x0809 else 0)
        ]
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        key.verify(signature, content, pss, digest)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, content, ec.ECDSA(HASHES[scheme >> 8]))
    else:
        key.verify(signature, content)


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [
        ("P-256", 0x0403),
        ("P-384", 0x0503),
        ("P-521", 0x0603),
        ("ed25519", 0x0807),
        ("ed448", 0x0808),
        ("rsa2048", 0x0804),
    ],
)
def test_each_kind_of_key_signs(kind, scheme):
    public_key, mine = identity(kind)
    server = requesting(CLIENT_CONFIG._replace(client_certificate=mine))
    (event,) = server.events()
    assert isinstance(event, HandshakeCompleted) and event.sent_client_certificate
    assert check_flight(server, mine, public_key) == scheme


@pytest.mark.parametrize("scheme", [0x0804, 0x0805, 0x0806])
def test_an_rsa_key_signs_with_the_scheme_that_the_server_takes(scheme):
    public_key, mine = identity("rsa2048")
    server = requesting(CLIENT_CONFIG._replace(client_certificate=mine), 0x0403, scheme)
    assert check_flight(server, mine, public_key) == scheme


@pytest.mark.parametrize(("pss_hash", "schemes"), [(None, (0x0809, 0x080A, 0x080B)), ("SHA384", (0x080A,))])
def test_a_key_for_pss_only_signs_with_its_own_schemes(pss_hash, schemes):
    key = pki.key("rsa2048")
    signer = PrivateKeySigner(key, is_pss=True, pss_hash=pss_hash)
    assert signer.schemes == schemes
    mine = ClientCertificate((b"\x30\x00",), signer)
    server = requesting(CLIENT_CONFIG._replace(client_certificate=mine))
    assert check_flight(server, mine, key.public_key()) == schemes[0]


def test_a_key_too_small_for_a_digest_does_not_sign_with_it():
    assert PrivateKeySigner(pki.key("rsa1024")).schemes == (0x0804, 0x0805)


def test_what_the_server_says_beside_the_schemes_changes_nothing():
    """Authorities, filters and unknown extensions: there is one certificate, shown to whoever asks."""
    public_key, mine = identity()
    filters = extension(48, vec(2, vec(1, b"\x55\x1d\x0f") + vec(2, b"\x03\x02\x07\x80")))
    more = extension(47, vec(2, vec(2, b"\x30\x00"))) + filters + extension(0xABCD, b"?")
    server = requesting(CLIENT_CONFIG._replace(client_certificate=mine), more=more)
    check_flight(server, mine, public_key)


@pytest.mark.parametrize("has_one", [False, True])
def test_without_a_certificate_that_fits_an_empty_one_is_sent(has_one):
    mine = identity("ed25519")[1] if has_one else None
    server = requesting(CLIENT_CONFIG._replace(client_certificate=mine), 0x0403)
    (event,) = server.events()
    assert not event.sent_client_certificate
    certificate, finished = server.read_messages()
    assert certificate == message(11, b"\0\0\0\0")
    server.transcript += certificate
    assert finished == message(20, server.verify_data(server.read_secret))


def test_without_a_request_nothing_is_shown():
    server = ScriptedTlsServer(TlsClient(CLIENT_CONFIG._replace(client_certificate=identity()[1]), "a.test"))
    (event,) = server.complete()
    assert not event.sent_client_certificate
    assert [body[0] for kind, body in server.heard if kind == 22] == [20]


def test_a_flight_shares_one_record():
    server = requesting(CLIENT_CONFIG._replace(client_certificate=identity()[1]))
    assert [kind for kind, _ in server.read_records()] == [20, 22]


# After the handshake ------------------------------------------------------------------------------------


def test_only_a_client_with_a_certificate_offers_it_for_later():
    with_one = CLIENT_CONFIG._replace(client_certificate=identity()[1])
    for config, offers in ((CLIENT_CONFIG, False), (with_one, True)):
        server = ScriptedTlsServer(TlsClient(config, "server.test"))
        server.read_client_hello()
        assert (49 in server.extensions) is offers


def ready(**limits) -> tuple[ScriptedTlsServer, object, ClientCertificate]:
    public_key, mine = identity()
    config = CLIENT_CONFIG._replace(client_certificate=mine, limits=TlsLimits()._replace(**limits))
    return connected(config), public_key, mine


def ask(server: ScriptedTlsServer, context: bytes, schemes=ALL_SCHEMES) -> None:
    """A request after the handshake; the transcript is the handshake's and it."""
    encoded = request(context, schemes)
    server.transcript += encoded
    server.deliver(server.protect(22, encoded))


def test_a_request_after_the_handshake_is_answered():
    server, public_key, mine = ready()
    ask(server, b"context 1")
    assert server.events() == [CertificateRequested(was_answered=True)]
    check_flight(server, mine, public_key, b"context 1")


def test_each_request_has_a_transcript_of_its_own():
    server, public_key, mine = ready()
    handshake = server.transcript
    for context in (b"first", b"second"):
        server.transcript = handshake
        ask(server, context)
        check_flight(server, mine, public_key, context)


def test_after_a_key_update_the_answer_is_finished_with_the_secret_of_the_moment():
    server, public_key, mine = ready()
    server.client.update_keys()
    server.read_records()
    ask(server, b"later")
    assert server.events() == [KeyUpdated(outgoing=True), CertificateRequested(was_answered=True)]
    check_flight(server, mine, public_key, b"later")


def test_a_late_request_that_nothing_fits_gets_an_empty_answer():
    server, _, _ = ready()
    ask(server, b"c", (0x0807,))
    assert server.events() == [CertificateRequested(was_answered=False)]
    certificate, finished = server.read_messages()
    assert certificate == message(11, vec(1, b"c") + vec(3, b""))
    server.transcript += certificate
    assert finished == message(20, server.verify_data(server.read_secret))


def test_data_goes_on_around_an_answer():
    server, _, _ = ready()
    server.client.send_data(b"before")
    ask(server, b"c")
    server.client.send_data(b"after")
    assert [kind for kind, _ in server.read_records()] == [23, 22, 23]


def refusal(server: ScriptedTlsServer) -> PeerMisbehavedError:
    with pytest.raises(PeerMisbehavedError) as caught:
        server.events()
    assert server.last_alert() == caught.value.alert
    return caught.value


def test_a_context_serves_once():
    server, _, _ = ready()
    ask(server, b"same")
    ask(server, b"same")
    assert refusal(server).alert == Alert.ILLEGAL_PARAMETER


def test_requests_without_end_are_cut_off():
    server, _, _ = ready(certificate_requests=3)
    for number in range(4):
        ask(server, bytes([number]))
    assert refusal(server).alert == Alert.UNEXPECTED_MESSAGE


def test_a_client_that_did_not_offer_it_refuses_a_late_request():
    server = connected()
    ask(server, b"c")
    assert refusal(server).alert == Alert.UNEXPECTED_MESSAGE


def test_no_secret_is_shown():
    server, _, mine = ready()
    for shown in (repr(mine.signer), repr(server.client._state), repr(server.client._state.authentication)):
        assert "secret" not in shown and "0x7f" not in shown and "PRIVATE" not in shown

"""The traces of RFC 8448, byte for byte: what the server sent goes in, what the client sent must come out.

The ClientHello is the RFC's own (it has extensions that this client does not
offer); all that follows from it and the private keys is the product's.
"""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.golden.rfc8448 import (
    ClientAuthentication,
    CompatibilityMode,
    HelloRetryRequest,
    Resumed0Rtt,
    Simple1Rtt,
)
from tls.client import TlsClient
from tls.config import SECP256R1, SECP384R1, X25519, ClientCertificate, ResumptionOffer, TlsConfig
from tls.crypto import NistExchange, X25519Exchange
from tls.events import ApplicationData, CloseNotifyReceived, HandshakeCompleted, TicketReceived
from tls.key_schedule import EarlySecret, Transcript, finished_verify_data
from tls.offer import EarlyData, Offer
from tls.proofs import proof_of_session

CONFIG = TlsConfig(
    cipher_suites=(0x1301, 0x1303, 0x1302), groups=(X25519, SECP256R1, SECP384R1), key_shares=(X25519,)
)
DATA = bytes(range(50))


class GivenOffer(Offer):
    """An offer with the RFC's octets; the second hello, too, is given."""

    second: GivenOffer | None = None
    asked: tuple[int | None, bytes | None] | None = None

    def retried(self, group, cookie, hash_name, transcript):
        self.asked = (group, cookie)
        assert self.second is not None
        return self.second


class GivenSigner:
    """Has the RFC's signature, for what the RFC says was signed."""

    schemes = (0x0804,)

    def sign(self, scheme, content):
        assert (scheme, content[-32:]) == (0x0804, ClientAuthentication.signed_digest)
        assert content[:-32] == b" " * 64 + b"TLS 1.3, client CertificateVerify\0"
        return ClientAuthentication.client_signature


def given(hello: bytes, *exchanges, config: TlsConfig = CONFIG) -> GivenOffer:
    """Read the ClientHello far enough to know what it offers."""
    size = hello[38]
    session_id, rest = hello[39 : 39 + size], hello[39 + size :]
    rest = rest[2 + int.from_bytes(rest[:2], "big") :]
    octets, extensions = rest[2 + 2 :], []
    while octets:
        length = int.from_bytes(octets[2:4], "big")
        extensions.append((int.from_bytes(octets[:2], "big"), octets[4 : 4 + length]))
        octets = octets[4 + length :]
    return GivenOffer(config, "server", hello[6:38], session_id, exchanges, extensions, hello)


def sent(client: TlsClient) -> bytes:
    return b"".join(map(bytes, client.data_to_send()))


def events(client: TlsClient) -> list[object]:
    found = []
    while (event := client.next_event()) is not None:
        found.append(event)
    return found


def test_the_key_share_is_that_of_the_private_key():
    assert X25519Exchange(Simple1Rtt.private_key).share in Simple1Rtt.client_hello


def test_simple_1rtt_handshake():
    trace = Simple1Rtt
    offer = given(trace.client_hello, X25519Exchange(trace.private_key))
    client = TlsClient(CONFIG, "server", offer)
    assert sent(client) == b"\x16\x03\x01\x00\xc4" + trace.client_hello
    client.receive_data(trace.from_server)
    assert sent(client) == trace.client_finished
    (completed,) = events(client)
    assert isinstance(completed, HandshakeCompleted)
    assert (completed.cipher_suite, completed.signature_scheme) == (0x1301, 0x0804)
    client.receive_data(trace.new_session_ticket)
    (ticket,) = events(client)
    assert isinstance(ticket, TicketReceived)
    assert ticket.ticket.resumption_secret == trace.resumption_secret
    client.send_data(DATA)
    assert sent(client) == trace.client_data
    client.receive_data(trace.server_data)
    (data,) = events(client)
    assert isinstance(data, ApplicationData) and bytes(data.data) == DATA
    client.close()
    assert sent(client) == trace.client_close
    client.receive_data(trace.server_close)
    assert events(client) == [CloseNotifyReceived()]


def test_resumed_0rtt_handshake():
    first, trace = Simple1Rtt, Resumed0Rtt
    client = TlsClient(CONFIG, "server", given(first.client_hello, X25519Exchange(first.private_key)))
    client.receive_data(first.from_server + first.new_session_ticket)
    ticket = events(client)[1].ticket
    assert ticket.max_early_data_size == 1024

    config = CONFIG._replace(resumption=ResumptionOffer(ticket, 0), early_data=True)
    offer = given(trace.client_hello, X25519Exchange(trace.private_key), config=config)
    offer.psk = EarlySecret("sha256", ticket.resumption_secret)
    truncated = Transcript("sha256", trace.client_hello[:-35])
    binder = finished_verify_data("sha256", offer.psk.resumption_binder_secret(), truncated.digest())
    assert trace.client_hello.endswith(b"\0\x21\x20" + binder)
    digest = Transcript("sha256", trace.client_hello).digest()
    secrets = offer.psk.client_traffic_secret(digest), offer.psk.exporter_secret(digest)
    assert secrets == (trace.early_traffic_secret, trace.early_exporter_secret)
    offer.early = EarlyData(ticket, proof_of_session(config, "server", ticket), *secrets)

    client = TlsClient(config, "server", offer)
    client.send_early_data(b"ABCDEF")
    assert sent(client) == b"\x16\x03\x01\x02\x00" + trace.client_hello + trace.early_data
    client.receive_data(trace.from_server)
    assert sent(client) == trace.end_of_early_data + trace.client_finished
    (completed,) = events(client)
    assert isinstance(completed, HandshakeCompleted)
    assert (completed.early_data, completed.is_resumed) == ("accepted", True)
    client.send_data(DATA)
    assert sent(client) == trace.client_data
    client.receive_data(trace.server_data)
    (data,) = events(client)
    assert isinstance(data, ApplicationData) and bytes(data.data) == DATA
    client.close()
    assert sent(client) == trace.client_close
    client.receive_data(trace.server_close)
    assert events(client) == [CloseNotifyReceived()]


def test_hello_retry_request():
    trace = HelloRetryRequest
    scalar = int.from_bytes(trace.second_private_key, "big")
    second = NistExchange(SECP256R1, ec.derive_private_key(scalar, ec.SECP256R1()))
    offer = given(trace.client_hello, X25519Exchange(trace.private_key))
    offer.second = given(trace.second_client_hello, second)
    client = TlsClient(CONFIG, "server", offer)
    sent(client)
    client.receive_data(trace.retry_request)
    assert offer.asked == (SECP256R1, trace.cookie)
    assert sent(client) == b"\x16\x03\x03\x02\x00" + trace.second_client_hello
    client.receive_data(trace.from_server)
    assert sent(client) == trace.client_finished
    (completed,) = events(client)
    assert isinstance(completed, HandshakeCompleted)
    assert (completed.group, completed.was_retried) == (SECP256R1, True)
    client.close()
    assert sent(client) == trace.client_close
    client.receive_data(trace.server_close)
    assert events(client) == [CloseNotifyReceived()]


def test_client_authentication():
    trace = ClientAuthentication
    mine = ClientCertificate((trace.client_certificate,), GivenSigner())
    config = CONFIG._replace(client_certificate=mine)
    offer = given(trace.client_hello, X25519Exchange(trace.private_key), config=config)
    client = TlsClient(config, "server", offer)
    sent(client)
    client.receive_data(trace.from_server)
    assert sent(client) == trace.client_flight
    (completed,) = events(client)
    assert isinstance(completed, HandshakeCompleted)
    assert (completed.signature_scheme, completed.sent_client_certificate) == (0x0403, True)
    client.close()
    assert sent(client) == trace.client_close
    client.receive_data(trace.server_close)
    assert events(client) == [CloseNotifyReceived()]


def test_compatibility_mode():
    trace = CompatibilityMode
    offer = given(trace.client_hello, X25519Exchange(trace.private_key))
    client = TlsClient(CONFIG, "server", offer)
    sent(client)
    client.receive_data(trace.from_server)
    assert sent(client) == trace.client_finished
    assert isinstance(events(client)[0], HandshakeCompleted)
    client.close()
    assert sent(client) == trace.client_close
    client.receive_data(trace.server_close)
    assert events(client) == [CloseNotifyReceived()]


@pytest.mark.parametrize("trace", [Simple1Rtt, CompatibilityMode])
def test_a_trace_cut_into_octets_gives_the_same(trace):
    client = TlsClient(CONFIG, "server", given(trace.client_hello, X25519Exchange(trace.private_key)))
    sent(client)
    for octet in trace.from_server:
        client.receive_data(bytes([octet]))
    assert sent(client) == trace.client_finished

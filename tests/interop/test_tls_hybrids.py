"""The hybrid groups beside an OpenSSL that has them: the one inside `cryptography`, by pyOpenSSL."""

from __future__ import annotations

import pytest
import trustme

from tls.client import TlsClient
from tls.config import SECP256R1MLKEM768, X25519, X25519MLKEM768, ResumptionOffer, TlsConfig
from tls.events import Event, HandshakeCompleted, TicketReceived

pytest.importorskip("OpenSSL")

from benchmarks.tls_others import OpenSslServer

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def server() -> OpenSslServer:
    return OpenSslServer(trustme.CA().issue_cert("server.test"))


def handshake(config: TlsConfig, server: OpenSslServer) -> list[Event]:
    """A whole one, and the tickets after it."""
    client, peer = TlsClient(config, "server.test"), server.connection()
    events: list[Event] = []
    while octets := b"".join(map(bytes, client.data_to_send())):
        if answer := peer.answer(octets):
            client.receive_data(answer)
        while (event := client.next_event()) is not None:
            events.append(event)
    return events


@pytest.mark.parametrize("group", [X25519MLKEM768, SECP256R1MLKEM768])
def test_each_hybrid_at_once(server: OpenSslServer, group: int) -> None:
    done = handshake(TlsConfig(groups=(group,), key_shares=(group,)), server)[0]
    assert isinstance(done, HandshakeCompleted)
    assert (done.group, done.was_retried) == (group, False)


def test_the_default_config_agrees_on_the_hybrid(server: OpenSslServer) -> None:
    done = handshake(TlsConfig(), server)[0]
    assert isinstance(done, HandshakeCompleted) and done.group == X25519MLKEM768


@pytest.mark.parametrize("group", [X25519MLKEM768, SECP256R1MLKEM768])
def test_a_session_is_resumed_under_a_hybrid(server: OpenSslServer, group: int) -> None:
    config = TlsConfig(groups=(group, X25519), key_shares=(group,))
    tickets = [event.ticket for event in handshake(config, server) if isinstance(event, TicketReceived)]
    done = handshake(config._replace(resumption=ResumptionOffer(tickets[0], 0)), server)[0]
    assert isinstance(done, HandshakeCompleted)
    assert (done.group, done.is_resumed) == (group, True)

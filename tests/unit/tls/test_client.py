"""The client as its caller sees it: a whole connection, data, ends, key updates, tickets."""

from __future__ import annotations

import pytest

from tests.fakes.ech_server import CONFIG
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
from tls.config import ResumptionOffer, TlsLimits
from tls.errors import AlertReceivedError, PeerMisbehavedError, TruncatedError, UsageError
from tls.events import (
    ApplicationData,
    CloseNotifyReceived,
    HandshakeCompleted,
    KeyUpdated,
    MessageTraced,
    TicketReceived,
)
from tls.offer import make_offer
from tls.proofs import proof_of_session


def with_limits(**limits):
    return CLIENT_CONFIG._replace(limits=TlsLimits()._replace(**limits))


def data_of(events) -> bytes:
    return b"".join(bytes(event.data) for event in events if isinstance(event, ApplicationData))


def ticket(lifetime: int = 7200, identity: bytes = b"ticket", extensions: bytes = b"") -> bytes:
    return message(4, u(4, lifetime) + u(4, 77) + vec(1, b"n") + vec(2, identity) + vec(2, extensions))


@pytest.mark.parametrize("suite", [0x1301, 0x1302, 0x1303])
def test_each_suite_carries_data_both_ways(suite):
    server = connected(suite=suite)
    server.client.send_data(b"ping")
    assert server.read_records() == [(23, b"ping")]
    server.deliver(server.protect(23, b"pong"))
    assert data_of(server.events()) == b"pong"


def test_completion_tells_what_was_negotiated():
    server = ScriptedTlsServer(TlsClient(CLIENT_CONFIG, "server.test"))
    server.encrypted_extensions = lambda: message(8, vec(2, u(2, 16) + vec(2, vec(2, vec(1, b"h2")))))
    (event,) = server.complete()
    assert isinstance(event, HandshakeCompleted)
    assert (event.cipher_suite, event.group, event.alpn) == (0x1301, 0x1D, b"h2")
    assert (event.signature_scheme, event.is_resumed, event.was_retried) == (0x0403, False, False)
    assert event.peer_chain == (server.certificate_der,)
    assert event.peer_certificate is not None and event.peer_certificate.subject == "CN=server.test"


def test_the_first_flight_is_one_record_with_the_oldest_version_and_the_name():
    client = TlsClient(CLIENT_CONFIG, "server.test.")
    (octets,) = client.data_to_send()
    assert bytes(octets[:3]) == b"\x16\x03\x01"
    assert b"server.test" in bytes(octets) and b"server.test." not in bytes(octets)


@pytest.mark.parametrize("name", ["192.0.2.1", "2001:db8::1", ""])
def test_addresses_are_never_sent_as_names(name):
    server = ScriptedTlsServer(TlsClient(CLIENT_CONFIG, name))
    server.read_client_hello()
    assert 0 not in server.extensions


def test_a_large_write_fills_whole_records():
    server = connected()
    server.client.send_data(bytes(40_000))
    assert [len(body) for _, body in server.read_records()] == [16384, 16384, 7232]


def test_small_pieces_share_a_record():
    server = connected()
    server.client.send_data(b"head", memoryview(b"body"), bytearray(b"!"))
    assert server.read_records() == [(23, b"headbody!")]


def test_what_was_sent_is_not_touched_again():
    server = connected()
    server.client.send_data(b"a" * 100)
    first = server.client.data_to_send()
    copy = [bytes(octets) for octets in first]
    server.client.send_data(b"b" * 100)
    assert [bytes(octets) for octets in first] == copy


def test_a_run_of_records_comes_as_one_view():
    server = connected()
    server.deliver(b"".join(server.protect(23, bytes([n]) * 1000) for n in range(5)))
    events = server.events()
    assert len(events) == 1
    assert data_of(events) == b"".join(bytes([n]) * 1000 for n in range(5))


def test_padding_is_taken_off():
    server = connected()
    server.deliver(server.protect(23, b"padded\0", padding=300))
    assert data_of(server.events()) == b"padded\0"


def test_events_not_fetched_keep_their_octets():
    server = connected()
    server.deliver(server.protect(23, b"first"))
    server.deliver(server.protect(23, b"other"))
    assert data_of(server.events()) == b"firstother"


def test_data_before_a_bad_record_is_delivered_and_then_the_error_each_time():
    server = connected()
    good, bad = server.protect(23, b"good"), bytearray(server.protect(23, b"secret"))
    bad[-1] ^= 1
    server.deliver(good + bytes(bad))
    event = server.client.next_event()
    assert isinstance(event, ApplicationData) and bytes(event.data) == b"good"
    for _ in range(2):
        with pytest.raises(PeerMisbehavedError) as caught:
            server.client.next_event()
        assert caught.value.alert == Alert.BAD_RECORD_MAC
    assert server.last_alert() == Alert.BAD_RECORD_MAC


def test_octets_without_a_good_tag_are_wiped():
    server = connected()
    bad = bytearray(server.protect(23, b"not to be seen"))
    bad[-1] ^= 1
    good = server.protect(23, b"x")
    server.write_sequence -= 2
    good = server.protect(23, b"x")
    server.deliver(good)
    event = server.client.next_event()
    assert isinstance(event, ApplicationData)
    memory = event.data.obj
    server.deliver(bytes(bad))
    with pytest.raises(PeerMisbehavedError):
        server.events()
    assert b"not to be seen" not in bytes(memory)


def test_close_notify_ends_one_direction_only():
    server = connected()
    server.deliver(server.protect(21, b"\x01\x00") + b"what comes later is not read")
    assert server.events() == [CloseNotifyReceived()]
    server.client.send_data(b"still")
    server.client.close()
    server.client.close()
    assert server.read_records() == [(23, b"still"), (21, b"\x01\x00")]
    with pytest.raises(UsageError, match="after close"):
        server.client.send_data(b"too late")


def test_an_end_without_close_notify_is_told_apart():
    server = connected()
    server.deliver(server.protect(23, b"part"))
    server.deliver(b"")
    assert isinstance(server.client.next_event(), ApplicationData)
    with pytest.raises(TruncatedError, match="without close_notify"):
        server.client.next_event()


def test_an_end_in_the_handshake_is_an_error():
    client = TlsClient(CLIENT_CONFIG, "server.test")
    client.receive_data(b"")
    with pytest.raises(TruncatedError, match="in the handshake"):
        client.next_event()


def test_an_error_alert_is_reported_and_not_answered():
    server = connected()
    server.deliver(server.protect(21, b"\x02\x31"))
    with pytest.raises(AlertReceivedError) as caught:
        server.events()
    assert (caught.value.alert, caught.value.code) == (Alert.ACCESS_DENIED, 49)
    assert server.read_records() == []


def test_nothing_is_sent_before_the_handshake_is_complete():
    client = TlsClient(CLIENT_CONFIG, "server.test")
    with pytest.raises(UsageError, match="before the handshake"):
        client.send_data(b"early")
    with pytest.raises(UsageError):
        client.export_keying_material(b"label", b"", 32)


def test_a_key_update_of_the_server_is_followed():
    server = connected()
    server.deliver(server.protect(22, message(24, b"\0")))
    server.write_secret = ks_next(server, server.write_secret)
    server.write_sequence = 0
    server.deliver(server.protect(23, b"new keys"))
    first, *rest = server.events()
    assert first == KeyUpdated(outgoing=False) and data_of(rest) == b"new keys"


def test_requested_key_updates_are_answered_as_one_before_the_next_data():
    server = connected()
    for _ in range(5):
        server.deliver(server.protect(22, message(24, b"\1")))
        server.write_secret, server.write_sequence = ks_next(server, server.write_secret), 0
    assert server.read_records() == []
    server.client.send_data(b"now")
    assert server.read_records() == [(22, message(24, b"\0")), (23, b"now")]


def test_keys_are_renewed_before_their_limit():
    server = connected(with_limits(records_per_key=3))
    server.client.send_data(bytes(5 * 16384))
    kinds = [kind for kind, _ in server.read_records()]
    assert kinds == [23, 23, 22, 23, 23, 22, 23]


def test_key_updates_without_end_are_refused():
    server = connected()
    for _ in range(33):
        server.deliver(server.protect(22, message(24, b"\0")))
        server.write_secret, server.write_sequence = ks_next(server, server.write_secret), 0
    with pytest.raises(PeerMisbehavedError, match="too many in a row"):
        server.events()


def test_tickets_beyond_the_bound_are_dropped_unread():
    server = connected(with_limits(tickets=3))
    for _ in range(50):
        server.deliver(server.protect(22, ticket()))
    assert len([event for event in server.events() if isinstance(event, TicketReceived)]) == 3


def test_a_ticket_that_may_not_be_used_is_not_handed_on():
    server = connected()
    server.deliver(server.protect(22, ticket(lifetime=0)))
    assert server.events() == []


def test_a_session_is_resumed_with_its_ticket():
    server = connected()
    server.deliver(server.protect(22, ticket()))
    (received,) = server.events()
    psk = received.ticket.resumption_secret
    config = CLIENT_CONFIG._replace(resumption=ResumptionOffer(received.ticket, 1000))
    second = ScriptedTlsServer(TlsClient(config, "server.test"))
    second.read_client_hello()
    body = second.extensions[41]
    assert body[:8] == vec(2, vec(2, b"ticket") + u(4, 1077))[:8]
    assert body[-32:] == binder(second, psk)
    extensions = [(41, u(2, 0))]
    hello = second.server_hello()
    hello = second_hello(second, extensions)
    second.use_handshake_keys(hello, psk)
    encrypted = second.encrypted_extensions()
    second.transcript += encrypted
    finished = second.finished()
    from tests.fakes.scripted_tls_server import record

    second.deliver(record(22, hello) + second.protect(22, encrypted) + second.protect(22, finished))
    (event,) = second.events()
    assert event.is_resumed and event.peer_chain == (server.certificate_der,)


def test_a_ticket_past_its_lifetime_is_not_offered():
    server = connected()
    server.deliver(server.protect(22, ticket(lifetime=10)))
    (received,) = server.events()
    config = CLIENT_CONFIG._replace(resumption=ResumptionOffer(received.ticket, 10_001))
    second = ScriptedTlsServer(TlsClient(config, "server.test"))
    second.read_client_hello()
    assert 41 not in second.extensions


def test_both_sides_export_the_same_keying_material():
    from tls.key_schedule import exported_keying_material

    server = ScriptedTlsServer(TlsClient(CLIENT_CONFIG, "server.test"))
    server.deliver(server.flight())
    secret = server.master.exporter_secret(server.digest_of(server.transcript))
    expected = exported_keying_material("sha256", secret, b"EXPORTER-test", b"context", 48)
    assert server.client.export_keying_material(b"EXPORTER-test", b"context", 48) == expected


def test_the_trace_names_each_message_as_curl_does():
    server = ScriptedTlsServer(TlsClient(CLIENT_CONFIG._replace(trace=True), "server.test"))
    events = server.complete()
    server.client.close()
    events += server.events()
    assert [
        (event.outgoing, event.content, event.name, event.number)
        for event in events
        if isinstance(event, MessageTraced)
    ] == [
        (True, "TLS handshake", "Client hello", 1),
        (False, "TLS handshake", "Server hello", 2),
        (False, "TLS handshake", "Encrypted Extensions", 8),
        (False, "TLS handshake", "Certificate", 11),
        (False, "TLS handshake", "CERT verify", 15),
        (False, "TLS handshake", "Finished", 20),
        (True, "TLS change cipher", "Change cipher spec", 1),
        (True, "TLS handshake", "Finished", 20),
        (True, "TLS alert", "close notify", 256),
    ]


def test_the_key_log_has_the_five_secrets_under_the_random_of_the_hello():
    lines = []
    server = connected(CLIENT_CONFIG._replace(key_log=lines.append))
    labels = [line.split()[0] for line in lines]
    assert labels == [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
    ]
    assert {line.split()[1] for line in lines} == {server.hello[6:38].hex()}
    assert lines[3].split()[2] == server.write_secret.hex()


def test_no_secret_shows_in_a_repr():
    lines = []
    server = connected(CLIENT_CONFIG._replace(key_log=lines.append))
    server.deliver(server.protect(22, ticket()))
    (received,) = server.events()
    shown = repr(received) + repr(server.client) + repr(server.client._state) + repr(server.client._output)
    secrets = [bytes.fromhex(line.split()[2]) for line in lines] + [received.ticket.resumption_secret]
    for secret in secrets:
        assert secret.hex() not in shown and repr(secret)[2:-1] not in shown


def test_no_secret_shows_in_a_repr_of_what_is_offered_or_kept():
    server = connected()
    limits = vec(2, extension(42, u(4, 100)))
    server.deliver(server.protect(22, message(4, u(4, 600) + u(4, 7) + vec(1, b"") + vec(2, b"t") + limits)))
    (received,) = server.events()
    session = received.ticket._replace(alpn=None)
    fields = {"resumption": ResumptionOffer(session, 0), "early_data": True, "ech_configs": vec(2, CONFIG)}
    config = CLIENT_CONFIG._replace(**fields)
    offer = make_offer(config, "server.test")
    inner, sender = offer.ech.inner, offer.ech.sender
    secrets = [session.resumption_secret, inner.early.traffic_secret, inner.early.exporter_secret]
    secrets.append(sender.shared_secret)
    client = TlsClient(config, "server.test", offer)
    things = [offer, inner, inner.early, offer.ech, sender, session, config, config.resumption, received]
    things += [client, client._state, client._output, proof_of_session(config, "server.test", session)]
    shown = " ".join(map(repr, things))
    for secret in secrets:
        assert secret.hex() not in shown and repr(secret)[2:-1] not in shown


def ks_next(server, secret: bytes) -> bytes:
    from tls.key_schedule import next_traffic_secret

    return next_traffic_secret(server.hash, secret)


def second_hello(server, extensions) -> bytes:
    share = server.exchange.public_key().public_bytes_raw()
    kept = server.exchange
    hello = server.server_hello(
        extensions=[(43, u(2, 0x0304)), (51, u(2, 0x1D) + vec(2, share)), *extensions]
    )
    server.exchange = kept
    return hello


def binder(server, psk: bytes) -> bytes:
    from tls.key_schedule import EarlySecret, finished_verify_data

    truncated = server.hello[: -(2 + 1 + 32)]
    secret = EarlySecret("sha256", psk).resumption_binder_secret()
    return finished_verify_data("sha256", secret, server.digest_of(truncated))

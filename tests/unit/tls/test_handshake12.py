"""TLS 1.2, the fall-back: what is agreed, and every way of breaking it with its alert."""

from __future__ import annotations

import pytest

from tests.fakes.scripted_tls12_server import EMS, RENEGOTIATION, SUITE, ScriptedTls12Server
from tests.fakes.scripted_tls_server import CLIENT_CONFIG, extension, message, record, u, vec
from tls import prf
from tls.alerts import Alert
from tls.client import TlsClient
from tls.config import TLS12, TLS13, X25519, ClientCertificate
from tls.errors import PeerIncompatibleError, TlsError, UsageError
from tls.events import ApplicationData, CloseNotifyReceived, HandshakeCompleted, MessageTraced, TicketReceived


def fresh(**fields: object) -> ScriptedTls12Server:
    return ScriptedTls12Server(TlsClient(CLIENT_CONFIG._replace(**fields), "server.test"))


def check(server: ScriptedTls12Server, alert: Alert, text: str = "") -> None:
    with pytest.raises(TlsError, match=text or None) as caught:
        while server.client.next_event() is not None:
            pass
    assert caught.value.alert == alert
    assert server.last_alert() == alert


def refused(server: ScriptedTls12Server, flight: list[bytes], alert: Alert, text: str = "") -> None:
    server.client.receive_data(server.say(*flight))
    check(server, alert, text)


def test_a_handshake_agrees_on_keys_and_data_goes_both_ways() -> None:
    server = fresh()
    (done,) = server.complete()
    assert isinstance(done, HandshakeCompleted)
    assert (done.version, done.cipher_suite, done.group, done.signature_scheme) == (
        TLS12,
        SUITE,
        0x1D,
        0x0403,
    )
    assert done.peer_chain == (server.certificate_der,)
    server.client.send_data(b"question")
    assert server.records()[-1] == (23, b"question")
    (data,) = server.deliver(server.protect(23, b"answer"))
    assert isinstance(data, ApplicationData) and bytes(data.data) == b"answer"
    server.client.close()
    assert server.last_alert() == Alert.CLOSE_NOTIFY
    assert server.deliver(server.protect(21, b"\1\0")) == [CloseNotifyReceived()]


def test_a_large_piece_is_cut_into_records_of_16_kib() -> None:
    server = fresh()
    server.complete()
    server.client.send_data(bytes(40_000))
    assert [len(body) for kind, body in server.records() if kind == 23] == [16_384, 16_384, 7_232]


def test_both_versions_are_offered_and_each_may_be_left_out() -> None:
    for versions, has_13, has_12 in (
        ((TLS13, TLS12), True, True),
        ((TLS13,), True, False),
        ((TLS12,), False, True),
    ):
        client = TlsClient(CLIENT_CONFIG._replace(versions=versions), "server.test")
        hello = b"".join(map(bytes, client.data_to_send()))
        assert (extension(43, vec(1, b"".join(u(2, version) for version in versions))) in hello) == has_13
        assert (EMS in hello) == (RENEGOTIATION in hello) == (u(2, SUITE) in hello) == has_12
        assert (u(2, 0x1301) in hello[:140]) == has_13
    with pytest.raises(UsageError, match="versions"):
        TlsClient(CLIENT_CONFIG._replace(versions=()), "server.test")


def test_a_client_of_1_2_alone_completes_too() -> None:
    server = fresh(versions=(TLS12,))
    assert server.session_id == b""
    (done,) = server.complete()
    assert isinstance(done, HandshakeCompleted) and done.version == TLS12


def test_who_wants_1_3_alone_refuses_1_2() -> None:
    server = fresh(versions=(TLS13,))
    refused(server, [server.server_hello()], Alert.PROTOCOL_VERSION, "the server chose 0x0303")


@pytest.mark.parametrize("sentinel", [b"DOWNGRD\0", b"DOWNGRD\1"])
def test_a_server_that_could_do_better_betrays_who_took_1_3_away(sentinel: bytes) -> None:
    server = fresh()
    server.random = server.random[:24] + sentinel
    refused(server, [server.server_hello()], Alert.ILLEGAL_PARAMETER, "downgrade sentinel")


def test_to_a_client_of_1_2_alone_the_sentinel_says_nothing() -> None:
    server = fresh(versions=(TLS12,))
    server.random = server.random[:24] + b"DOWNGRD\1"
    assert isinstance(server.complete()[0], HandshakeCompleted)


FINE = EMS + RENEGOTIATION
HELLOS = {
    "no extended master secret": ({"extensions": RENEGOTIATION}, Alert.HANDSHAKE_FAILURE),
    "no secure renegotiation": ({"extensions": EMS}, Alert.HANDSHAKE_FAILURE),
    "an extended master secret that says something": (
        {"extensions": extension(23, b"x") + RENEGOTIATION}, Alert.DECODE_ERROR,
    ),
    "a renegotiation of what never was": (
        {"extensions": EMS + extension(0xFF01, b"\1x")}, Alert.HANDSHAKE_FAILURE,
    ),
    "a suite of TLS 1.3": ({"suite": 0x1301}, Alert.ILLEGAL_PARAMETER),
    "a suite that was not offered": ({"suite": 0x009C}, Alert.ILLEGAL_PARAMETER),
    "an extension that was not offered": (
        {"extensions": EMS + extension(0x1234, b"")}, Alert.UNSUPPORTED_EXTENSION,
    ),
    "an extension of TLS 1.3": (
        {"extensions": EMS + extension(51, u(2, 0x1D) + vec(2, bytes(32)))}, Alert.UNSUPPORTED_EXTENSION,
    ),
    "an ALPN protocol that was not offered": (
        {"extensions": FINE + extension(16, vec(2, vec(1, b"spdy")))}, Alert.ILLEGAL_PARAMETER,
    ),
    "no uncompressed points": ({"extensions": FINE + extension(11, vec(1, b"\1"))}, Alert.ILLEGAL_PARAMETER),
    "TLS 1.2 by supported_versions": (
        {"extensions": EMS + extension(43, u(2, 0x0303))}, Alert.ILLEGAL_PARAMETER,
    ),
    "TLS 1.1": ({"version": 0x0302}, Alert.PROTOCOL_VERSION),
    "a session id that is too long": ({"session_id": bytes(33)}, Alert.DECODE_ERROR),
    "a compression method": ({"compression": 1}, Alert.ILLEGAL_PARAMETER),
}  # fmt: skip


@pytest.mark.parametrize("fault", HELLOS)
def test_a_server_hello_is_refused_with(fault: str) -> None:
    changes, alert = HELLOS[fault]
    server = fresh()
    refused(server, [server.server_hello(**changes)], alert)  # type: ignore[arg-type]


def test_the_echo_of_our_session_id_is_no_session() -> None:
    server = fresh()
    refused(server, [server.server_hello(session_id=server.session_id)], Alert.ILLEGAL_PARAMETER, "resumes")


def test_a_new_session_id_is_the_servers_business() -> None:
    server = fresh()
    flight = [server.server_hello(session_id=bytes(32)), *server.flight()[1:]]
    server.deliver(server.say(*flight))
    server.records()
    done, ticket = server.deliver(server.change_cipher_spec() + server.say(server.finished()))
    assert isinstance(done, HandshakeCompleted)
    assert isinstance(ticket, TicketReceived) and ticket.ticket.session_id == bytes(32)


KEY_EXCHANGES = {
    "a group that was not offered": ({"group": 0x1E}, Alert.ILLEGAL_PARAMETER),
    "the hybrid group": ({"group": 0x11EC}, Alert.ILLEGAL_PARAMETER),
    "a curve spelt out": ({"curve_type": 1}, Alert.ILLEGAL_PARAMETER),
    "a scheme that was not offered": ({"scheme": 0x0203}, Alert.ILLEGAL_PARAMETER),
    "a scheme of another kind of key": ({"scheme": 0x0804}, Alert.ILLEGAL_PARAMETER),
    "another hash than was signed": ({"scheme": 0x0503}, Alert.DECRYPT_ERROR),
    "an empty share": ({"share": b""}, Alert.DECODE_ERROR),
}


@pytest.mark.parametrize("fault", KEY_EXCHANGES)
def test_a_server_key_exchange_is_refused_with(fault: str) -> None:
    changes, alert = KEY_EXCHANGES[fault]
    server = fresh()
    exchange = server.server_key_exchange(**changes)  # type: ignore[arg-type]
    refused(server, [*server.flight()[:2], exchange, message(14, b"")], alert)


def test_a_share_of_low_order_is_refused() -> None:
    server = fresh()
    exchange = server.server_key_exchange(share=bytes(32))
    flight = [*server.flight()[:2], exchange, message(14, b"")]
    refused(server, flight, Alert.ILLEGAL_PARAMETER, "^ServerKeyExchange: share is not valid")


def test_a_certificate_on_a_curve_that_was_not_offered_is_refused() -> None:
    """RFC 8422 §5.3: the key MUST respect the client's choice of curves."""
    server = fresh(groups=(X25519,), key_shares=(X25519,))
    refused(server, server.flight(), Alert.ILLEGAL_PARAMETER, "^Certificate: curve of its key not offered")


def test_a_signature_over_other_randoms_is_refused() -> None:
    server = fresh()
    flight = server.flight()
    server.random = bytes(32)
    flight[2] = server.server_key_exchange()
    refused(server, flight, Alert.DECRYPT_ERROR, "signature is wrong")


ORDERS = {
    "no certificate": (0, 2, 3),
    "no key exchange": (0, 1, 3),
    "two hellos": (0, 0),
    "the key exchange first": (0, 2, 1, 3),
    "two certificates": (0, 1, 1),
    "two key exchanges": (0, 1, 2, 2),
}


@pytest.mark.parametrize("order", ORDERS)
def test_messages_out_of_order_are_unexpected(order: str) -> None:
    server = fresh()
    flight = server.flight()
    refused(server, [flight[number] for number in ORDERS[order]], Alert.UNEXPECTED_MESSAGE)


def test_a_change_cipher_spec_before_its_time_is_unexpected() -> None:
    server = fresh()
    server.client.receive_data(server.say(server.server_hello(), server.certificate()) + record(20, b"\1"))
    check(server, Alert.UNEXPECTED_MESSAGE, "change_cipher_spec")


def test_a_change_cipher_spec_in_the_midst_of_a_message_is_unexpected() -> None:
    server = fresh()
    server.deliver(server.say(*server.flight()))
    server.records()
    server.client.receive_data(record(22, b"\x14\0") + server.change_cipher_spec())
    check(server, Alert.UNEXPECTED_MESSAGE, "in the midst")


@pytest.mark.parametrize("fragment", [b"", b"\0", b"\1\1"])
def test_a_change_cipher_spec_that_says_something_else_is_refused(fragment: bytes) -> None:
    server = fresh()
    server.deliver(server.say(*server.flight()))
    server.records()
    server.client.receive_data(record(20, fragment))
    check(server, Alert.ILLEGAL_PARAMETER, "ChangeCipherSpec: must be")


def test_octets_behind_the_hello_done_are_left_over() -> None:
    server = fresh()
    server.client.receive_data(server.say(*server.flight(), b"\x04\0\0"))
    check(server, Alert.UNEXPECTED_MESSAGE, "left over before our flight")


def test_octets_behind_the_finished_are_left_over() -> None:
    server = fresh()
    server.deliver(server.say(*server.flight()))
    server.records()
    octets = server.change_cipher_spec() + server.protect(22, server.finished() + b"\0")
    server.client.receive_data(octets)
    check(server, Alert.UNEXPECTED_MESSAGE, "left over before data")


def test_a_finished_with_an_octet_too_many_is_a_decrypt_error() -> None:
    server = fresh()
    server.deliver(server.say(*server.flight()))
    server.records()
    finished = message(20, server.finished()[4:] + b"\0")
    server.client.receive_data(server.change_cipher_spec() + server.say(finished))
    check(server, Alert.DECRYPT_ERROR, "verify_data")


def test_finished_without_change_cipher_spec_is_unexpected() -> None:
    server = fresh()
    server.deliver(server.say(*server.flight()))
    server.records()
    server.client.receive_data(server.say(server.finished()))
    check(server, Alert.UNEXPECTED_MESSAGE)


def test_a_wrong_finished_is_a_decrypt_error() -> None:
    server = fresh()
    server.deliver(server.say(*server.flight()))
    server.records()
    server.client.receive_data(server.change_cipher_spec() + server.say(message(20, bytes(12))))
    check(server, Alert.DECRYPT_ERROR, "verify_data")


def test_a_record_that_was_touched_is_a_bad_mac_and_shows_nothing() -> None:
    server = fresh()
    server.complete()
    octets = bytearray(server.protect(23, b"secret"))
    octets[-1] ^= 1
    server.client.receive_data(octets)
    check(server, Alert.BAD_RECORD_MAC)


@pytest.mark.parametrize("length", [0, 8, 23])
def test_a_record_too_short_for_nonce_and_tag_is_a_bad_mac(length: int) -> None:
    server = fresh()
    server.complete()
    server.client.receive_data(record(23, bytes(length)))
    check(server, Alert.BAD_RECORD_MAC)


def test_a_record_again_is_a_bad_mac() -> None:
    server = fresh()
    server.complete()
    octets = server.protect(23, b"once")
    server.deliver(octets)
    server.client.receive_data(octets)
    check(server, Alert.BAD_RECORD_MAC)


def test_a_second_change_cipher_spec_is_unexpected() -> None:
    server = fresh()
    server.complete()
    server.client.receive_data(server.protect(20, b"\1"))
    check(server, Alert.UNEXPECTED_MESSAGE)


def test_application_data_before_finished_is_unexpected() -> None:
    server = fresh()
    server.deliver(server.say(*server.flight()))
    server.records()
    server.client.receive_data(server.change_cipher_spec() + server.protect(23, b"early"))
    check(server, Alert.UNEXPECTED_MESSAGE)


def test_a_staple_comes_between_certificate_and_key_exchange_and_may_be_left_out() -> None:
    for has_staple in (True, False):
        server = fresh(request_ocsp=True)
        flight = server.flight()
        flight[0] = server.server_hello(FINE + extension(5, b""))
        if has_staple:
            flight.insert(2, message(22, b"\1" + vec(3, b"response")))
        server.deliver(server.say(*flight))
        server.records()
        (done,) = server.deliver(server.change_cipher_spec() + server.say(server.finished()))
        assert isinstance(done, HandshakeCompleted)
        assert done.ocsp_response == (b"response" if has_staple else None)


def test_a_staple_that_nobody_announced_is_unexpected() -> None:
    server = fresh(request_ocsp=True)
    flight = server.flight()
    flight.insert(2, message(22, b"\1" + vec(3, b"response")))
    refused(server, flight, Alert.UNEXPECTED_MESSAGE)


class BrokenKey:
    schemes = schemes_12 = (0x0403,)

    def sign(self, scheme: int, content: bytes) -> bytes:
        raise UsageError("the key cannot be used", Alert.INTERNAL_ERROR)


def test_if_our_key_cannot_sign_nothing_of_the_flight_is_sent() -> None:
    server = fresh(client_certificate=ClientCertificate((b"chain",), BrokenKey()))
    flight = server.flight()
    flight.insert(3, message(13, vec(1, b"\x40") + vec(2, u(2, 0x0403)) + vec(2, b"")))
    server.client.receive_data(server.say(*flight))
    with pytest.raises(UsageError, match="the key cannot be used"):
        server.client.next_event()
    assert server.records() == [(21, bytes((2, Alert.INTERNAL_ERROR)))]


def test_however_the_octets_are_cut_the_events_are_the_same() -> None:
    server = fresh()
    for octet in server.say(*server.flight()):
        server.deliver(bytes((octet,)))
    server.records()
    events = []
    for octet in server.change_cipher_spec() + server.say(server.finished()):
        events += server.deliver(bytes((octet,)))
    assert [type(event) for event in events] == [HandshakeCompleted]


def test_the_key_log_has_the_master_secret_and_the_trace_the_version() -> None:
    lines: list[str] = []
    server = fresh(key_log=lines.append, trace=True)
    events = server.complete()
    assert lines == [f"CLIENT_RANDOM {server.client_random.hex()} {server.master.hex()}"]
    names = [(event.version, event.name) for event in events if isinstance(event, MessageTraced)]
    assert names[2:] == [
        (TLS12, "Certificate"),
        (TLS12, "Server key exchange"),
        (TLS12, "Server finished"),
        (TLS12, "Client key exchange"),
        (TLS12, "Change cipher spec"),
        (TLS12, "Finished"),
        (TLS12, "Finished"),
    ]


def test_exporters_are_those_of_rfc_5705() -> None:
    server = fresh()
    server.complete()
    randoms = server.client_random + server.random
    expected = prf.prf("sha256", server.master, b"EXPERIMENTAL x", randoms + b"\0\3abc", 40)
    assert server.client.export_keying_material(b"EXPERIMENTAL x", b"abc", 40) == expected


def test_there_is_no_key_update() -> None:
    server = fresh()
    server.complete()
    with pytest.raises(UsageError, match="no KeyUpdate"):
        server.client.update_keys()


def test_no_secret_is_in_any_repr() -> None:
    server = fresh()
    server.deliver(server.say(*server.flight()))
    server.records()
    assert server.master.hex() not in repr(server.client._state) and repr(server.master) not in repr(
        server.client._state
    )
    server.deliver(server.change_cipher_spec() + server.say(server.finished()))
    assert repr(server.client._state) == "ExpectTraffic12(...)"


def test_the_prf_is_that_of_the_published_vector() -> None:
    """The vector for P_SHA256 that the TLS working group's list has used since 2009."""
    secret = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
    seed = bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
    expected = (
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af"
    )
    assert prf.prf("sha256", secret, b"test label", seed, 48).hex() == expected


def test_a_version_that_is_too_old_is_incompatible_and_not_misbehaving() -> None:
    server = fresh()
    server.client.receive_data(server.say(server.server_hello(version=0x0301)))
    with pytest.raises(PeerIncompatibleError):
        server.client.next_event()

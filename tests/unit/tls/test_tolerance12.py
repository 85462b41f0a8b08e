"""What TLS 1.2 lets pass where TLS 1.3 does not, and how often: warnings, requests to renegotiate."""

from __future__ import annotations

import pytest

from tests.fakes.scripted_tls12_server import EMS, RENEGOTIATION, ScriptedTls12Server
from tests.fakes.scripted_tls_server import CLIENT_CONFIG, extension, message, record, u, vec
from tls.alerts import Alert
from tls.client import TlsClient
from tls.config import TLS13, TlsLimits
from tls.errors import AlertReceivedError, PeerMisbehavedError, TlsError
from tls.events import ApplicationData, HandshakeCompleted

UNRECOGNIZED_NAME = record(21, bytes((1, Alert.UNRECOGNIZED_NAME)))
HELLO_REQUEST = message(0, b"")


def fresh(**fields: object) -> ScriptedTls12Server:
    return ScriptedTls12Server(TlsClient(CLIENT_CONFIG._replace(**fields), "server.test"))


def connected(**fields: object) -> ScriptedTls12Server:
    server = fresh(**fields)
    server.complete()
    server.records()
    return server


def error_of(server: ScriptedTls12Server) -> TlsError:
    with pytest.raises(TlsError) as caught:
        while server.client.next_event() is not None:
            pass
    return caught.value


def test_a_warning_before_the_server_hello_is_passed_over() -> None:
    """Servers say so that they do not know the name, and go on (RFC 6066 §3)."""
    server = fresh()
    assert server.deliver(UNRECOGNIZED_NAME) == []
    assert isinstance(server.complete()[0], HandshakeCompleted)


def test_to_who_wants_1_3_alone_no_alert_is_a_warning() -> None:
    server = fresh(versions=(TLS13,))
    server.client.receive_data(UNRECOGNIZED_NAME)
    assert isinstance(error_of(server), AlertReceivedError)


def test_a_fatal_alert_stays_fatal() -> None:
    server = connected()
    server.client.receive_data(server.protect(21, bytes((2, Alert.UNRECOGNIZED_NAME))))
    assert isinstance(error_of(server), AlertReceivedError)


def test_warnings_are_passed_over_but_not_without_end() -> None:
    server = connected()
    warning = bytes((1, Alert.UNEXPECTED_MESSAGE))
    for _ in range(2):
        assert server.deliver(b"".join(server.protect(21, warning) for _ in range(4))) == []
        (data,) = server.deliver(server.protect(23, b"data"))
        assert isinstance(data, ApplicationData)
    server.client.receive_data(b"".join(server.protect(21, warning) for _ in range(5)))
    assert "too many warnings" in str(error_of(server))
    assert server.last_alert() == Alert.UNEXPECTED_MESSAGE


def test_a_request_to_renegotiate_is_declined_with_a_warning_and_the_connection_goes_on() -> None:
    """RFC 5246 §7.4.1.1, §7.2.2."""
    server = connected()
    assert server.deliver(server.protect(22, HELLO_REQUEST)) == []
    assert server.records() == [(21, bytes((1, Alert.NO_RENEGOTIATION)))]
    (data,) = server.deliver(server.protect(23, b"data"))
    assert isinstance(data, ApplicationData)


def test_who_asks_again_and_again_with_no_data_between_is_refused() -> None:
    server = connected()
    for _ in range(4):
        server.deliver(server.protect(22, HELLO_REQUEST))
    server.deliver(server.protect(23, b"data"))
    server.client.receive_data(server.protect(22, HELLO_REQUEST * 5))
    assert "renegotiation is refused" in str(error_of(server))
    assert server.records()[-1] == (21, bytes((2, Alert.NO_RENEGOTIATION)))


def test_a_limit_of_none_refuses_at_once() -> None:
    server = connected(limits=TlsLimits(hello_requests=0))
    server.client.receive_data(server.protect(22, HELLO_REQUEST))
    assert isinstance(error_of(server), PeerMisbehavedError)


def test_a_request_to_renegotiate_after_our_close_is_not_answered() -> None:
    server = connected()
    server.client.close()
    server.records()
    assert server.deliver(server.protect(22, HELLO_REQUEST)) == []
    assert server.records() == []


def test_a_request_to_renegotiate_that_says_something_is_malformed() -> None:
    server = connected()
    server.client.receive_data(server.protect(22, message(0, b"x")))
    assert error_of(server).alert == Alert.DECODE_ERROR


def test_in_the_handshake_a_hello_request_is_ignored_and_not_hashed() -> None:
    server = fresh()
    octets = b"".join(record(22, HELLO_REQUEST) + server.say(each) for each in server.flight())
    assert server.deliver(octets) == []
    server.records()
    last = server.change_cipher_spec() + server.protect(22, HELLO_REQUEST) + server.say(server.finished())
    (done,) = server.deliver(last)
    assert isinstance(done, HandshakeCompleted)
    assert server.records() == []


def test_in_the_handshake_they_are_counted_all_the_same() -> None:
    server = fresh()
    server.client.receive_data(record(22, HELLO_REQUEST) * 33)
    assert "over 32 HelloRequest" in str(error_of(server))


def test_supported_groups_in_the_server_hello_are_passed_over() -> None:
    server = fresh()
    flight = server.flight()
    flight[0] = server.server_hello(EMS + RENEGOTIATION + extension(10, vec(2, u(2, 0x1D))))
    assert server.deliver(server.say(*flight)) == []
    server.records()
    (done,) = server.deliver(server.change_cipher_spec() + server.say(server.finished()))
    assert isinstance(done, HandshakeCompleted)

"""Data before the server's hello (RFC 8446 §2.3, §4.2.10): when it may go out, and what may become of it."""

from __future__ import annotations

import pytest

from tests.fakes.scripted_tls_server import (
    CLIENT_CONFIG,
    ScriptedTlsServer,
    connected,
    extension,
    message,
    record,
    u,
    vec,
)
from tls import key_schedule as ks
from tls.alerts import Alert
from tls.client import TlsClient
from tls.config import TLS12, ResumptionOffer, SessionTicket, TlsConfig
from tls.crypto import CIPHER_SUITES
from tls.errors import CertificateError, TlsError, UsageError
from tls.events import HandshakeCompleted, TicketReceived

SUITE = 0x1301
ACCEPTED = (42, b"")


def session(limit: int = 1000, alpn: bytes | None = None) -> SessionTicket:
    server = connected()
    limits = extension(42, u(4, limit)) if limit else b""
    server.deliver(
        server.protect(
            22, message(4, u(4, 600) + u(4, 77) + vec(1, b"n") + vec(2, b"ticket") + vec(2, limits))
        )
    )
    (received,) = server.events()
    assert isinstance(received, TicketReceived)
    return received.ticket._replace(alpn=alpn)


class EarlyServer(ScriptedTlsServer):
    """Reads what came behind the first hello."""

    def __init__(self, ticket: SessionTicket, **fields: object) -> None:
        fields = {"early_data": True, "resumption": ResumptionOffer(ticket, 1000)} | fields
        super().__init__(TlsClient(CLIENT_CONFIG._replace(**fields), "server.test"))  # type: ignore[arg-type]
        self.ticket = ticket

    def read_early(self) -> list[tuple[int, bytes]]:
        """The hello and all behind it, opened under the session's early keys."""
        octets = self.collect()
        behind = octets[5 + int.from_bytes(octets[3:5], "big") :]
        self.read_client_hello()
        early = ks.EarlySecret(self.hash, self.ticket.resumption_secret)
        self.read_secret = early.client_traffic_secret(self.digest_of(self.transcript))
        self.early_secret, self.sent = self.read_secret, behind
        return self.read_records()

    def answer(self, *extensions: tuple[int, bytes], takes_session: bool = True, **changes: object) -> None:
        """ServerHello and EncryptedExtensions."""
        share = (51, u(2, 0x1D) + vec(2, self.new_share()))
        psk = [(41, u(2, 0))] if takes_session else []
        hello = self.server_hello(extensions=[(43, u(2, 0x0304)), share, *psk], **changes)
        early = self.early_secret, self.read_sequence
        self.use_handshake_keys(hello, self.ticket.resumption_secret if takes_session else None)
        self.read_secret, self.read_sequence = early
        encrypted = self.encrypted_extensions(list(extensions))
        self.transcript += encrypted
        self.deliver(record(22, hello) + self.protect(22, encrypted))

    def new_share(self) -> bytes:
        self.server_hello()
        return self.exchange.public_key().public_bytes_raw()

    def server_hello(self, **changes: object) -> bytes:
        """Keeps the key pair of `new_share`."""
        exchange = getattr(self, "exchange", None)
        hello = super().server_hello(**changes)
        if exchange is not None:
            self.exchange = exchange
        return hello

    def finish(self) -> HandshakeCompleted:
        finished = self.finished()
        self.transcript += finished
        self.deliver(self.protect(22, finished))
        (done,) = self.events()
        assert isinstance(done, HandshakeCompleted)
        return done


def refusal(server: EarlyServer) -> TlsError:
    with pytest.raises(TlsError) as caught:
        server.events()
    return caught.value


def test_it_goes_out_behind_the_hello_and_ends_in_order_when_it_was_accepted() -> None:
    server = EarlyServer(session())
    assert server.client.early_data_room == 1000
    server.client.send_early_data(b"GET / ")
    server.client.send_early_data(b"HTTP/1.1")
    assert server.client.early_data_room == 1000 - 14
    assert server.read_early() == [(20, b"\x01"), (23, b"GET / "), (23, b"HTTP/1.1")]
    assert server.extensions[42] == b"" and list(server.extensions)[-1] == 41
    server.answer(ACCEPTED)
    server.client.send_early_data(b"more")  # until the server is done
    done = server.finish()
    assert (done.early_data, done.is_resumed) == ("accepted", True)
    assert server.client.early_data_room == 0
    # Under the early keys to the end; then Finished under those of the handshake.
    octets = server.collect()
    lengths = [5 + int.from_bytes(octets[3:5], "big")]
    lengths.append(lengths[0] + 5 + int.from_bytes(octets[lengths[0] + 3 : lengths[0] + 5], "big"))
    rest, server.sent = octets[lengths[1] :], octets[: lengths[1]]
    assert server.read_records() == [(23, b"more"), (22, message(5, b""))]
    server.transcript += message(5, b"")
    server.read_secret, server.read_sequence, server.sent = server.client_handshake_secret, 0, rest
    assert server.read_records() == [(22, message(20, server.verify_data(server.client_handshake_secret)))]


@pytest.mark.parametrize(
    ("takes_session", "outcome"), [(True, "peer_declined"), (False, "session_not_resumed")]
)
def test_a_server_may_decline_it(takes_session: bool, outcome: str) -> None:
    server = EarlyServer(session())
    server.client.send_early_data(b"GET / ")
    server.read_early()
    server.answer(takes_session=takes_session)
    assert server.client.early_data_room == 0
    with pytest.raises(UsageError, match="room for 0"):
        server.client.send_early_data(b"too late")
    server.read_secret, server.read_sequence = server.client_handshake_secret, 0
    if not takes_session:
        for step in (server.certificate, server.certificate_verify):
            encoded = step()
            server.transcript += encoded
            server.deliver(server.protect(22, encoded))
    assert server.finish().early_data == outcome
    # No EndOfEarlyData, and the keys of the handshake.
    assert server.read_records() == [(22, message(20, server.verify_data(server.client_handshake_secret)))]


def test_a_retry_request_ends_it() -> None:
    server = EarlyServer(session())
    server.client.send_early_data(b"GET / ")
    server.read_early()
    retry = server.hello_retry_request([(51, u(2, 0x17))])
    server.note_retry(retry)
    server.deliver(record(22, retry))
    assert server.client.early_data_room == 0
    octets = server.collect()
    assert octets[0] == 22, "in the clear, and the change_cipher_spec was sent before"
    server.read_client_hello()
    assert 42 not in server.extensions and 41 in server.extensions


UNFIT: dict[str, tuple[dict[str, object], dict[str, object], str]] = {
    "the config does not ask for it": ({}, {"early_data": False}, "disabled"),
    "the ticket allows none": ({"max_early_data_size": 0}, {}, "unsupported_for_session"),
    "its suite is not offered": ({}, {"cipher_suites": (0x1303,)}, "unsupported_for_session"),
    "its protocol is not offered": ({"alpn": b"spdy"}, {}, "alpn_mismatch"),
    "there is no session": ({}, {"resumption": None}, "no_session_offered"),
    "it is another server's": ({"server_name": "other.test"}, {}, "no_session_offered"),
    "it is of TLS 1.2": ({"version": TLS12}, {}, "no_session_offered"),
}


@pytest.mark.parametrize("reason", UNFIT)
def test_it_is_not_offered_where(reason: str) -> None:
    changes, fields, outcome = UNFIT[reason]
    server = EarlyServer(session()._replace(**changes), **fields)  # type: ignore[arg-type]
    assert server.client.early_data_room == 0
    server.suite = CIPHER_SUITES[fields.get("cipher_suites", (SUITE,))[0]]  # type: ignore[index]
    events = server.complete()
    assert 42 not in server.extensions
    done = events[0]
    assert isinstance(done, HandshakeCompleted) and done.early_data == outcome


def test_a_chain_that_does_not_stand_up_any_more_is_told_nothing() -> None:
    def refuse(*_: object) -> None:
        raise CertificateError("run out", Alert.CERTIFICATE_EXPIRED)

    server = EarlyServer(session(), verify=refuse)
    assert server.client.early_data_room == 0
    server.read_client_hello()
    assert 42 not in server.extensions and 41 in server.extensions


def test_the_chain_is_judged_before_anything_is_sent_and_once() -> None:
    judged: list[object] = []

    def verify(chain: object, name: str) -> object:
        judged.append(name)
        return (chain, name)

    server = EarlyServer(session(), verify=verify)
    assert judged == ["server.test"]
    server.read_early()
    server.answer(ACCEPTED)
    assert server.finish().verified_path is not None
    assert judged == ["server.test"]


FAULTS: dict[str, tuple[bool, int, list[tuple[int, bytes]], Alert, str]] = {
    "without the session": (False, SUITE, [ACCEPTED], Alert.UNSUPPORTED_EXTENSION, "no session"),
    "under another protocol": (
        True, SUITE, [ACCEPTED, (16, vec(2, vec(1, b"h2")))], Alert.ILLEGAL_PARAMETER, "another ALPN",
    ),
    "under another suite": (True, 0x1303, [ACCEPTED], Alert.ILLEGAL_PARAMETER, "another cipher suite"),
    "with something to say": (True, SUITE, [(42, b"x")], Alert.DECODE_ERROR, "early_data"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_it_must_not_be_accepted(fault: str) -> None:
    takes_session, suite, extensions, alert, text = FAULTS[fault]
    server = EarlyServer(session())
    server.client.send_early_data(b"GET / ")
    server.read_early()
    server.suite = CIPHER_SUITES[suite]
    server.answer(*extensions, takes_session=takes_session)
    error = refusal(server)
    assert error.alert == alert and text in str(error)


def test_it_is_not_accepted_after_a_retry() -> None:
    server = EarlyServer(session())
    server.read_early()
    retry = server.hello_retry_request([(44, vec(2, b"cookie"))])
    server.note_retry(retry)
    server.deliver(record(22, retry))
    server.read_client_hello()
    server.early_secret = b""
    server.answer(ACCEPTED)
    assert refusal(server).alert == Alert.UNSUPPORTED_EXTENSION


def test_a_server_of_1_2_is_refused_when_it_was_sent() -> None:
    """RFC 8446 §D.3."""
    server = EarlyServer(session())
    server.read_early()
    server.deliver(record(22, server.server_hello(extensions=[(23, b"")], suite=0xC02B)))
    error = refusal(server)
    assert error.alert == Alert.PROTOCOL_VERSION and "TLS 1.2" in str(error)


def test_more_than_the_ticket_allows_is_not_taken() -> None:
    server = EarlyServer(session(limit=4))
    with pytest.raises(UsageError, match="5 octets, there is room for 4"):
        server.client.send_early_data(b"GET /")
    server.client.send_early_data(b"GET ")
    assert server.client.early_data_room == 0


def test_its_keys_are_logged() -> None:
    lines: list[str] = []
    server = EarlyServer(session(), key_log=lines.append)
    server.read_early()
    assert [line.split()[0] for line in lines] == ["CLIENT_EARLY_TRAFFIC_SECRET", "EARLY_EXPORTER_SECRET"]
    assert lines[0].split()[2] == server.early_secret.hex()


def test_a_plain_handshake_says_it_was_not_asked_for() -> None:
    server = ScriptedTlsServer(TlsClient(TlsConfig(key_shares=(0x1D,)), "server.test"))
    done = server.complete()[0]
    assert isinstance(done, HandshakeCompleted) and done.early_data == "disabled"

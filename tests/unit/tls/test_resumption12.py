"""Sessions of TLS 1.2: by a ticket, by an id, and every way of breaking them with its alert."""

from __future__ import annotations

import pytest

from tests.fakes.scripted_tls12_server import EMS, RENEGOTIATION, SUITE, ScriptedTls12Server
from tests.fakes.scripted_tls_server import CLIENT_CONFIG, extension
from tests.unit.tls.test_handshake12 import check, fresh
from tls.alerts import Alert
from tls.config import TLS12, TLS13, ResumptionOffer, SessionTicket
from tls.errors import CertificateError
from tls.events import ApplicationData, Event, HandshakeCompleted, TicketReceived

ANNOUNCED = EMS + RENEGOTIATION + extension(35, b"")


def session(ticket: bytes = b"a ticket", session_id: bytes = b"", lifetime: int = 600) -> SessionTicket:
    """What a client keeps of a full handshake with a server that sends this ticket or this id."""
    server = fresh()
    extensions = ANNOUNCED if ticket else EMS + RENEGOTIATION
    flight = server.flight()
    flight[0] = server.server_hello(extensions, session_id=session_id)
    server.deliver(server.say(*flight))
    server.records()
    told = server.say(server.ticket(ticket, lifetime)) if ticket else b""
    events = server.deliver(told + server.change_cipher_spec() + server.say(server.finished()))
    (received,) = [event for event in events if isinstance(event, TicketReceived)]
    return received.ticket


def resuming(ticket: SessionTicket, age: int = 0, **fields: object) -> ScriptedTls12Server:
    server = fresh(resumption=ResumptionOffer(ticket, age), **fields)
    server.use(ticket.resumption_secret)
    return server


def resume(
    server: ScriptedTls12Server, *between: bytes, extensions: bytes = EMS + RENEGOTIATION
) -> list[Event]:
    hello = server.say(server.server_hello(extensions, session_id=server.session_id), *between)
    events = server.deliver(hello + server.change_cipher_spec() + server.say(server.finished()))
    server.records()
    return events


@pytest.mark.parametrize("versions", [(TLS13, TLS12), (TLS12,)])
def test_a_ticket_resumes_and_data_goes_both_ways(versions: tuple[int, ...]) -> None:
    ticket = session()
    assert (ticket.version, ticket.identity, ticket.session_id, ticket.lifetime) == (
        TLS12,
        b"a ticket",
        b"",
        600,
    )
    server = resuming(ticket, versions=versions)
    assert extension(35, b"a ticket") in server.client_hello and len(server.session_id) == 32
    (done,) = resume(server)
    assert isinstance(done, HandshakeCompleted)
    assert (done.is_resumed, done.version, done.cipher_suite, done.group) == (True, TLS12, SUITE, 0x1D)
    assert done.peer_chain == ticket.peer_chain and done.signature_scheme == 0x0403
    server.client.send_data(b"question")
    assert server.records()[-1] == (23, b"question")
    (data,) = server.deliver(server.protect(23, b"answer"))
    assert isinstance(data, ApplicationData) and bytes(data.data) == b"answer"


def test_an_id_resumes_too_and_is_offered_as_it_came() -> None:
    ticket = session(b"", b"known by this")
    assert (ticket.identity, ticket.session_id, ticket.lifetime) == (b"", b"known by this", 86400)
    server = resuming(ticket)
    assert server.session_id == b"known by this"
    (done,) = resume(server)
    assert isinstance(done, HandshakeCompleted) and done.is_resumed


def test_a_ticket_is_better_than_an_id() -> None:
    ticket = session(b"a ticket", b"known by this")
    assert (ticket.identity, ticket.session_id) == (b"a ticket", b"")


def test_an_empty_ticket_is_none() -> None:
    server = fresh()
    flight = server.flight()
    flight[0] = server.server_hello(ANNOUNCED)
    server.deliver(server.say(*flight))
    server.records()
    told = server.say(server.ticket(b""))
    (done,) = server.deliver(told + server.change_cipher_spec() + server.say(server.finished()))
    assert isinstance(done, HandshakeCompleted)


def test_a_server_that_does_not_know_it_makes_a_new_session() -> None:
    server = resuming(session())
    (done,) = server.complete()
    assert isinstance(done, HandshakeCompleted) and not done.is_resumed


def test_a_new_ticket_takes_the_place_of_the_old() -> None:
    server = resuming(session())
    done, received = resume(server, server.ticket(b"another", 7), extensions=ANNOUNCED)
    assert isinstance(done, HandshakeCompleted) and done.is_resumed
    assert isinstance(received, TicketReceived)
    assert (received.ticket.identity, received.ticket.lifetime) == (b"another", 7)
    assert received.ticket.resumption_secret == server.master


def test_a_lifetime_that_is_left_open_is_a_day_and_none_is_over_a_week() -> None:
    assert session(lifetime=0).lifetime == 86400
    assert session(lifetime=1 << 31).lifetime == 7 * 86400


@pytest.mark.parametrize(
    ("changes", "age", "fields"),
    [
        ({"server_name": "other.test"}, 0, {}),
        ({"cipher_suite": 0xC0FF}, 0, {}),
        ({}, 600_001, {}),
        ({}, 0, {"versions": (TLS13,)}),
        ({"version": TLS13, "cipher_suite": 0xC02B}, 0, {}),
    ],
)
def test_it_is_not_offered_where_it_does_not_fit(
    changes: dict[str, object], age: int, fields: dict[str, object]
) -> None:
    server = resuming(session()._replace(**changes), age, **fields)  # type: ignore[arg-type]
    assert b"a ticket" not in server.client_hello


def test_the_chain_is_judged_again() -> None:
    def refuse(*_: object) -> None:
        raise CertificateError("run out", Alert.CERTIFICATE_EXPIRED)

    server = resuming(session(), verify=refuse)
    server.client.receive_data(server.say(server.server_hello(session_id=server.session_id)))
    check(server, Alert.CERTIFICATE_EXPIRED, "run out")


def test_another_suite_than_the_sessions_is_refused() -> None:
    server = resuming(session())
    hello = server.server_hello(suite=0xC02C, session_id=server.session_id)
    server.client.receive_data(server.say(hello))
    check(server, Alert.ILLEGAL_PARAMETER, "is not the session's")


def test_a_session_resumed_without_the_extended_master_secret_is_refused() -> None:
    """RFC 7627 §5.3."""
    server = resuming(session())
    hello = server.server_hello(RENEGOTIATION, session_id=server.session_id)
    server.client.receive_data(server.say(hello))
    check(server, Alert.HANDSHAKE_FAILURE, "extended_master_secret")


def test_a_ticket_that_was_announced_must_come() -> None:
    """RFC 5077 §3.3."""
    server = resuming(session())
    hello = server.say(server.server_hello(ANNOUNCED, session_id=server.session_id))
    server.client.receive_data(hello + server.change_cipher_spec())
    check(server, Alert.UNEXPECTED_MESSAGE, "change_cipher_spec")


def test_a_ticket_that_was_not_announced_is_refused() -> None:
    server = resuming(session())
    server.client.receive_data(
        server.say(server.server_hello(session_id=server.session_id), server.ticket(b"another"))
    )
    check(server, Alert.UNEXPECTED_MESSAGE, "NewSessionTicket")


def test_a_wrong_finished_shows_who_does_not_know_the_secret() -> None:
    server = resuming(session())
    hello = server.say(server.server_hello(session_id=server.session_id))
    right = server.change_cipher_spec()
    wrong = server.finished()
    server.client.receive_data(hello + right + server.say(wrong[:-1] + bytes((wrong[-1] ^ 1,))))
    check(server, Alert.DECRYPT_ERROR, "verify_data")


def test_a_certificate_in_a_session_resumed_is_refused() -> None:
    server = resuming(session())
    server.client.receive_data(
        server.say(server.server_hello(session_id=server.session_id), server.certificate())
    )
    check(server, Alert.UNEXPECTED_MESSAGE, "Certificate")


def test_the_config_used_here_verifies_nothing_so_its_sessions_say_so() -> None:
    assert CLIENT_CONFIG.verify is None and not session().was_verified


def test_a_session_of_1_3_is_not_resumed_in_1_2() -> None:
    older = session()
    newer = older._replace(version=TLS13, cipher_suite=0x1301, resumption_secret=bytes(32))
    server = fresh(resumption=ResumptionOffer(newer, 0))
    server.client.receive_data(server.say(server.server_hello(session_id=server.session_id)))
    check(server, Alert.ILLEGAL_PARAMETER, "resumes in TLS 1.2 a session of TLS 1.3")

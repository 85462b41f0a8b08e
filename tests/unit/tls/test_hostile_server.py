"""What a server, or a caller in odd order, might try: each once was possible, or looked so."""

from __future__ import annotations

from copy import copy

import pytest

from tests.fakes.pki import NOW, ca, leaf
from tests.fakes.scripted_tls_server import (
    CLIENT_CONFIG,
    ScriptedTlsServer,
    connected,
    message,
    record,
    u,
    vec,
)
from tls.alerts import Alert
from tls.client import TlsClient
from tls.config import ResumptionOffer
from tls.errors import CertificateError, PeerMisbehavedError, TlsError, UsageError
from tls.events import ApplicationData, HandshakeCompleted, TicketReceived
from tls.offer import make_offer
from tls.paths import verify_chain
from tls.trust import TrustStore

NEW_SESSION_TICKET = 4
PRE_SHARED_KEY = 41


def waiting(config=CLIENT_CONFIG, **fields) -> ScriptedTlsServer:
    return ScriptedTlsServer(TlsClient(config, fields.pop("name", "server.test"), **fields))


def refusal(server: ScriptedTlsServer, octets: bytes) -> TlsError:
    server.deliver(octets)
    with pytest.raises(TlsError) as caught:
        server.events()
    return caught.value


def ticket(config=CLIENT_CONFIG, lifetime: int = 60):
    server = connected(config)
    body = u(4, lifetime) + u(4, 7) + vec(1, b"n") + vec(2, b"identity") + vec(2, b"")
    server.deliver(server.protect(22, message(NEW_SESSION_TICKET, body)))
    (received,) = (event for event in server.events() if isinstance(event, TicketReceived))
    return received.ticket


def offers_session(server: ScriptedTlsServer) -> bool:
    server.read_client_hello()
    return PRE_SHARED_KEY in server.extensions


# Records


def test_change_cipher_spec_is_not_dropped_when_it_is_protected():
    server = waiting()
    server.read_client_hello()
    hello = server.server_hello()
    server.use_handshake_keys(hello)
    error = refusal(server, record(22, hello) + server.protect(20, b"\x01"))
    assert error.alert == Alert.UNEXPECTED_MESSAGE and "not allowed here: protected" in str(error)


def test_an_empty_protected_change_cipher_spec_is_refused_too():
    error = refusal(server := connected(), server.protect(20, b""))
    assert error.alert == Alert.UNEXPECTED_MESSAGE


def test_a_second_hello_with_a_large_cookie_takes_several_records():
    server = waiting()
    server.read_client_hello()
    retry = server.hello_retry_request([(44, vec(2, b"c" * 18_000))])
    server.deliver(record(22, retry[:16_384]) + record(22, retry[16_384:]))
    records = server.read_records()
    assert [kind for kind, _ in records] == [20, 22, 22]
    assert all(len(body) <= 16_384 for _, body in records)
    hello = b"".join(body for _, body in records[1:])
    assert int.from_bytes(hello[1:4], "big") == len(hello) - 4
    assert b"c" * 18_000 in hello


def test_nothing_opened_under_a_bad_tag_is_left_in_memory():
    server = connected()
    good, bad = server.protect(23, b"good"), bytearray(server.protect(23, b"secret" * 10))
    bad[-1] ^= 1
    server.deliver(good + bad)
    data = server.client.next_event()
    assert isinstance(data, ApplicationData) and bytes(data.data) == b"good"
    assert b"secret" not in bytes(data.data.obj)
    with pytest.raises(PeerMisbehavedError):
        server.client.next_event()


def test_memory_handed_in_is_let_go():
    server = connected()
    whole = server.protect(23, b"abc") + server.protect(23, b"def")
    for octets in (whole[:3], whole[3:30], whole[30:]):
        chunk = bytearray(octets)
        server.deliver(chunk)
        chunk.clear()  # a BufferError if a view were kept
    assert b"".join(bytes(event.data) for event in server.events()) == b"abcdef"


def test_data_not_fetched_yet_outlives_what_is_received_next():
    server = connected()
    server.deliver(server.protect(23, b"first"))
    server.deliver(server.protect(23, b"second"))
    server.deliver(server.protect(23, b"third"))
    assert [bytes(event.data) for event in server.events()] == [b"first", b"second", b"third"]


def test_records_under_the_old_keys_behind_a_key_update_do_not_open():
    server = connected()
    update, replayed = server.protect(22, message(24, b"\0")), server.protect(23, b"old")
    assert refusal(server, update + replayed).alert == Alert.BAD_RECORD_MAC


def test_a_record_played_again_does_not_open():
    server = connected()
    octets = server.protect(23, b"once")
    assert refusal(server, octets + octets).alert == Alert.BAD_RECORD_MAC


# Order of calls


def test_a_client_closed_in_the_handshake_does_not_go_on_with_it():
    server = waiting()
    flight = server.flight()
    server.client.close()
    assert [kind for kind, _ in server.read_records()] == [21]
    server.deliver(flight)
    assert server.events() == [] and server.client.data_to_send() == []
    assert not server.client.is_handshake_complete


def test_after_an_error_alert_of_ours_nothing_is_taken():
    server = connected()
    server.client.abort(Alert.USER_CANCELED)
    server.deliver(server.protect(23, b"late"))
    assert server.events() == []


def test_after_close_the_server_may_finish_its_data():
    server = connected()
    server.client.close()
    server.deliver(server.protect(23, b"rest"))
    assert [bytes(event.data) for event in server.events()] == [b"rest"]
    with pytest.raises(UsageError):
        server.client.send_data(b"more")


def test_an_offer_serves_one_connection():
    offer = make_offer(CLIENT_CONFIG, "server.test")
    first = ScriptedTlsServer(TlsClient(CLIENT_CONFIG, "server.test", offer))
    recorded = first.flight() + first.protect(23, b"an answer of yesterday")
    with pytest.raises(UsageError, match="one connection"):
        TlsClient(CLIENT_CONFIG, "server.test", offer)
    forced = copy(offer)  # what the rule is for: all would be accepted a second time
    forced.is_used = False
    victim = TlsClient(CLIENT_CONFIG, "server.test", forced)
    victim.receive_data(recorded)
    assert isinstance(victim.next_event(), HandshakeCompleted)


def test_a_function_of_the_config_that_fails_ends_the_connection():
    def verify(chain, name):
        raise OSError("no space left")

    server = waiting(CLIENT_CONFIG._replace(verify=verify))
    with pytest.raises(OSError, match="no space"):
        server.deliver(server.flight())
    with pytest.raises(UsageError, match="function of the config"):
        server.client.next_event()
    assert not server.client.is_handshake_complete


def test_an_error_raised_many_times_stays_small():
    client = TlsClient(CLIENT_CONFIG, "server.test")
    client.receive_data(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    seen = set()
    for _ in range(5):
        with pytest.raises(PeerMisbehavedError) as caught:
            client.next_event()
        frames, traceback = 0, caught.value.__traceback__
        while traceback is not None:
            frames, traceback = frames + 1, traceback.tb_next
        seen.add(frames)
    assert seen == {2}  # this test and next_event


def test_exports_that_cannot_be_are_refused_by_name():
    client = connected().client
    assert len(client.export_keying_material(b"label", b"", 255 * 32)) == 255 * 32
    for label, length in ((b"label", 255 * 32 + 1), (b"label", 0), (b"l" * 250, 32)):
        with pytest.raises(UsageError, match="exporter"):
            client.export_keying_material(label, b"", length)


def test_a_name_longer_than_any_is_not_sent():
    server = waiting(name="a." * 40_000)
    server.read_client_hello()
    assert 0 not in server.extensions


def test_a_group_that_nobody_knows_is_refused_before_it_is_offered():
    with pytest.raises(UsageError, match="unknown group"):
        make_offer(CLIENT_CONFIG._replace(groups=(0x001D, 0x1234)), "server.test")


# Sessions


def test_a_session_is_offered_to_its_own_name_only():
    config = CLIENT_CONFIG._replace(resumption=ResumptionOffer(ticket(), 0))
    assert offers_session(waiting(config))
    assert not offers_session(waiting(config, name="other.test"))


@pytest.mark.parametrize(
    "changes",
    [{"cipher_suite": 0x1302}, {"cipher_suite": 0x9999}],
    ids=["hash not offered", "suite unknown"],
)
def test_a_session_that_no_suite_offered_fits_is_not_offered(changes):
    session = ticket()._replace(**changes)
    config = CLIENT_CONFIG._replace(resumption=ResumptionOffer(session, 0), cipher_suites=(0x1301,))
    assert not offers_session(waiting(config))


def test_a_session_made_without_verification_is_verified_when_it_is_resumed():
    def verify(chain, name):
        raise CertificateError("Certificate: refused", Alert.BAD_CERTIFICATE)

    session = ticket()
    assert not session.was_verified
    config = CLIENT_CONFIG._replace(
        resumption=ResumptionOffer(session, 0), verify=verify, verify_resumed=False
    )
    server = waiting(config)
    server.read_client_hello()
    hello = server.server_hello()
    accepted = b"\0\x29" + vec(2, u(2, 0))
    end = 4 + 2 + 32 + 1 + len(server.session_id) + 3  # the extensions begin here
    extensions = hello[end + 2 :] + accepted
    hello = message(2, hello[4:end] + vec(2, extensions))
    server.use_handshake_keys(hello, session.resumption_secret)
    octets = record(22, hello) + server.protect(22, server.encrypted_extensions())
    assert isinstance(refusal(server, octets), CertificateError)


def test_no_secret_of_the_handshake_is_kept_behind_it():
    state = connected().client._state
    names = {name for name in state._fields if "secret" in name}
    assert names == {"exporter_secret", "resumption_master_secret"}
    assert not {"session", "offer", "master", "transcript"} & set(state._fields)
    assert repr(state) == "ExpectTraffic(...)"


# Names


def test_a_dot_behind_a_name_does_not_lead_it_past_a_constraint():
    from cryptography import x509

    root = ca(constraints=x509.NameConstraints(None, [x509.DNSName("bank.test")]))
    trust = TrustStore.from_pem(root.pem)
    for written in ("www.bank.test", "www.bank.test.", "WWW.BANK.TEST."):
        with pytest.raises(CertificateError, match="excluded subtree"):
            verify_chain([leaf(root, names=[written]).certificate], "www.bank.test", trust, NOW)

"""Any octets give events or a named error, and it makes no difference how they were cut."""

from __future__ import annotations

import itertools
import random
import zlib
from copy import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.ech_server import CONFIG, EchServer
from tests.fakes.scripted_tls12_server import EMS, RENEGOTIATION, ScriptedTls12Server
from tests.fakes.scripted_tls_server import (
    CLIENT_CONFIG,
    IDENTITY,
    ScriptedTlsServer,
    connected,
    extension,
    message,
    record,
    u,
    vec,
)
from tls import compression, ech, ocsp
from tls.certificates import Certificate
from tls.client import TlsClient
from tls.config import ResumptionOffer
from tls.errors import StapleError, TlsError, UsageError
from tls.events import ApplicationData, TicketReceived


def outcome(client: TlsClient) -> tuple[list[object], str | None]:
    """All events, runs of data joined, and the error at the end."""
    seen: list[object] = []
    try:
        while (event := client.next_event()) is not None:
            if not isinstance(event, ApplicationData):
                seen.append(repr(event))
            elif seen and isinstance(seen[-1], bytes):
                seen[-1] += bytes(event.data)
            else:
                seen.append(bytes(event.data))
    except TlsError as error:
        return seen, f"{type(error).__name__} {error.alert} {error}"
    return seen, None


def fed(server: ScriptedTlsServer, octets: bytes, cuts: list[int]) -> tuple[list[object], str | None]:
    seen: list[object] = []
    edges = [0, *sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)]
    for start, end in itertools.pairwise(edges):
        if start == end:
            continue
        server.deliver(octets[start:end])
        news, error = outcome(server.client)
        for one in news:
            if seen and isinstance(one, bytes) and isinstance(seen[-1], bytes):
                seen[-1] += one
            else:
                seen.append(one)
        if error is not None:
            return seen, error
    return seen, None


@given(st.binary(max_size=400))
def test_any_octets_at_first_give_events_or_a_named_error(octets):
    client = TlsClient(CLIENT_CONFIG, "server.test")
    client.receive_data(octets)
    outcome(client)
    client.data_to_send()


@given(st.sampled_from([2, 4, 8, 11, 13, 15, 20, 24]), st.binary(max_size=200))
def test_any_message_under_handshake_keys_gives_an_error_by_name(kind, body):
    server = ScriptedTlsServer(TlsClient(CLIENT_CONFIG, "server.test"))
    server.read_client_hello()
    hello = server.server_hello()
    server.use_handshake_keys(hello)
    server.deliver(record(22, hello) + server.protect(22, message(kind, body)))
    outcome(server.client)


@given(st.integers(20, 24), st.binary(max_size=200))
def test_any_record_on_a_connection_gives_events_or_a_named_error(kind, body):
    server = connected()
    server.deliver(server.protect(kind, body))
    outcome(server.client)


@pytest.fixture(scope="module")
def replayable():
    """A whole connection of the server, and a client that it fits: the same key pair and random."""
    from tls.offer import make_offer

    offer = make_offer(CLIENT_CONFIG, "server.test")
    server = ScriptedTlsServer(client_of(offer))
    octets = server.flight()
    octets += server.protect(23, b"some data")
    octets += server.protect(23, bytes(20_00)) + server.protect(23, b"")
    octets += server.protect(21, b"\1\0")
    return offer, octets


def client_of(offer):
    """A client of its own: for the product an offer serves one connection."""
    return TlsClient(CLIENT_CONFIG, "server.test", copy(offer))


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_cutting_makes_no_difference(replayable, cuts):
    offer, octets = replayable

    def play(cuts):
        return fed(ScriptedTlsServer(client_of(offer)), octets, cuts)

    assert play(cuts) == play([])


def test_one_octet_at_a_time_gives_the_same(replayable):
    offer, octets = replayable
    whole = fed(ScriptedTlsServer(client_of(offer)), octets, [])
    single = ScriptedTlsServer(client_of(offer))
    assert fed(single, octets, list(range(len(octets)))) == whole
    assert whole[1] is None and len(whole[0]) == 3


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 10_000), max_size=4))
def test_a_flipped_bit_never_passes_and_is_found_wherever_it_was_cut(replayable, seed, cuts):
    offer, octets = replayable
    chance = random.Random(seed)
    damaged = bytearray(octets)
    damaged[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)

    def play(cuts):
        return fed(ScriptedTlsServer(client_of(offer)), bytes(damaged), cuts)

    whole = play([])
    assert whole == play(cuts)
    good = fed(ScriptedTlsServer(client_of(offer)), octets, [])
    data = b"".join(one for one in whole[0] if isinstance(one, bytes))
    assert b"".join(one for one in good[0] if isinstance(one, bytes)).startswith(data)


@given(st.lists(st.binary(max_size=40_000), max_size=4))
@settings(max_examples=40, deadline=None)
def test_what_is_sent_is_what_the_server_reads(pieces):
    server = connected()
    server.client.send_data(*pieces)
    assert b"".join(body for _, body in server.read_records()) == b"".join(pieces)


# What is newer: ECH, sessions, compression, staples, the limit of records


EDITS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 1 << 16), st.binary(min_size=1, max_size=4)), max_size=4
)


def edited(octets: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Octets written over, put in, or taken out, each at some place."""
    for kind, place, piece in edits:
        at = place % (len(octets) + 1)
        octets = octets[:at] + (b"" if kind == 2 else piece) + octets[at + (0 if kind == 1 else len(piece)) :]
    return octets


EVERYTHING = CLIENT_CONFIG._replace(
    ech_configs=vec(2, CONFIG),
    certificate_compression=compression.available(),
    request_ocsp=True,
    request_sct=True,
    groups=(0x1D, 0x17, 0x1E),
)


def begun() -> EchServer:
    server = EchServer(TlsClient(EVERYTHING, "server.test"))
    server.read_outer()
    server.open_inner()
    return server


def is_fine(server: ScriptedTlsServer) -> str | None:
    """Whatever came, it is events or a named error, whose alert goes out."""
    _, error = outcome(server.client)
    server.client.data_to_send()
    assert error is None or "UsageError" not in error
    return error


@given(EDITS, st.booleans())
def test_a_hello_to_the_inner_hello_with_anything_else_in_it(edits, is_retry):
    server = begun()
    retry = server.confirmed_retry([(51, u(2, 0x17)), (44, vec(2, b"cookie"))])
    hello = retry if is_retry else server.confirmed(server.server_hello())
    server.deliver(record(22, hello[:4] + edited(hello[4:], edits)))
    is_fine(server)


@given(st.binary(max_size=300), EDITS)
def test_any_extensions_that_are_encrypted(octets, edits):
    told = extension(16, vec(2, vec(1, b"http/1.1"))) + extension(28, u(2, 100)) + extension(0, b"")
    told += extension(0xFE0D, vec(2, CONFIG))
    for body in (vec(2, octets), edited(vec(2, told), edits)):
        server = ScriptedTlsServer(TlsClient(EVERYTHING, "server.test"))  # declines ECH
        server.read_client_hello()
        hello = server.server_hello()
        server.use_handshake_keys(hello)
        server.deliver(record(22, hello) + server.protect(22, message(8, body)))
        is_fine(server)


@given(st.integers(0, 4), st.integers(0, 1 << 24), st.binary(max_size=300), EDITS)
@settings(deadline=None)
def test_any_compressed_certificate(algorithm, length, octets, edits):
    chain = vec(1, b"") + vec(3, vec(3, b"der") + vec(2, b""))
    good = u(2, 1) + u(3, len(chain)) + vec(3, zlib.compress(chain))
    for body in (u(2, algorithm) + u(3, length % (1 << 24)) + vec(3, octets), edited(good, edits)):
        server = begun()
        hello = server.confirmed(server.server_hello())
        server.use_handshake_keys(hello)
        server.deliver(record(22, hello) + server.protect(22, server.encrypted_extensions()))
        server.deliver(server.protect(22, message(25, body)))
        is_fine(server)


@given(st.binary(max_size=200), EDITS)
def test_any_ticket_that_is_taken_can_be_offered(octets, edits):
    good = u(4, 600) + u(4, 77) + vec(1, b"n") + vec(2, b"ticket") + vec(2, extension(42, u(4, 100)))
    for body in (octets, edited(good, edits)):
        server = connected()
        server.deliver(server.protect(22, message(4, body)))
        offered_again(server.client)


@given(st.binary(max_size=200), EDITS)
def test_any_ticket_of_tls_1_2_that_is_taken_can_be_offered(octets, edits):
    for body in (octets, edited(u(4, 600) + vec(2, b"ticket"), edits)):
        server = ScriptedTls12Server(TlsClient(CLIENT_CONFIG, "server.test"))
        flight = server.flight()
        flight[0] = server.server_hello(EMS + RENEGOTIATION + extension(35, b""))
        server.client.receive_data(server.say(*flight))
        server.records()
        told = server.say(message(4, body))
        server.client.receive_data(told + server.change_cipher_spec() + server.say(server.finished()))
        offered_again(server.client)


def offered_again(client: TlsClient) -> None:
    tickets = []
    try:
        while (event := client.next_event()) is not None:
            tickets += [event.ticket] if isinstance(event, TicketReceived) else []
    except TlsError:
        pass
    for ticket in tickets:
        assert 0 < ticket.lifetime <= 604_800
        again = CLIENT_CONFIG._replace(resumption=ResumptionOffer(ticket, 0), early_data=True)
        assert TlsClient(again, "server.test").data_to_send()


@given(st.integers(1, 1200), st.integers(0, 300), st.sampled_from([21, 22, 23]))
def test_no_record_over_the_limit_that_was_agreed_is_taken(size, padding, kind):
    def change(name, encoded):
        return server.encrypted_extensions([(28, u(2, 16385))]) if name == "encrypted_extensions" else encoded

    server = ScriptedTlsServer(TlsClient(CLIENT_CONFIG._replace(record_size_limit=1000), "server.test"))
    server.deliver(server.flight(change))
    assert is_fine(server) is None
    server.deliver(server.protect(kind, bytes(size), padding))
    error = is_fine(server)
    assert ("plaintext too long" in (error or "")) == (size + 1 + padding > 1000)


@given(st.binary(max_size=200), EDITS)
def test_any_list_of_ech_configs_is_used_or_refused(octets, edits):
    for found in (octets, vec(2, octets), edited(vec(2, CONFIG + CONFIG), edits)):
        try:
            client = TlsClient(CLIENT_CONFIG._replace(ech_configs=found), "secret.test")
        except UsageError:
            continue
        sent = b"".join(map(bytes, client.data_to_send()))
        chosen = ech.choose(found) if found else None
        assert (b"secret.test" in sent) == (chosen is None)


@given(st.binary(max_size=200), EDITS)
def test_any_staple_is_judged_or_refused(octets, edits):
    certificate = Certificate.parse(IDENTITY[1])
    for staple in (octets, edited(STAPLE, edits)):
        with pytest.raises(StapleError):
            ocsp.check(staple, certificate, certificate, 1_800_000_000.0)


def sequence(*parts: bytes, tag: int = 0x30) -> bytes:
    body = b"".join(parts)
    count = 0 if len(body) < 0x80 else 1 if len(body) < 0x100 else 2
    return u(1, tag) + (u(1, 0x80 + count) if count else b"") + u(max(count, 1), len(body)) + body


def staple() -> bytes:
    """A response with everything in it, signed by nobody."""
    moment = sequence(b"20260101000000Z", tag=0x18)
    identifier = sequence(
        sequence(bytes.fromhex("06052b0e03021a")),
        vec_of(4, bytes(20)),
        vec_of(4, bytes(20)),
        vec_of(2, b"\1"),
    )
    revoked = sequence(moment, sequence(vec_of(10, b"\1"), tag=0xA0), tag=0xA1)
    nonce = sequence(sequence(vec_of(6, bytes.fromhex("2b0601050507300102")), vec_of(4, b"n")))
    single = sequence(identifier, revoked, moment, sequence(moment, tag=0xA0), sequence(nonce, tag=0xA1))
    data = sequence(
        sequence(vec_of(4, bytes(20)), tag=0xA2), moment, sequence(single), sequence(nonce, tag=0xA1)
    )
    algorithm = sequence(vec_of(6, bytes.fromhex("2a8648ce3d040302")))
    basic = sequence(data, algorithm, vec_of(3, b"\0" + bytes(70)), sequence(sequence(IDENTITY[1]), tag=0xA0))
    kind = vec_of(6, bytes.fromhex("2b0601050507300101"))
    return sequence(vec_of(10, b"\0"), sequence(sequence(kind, sequence(basic, tag=4)), tag=0xA0))


def vec_of(tag: int, octets: bytes) -> bytes:
    return sequence(octets, tag=tag)


STAPLE = staple()


def test_the_staple_of_these_tests_is_well_formed() -> None:
    certificate = Certificate.parse(IDENTITY[1])
    with pytest.raises(StapleError, match=r"^OCSP response verification failed$"):
        ocsp.check(STAPLE, certificate, certificate, 1_800_000_000.0)

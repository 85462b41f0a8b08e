"""Any octets give events or a named error, and it makes no difference how they were cut."""

from __future__ import annotations

import itertools
import random
from copy import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.scripted_tls_server import CLIENT_CONFIG, ScriptedTlsServer, connected, message, record
from tls.client import TlsClient
from tls.errors import TlsError
from tls.events import ApplicationData


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

import random

import pytest

from tcpip.tcp.config import TcpConfig
from tests.fakes.tcp_pair import TcpPair
from tests.fakes.virtual_wire import Quality


def octets(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def test_nothing_is_sent_and_both_sides_close():
    TcpPair().run_to_the_end()


def test_text_goes_both_ways_over_a_wire_without_faults():
    pair = TcpPair(octets(300_000), octets(500_000, 2))
    pair.run_to_the_end()
    for end in (pair.client, pair.server):
        assert end.connection.retransmissions == 0
        assert end.connection.timeouts == 0


@pytest.mark.parametrize("gso_max", [0, 60_000])
@pytest.mark.parametrize("loss", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("sack", [True, False])
def test_a_lossy_wire_delivers_every_octet_once(loss, sack, gso_max):
    config = TcpConfig(sack=sack, timestamps=sack)
    pair = TcpPair(
        octets(150_000),
        octets(150_000, 2),
        seed=7,
        quality=Quality(loss=loss, jitter=0.01, duplicate=0.02),
        client_config=config,
        server_config=config,
        gso_max=gso_max,
    )
    pair.run_to_the_end()
    assert pair.client.connection.retransmissions > 0


@pytest.mark.parametrize("round_trip", [0.07, 2.0])
def test_long_round_trips(round_trip):
    pair = TcpPair(octets(200_000), octets(200_000, 2), quality=Quality(delay=round_trip / 2))
    pair.run_to_the_end()
    assert pair.client.connection.timeouts <= (1 if round_trip > 1 else 0)


def test_both_open_at_once():
    pair = TcpPair(octets(10_000), octets(10_000, 2), simultaneous=True)
    pair.run_to_the_end()

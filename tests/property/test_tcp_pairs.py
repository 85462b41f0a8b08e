"""Two connections on a wire that does its worst: RFC 9293's promise, from any seed."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tcpip.tcp.config import TcpConfig
from tests.fakes.tcp_pair import TcpPair
from tests.fakes.virtual_wire import Quality

TEXT = random.Random(1).randbytes(40_000)

isn = st.integers(0, 0xFFFF_FFFF) | st.integers(0xFFFF_FF00, 0xFFFF_FFFF) | st.integers(0, 50)
configs = st.fixed_dictionaries(
    {
        "receive_buffer": st.sampled_from([1500, 20_000, 4 << 20]),
        "send_buffer": st.sampled_from([3000, 4 << 20]),
        "out_of_order_ranges": st.sampled_from([1, 256]),
        "sack_ranges": st.sampled_from([1, 256]),
        "window_scaling": st.booleans(),
        "timestamps": st.booleans(),
        "sack": st.booleans(),
        "nagle": st.booleans(),
        "max_rto": st.just(10.0),
        "user_timeout": st.just(3000.0),
        "connect_timeout": st.just(3000.0),
    }
).map(lambda fields: TcpConfig(**fields))
qualities = st.fixed_dictionaries(
    {
        "delay": st.sampled_from([0.0001, 0.03]),
        "jitter": st.sampled_from([0.0, 0.02]),
        "loss": st.sampled_from([0.0, 0.01, 0.1]),
        "duplicate": st.sampled_from([0.0, 0.1]),
    }
).map(lambda fields: Quality(**fields))


@given(
    st.integers(0, 40_000),
    st.integers(0, 40_000),
    configs,
    configs,
    qualities,
    isn,
    isn,
    st.integers(0, 1 << 30),
    st.sampled_from([0, 8000]),
    st.booleans(),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_each_octet_arrives_once_in_order_and_both_ends_close(
    upload,
    download,
    client_config,
    server_config,
    quality,
    client_iss,
    server_iss,
    seed,
    gso_max,
    simultaneous,
):
    pair = TcpPair(
        TEXT[:upload],
        TEXT[40_000 - download :],
        seed=seed,
        quality=quality,
        client_config=client_config,
        server_config=server_config,
        client_iss=client_iss,
        server_iss=server_iss,
        gso_max=gso_max,
        simultaneous=simultaneous,
    )
    pair.run_to_the_end(limit=20_000.0)


@given(st.integers(0, 1 << 30), qualities)
@settings(max_examples=10, deadline=None)
def test_the_same_seed_gives_the_same_octets(seed, quality):
    def record() -> list[tuple[int, bytes, float]]:
        log: list[tuple[int, bytes, float]] = []
        pair = TcpPair(bytes(20_000), bytes(5000), seed=seed, quality=quality)
        pair.wire.watch = lambda direction, item, now: log.append((direction, item, now))
        pair.run_to_the_end()
        return log

    assert record() == record()

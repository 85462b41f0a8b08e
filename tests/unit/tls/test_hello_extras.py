"""What a ClientHello may have beside the necessary: GREASE, any order, a limit of records; and padding."""

from __future__ import annotations

import pytest

from tests.fakes.scripted_tls12_server import EMS, RENEGOTIATION, ScriptedTls12Server
from tests.fakes.scripted_tls_server import (
    CLIENT_CONFIG,
    ScriptedTlsServer,
    connected,
    extension,
    record,
    u,
    vec,
)
from tls.alerts import Alert
from tls.client import TlsClient
from tls.config import TLS12, ResumptionOffer, TlsConfig
from tls.errors import TlsError, UsageError
from tls.events import ApplicationData, HandshakeCompleted


def fresh(**fields: object) -> ScriptedTlsServer:
    server = ScriptedTlsServer(TlsClient(CLIENT_CONFIG._replace(**fields), "server.test"))  # type: ignore[arg-type]
    return server


def hello_of(**fields: object) -> ScriptedTlsServer:
    server = fresh(**fields)
    server.read_client_hello()
    return server


def alert_of(server: ScriptedTlsServer) -> Alert | None:
    with pytest.raises(TlsError) as caught:
        server.events()
    return caught.value.alert


def is_grease(code: int) -> bool:
    return code & 0x0F0F == 0x0A0A and code >> 8 == code & 0xFF


# GREASE (RFC 8701)


def test_grease_stands_in_every_list_and_changes_from_hello_to_hello() -> None:
    seen = set()
    for _ in range(30):
        server = hello_of(grease=True)
        found = server.extensions
        suite = int.from_bytes(server.hello[73:75], "big")
        assert is_grease(suite)
        assert is_grease(int.from_bytes(found[10][2:4], "big")) and is_grease(
            int.from_bytes(found[43][1:3], "big")
        )
        assert found[51][2:7] == found[10][2:4] + vec(2, b"\0")
        first, last = [kind for kind in found if is_grease(kind)]
        assert (found[first], found[last]) == (b"", b"\0") and first != last
        seen.add(suite)
    assert len(seen) > 5


def test_a_second_hello_has_the_same_grease() -> None:
    server = hello_of(grease=True, key_shares=(0x17,))
    first = server.extensions
    suites = server.hello[71:75]
    retry = server.hello_retry_request([(51, u(2, 0x1D))])
    server.note_retry(retry)
    server.deliver(record(22, retry))
    server.read_client_hello()
    assert server.hello[71:75] == suites
    assert list(server.extensions) == list(first) and server.extensions[10] == first[10]


def test_a_server_that_takes_grease_for_something_is_refused() -> None:
    server = hello_of(grease=True)
    suite = int.from_bytes(server.hello[73:75], "big")
    server.deliver(record(22, server.server_hello(suite=suite)))
    assert alert_of(server) == Alert.ILLEGAL_PARAMETER
    server = hello_of(grease=True)
    group = server.extensions[10][2:4]
    server.deliver(record(22, server.hello_retry_request([(51, group)])))
    assert alert_of(server) == Alert.ILLEGAL_PARAMETER
    server = hello_of(grease=True)
    kind = next(filter(is_grease, server.extensions))
    server.deliver(record(22, server.server_hello(extensions=[(43, u(2, 0x0304)), (kind, b"")])))
    assert alert_of(server) == Alert.UNSUPPORTED_EXTENSION


def test_none_is_sent_unasked() -> None:
    server = hello_of()
    assert not any(map(is_grease, server.extensions)) and not is_grease(
        int.from_bytes(server.hello[73:75], "big")
    )


# Order


def test_extensions_come_in_any_order_but_a_session_is_last() -> None:
    orders, firsts = set(), set()
    for _ in range(60):
        order = tuple(hello_of(permute_extensions=True).extensions)
        assert set(order) == set(hello_of().extensions)
        orders.add(order)
        firsts.add(order[0])
    assert len(orders) > 50 and len(firsts) > 5
    from tests.unit.tls.test_early_data import session

    for _ in range(10):
        server = hello_of(permute_extensions=True, resumption=ResumptionOffer(session(), 0))
        assert list(server.extensions)[-1] == 41


def test_a_second_hello_keeps_the_order() -> None:
    server = hello_of(permute_extensions=True, key_shares=(0x17,))
    first = list(server.extensions)
    retry = server.hello_retry_request([(51, u(2, 0x1D)), (44, vec(2, b"c"))])
    server.note_retry(retry)
    server.deliver(record(22, retry))
    server.read_client_hello()
    assert [kind for kind in server.extensions if kind != 44] == first


# The limit of records (RFC 8449)


def limited(value: bytes, **fields: object) -> ScriptedTlsServer:
    server = fresh(**fields)
    server.deliver(
        server.flight(
            lambda name, encoded: (
                server.encrypted_extensions([(28, value)]) if name == "encrypted_extensions" else encoded
            )
        )
    )
    return server


def settled(server: ScriptedTlsServer) -> None:
    (done,) = server.events()
    assert isinstance(done, HandshakeCompleted)
    server.read_records()
    server.read_secret, server.read_sequence = server.next_read_secret, 0


def test_the_limit_is_offered_and_a_servers_is_kept_to() -> None:
    assert hello_of().extensions[28] == u(2, 16385)
    assert 28 not in hello_of(record_size_limit=None).extensions
    server = limited(u(2, 101))
    settled(server)
    server.client.send_data(bytes(250))
    assert [len(body) for _, body in server.read_records()] == [100, 100, 50]
    server.client.update_keys()
    server.client.send_data(bytes(101))
    assert [len(body) for kind, body in server.read_records() if kind == 23] == [100, 1]


def test_a_server_that_says_nothing_gets_full_records() -> None:
    server = connected()
    server.client.send_data(bytes(20_000))
    assert [len(body) for _, body in server.read_records()] == [16384, 20_000 - 16384]


@pytest.mark.parametrize(
    ("value", "alert"),
    [
        (u(2, 63), Alert.ILLEGAL_PARAMETER),
        (u(2, 16386), Alert.ILLEGAL_PARAMETER),
        (b"\1", Alert.DECODE_ERROR),
        (u(3, 100), Alert.DECODE_ERROR),
    ],
)
def test_a_limit_that_is_none_is_refused(value: bytes, alert: Alert) -> None:
    assert alert_of(limited(value)) == alert


def test_a_limit_that_was_not_asked_for_is_refused() -> None:
    assert alert_of(limited(u(2, 100), record_size_limit=None)) == Alert.UNSUPPORTED_EXTENSION


def test_a_record_over_our_limit_is_refused_once_both_have_spoken() -> None:
    server = limited(u(2, 16385), record_size_limit=1000)
    settled(server)
    server.deliver(server.protect(23, bytes(999)))
    (data,) = server.events()
    assert isinstance(data, ApplicationData)
    server.deliver(server.protect(23, bytes(999), padding=1))
    assert alert_of(server) == Alert.RECORD_OVERFLOW
    server = connected(CLIENT_CONFIG._replace(record_size_limit=1000))
    server.deliver(server.protect(23, bytes(1000)))
    assert isinstance(server.events()[0], ApplicationData), "a server that does not know the extension"


def test_tls_1_2_keeps_to_it_too_and_counts_the_content_alone() -> None:
    server = ScriptedTls12Server(TlsClient(CLIENT_CONFIG, "server.test"))
    flight = server.flight()
    flight[0] = server.server_hello(EMS + RENEGOTIATION + extension(28, u(2, 100)))
    server.deliver(server.say(*flight))
    server.records()
    server.deliver(server.change_cipher_spec() + server.say(server.finished()))
    server.client.send_data(bytes(250))
    assert [len(body) for _, body in server.records()] == [100, 100, 50]


@pytest.mark.parametrize(("length", "is_good"), [(64, True), (65, False)])
def test_what_tls_1_2_sends_us_is_counted_by_its_content_too(length: int, is_good: bool) -> None:
    server = ScriptedTls12Server(TlsClient(CLIENT_CONFIG._replace(record_size_limit=64), "server.test"))
    flight = server.flight()
    flight[0] = server.server_hello(EMS + RENEGOTIATION + extension(28, u(2, 100)))
    server.deliver(server.say(*flight))
    server.records()
    server.deliver(server.change_cipher_spec() + server.say(server.finished()))
    octets = server.protect(23, bytes(length))
    if is_good:
        (data,) = server.deliver(octets)
        assert isinstance(data, ApplicationData)
    else:
        with pytest.raises(TlsError) as caught:
            server.deliver(octets)
        assert caught.value.alert == Alert.RECORD_OVERFLOW


def test_tls_1_2_alone_is_offered_no_more_than_it_has() -> None:
    hello = ScriptedTls12Server(TlsClient(CLIENT_CONFIG._replace(versions=(TLS12,)), "server.test"))
    assert extension(28, u(2, 16384)) in hello.client_hello


@pytest.mark.parametrize(
    "fields", [{"record_size_limit": 63}, {"record_size_limit": 16386}, {"pad_records_to": 0}]
)
def test_a_config_that_cannot_work_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=r"TlsConfig: (record_size_limit|pad_records_to)"):
        TlsClient(TlsConfig(**fields), "server.test")


# Padding (RFC 8446 §5.4)


def sizes(server: ScriptedTlsServer, *data: bytes) -> list[int]:
    """The inner plaintexts, type and padding counted."""
    server.client.send_data(*data)
    octets, found = server.collect(), []
    while octets:
        length = int.from_bytes(octets[3:5], "big")
        found.append(length - 16)
        octets = octets[5 + length :]
    return found


def test_records_are_filled_up_to_a_multiple() -> None:
    server = connected(CLIENT_CONFIG._replace(pad_records_to=512))
    assert sizes(server, b"x") == [512]
    assert server.read_records() == [(23, b"x")]
    assert sizes(server, bytes(511)) == [512]
    assert server.read_records() == [(23, bytes(511))]
    assert sizes(server, b"y" * 512) == [1024]
    assert server.read_records()[-1] == (23, b"y" * 512)
    assert sizes(server, b"z" * 17_000) == [16385, 1024]
    assert [body for _, body in server.read_records()] == [b"z" * 16384, b"z" * 616]


def test_padding_stays_below_the_limit_of_records() -> None:
    server = connected(CLIENT_CONFIG._replace(pad_records_to=16385))
    assert sizes(server, b"x") == [16385]
    assert server.read_records() == [(23, b"x")]
    assert sizes(server, bytes(16384)) == [16385]


def test_nothing_is_added_unasked() -> None:
    assert sizes(connected(), b"x") == [2]


def test_no_hello_has_from_256_to_511_octets() -> None:
    """RFC 7685: sizes at which some servers hang."""
    sizes = set()
    for length in range(1, 250):
        config = CLIENT_CONFIG._replace(versions=(TLS12,), alpn=(b"p" * length, b"q" * length))
        client = TlsClient(config, "server.test")
        (hello,) = client.data_to_send()
        sizes.add(len(hello) - 5)
    assert min(sizes) < 256 and 512 in sizes and max(sizes) > 512
    assert not any(256 <= size < 512 for size in sizes)

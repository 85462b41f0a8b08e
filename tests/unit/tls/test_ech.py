"""Encrypted ClientHello (RFC 9849): what is sealed, what is seen, and what a server may make of it."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from tests.fakes.ech_server import CONFIG, ECH, KEY, PUBLIC_NAME, EchServer, ech_config
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
from tls import ech, hpke
from tls.alerts import Alert
from tls.client import TlsClient
from tls.config import TLS12, TLS13, ClientCertificate, ResumptionOffer, SessionTicket, TlsConfig
from tls.errors import EchRejectedError, TlsError, UsageError
from tls.events import HandshakeCompleted, TicketReceived

RAW_KEY = KEY.public_key().public_bytes_raw()
SECRET_NAME = "secret.test"


def config_list(*configs: bytes) -> bytes:
    return vec(2, b"".join(configs))


def fresh(**fields: object) -> EchServer:
    config = CLIENT_CONFIG._replace(**({"ech_configs": config_list(CONFIG)} | fields))  # type: ignore[arg-type]
    return EchServer(TlsClient(config, SECRET_NAME))


def go_on(
    server: ScriptedTlsServer, hello: bytes, *encrypted: tuple[int, bytes], request: bool = False
) -> None:
    """The server's flight after its hello."""
    server.use_handshake_keys(hello)
    server.deliver(record(22, hello))
    steps = [lambda: server.encrypted_extensions(list(encrypted))]
    steps += [server.certificate_request] if request else []
    for step in (*steps, server.certificate, server.certificate_verify, server.finished):
        encoded = step()
        server.transcript += encoded
        server.deliver(server.protect(22, encoded))


def failure(server: ScriptedTlsServer) -> TlsError:
    with pytest.raises(TlsError) as caught:
        server.events()
    return caught.value


# What is sent


def test_the_name_asked_for_is_sealed_and_the_public_name_is_seen() -> None:
    server = fresh()
    seen = server.read_outer()
    assert SECRET_NAME.encode() not in server.outer
    assert seen[0].endswith(PUBLIC_NAME) and seen[ECH][0] == 0
    assert seen[43] == vec(1, u(2, TLS13) + u(2, TLS12))
    inside = server.open_inner()
    assert inside[0].endswith(SECRET_NAME.encode())
    assert inside[ECH] == b"\x01"
    assert inside[43] == vec(1, u(2, TLS13)), "nothing older inside"
    assert {10, 13, 16, 45, 51} <= set(server.named), "what both say is said once"
    assert server.outer[6:38] != server.inner_random


@pytest.mark.parametrize("suite", [(1, 1), (1, 2), (1, 3), (2, 2)])
def test_each_suite_is_opened_by_other_code(suite: tuple[int, int]) -> None:
    server = fresh()
    server.config = ech_config(RAW_KEY, suites=u(2, 0x7777) + u(2, 1) + u(2, suite[0]) + u(2, suite[1]))
    client = TlsClient(CLIENT_CONFIG._replace(ech_configs=config_list(server.config)), SECRET_NAME)
    server.client, server.sent = client, b""
    server.read_outer()
    assert server.open_inner()[0].endswith(SECRET_NAME.encode())


@pytest.mark.parametrize("kdf", [(1, KDF.HKDF_SHA256), (2, KDF.HKDF_SHA384)])
@pytest.mark.parametrize("aead", [(1, AEAD.AES_128_GCM), (2, AEAD.AES_256_GCM), (3, AEAD.CHACHA20_POLY1305)])
def test_hpke_is_that_of_others(kdf: tuple[int, KDF], aead: tuple[int, AEAD]) -> None:
    sender = hpke.Sender(kdf[0], aead[0], RAW_KEY, b"info")
    sealed = sender.enc + sender.seal(b"", b"content")
    assert Suite(KEM.X25519, kdf[1], aead[1]).decrypt(sealed, KEY, b"info") == b"content"


@pytest.mark.parametrize("name", ["a.test", "abcdefghijk.test", "0123456789.0123456789.test", "192.0.2.7"])
def test_sizes_tell_little_of_the_name(name: str) -> None:
    server = fresh()
    server.client = TlsClient(CLIENT_CONFIG._replace(ech_configs=config_list(CONFIG)), name)
    server.read_outer()
    server.open_inner()
    assert len(server.padded) % 32 == 0
    short = fresh()
    short.read_outer()
    short.open_inner()
    if len(name) <= 16:
        assert abs(len(server.padded) - len(short.padded)) <= 32


def test_a_client_certificate_is_not_spoken_of_outside() -> None:
    mine = ClientCertificate((b"der",), object())  # type: ignore[arg-type]
    server = fresh(client_certificate=mine)
    assert 49 not in server.read_outer()
    assert 49 in server.open_inner()


def session(limit: int = 0) -> SessionTicket:
    server = connected()
    limits = extension(42, u(4, limit)) if limit else b""
    ticket = message(4, u(4, 600) + u(4, 77) + vec(1, b"n") + vec(2, b"a ticket") + vec(2, limits))
    server.deliver(server.protect(22, ticket))
    (received,) = server.events()
    assert isinstance(received, TicketReceived)
    return received.ticket._replace(server_name=SECRET_NAME)


def test_a_session_is_offered_inside_and_something_like_it_outside() -> None:
    server = fresh(resumption=ResumptionOffer(session(), 0))
    outside = server.read_outer()
    inside = server.open_inner()
    assert b"a ticket" in inside[41] and b"a ticket" not in server.outer
    assert len(outside[41]) == len(inside[41]) and outside[41] != inside[41]
    assert list(outside)[-1] == list(inside)[-1] == 41


def test_the_likeness_of_a_session_stays_the_same_across_a_retry() -> None:
    server = fresh(resumption=ResumptionOffer(session(), 0), groups=(0x1D, 0x17), key_shares=(0x17,))
    first = server.read_outer()[41]
    server.open_inner()
    retry = server.confirmed_retry([(51, u(2, 0x1D))])
    server.note_retry(retry)
    server.deliver(record(22, retry))
    second = server.read_outer()[41]
    inside = server.open_inner()[41]
    assert len(first) == len(second) == len(inside)
    assert first[:-32] == second[:-32] and first[-32:] != second[-32:], "all but its binder"
    assert b"a ticket" in inside


def test_early_data_is_that_of_the_inner_hello() -> None:
    ticket = session(limit=100)._replace(alpn=None)
    server = fresh(resumption=ResumptionOffer(ticket, 0), early_data=True)
    assert server.client.early_data_room == 100
    server.client.send_early_data(b"GET / ")
    octets = server.collect()
    behind = octets[5 + int.from_bytes(octets[3:5], "big") :]
    assert 42 in server.read_outer() and 42 in server.open_inner()
    from tls.key_schedule import EarlySecret

    early = EarlySecret(server.hash, ticket.resumption_secret)
    server.read_secret = early.client_traffic_secret(server.digest_of(server.transcript))
    server.sent = behind
    assert server.read_records() == [(20, b"\x01"), (23, b"GET / ")]


# A server that can open it


def test_the_handshake_goes_on_with_the_inner_hello() -> None:
    lines: list[str] = []
    server = fresh(key_log=lines.append)
    server.read_outer()
    outer_random = server.outer[6:38].hex()
    server.open_inner()
    go_on(server, server.confirmed(server.server_hello()))
    (done,) = server.events()
    assert isinstance(done, HandshakeCompleted) and done.ech == "accepted"
    labels = {line.split()[0]: line.split()[1] for line in lines}
    assert labels["ECH_SECRET"] == labels["ECH_CONFIG"] == outer_random
    assert labels["CLIENT_TRAFFIC_SECRET_0"] == server.inner_random.hex()


def test_it_goes_on_across_a_retry_too() -> None:
    server = fresh(groups=(0x1D, 0x17), key_shares=(0x17,))
    server.read_outer()
    server.open_inner()
    retry = server.confirmed_retry([(51, u(2, 0x1D)), (44, vec(2, b"cookie"))])
    server.note_retry(retry)
    server.deliver(record(22, retry))
    seen = server.read_outer()
    assert seen[44] == vec(2, b"cookie") and SECRET_NAME.encode() not in server.outer
    inside = server.open_inner()
    assert inside[44] == vec(2, b"cookie") and inside[51] == seen[51]
    go_on(server, server.confirmed(server.server_hello()))
    (done,) = server.events()
    assert isinstance(done, HandshakeCompleted)
    assert (done.ech, done.was_retried, done.group) == ("accepted", True, 0x1D)


def test_who_has_accepted_a_retry_may_not_decline_afterwards() -> None:
    server = fresh(groups=(0x1D, 0x17), key_shares=(0x17,))
    server.read_outer()
    server.open_inner()
    retry = server.confirmed_retry([(51, u(2, 0x1D))])
    server.note_retry(retry)
    server.deliver(record(22, retry))
    server.read_outer()
    server.deliver(record(22, server.server_hello()))
    error = failure(server)
    assert error.alert == Alert.ILLEGAL_PARAMETER and "not any more" in str(error)


def test_who_has_opened_it_has_no_configs_to_give() -> None:
    server = fresh()
    server.read_outer()
    server.open_inner()
    go_on(server, server.confirmed(server.server_hello()), (ECH, config_list(CONFIG)))
    assert failure(server).alert == Alert.UNSUPPORTED_EXTENSION


# A server that cannot


def verified_names(names: list[str]):  # type: ignore[no-untyped-def]
    def verify(chain: object, name: str) -> object:
        names.append(name)
        return (chain, name)

    return verify


@pytest.mark.parametrize("configs", [config_list(CONFIG), None])
def test_a_server_that_does_not_open_it_proves_the_public_name_and_is_left(configs: bytes | None) -> None:
    names: list[str] = []
    server = fresh(verify=verified_names(names))
    server.read_outer()
    go_on(server, server.server_hello(), *([] if configs is None else [(ECH, configs)]))
    error = failure(server)
    assert isinstance(error, EchRejectedError)
    assert (error.alert, error.retry_configs, names) == (Alert.ECH_REQUIRED, configs, ["public.test"])
    assert "public.test" in str(error)
    server.read_secret = server.client_handshake_secret
    records = server.sent + server.collect()
    assert records.count(b"\x17\x03\x03") == 2, "Finished, and the alert under the keys that follow"
    with pytest.raises(TlsError):
        server.client.send_data(b"secret")


def test_it_is_not_shown_a_client_certificate() -> None:
    mine = ClientCertificate((b"der",), object())  # type: ignore[arg-type]
    server = fresh(client_certificate=mine)
    server.read_outer()
    go_on(server, server.server_hello(), request=True)
    assert isinstance(failure(server), EchRejectedError)
    octets = server.collect()
    start = octets.index(b"\x17\x03\x03")
    server.sent = octets[start : start + 5 + int.from_bytes(octets[start + 3 : start + 5], "big")]
    ((_, flight),) = server.read_records()
    assert flight.startswith(message(11, vec(1, b"") + vec(3, b"")))


@pytest.mark.parametrize("sign", [None, bytes(8)])
def test_a_retry_that_is_not_for_the_inner_hello_is_for_the_outer(sign: bytes | None) -> None:
    server = fresh(groups=(0x1D, 0x17), key_shares=(0x17,))
    first = dict(server.read_outer())
    retry = server.hello_retry_request([(51, u(2, 0x1D)), *([] if sign is None else [(ECH, sign)])])
    server.note_retry(retry)
    server.deliver(record(22, retry))
    server.read_client_hello()
    assert server.extensions[ECH] == first[ECH]
    go_on(server, server.server_hello(), (ECH, config_list(CONFIG)))
    assert isinstance(failure(server), EchRejectedError)


def test_a_sign_of_another_size_is_refused() -> None:
    server = fresh(groups=(0x1D, 0x17), key_shares=(0x17,))
    server.read_outer()
    server.deliver(record(22, server.hello_retry_request([(51, u(2, 0x1D)), (ECH, bytes(7))])))
    assert failure(server).alert == Alert.DECODE_ERROR


def test_the_likeness_of_a_session_is_not_to_be_resumed() -> None:
    server = fresh(resumption=ResumptionOffer(session(), 0))
    server.read_outer()
    share = u(2, 0x1D) + vec(2, RAW_KEY)
    psk = (41, u(2, 0))
    server.deliver(record(22, server.server_hello(extensions=[(43, u(2, TLS13)), (51, share), psk])))
    error = failure(server)
    assert error.alert == Alert.ILLEGAL_PARAMETER and "extension pre_shared_key: not offered" in str(error)


def test_configs_that_are_none_are_refused() -> None:
    server = fresh()
    server.read_outer()
    go_on(server, server.server_hello(), (ECH, config_list(CONFIG)[:-1]))
    error = failure(server)
    assert error.alert == Alert.DECODE_ERROR and "encrypted_client_hello" in str(error)


# Configs


UNUSABLE = {
    "another version": {"version": 0xFE0C},
    "another KEM": {"kem": 0x10},
    "no suite that is known": {"suites": u(2, 1) + u(2, 0x7777)},
    "an extension that must be understood": {"extensions": extension(0xF000, b"")},
    "a key of another size": {},
    "a public name with a space": {"name": b"public name.test"},
    "a public name that is an address": {"name": b"192.0.2.7"},
    "a public name that is read as an address": {"name": b"a.0x7f"},
    "a public name with an empty label": {"name": b"public..test"},
    "a public name that begins with a hyphen": {"name": b"-public.test"},
    "a label that is too long": {"name": b"a" * 64 + b".test"},
}


@pytest.mark.parametrize("reason", UNUSABLE)
def test_a_config_with_what_is_passed_over(reason: str) -> None:
    key = RAW_KEY[:31] if "size" in reason else RAW_KEY
    unusable = ech_config(key, **UNUSABLE[reason])  # type: ignore[arg-type]
    assert ech.choose(config_list(unusable)) is None
    chosen = ech.choose(config_list(unusable, CONFIG))
    assert chosen is not None and chosen.encoded == CONFIG
    client = TlsClient(CLIENT_CONFIG._replace(ech_configs=config_list(unusable)), SECRET_NAME)
    assert SECRET_NAME.encode() in b"".join(map(bytes, client.data_to_send())), "as without ECH"


def test_an_extension_that_need_not_be_understood_is_passed_over() -> None:
    assert ech.choose(config_list(ech_config(RAW_KEY, extensions=extension(0x1234, b"x")))) is not None


@pytest.mark.parametrize(
    "octets",
    [
        b"\0",
        b"\0\0",
        config_list(CONFIG) + b"x",
        config_list(CONFIG)[:-1],
        config_list(CONFIG[:-2] + b"\0\1"),
    ],
)
def test_a_damaged_list_is_the_callers_mistake(octets: bytes) -> None:
    with pytest.raises(UsageError, match="config list is damaged"):
        TlsClient(CLIENT_CONFIG._replace(ech_configs=octets), SECRET_NAME)


def test_a_low_order_key_is_nobodys() -> None:
    with pytest.raises(UsageError, match="public key is none"):
        TlsClient(TlsConfig(ech_configs=config_list(ech_config(bytes(32)))), SECRET_NAME)


def test_a_client_of_1_2_alone_seals_nothing() -> None:
    client = TlsClient(
        CLIENT_CONFIG._replace(versions=(TLS12,), ech_configs=config_list(CONFIG)), SECRET_NAME
    )
    assert SECRET_NAME.encode() in b"".join(map(bytes, client.data_to_send()))


# GREASE


def test_grease_looks_like_ech_and_its_configs_are_ignored() -> None:
    sizes = set()
    for _ in range(40):
        server = ScriptedTlsServer(TlsClient(CLIENT_CONFIG._replace(grease_ech=True), SECRET_NAME))
        server.read_client_hello()
        body = server.extensions[ECH]
        assert body[:5] == b"\0" + u(2, 1) + u(2, 1) and body[6:8] == u(2, 32)
        sizes.add(len(body))
    assert len(sizes) == 4
    go_on(server, server.server_hello(), (ECH, config_list(CONFIG)))
    (done,) = server.events()
    assert isinstance(done, HandshakeCompleted) and done.ech == "greased"


def test_grease_is_sent_again_as_it_was() -> None:
    config = CLIENT_CONFIG._replace(grease_ech=True, key_shares=(0x17,))
    server = ScriptedTlsServer(TlsClient(config, SECRET_NAME))
    server.read_client_hello()
    first = server.extensions[ECH]
    retry = server.hello_retry_request([(51, u(2, 0x1D)), (ECH, b"whatever")])
    server.note_retry(retry)
    server.deliver(record(22, retry))
    server.read_client_hello()
    assert server.extensions[ECH] == first


def test_a_sign_of_another_size_is_refused_though_it_means_nothing() -> None:
    config = CLIENT_CONFIG._replace(grease_ech=True, key_shares=(0x17,))
    server = ScriptedTlsServer(TlsClient(config, SECRET_NAME))
    server.read_client_hello()
    server.deliver(record(22, server.hello_retry_request([(51, u(2, 0x1D)), (ECH, b"too long.")])))
    assert failure(server).alert == Alert.DECODE_ERROR


def test_an_answer_to_what_was_not_offered_is_refused() -> None:
    config = CLIENT_CONFIG._replace(key_shares=(0x17,))
    server = ScriptedTlsServer(TlsClient(config, SECRET_NAME))
    server.read_client_hello()
    server.deliver(record(22, server.hello_retry_request([(51, u(2, 0x1D)), (ECH, bytes(8))])))
    assert failure(server).alert == Alert.UNSUPPORTED_EXTENSION

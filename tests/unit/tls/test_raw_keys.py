"""Servers that are known by a key and show no certificate (RFC 7250)."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fakes.scripted_tls_server import (
    CLIENT_CONFIG,
    IDENTITY,
    ScriptedTlsServer,
    extension,
    message,
    record,
    u,
    vec,
)
from tls.alerts import Alert
from tls.client import TlsClient
from tls.config import TLS13, ResumptionOffer, TlsConfig
from tls.errors import TlsError, UsageError
from tls.events import HandshakeCompleted, TicketReceived

SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
KEY = IDENTITY[0].public_key().public_bytes(*SPKI)
OTHER = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*SPKI)
RAW = (20, b"\2")


def never(*_: object) -> None:
    raise AssertionError("there is no chain to verify")


def fresh(**fields: object) -> ScriptedTlsServer:
    fields = {"raw_public_keys": (OTHER, KEY), "versions": (TLS13,), "verify": never} | fields
    return ScriptedTlsServer(TlsClient(CLIENT_CONFIG._replace(**fields), "server.test"))  # type: ignore[arg-type]


def shake(server: ScriptedTlsServer, *entries: bytes, kind: tuple[int, bytes] | None = RAW) -> None:
    def change(name: str, encoded: bytes) -> bytes:
        if name == "encrypted_extensions" and kind is not None:
            return server.encrypted_extensions([kind])
        return server.certificate(list(entries)) if name == "certificate" and entries else encoded

    server.deliver(server.flight(change))


def failure(server: ScriptedTlsServer) -> TlsError:
    with pytest.raises(TlsError) as caught:
        server.events()
    return caught.value


def test_a_key_that_is_known_is_enough() -> None:
    server = fresh()
    shake(server, KEY)
    assert server.extensions[20] == vec(1, b"\2\0")
    (done,) = server.events()
    assert isinstance(done, HandshakeCompleted)
    assert (done.raw_public_key, done.peer_certificate, done.verified_path) == (KEY, None, None)


def test_a_key_that_is_not_known_is_refused() -> None:
    server = fresh(raw_public_keys=(OTHER,))
    shake(server, KEY)
    error = failure(server)
    assert error.alert == Alert.CERTIFICATE_UNKNOWN and "not one that is known" in str(error)


def test_the_server_must_have_the_key() -> None:
    server = fresh()
    shake(server, OTHER)
    assert failure(server).alert == Alert.DECRYPT_ERROR


@pytest.mark.parametrize(
    ("entries", "kind", "alert"),
    [
        ((KEY, KEY), RAW, Alert.ILLEGAL_PARAMETER),
        ((KEY[:-1],), RAW, Alert.BAD_CERTIFICATE),
        ((KEY + b"x",), RAW, Alert.BAD_CERTIFICATE),
        ((KEY,), (20, b"\1"), Alert.ILLEGAL_PARAMETER),
        ((KEY,), (20, b""), Alert.DECODE_ERROR),
        ((KEY,), None, Alert.DECODE_ERROR),
    ],
)
def test_what_is_no_raw_key_is_refused(
    entries: tuple[bytes, ...], kind: tuple[int, bytes] | None, alert: Alert
) -> None:
    server = fresh()
    shake(server, *entries, kind=kind)
    assert failure(server).alert == alert


def test_a_server_may_show_a_certificate_all_the_same() -> None:
    for kind in (None, (20, b"\0")):
        seen: list[object] = []
        server = fresh(verify=lambda chain, _: seen.append(chain) or "path")  # noqa: B023
        shake(server, kind=kind)
        (done,) = server.events()
        assert isinstance(done, HandshakeCompleted)
        assert done.raw_public_key is None and done.peer_certificate is not None and seen


def test_what_was_not_offered_is_refused() -> None:
    server = fresh(raw_public_keys=(), verify=None)
    shake(server, KEY)
    assert failure(server).alert == Alert.UNSUPPORTED_EXTENSION


def test_a_session_is_resumed_while_its_key_is_known() -> None:
    server = fresh()
    shake(server, KEY)
    server.read_records()
    server.events()
    server.deliver(
        server.protect(22, message(4, u(4, 600) + u(4, 0) + vec(1, b"n") + vec(2, b"ticket") + vec(2, b"")))
    )
    (received,) = server.events()
    assert (
        isinstance(received, TicketReceived) and received.ticket.is_raw_key and received.ticket.was_verified
    )
    for keys, alert in (((KEY,), None), ((OTHER,), Alert.CERTIFICATE_UNKNOWN)):
        server = fresh(raw_public_keys=keys, resumption=ResumptionOffer(received.ticket, 0))
        server.read_client_hello()
        hello = server.server_hello()
        share = server.exchange.public_key().public_bytes_raw()
        kept = server.exchange
        hello = server.server_hello(
            extensions=[(43, u(2, 0x0304)), (51, u(2, 0x1D) + vec(2, share)), (41, u(2, 0))]
        )
        server.exchange = kept
        server.use_handshake_keys(hello, received.ticket.resumption_secret)
        encrypted = server.encrypted_extensions()
        server.transcript += encrypted
        server.deliver(
            record(22, hello) + server.protect(22, encrypted) + server.protect(22, server.finished())
        )
        if alert is None:
            (done,) = server.events()
            assert isinstance(done, HandshakeCompleted) and done.is_resumed and done.raw_public_key == KEY
        else:
            assert failure(server).alert == alert


def test_they_are_of_tls_1_3_alone() -> None:
    with pytest.raises(UsageError, match="raw public keys"):
        TlsClient(TlsConfig(raw_public_keys=(KEY,)), "server.test")
    assert extension(20, vec(1, b"\2\0")) not in b"".join(
        map(bytes, fresh(raw_public_keys=()).client.data_to_send())
    )

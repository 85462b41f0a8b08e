"""Compressed certificates (RFC 8879), and bombs among them."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import brotli
import pytest
from backports import zstd

from tests.fakes.scripted_tls_server import CLIENT_CONFIG, ScriptedTlsServer, message, u, vec
from tls import compression
from tls.alerts import Alert
from tls.client import TlsClient
from tls.config import TLS12, TlsConfig, TlsLimits
from tls.errors import TlsError, UsageError
from tls.events import HandshakeCompleted

COMPRESS: dict[int, Callable[[bytes], bytes]] = {1: zlib.compress, 2: brotli.compress, 3: zstd.compress}


def compressed(certificate: bytes, algorithm: int = 1, length: int | None = None, tail: bytes = b"") -> bytes:
    """The Certificate message as a CompressedCertificate."""
    body = certificate[4:]
    octets = COMPRESS.get(algorithm, zlib.compress)(body) + tail
    return message(25, u(2, algorithm) + u(3, len(body) if length is None else length) + vec(3, octets))


def fresh(**fields: object) -> ScriptedTlsServer:
    fields = {"certificate_compression": compression.available()} | fields
    return ScriptedTlsServer(TlsClient(CLIENT_CONFIG._replace(**fields), "server.test"))  # type: ignore[arg-type]


def sent(server: ScriptedTlsServer, change: Callable[[bytes], bytes]) -> None:
    server.deliver(server.flight(lambda name, encoded: change(encoded) if name == "certificate" else encoded))


def failure(server: ScriptedTlsServer) -> TlsError:
    with pytest.raises(TlsError) as caught:
        server.events()
    return caught.value


@pytest.mark.parametrize("algorithm", COMPRESS)
def test_each_algorithm_gives_the_certificate_back(algorithm: int) -> None:
    server = fresh()
    sent(server, lambda certificate: compressed(certificate, algorithm))
    (done,) = server.events()
    assert isinstance(done, HandshakeCompleted) and done.peer_chain == (server.certificate_der,)


def test_what_there_is_a_package_for_is_offered_zlib_always() -> None:
    assert compression.available() == (2, 3, 1)
    server = fresh()
    server.read_client_hello()
    assert server.extensions[27] == vec(1, u(2, 2) + u(2, 3) + u(2, 1))
    server = fresh(certificate_compression=(1,))
    server.read_client_hello()
    assert server.extensions[27] == vec(1, u(2, 1))
    server = fresh(versions=(TLS12,))
    assert b"\0\x1b\0\7\6" not in server.collect(), "TLS 1.2 has no such thing"


def test_one_that_was_not_offered_is_refused() -> None:
    server = fresh(certificate_compression=(1,))
    sent(server, lambda certificate: compressed(certificate, 2))
    error = failure(server)
    assert error.alert == Alert.ILLEGAL_PARAMETER and "not offered: 2" in str(error)


def test_the_message_is_unexpected_where_nothing_was_offered() -> None:
    server = fresh(certificate_compression=())
    sent(server, compressed)
    assert failure(server).alert == Alert.UNEXPECTED_MESSAGE


def test_a_length_over_the_limit_is_refused_before_anything_is_made() -> None:
    server = fresh(limits=TlsLimits(certificate_size=1000))
    sent(server, lambda certificate: compressed(certificate, length=1001))
    error = failure(server)
    assert error.alert == Alert.BAD_CERTIFICATE and "1001 octets, at most 1000" in str(error)


@pytest.mark.parametrize("algorithm", COMPRESS)
@pytest.mark.parametrize("by", [-1, 1])
def test_another_length_than_announced_is_refused(algorithm: int, by: int) -> None:
    server = fresh()
    sent(server, lambda certificate: compressed(certificate, algorithm, len(certificate) - 4 + by))
    assert failure(server).alert == Alert.BAD_CERTIFICATE


@pytest.mark.parametrize("algorithm", COMPRESS)
def test_a_bomb_is_not_set_off(algorithm: int) -> None:
    """A gigabyte in a megabyte or less: no more is made of it than it announces."""
    import tracemalloc

    bomb = COMPRESS[algorithm](bytes(100_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="more than the 1000 octets"):
            compression.DECOMPRESSORS[algorithm](bomb, 1000)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("algorithm", COMPRESS)
@pytest.mark.parametrize("octets", [b"", b"no such stream", b"\xff" * 100])
def test_what_is_no_stream_is_refused(algorithm: int, octets: bytes) -> None:
    with pytest.raises(ValueError):
        compression.DECOMPRESSORS[algorithm](octets, 100)


@pytest.mark.parametrize("algorithm", COMPRESS)
def test_a_stream_cut_short_is_refused(algorithm: int) -> None:
    with pytest.raises(ValueError):
        compression.DECOMPRESSORS[algorithm](COMPRESS[algorithm](bytes(range(200)))[:-1], 200)


@pytest.mark.parametrize("algorithm", [1, 3])
def test_octets_behind_the_stream_are_refused(algorithm: int) -> None:
    with pytest.raises(ValueError):
        compression.DECOMPRESSORS[algorithm](COMPRESS[algorithm](bytes(200)) + b"x", 200)


def test_the_default_offers_what_the_standard_library_has() -> None:
    assert TlsConfig().certificate_compression == (1,)


@pytest.mark.parametrize("algorithms", [(9,), (1, 9)])
def test_an_algorithm_that_nobody_knows_is_not_offered(algorithms: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="TlsConfig: certificate compression 9"):
        TlsClient(CLIENT_CONFIG._replace(certificate_compression=algorithms), "server.test")

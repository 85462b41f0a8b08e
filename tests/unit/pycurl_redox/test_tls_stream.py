"""TLS as a ByteStream, over a lower stream in memory that never waits."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest

from pycurl_redox.stream import CutShortError
from pycurl_redox.tls_stream import TlsStream
from tests.fakes.scripted_tls_server import ScriptedTlsServer, connected, message, u, vec
from tls.errors import PeerMisbehavedError


class Lower:
    """Gives the chunks it was made with, then the end; notes what is written and how it was left."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = list(chunks)
        self.written: list[bytes] = []
        self.is_stale = False
        self.is_closed = False

    async def read(self, deadline: float | None) -> bytes:
        return self.chunks.pop(0) if self.chunks else b""

    async def write(self, pieces: list[bytes], deadline: float | None) -> None:
        self.written += [bytes(piece) for piece in pieces]

    async def close(self, deadline: float | None) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run what never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


def stream_of(server: ScriptedTlsServer, *chunks: bytes) -> tuple[TlsStream, Lower]:
    lower = Lower(*chunks)
    return TlsStream(lower, server.client, lambda event: None), lower


def ticket(server: ScriptedTlsServer) -> bytes:
    body = u(4, 60) + u(4, 7) + vec(1, b"n") + vec(2, b"identity") + vec(2, b"")
    return server.protect(22, message(4, body))


def test_a_connection_on_which_a_ticket_waits_is_as_good_as_new():
    server = connected()
    stream, _ = stream_of(server, server.protect(23, b"answer") + ticket(server))
    assert bytes(run(stream.read(None))) == b"answer"
    assert not stream.is_stale


def test_data_that_nobody_asked_for_makes_a_connection_stale():
    server = connected()
    octets = server.protect(23, b"answer") + ticket(server) + server.protect(23, b"and another")
    stream, _ = stream_of(server, octets)
    assert bytes(run(stream.read(None))) == b"answer"
    assert stream.is_stale


@pytest.mark.parametrize("alert", [b"\1\0", b"\2\50"], ids=["close_notify", "error"])
def test_an_alert_behind_the_answer_makes_a_connection_stale_before_it_is_read(alert):
    server = connected()
    stream, _ = stream_of(server, server.protect(23, b"answer") + server.protect(21, alert))
    assert bytes(run(stream.read(None))) == b"answer"
    assert stream.is_stale


def test_the_end_without_close_notify_is_a_cut():
    server = connected()
    stream, _ = stream_of(server, server.protect(23, b"part"))
    assert bytes(run(stream.read(None))) == b"part"
    with pytest.raises(CutShortError):
        run(stream.read(None))


def test_closing_after_an_error_closes_what_is_below():
    server = connected()
    stream, lower = stream_of(server, b"HTTP/1.1 200 OK\r\n\r\n")
    with pytest.raises(PeerMisbehavedError):
        run(stream.read(None))
    assert len(lower.written) == 1  # the alert
    run(stream.close(None))
    assert lower.is_closed
    run(stream.close(None))


def test_a_view_holds_until_the_next_read_though_something_is_written():
    server = connected()
    stream, _ = stream_of(server, server.protect(23, b"first"), server.protect(23, b"later"))
    view = run(stream.read(None))
    run(stream.write([b"request"], None))
    assert bytes(view) == b"first"
    assert bytes(run(stream.read(None))) == b"later"

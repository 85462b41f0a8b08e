"""The library used as it should not be, over the real ring: an error of its own tree, at once."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.servers import make_certificates
from pycurl_redox import Client, FetchError, errors
from tests.fakes.raw_server import read_request, saying, serving, silent

pytestmark = [pytest.mark.interop, pytest.mark.slow]

SOON = 5.0
"""Seconds: well below the client's read time-out of 30."""


def holding(link: object) -> None:
    """Give the head and a first piece, and no more."""
    read_request(link)  # type: ignore[arg-type]
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab")  # type: ignore[attr-defined]
    silent(link)  # type: ignore[arg-type]


@pytest.mark.parametrize("pieces", [0, 1, 3])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_a_body_raises_comes_out_at_once_and_ends_the_connection(
    scheme: str, pieces: int, tmp_path: Path
) -> None:
    tls = None
    if scheme == "https":
        make_certificates(tmp_path)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    ended = threading.Event()

    def converse(link: object) -> None:
        try:
            silent(link)  # type: ignore[arg-type]
        finally:
            ended.set()

    def body() -> Iterator[bytes]:
        for _ in range(pieces):
            yield b"piece" * 1000
        raise ValueError("no more of this")

    began = time.monotonic()
    with serving(converse, tls) as port, Client(verify=False) as client:
        with pytest.raises(ValueError, match="no more of this"):
            client.post(f"{scheme}://127.0.0.1:{port}/", data=body())
        with pytest.raises(FetchError):  # and it serves on
            client.get("http://127.0.0.1:1/")
        assert not pieces or ended.wait(SOON)  # reset before the handshake, there is nobody to see it
    assert time.monotonic() - began < SOON


def test_a_client_closed_by_another_thread_ends_what_waits() -> None:
    with serving(silent) as port:
        client = Client()
        closer = threading.Timer(0.3, client.close)
        closer.start()
        began = time.monotonic()
        with pytest.raises(errors.AbortedError, match="the client was closed meanwhile"):
            client.get(f"http://127.0.0.1:{port}/")
        assert time.monotonic() - began < SOON
        closer.join()
        with pytest.raises(errors.UsageError, match="this client is closed"):
            client.get(f"http://127.0.0.1:{port}/")


def test_a_coroutine_closes_its_response_itself() -> None:
    with serving(holding) as port, Client() as client:

        async def first_piece() -> bytes:
            with await client.stream_async("GET", f"http://127.0.0.1:{port}/") as response:
                return bytes(await response.read_async())

        assert client.gather([first_piece(), first_piece()]) == [b"ab", b"ab"]


def test_two_threads_that_read_one_response_are_told_and_closing_it_ends_the_other() -> None:
    outcome: list[object] = []

    def work() -> None:
        try:
            outcome.append(response.read())
        except FetchError as error:
            outcome.append(error)

    with serving(holding) as port, Client() as client:
        response = client.stream("GET", f"http://127.0.0.1:{port}/")
        assert next(response.iter_bytes()) == b"ab"
        reader = threading.Thread(target=work)
        reader.start()
        time.sleep(0.3)
        with pytest.raises(errors.UsageError, match="being read already"):
            response.read()
        response.close()
        reader.join(SOON)
        assert not reader.is_alive()
    assert isinstance(outcome[0], errors.ReceiveFailedError)


def test_what_came_before_a_reset_is_handed_on_before_the_error() -> None:
    body = b"x" * 50_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    got = 0
    with serving(saying(head + body)) as port, Client() as client:
        response = client.stream("GET", f"http://127.0.0.1:{port}/")
        with response, pytest.raises(errors.PartialFileError):
            for piece in response.iter_bytes():
                got += len(piece)
    assert got == len(body)

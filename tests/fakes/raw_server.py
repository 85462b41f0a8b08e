"""A server on loopback that says what a test wants said, right or wrong, octet by octet."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

Conversation = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(
    converse: Conversation, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[int]:
    """Yield the port; each connection gets a thread, and is closed after its conversation."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family, backlog=64)
    with accepting(listener, converse, tls):
        yield listener.getsockname()[1]


@contextlib.contextmanager
def serving_at(
    path: str | bytes, converse: Conversation, tls: ssl.SSLContext | None = None
) -> Iterator[None]:
    """The same on a Unix socket: a path, or a name with a NUL before it in Linux's abstract name space."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    with accepting(listener, converse, tls):
        yield


@contextlib.contextmanager
def accepting(
    listener: socket.socket, converse: Conversation, tls: ssl.SSLContext | None = None
) -> Iterator[None]:
    """Hold a conversation with whoever comes to `listener`, which is closed at the end."""
    open_links: list[socket.socket] = []

    def serve(link: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            if tls is not None:
                link = tls.wrap_socket(link, server_side=True, suppress_ragged_eofs=False)
                open_links.append(link)
            with link:
                converse(link)

    def accept() -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            open_links.append(link)
            threading.Thread(target=serve, args=(link,), daemon=True).start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(5)
        for link in open_links:
            with contextlib.suppress(OSError):
                link.close()


def read_request(link: socket.socket) -> bytes:
    """A request's head, and what came with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = link.recv(65_536)
        if not piece:
            raise OSError("gone")
        data += piece
    return data


def saying(*pieces: bytes) -> Conversation:
    """Read a request, say this, and close."""

    def converse(link: socket.socket) -> None:
        read_request(link)
        for piece in pieces:
            link.sendall(piece)
        if isinstance(link, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                link.unwrap()

    return converse


def without_goodbye(*pieces: bytes) -> Conversation:
    """Say this, and close TCP under TLS without close_notify."""

    def converse(link: socket.socket) -> None:
        read_request(link)
        for piece in pieces:
            link.sendall(piece)

    return converse


def resetting(*pieces: bytes) -> Conversation:
    """Say this, wait until it is read, and reset."""

    def converse(link: socket.socket) -> None:
        read_request(link)
        for piece in pieces:
            link.sendall(piece)
        threading.Event().wait(0.2 if pieces else 0)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        link.close()

    return converse


def endlessly(head: bytes, piece: bytes) -> Conversation:
    """Read a request, say the head, then the piece again and again until nobody listens."""

    def converse(link: socket.socket) -> None:
        read_request(link)
        link.sendall(head)
        while True:
            link.sendall(piece)

    return converse


def silent(link: socket.socket) -> None:
    """Read whatever comes, and say nothing until the other side has gone."""
    while link.recv(65_536):
        pass

"""A SOCKS server for tests, of versions 4, 4a and 5; it really connects, unless a test lets it lie."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.fakes.raw_server import serving


class Asked(NamedTuple):
    """What a client wanted: `host` is an address or a name, as it came."""

    version: int
    host: str
    port: int
    user: bytes = b""
    password: bytes = b""


class SocksServer:
    """`names` are those that it resolves; `reply` is sent instead of its own to a request, and ends it.

    With a `port` it connects to that one, whichever is asked for.
    """

    def __init__(
        self,
        names: Mapping[str, str] | None = None,
        login: tuple[bytes, bytes] | None = None,
        method: bytes | None = None,
        status: bytes | None = None,
        reply: bytes | None = None,
        piecewise: bool = False,
        port: int = 0,
    ) -> None:
        self._port = port
        self._names = names or {}
        self._login = login
        self._method = method
        self._status = status
        self._reply = reply
        self._piecewise = piecewise
        self.asked: list[Asked] = []
        self.greetings: list[bytes] = []
        self.failed: list[str] = []

    def converse(self, link: socket.socket) -> None:
        version = _exactly(link, 1)[0]
        if version == 4:
            self._version_4(link)
        elif version == 5:
            self._version_5(link)

    def _version_4(self, link: socket.socket) -> None:
        command, port, address = struct.unpack("!BH4s", _exactly(link, 7))
        user = _to_nul(link)
        host = socket.inet_ntoa(address)
        if address[:3] == b"\0\0\0" and address[3]:
            host = _to_nul(link).decode("latin-1")
        self.asked.append(Asked(4, host, port, user))
        if self._reply is not None:
            self._say(link, self._reply)
            return
        far = self._reach(host, port) if command == 1 else None
        if far is None:
            self._say(link, b"\0\x5b" + bytes(6))
            return
        self._say(link, b"\0\x5a" + bytes(6))
        relay(link, far)

    def _version_5(self, link: socket.socket) -> None:
        methods = _exactly(link, _exactly(link, 1)[0])
        self.greetings.append(methods)
        method = self._method
        if method is None:
            wanted = 2 if self._login else 0
            method = bytes([5, wanted if wanted in methods else 0xFF])
        self._say(link, method)
        user = password = b""
        if method[1:] == b"\2":
            assert _exactly(link, 1) == b"\1"
            user = _exactly(link, _exactly(link, 1)[0])
            password = _exactly(link, _exactly(link, 1)[0])
            good = self._login is None or self._login == (user, password)
            self._say(link, self._status or (b"\1\0" if good else b"\1\1"))
            if not good or self._status:
                return
        elif method[1:] != b"\0":
            return
        version, command, _, kind = _exactly(link, 4)
        assert (version, command) == (5, 1)
        if kind == 3:
            host = _exactly(link, _exactly(link, 1)[0]).decode("latin-1")
        else:
            family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            host = socket.inet_ntop(family, _exactly(link, size))
        (port,) = struct.unpack("!H", _exactly(link, 2))
        self.asked.append(Asked(5, host, port, user, password))
        if self._reply is not None:
            self._say(link, self._reply)
            return
        far = self._reach(host, port)
        if far is None:
            self._say(link, b"\5\5\0\1" + bytes(6))
            return
        bound = far.getsockname()
        if far.family == socket.AF_INET6:
            address = b"\4" + socket.inet_pton(socket.AF_INET6, bound[0])
        else:
            address = b"\1" + socket.inet_aton(bound[0])
        self._say(link, b"\5\0\0" + address + struct.pack("!H", bound[1]))
        relay(link, far)

    def _reach(self, host: str, port: int) -> socket.socket | None:
        try:
            return socket.create_connection((self._names.get(host, host), self._port or port), 10)
        except OSError as error:
            self.failed.append(str(error))
            return None

    def _say(self, link: socket.socket, data: bytes) -> None:
        if self._piecewise:
            for at in range(len(data)):
                link.sendall(data[at : at + 1])
        else:
            link.sendall(data)


def relay(one: socket.socket, other: socket.socket) -> None:
    """Pass octets both ways until both have ended."""

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    with other:
        thread = threading.Thread(target=pass_on, args=(other, one), daemon=True)
        thread.start()
        pass_on(one, other)
        thread.join(10)


@contextlib.contextmanager
def socks_server(server: SocksServer, host: str = "127.0.0.1") -> Iterator[int]:
    """Yield the port of a server that listens."""
    with serving(server.converse, host=host) as port:
        yield port


def _exactly(link: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = link.recv(size - len(data))
        if not piece:
            raise OSError("gone")
        data += piece
    return data


def _to_nul(link: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\0"):
        data += _exactly(link, 1)
    return data[:-1]

"""An HTTP proxy for tests, with TLS or without: tunnels for CONNECT, and plain requests passed on."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from tests.fakes.raw_server import read_request, serving

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class HttpProxy:
    """`names` are those it resolves.  Each head that came is in `heads`; `refusals` come first, in turn."""

    def __init__(
        self,
        names: Mapping[str, str] | None = None,
        refusals: list[bytes] | None = None,
        established: bytes = ESTABLISHED,
    ) -> None:
        self._names = names or {}
        self._refusals = refusals or []
        self._established = established
        self.heads: list[bytes] = []
        self.goodbyes = 0
        """Tunnels that the client's TLS has ended in order."""
        self.has_ended = threading.Event()

    def converse(self, link: socket.socket) -> None:
        while True:
            request = read_request(link)
            self.heads.append(request)
            if self._refusals:
                refusal = self._refusals.pop(0)
                link.sendall(refusal)
                if b"connection: close" in refusal.lower():
                    return
                continue
            head, _, rest = request.partition(b"\r\n\r\n")
            method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
            if method == "CONNECT":
                host, _, port = target.rpartition(":")
                with self._reach(host.strip("[]"), int(port)) as far:
                    link.sendall(self._established)
                    self._tunnel(link, far)
                return
            self._pass_on(link, target, head, rest)

    def _pass_on(self, link: socket.socket, target: str, head: bytes, rest: bytes) -> None:
        parts = urlsplit(target)
        first, _, others = head.partition(b"\r\n")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        first = first.replace(target.encode(), path.encode())
        others = others.replace(b"Proxy-Connection: Keep-Alive", b"Connection: close")
        with self._reach(str(parts.hostname), parts.port or 80) as far:
            far.sendall(first + b"\r\n" + others + b"\r\n\r\n" + rest)
            answer = b""
            while piece := far.recv(65_536):
                answer += piece
            link.sendall(answer.replace(b"Connection: close\r\n", b""))

    def _reach(self, host: str, port: int) -> socket.socket:
        return socket.create_connection((self._names.get(host, host), port), 10)

    def _tunnel(self, link: socket.socket, far: socket.socket) -> None:
        """An SSLSocket may not be read and written by two threads at once without a lock: poll by turns."""
        if not isinstance(link, ssl.SSLSocket):
            from tests.fakes.socks_server import relay

            relay(link, far)
            return
        lock = threading.Lock()
        link.settimeout(0.02)

        def back() -> None:
            with contextlib.suppress(OSError):
                while data := far.recv(16_384):
                    with lock:
                        link.settimeout(10)
                        link.sendall(data)
                        link.settimeout(0.02)
                with lock:
                    link.unwrap()

        thread = threading.Thread(target=back, daemon=True)
        thread.start()
        with contextlib.suppress(OSError):
            while True:
                try:
                    with lock:
                        data = link.recv(16_384)
                except TimeoutError:
                    continue
                if not data:
                    self.goodbyes += 1
                    break
                far.sendall(data)
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_WR)
        self.has_ended.set()
        thread.join(10)


@contextlib.contextmanager
def http_proxy(proxy: HttpProxy, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[int]:
    """Yield the port of a proxy that listens."""
    with serving(proxy.converse, tls, host) as port:
        yield port

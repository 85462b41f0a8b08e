"""The server of a case: it says what the table has it say, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack

from tests.cases.table import Answer
from tests.fakes.raw_server import read_request, serving, silent


class Answering:
    """Answers by the order of requests; the last answer is for all that come later."""

    def __init__(self, answers: list[Answer]) -> None:
        self._answers = answers
        self._guard = threading.Lock()
        self.requests: list[bytes] = []
        self.is_over = threading.Event()

    def __call__(self, link: socket.socket) -> None:
        while True:
            request = _with_body(link, read_request(link))
            with self._guard:
                answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
                self.requests.append(request)
            link.sendall(answer.octets)
            if answer.ending == "stalls":
                silent(link)
            elif answer.ending == "freezes":
                self.is_over.wait()
            elif answer.ending == "resets":
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                link.close()
            if answer.ending != "keeps":
                if isinstance(link, ssl.SSLSocket):
                    with contextlib.suppress(OSError):
                        link.unwrap()
                return


def _with_body(link: socket.socket, request: bytes) -> bytes:
    if b"\r\nExpect: 100-continue\r\n" in request:
        return request  # the answer comes first
    length = re.search(rb"(?i)\r\nContent-Length: (\d+)\r\n", request)
    whole = request.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
    while len(request) < whole and (piece := link.recv(65_536)):
        request += piece
    return request


@contextlib.contextmanager
def answering(server: Answering, tls: ssl.SSLContext) -> Iterator[dict[str, str]]:
    """Yield the words that lead to it: over TCP and over TLS."""
    with ExitStack() as stack:
        stack.callback(server.is_over.set)
        plain = stack.enter_context(serving(server))
        secure = stack.enter_context(serving(server, tls))
        yield {
            "url": f"http://127.0.0.1:{plain}",
            "urls": f"https://127.0.0.1:{secure}",
            "urlport": str(plain),
            "urlsport": str(secure),
        }


class Mute:
    """Takes connections and says nothing; counts those that it met."""

    def __init__(self) -> None:
        self.met = 0

    def __call__(self, link: socket.socket) -> None:
        self.met += 1
        silent(link)


@contextlib.contextmanager
def full() -> Iterator[int]:
    """A port whose queue is full: who dials it hears nothing."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]

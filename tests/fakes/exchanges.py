"""What ours and the real curl say to a server that answers by a script, and what they make of its answers."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.fakes.beside_curl import COMMANDS, Left, run_in
from tests.fakes.raw_server import serving

Script = tuple[bytes, ...]
"""Answers on one connection, each to a request that has been read whole; then it is closed."""


class Exchanged(NamedTuple):
    said: list[bytes]
    """What came on each connection."""
    left: Left


def exchanged(
    folder: Path, *words: str, scripts: list[Script], files: dict[str, str] | None = None
) -> dict[str, Exchanged]:
    """Run both against a server each; `@PORT@` in words and answers is the server's port."""
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda name: _exchange(folder / name, name, words, scripts, files or {}), COMMANDS)
    return dict(zip(COMMANDS, found, strict=True))


def same_exchange(
    folder: Path, *words: str, scripts: list[Script], files: dict[str, str] | None = None
) -> Exchanged:
    """Run both, assert that they said, wrote and returned the same, and return it."""
    found = exchanged(folder, *words, scripts=scripts, files=files)
    assert found["ours"] == found["curl"]
    return found["ours"]


def _exchange(
    folder: Path, name: str, words: tuple[str, ...], scripts: list[Script], files: dict[str, str]
) -> Exchanged:
    said: list[bytearray] = []
    port = 0

    def converse(link: socket.socket) -> None:
        heard = bytearray()
        said.append(heard)
        script = scripts[min(len(said), len(scripts)) - 1]
        end = 0
        for answer in script:
            end = _read_request(link, heard, end)
            link.sendall(answer.replace(b"@PORT@", b"%d" % port))
        link.shutdown(socket.SHUT_WR)
        while data := link.recv(65_536):
            heard += data

    with serving(converse) as given:
        port = given
        here = [word.replace("@PORT@", str(port)) for word in words]
        left = run_in(folder, COMMANDS[name], here, files, None)
    texts = [_alike(bytes(heard), port) for heard in said]
    files = {name: _text(text, port) for name, text in left.files.items()}
    return Exchanged(texts, Left(left.code, _text(left.out, port), _text(left.err, port), files))


def _read_request(link: socket.socket, heard: bytearray, start: int) -> int:
    """Read a request that begins at `start`, body and all; return where it ends."""

    def more() -> None:
        data = link.recv(65_536)
        if not data:
            raise OSError("gone")
        heard.extend(data)

    while (end := heard.find(b"\r\n\r\n", start)) < 0:
        more()
    head, end = bytes(heard[start:end]).lower(), end + 4
    if re.search(rb"\ntransfer-encoding:[^\r]*chunked", head):
        while (last := heard.find(b"0\r\n\r\n", end)) < 0:
            more()
        return last + 5
    length = re.search(rb"\ncontent-length: *(\d+)", head)
    end += int(length[1]) if length else 0
    while len(heard) < end:
        more()
    return end


def _alike(octets: bytes, port: int) -> bytes:
    octets = re.sub(rb"(redox-)?curl/[^ \r\n]+", b"V", octets).replace(b"%d" % port, b"P")
    octets = re.sub(rb'((?:cnonce|response)=)"[^"]*"', rb'\1"X"', octets)
    return re.sub(rb"-{24}[0-9a-zA-Z]{16,22}", b"BOUNDARY", octets)


def _text(text: str, port: int) -> str:
    text = text.replace("redox-curl: ", "curl: ")
    text = re.sub(r"\[\d+ bytes data\]", "[N bytes data]", text)
    text = re.sub(r"0x[0-9a-f]{8,}|[0-9a-f]{16}(?=\n)", "0xN", text)
    return _alike(text.encode("utf-8", "surrogateescape"), port).decode("utf-8", "surrogateescape")

"""What can fail on the way to a body: each its own message and curl's exit code, side by side with curl."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.servers import make_certificates
from tests.fakes.commands import REDOX_CURL, Done, curl, needs_curl, needs_root, redox_curl, run, side_by_side
from tests.fakes.raw_server import (
    Conversation,
    read_request,
    resetting,
    saying,
    serving,
    silent,
    without_goodbye,
)

pytestmark = [pytest.mark.interop, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
OK = b"HTTP/1.1 200 OK\r\n"
TEN = OK + b"Content-Length: 10\r\n\r\n"
CHUNKS = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Tls:
    def __init__(self, folder: Path) -> None:
        make_certificates(folder)
        self.ca = str(folder / "ca.pem")
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(folder / "cert.pem", folder / "key.pem")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return Tls(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def fetch(tls: Tls, scheme: str, server: Conversation, *arguments: str) -> tuple[Done, Done | None]:
    """Ours and curl's answer to the same server."""
    with serving(server, tls.server if scheme == "https" else None) as port:
        words = ("-sS", "--cacert", tls.ca, *arguments, f"{scheme}://127.0.0.1:{port}/")
        return side_by_side(*words)


def agree(answers: tuple[Done, Done | None], code: int, message: str, out: bytes = b"") -> None:
    """Ours is as told, and curl's is the same."""
    ours, theirs = answers
    assert (ours.code, ours.message, ours.out) == (code, f"curl: ({code}) {message}", out)
    assert theirs is None or (theirs.code, theirs.message, theirs.out) == (ours.code, ours.message, ours.out)


# Servers that break off


def stalling(*pieces: bytes) -> Conversation:
    """Say this, and nothing more, without closing."""

    def converse(link: socket.socket) -> None:
        read_request(link)
        for piece in pieces:
            link.sendall(piece)
        silent(link)

    return converse


RESET = "Recv failure: Connection reset by peer"
BROKEN = {
    "no reply": (saying(), 52, "Empty reply from server", b""),
    "reset before the reply": (resetting(), 56, RESET, b""),
    "reset in the body": (resetting(TEN + b"abc"), 56, RESET, b"abc"),
    "end inside a length": (
        saying(TEN + b"abc"), 18, "transfer closed with 7 bytes remaining to read", b"abc",
    ),
    "end inside a chunk": (
        saying(CHUNKS + b"5\r\nabc"), 18, "transfer closed with outstanding read data remaining", b"abc",
    ),
    "end between chunks": (
        saying(CHUNKS + b"3\r\nabc\r\n"), 18, "transfer closed with outstanding read data remaining", b"abc",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_server_that_breaks_off_is_told_in_curls_words(tls: Tls, scheme: str, name: str) -> None:
    server, code, message, out = BROKEN[name]
    agree(fetch(tls, scheme, server), code, message, out)


CUT = {
    "no reply": (without_goodbye(), 52, "Empty reply from server", b""),
    "inside a length": (
        without_goodbye(TEN + b"abc"), 18, "transfer closed with 7 bytes remaining to read", b"abc",
    ),
    "inside a chunk": (
        without_goodbye(CHUNKS + b"5\r\nabc"), 18,
        "transfer closed with outstanding read data remaining", b"abc",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CUT)
def test_tls_that_ends_without_close_notify_counts_by_http_framing(tls: Tls, name: str) -> None:
    server, code, message, out = CUT[name]
    agree(fetch(tls, "https", server), code, message, out)


def test_a_whole_body_is_whole_without_close_notify(tls: Tls) -> None:
    ours, _ = fetch(tls, "https", without_goodbye(TEN + b"0123456789"))
    assert (ours.code, ours.err, ours.out) == (0, "", b"0123456789")


@pytest.mark.parametrize("said", [OK + b"\r\nabc", OK + b"X: y\r\nCont"], ids=["body", "head"])
def test_what_only_the_end_delimits_is_refused_without_close_notify(tls: Tls, said: bytes) -> None:
    """Stricter than curl 7.88, which takes the part for the whole: anybody on the way could cut it."""
    ours, _ = fetch(tls, "https", without_goodbye(said))
    assert (ours.code, ours.message) == (56, "curl: (56) TLS: stream: ended without close_notify")


def test_a_reset_in_the_handshake_is_a_failure_to_connect_by_tls(tls: Tls) -> None:
    def reset(link: socket.socket) -> None:
        link.recv(10)  # and the rest is left unread: closing resets

    with serving(reset) as port:
        words = ("-sS", f"https://127.0.0.1:{port}/")
        agree(side_by_side(*words), 35, RESET)


def test_http_where_tls_was_wanted_is_a_failure_of_tls() -> None:
    def plain(link: socket.socket) -> None:
        link.recv(65_536)
        link.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(plain) as port:
        ours, theirs = side_by_side("-sS", f"https://127.0.0.1:{port}/")
    assert ours.code == 35 and ours.message.endswith("the server sends plain HTTP, not TLS")
    assert theirs is None or theirs.code == 35


def test_a_server_of_tls_1_2_serves_unless_1_3_is_the_least(tls: Tls, tmp_path: Path) -> None:
    make_certificates(tmp_path)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), old) as port:
        ours, theirs = side_by_side("-sSk", "-w", "%{scheme}", f"https://127.0.0.1:{port}/")
        assert ours.out == b"hiHTTPS" and (theirs is None or theirs.out == ours.out)
        refused = redox_curl("-sSk", "--tlsv1.3", f"https://127.0.0.1:{port}/")
    assert refused.code == 35
    assert refused.message.endswith(
        "the server has no version that is allowed here; TLS 1.3 and TLS 1.2 are spoken"
    )


def test_a_server_with_nothing_in_common_is_named_as_such(tls: Tls, tmp_path: Path) -> None:
    make_certificates(tmp_path)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # its key is of another kind
    with serving(silent, old) as port:
        ours = redox_curl("-sSk", f"https://127.0.0.1:{port}/")
    assert ours.code == 35 and ours.message.endswith("nothing in common with what is offered")


def test_the_trust_store_that_cannot_be_read_is_named() -> None:
    with serving(silent) as port:
        done = run(REDOX_CURL, "-sS", f"https://127.0.0.1:{port}/", env={"SSL_CERT_FILE": "/none"}, cwd=ROOT)
    assert (done.code, done.message) == (77, "curl: (77) error setting certificate file: /none")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--curves P-384", 0),
        ("--curves X25519:P-256", 0),
        ("--curves prime256v1:x448:P-521", 0),
        ("--curves bogus", 59),
        ("--curves P-256:bogus", 59),
        ("--tls13-ciphers TLS_AES_128_GCM_SHA256:BOGUS", 0),
        ("--tls13-ciphers BOGUS", 59),
        ("--tls13-ciphers tls_aes_128_gcm_sha256", 59),
    ],
)
def test_groups_and_suites_have_openssls_names(tls: Tls, words: str, code: int) -> None:
    with serving(saying(TEN + b"0123456789"), None if code else tls.server) as port:
        ours, theirs = side_by_side("-sSk", *words.split(), f"https://127.0.0.1:{port}/")
    assert ours.code == code and (code == 0 or ours.message.startswith(f"curl: ({code}) failed setting "))
    assert theirs is None or (theirs.code, theirs.message, theirs.out) == (ours.code, ours.message, ours.out)


# Time limits


def test_the_time_limit_ends_each_wait(tls: Tls, scheme: str) -> None:
    text = "Operation timed out after N milliseconds with"
    agree(fetch(tls, scheme, silent, "-m", "0.5"), 28, f"{text} 0 bytes received")
    answers = fetch(tls, scheme, stalling(TEN + b"abc"), "-m", "0.5")
    agree(answers, 28, f"{text} 3 out of 10 bytes received", b"abc")


def milliseconds(text: str) -> int:
    found = re.search(r"after (\d+) (ms|milliseconds)", text)
    assert found is not None, text
    return int(found.group(1))


# Nobody there: in a network namespace of its own, where a veth swallows what is sent

NOWHERE = """
ip link set lo up
ip link add d0 type veth peer name d1
ip addr add 192.0.2.1/24 dev d0
ip link set d0 arp off up
ip link set d1 up
ip route add unreachable 198.51.100.0/24
ip route add prohibit 203.0.113.0/24
"""
FAILED = "Failed to connect to {} port P after N ms: Couldn't connect to server"
UNREACHED = {
    "refused over IPv4": ("http://127.0.0.1:1/", 7, FAILED.format("127.0.0.1")),
    "refused over IPv6": ("http://[::1]:1/", 7, FAILED.format("::1")),
    "unreachable": ("http://198.51.100.1/", 7, FAILED.format("198.51.100.1")),
    "prohibited": ("http://203.0.113.1/", 7, FAILED.format("203.0.113.1")),
    "no route": ("http://233.252.0.1/", 7, FAILED.format("233.252.0.1")),
    "no route over IPv6": ("http://[2001:db8::1]/", 7, FAILED.format("2001:db8::1")),
    "unresolved": ("http://name.test/", 6, "Could not resolve host: name.test"),
    "a proxy unresolved": (
        "http://name.test/ -x http://proxy.test/",
        5,
        "Could not resolve proxy: proxy.test",
    ),
}


@needs_root
@needs_curl
@pytest.mark.privileged
@pytest.mark.parametrize("name", UNREACHED)
def test_whoever_cannot_be_reached_is_named_as_by_curl(name: str) -> None:
    words, code, message = UNREACHED[name]
    arguments = ("-sS", *words.split())
    agree((run(REDOX_CURL, *arguments, within=NOWHERE), curl(*arguments, within=NOWHERE)), code, message)


@needs_root
@needs_curl
@pytest.mark.privileged
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("-m", "Connection timed out after N milliseconds"),
        ("--connect-timeout", "Failed to connect to 192.0.2.9 port P after N ms: Timeout was reached"),
    ],
)
def test_a_connect_into_silence_ends_when_the_user_said(option: str, message: str) -> None:
    """A "Connection timed out" came at 0 ms: it must come at the limit, and not before."""
    words = ("-sS", option, "0.6", "http://192.0.2.9/")
    ours, theirs = run(REDOX_CURL, *words, within=NOWHERE), curl(*words, within=NOWHERE)
    assert ours.message == theirs.message == f"curl: (28) {message}"
    assert ours.code == theirs.code == 28
    assert 590 <= milliseconds(ours.err) < 1_500


# Command lines that make no sense; more of them in test_curl_command_line.py

LINES = [
    ["--nosuchoption"],
    ["-m", "soon", "http://127.0.0.1/"],
    ["-d", "a", "-F", "b=c", "http://127.0.0.1/"],
    ["-I", "-d", "a", "http://127.0.0.1/"],
    ["-K", "/nonexistent/file"],
    ["-F", "nothing", "http://127.0.0.1/"],
    [],
    ["http://[::1"],
    ["http://127.0.0.1:99999/"],
    ["gopherx://127.0.0.1/"],
    ["http://127.0.0.1/[1-"],
    ["http://127.0.0.1/{a"],
    ["--cacert", "/nonexistent", "https://127.0.0.1:1/"],
]


@needs_curl
@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_a_bad_command_line_gets_curls_message_and_code(line: list[str]) -> None:
    ours, theirs = redox_curl(*line), curl(*line)
    assert (ours.code, lines_of(ours.err)) == (theirs.code, lines_of(theirs.err))
    assert ours.code != 0


def lines_of(text: str) -> list[str]:
    text = re.sub(r"after \d+ ms", "after N ms", text)
    return [line for line in text.splitlines() if not re.match(r" +%|.*\r| +Dload", line)]


# What has arrived is kept


@pytest.fixture
def halfway() -> Iterator[int]:
    with serving(stalling(OK + b"Content-Length: 200000\r\n\r\n" + b"x" * 100_000)) as port:
        yield port


def await_size(path: Path, size: int) -> None:
    deadline = time.monotonic() + 10
    while not (path.exists() and path.stat().st_size >= size):
        assert time.monotonic() < deadline, f"{path} never grew to {size} octets"
        threading.Event().wait(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_an_interrupted_download_leaves_what_has_arrived(
    halfway: int, tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / "part"
    command = [*REDOX_CURL, "-sS", "-o", str(path), f"http://127.0.0.1:{halfway}/"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        await_size(path, 100_000)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=5)
    assert path.read_bytes() == b"x" * 100_000
    assert stderr == b""
    assert process.returncode == -number


def test_a_reset_leaves_what_has_arrived(tls: Tls, scheme: str, tmp_path: Path) -> None:
    path = tmp_path / "part"
    ours, _ = fetch(tls, scheme, resetting(TEN + b"abc"), "-o", str(path))
    assert ours.code == 56 and path.read_bytes() == b"abc"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_ends_with_curls_code(tls: Tls, scheme: str) -> None:
    ours, theirs = fetch(tls, scheme, saying(TEN + b"0123456789"), "-o", "/dev/full")
    assert ours.code == 23 and (theirs is None or theirs.code == 23)

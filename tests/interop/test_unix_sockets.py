"""`--unix-socket` and `--abstract-unix-socket`: http and https to a program of the same machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from pycurl_redox.client import Client
from pycurl_redox.errors import AddressDeniedError, ConnectFailedError, OperationTimedOutError
from tests.fakes.beside_curl import needs_curl_7_88
from tests.fakes.commands import CURL, REDOX_CURL, curl, redox_curl, run
from tests.fakes.local_servers import body
from tests.fakes.raw_server import read_request, serving, serving_at
from tests.fakes.socks_server import SocksServer

pytestmark = pytest.mark.interop

LARGE = body(3_000_000)


def answer(content: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(content), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + content


def converse(link: socket.socket) -> None:
    """Answer /large, /echo with what was sent, and anything else with the host that was asked for."""
    while True:
        head, _, rest = read_request(link).partition(b"\r\n\r\n")
        if head.startswith(b"GET /large"):
            link.sendall(answer(LARGE))
        elif b" /echo" in head:
            found = re.search(rb"Content-Length: (\d+)", head)
            assert found
            data = bytearray(rest)
            while len(data) < int(found[1]):
                data += link.recv(65_536)
            link.sendall(answer(hashlib.sha256(data).hexdigest().encode()))
        else:
            host = re.search(rb"Host: (\S+)", head)
            assert host
            link.sendall(answer(host[1]))


@pytest.fixture
def path() -> Iterator[str]:
    """Short, as curl shows no more than 45 octets of it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, serving_at(f"{folder}/s", converse):
        yield f"{folder}/s"


def test_every_host_is_behind_the_socket_and_no_name_is_looked_up(path: str) -> None:
    out = "%{http_code} %{remote_ip} %{remote_port} [%{local_ip}] %{num_connects}\n"
    done = redox_curl("-sS", "--unix-socket", path, "http://none.invalid:81/", "-w", "\n" + out)
    assert (done.code, done.out.decode()) == (0, f"none.invalid:81\n200 {path} 81 [] 1\n")


def test_an_abstract_name_is_a_socket_too() -> None:
    name = f"redox-test-{os.getpid()}"
    with serving_at(b"\0" + name.encode(), converse):
        done = redox_curl("-sS", "--abstract-unix-socket", name, "http://a.test/")
    assert (done.code, done.out) == (0, b"a.test")


def test_a_proxy_is_not_asked(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = redox_curl("-sS", "--unix-socket", path, "-x", "http://127.0.0.1:9", "http://a.test/")
    assert (done.code, done.out) == (0, b"a.test")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with Client(unix_socket=path, background=False) as client:
        assert client.get("http://b.test/").text == "b.test"


def test_a_connection_is_kept_for_its_host_and_path(path: str, tmp_path: Path) -> None:
    other = str(tmp_path / "t")
    with serving_at(other, converse):
        group = ["-sS", "-w", " %{num_connects}\n", "--unix-socket"]
        urls = ["http://a.test/", "http://a.test/", "http://b.test/"]
        done = redox_curl(
            *group, path, *urls, "--next", *group, other, urls[0], "--next", *group, path, urls[0]
        )
    assert done.out.decode().split() == [
        "a.test",
        "1",
        "a.test",
        "0",
        "b.test",
        "1",
        "a.test",
        "1",
        "a.test",
        "0",
    ]


def test_large_bodies_pass_both_ways_and_many_at_once(path: str) -> None:
    with Client(unix_socket=path, background=False) as client:
        assert client.get("http://a.test/large").content == LARGE
        told = client.put("http://a.test/echo", data=LARGE).text
        assert told == hashlib.sha256(LARGE).hexdigest()
        urls = [f"http://h{n}.test/" for n in range(60)]
        assert [response.text for response in client.map(urls)] == [f"h{n}.test" for n in range(60)]


def test_https_passes_over_it(tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("a.test").configure_cert(context)
    at = str(tmp_path / "s")
    with serving_at(at, converse, context):
        arguments = ["-sS", "--unix-socket", at, "--cacert", str(tmp_path / "ca.pem")]
        done = redox_curl(*arguments, "https://a.test/")
        assert (done.code, done.out) == (0, b"a.test")
        assert redox_curl(*arguments, "https://b.test/").code == 60


def test_a_redirect_stays_in_the_socket(tmp_path: Path) -> None:
    def redirect(link: socket.socket) -> None:
        if b"Host: a.test" in read_request(link):
            link.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://b.test/\r\nContent-Length: 0\r\n\r\n")
        else:
            link.sendall(answer(b"there"))

    with serving_at(str(tmp_path / "s"), redirect):
        done = redox_curl("-sSL", "--unix-socket", str(tmp_path / "s"), "http://a.test/")
    assert (done.code, done.out) == (0, b"there")


def test_a_peer_that_closes_or_says_nothing_is_told_as_over_tcp(tmp_path: Path) -> None:
    at, release = str(tmp_path / "s"), threading.Event()
    with serving_at(at, lambda link: read_request(link) and None):
        assert redox_curl("-sS", "--unix-socket", at, "http://a.test/").message == (
            "curl: (52) Empty reply from server"
        )
    os.unlink(at)
    with serving_at(at, lambda link: release.wait(10) and None), pytest.raises(OperationTimedOutError):
        try:
            with Client(unix_socket=at, timeout=0.3, background=False) as client:
                client.get("http://a.test/")
        finally:
            release.set()


def test_a_backlog_that_is_full_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(str(tmp_path / "s"))
        listener.listen(0)
        waiting.connect(str(tmp_path / "s"))
        done = redox_curl("-sS", "--unix-socket", str(tmp_path / "s"), "--connect-timeout", "0.3", "a.test")
        text = "curl: (28) Failed to connect to a.test port P after N ms: Timeout was reached"
        assert (done.code, done.message) == (28, text)

        def accept() -> None:
            for _ in range(2):
                link, _ = listener.accept()
                with link, contextlib.suppress(OSError):
                    read_request(link)
                    link.sendall(answer(b"at last"))

        timer = threading.Timer(0.2, accept)
        timer.daemon = True
        timer.start()
        waiting.sendall(b"\r\n\r\n")
        done = redox_curl("-sS", "--unix-socket", str(tmp_path / "s"), "http://a.test/")
        timer.join(10)
    assert (done.code, done.out) == (0, b"at last")


def test_the_address_rules_count_it_as_loopback(path: str) -> None:
    with Client(unix_socket=path, deny_addresses=["private"], background=False) as client:
        assert client.get("http://a.test/").status == 200
    for rules in ({"deny_addresses": ["loopback"]}, {"allow_addresses": ["10.0.0.0/8"]}):
        client = Client(unix_socket=path, background=False, **rules)
        with client, pytest.raises(AddressDeniedError, match="Unix socket"):
            client.get("http://a.test/")


def test_nobody_at_the_path_is_a_connection_that_failed(tmp_path: Path) -> None:
    client = Client(unix_socket=str(tmp_path / "none"), background=False)
    with client, pytest.raises(ConnectFailedError):
        client.get("http://a.test/")


@pytest.mark.slow
@needs_curl_7_88
@pytest.mark.parametrize(
    "arguments",
    [
        ["--unix-socket", "PATH", "http://a.test/x"],
        ["--unix-socket", "PATH", "--interface", "203.0.113.9", "http://a.test/x"],
        ["--unix-socket", "PATH0", "http://a.test/x"],
        ["--unix-socket", "/dev/null", "http://a.test/x"],
        ["--unix-socket", "", "http://a.test/x"],
        ["--unix-socket", "a" * 108, "http://a.test/x"],
        ["--abstract-unix-socket", "redox-nobody-here", "http://a.test/x"],
        ["--retry", "1", "--retry-connrefused", "--unix-socket", "PATH0", "http://a.test/"],
        ["--retry", "1", "--retry-connrefused", "--unix-socket", "/dev/null", "http://a.test/"],
    ],
    ids=lambda words: " ".join(words)[:60],
)  # fmt: skip
def test_the_lines_of_v_errors_and_exit_codes_are_curls(path: str, arguments: list[str]) -> None:
    def lines(command: tuple[str, ...]) -> tuple[int, bytes, list[str]]:
        done = run(command, "-sSv", *(word.replace("PATH", path) for word in arguments))
        text = re.sub(r"after \d+ ms", "after N ms", re.sub(r"curl/\S+", "curl/VERSION", done.err))
        return done.code, done.out, [line for line in text.splitlines() if "bytes data]" not in line]

    assert CURL is not None
    assert lines(REDOX_CURL) == lines((CURL, "-q"))


@pytest.mark.parametrize(
    "words",
    [
        "-x socks5h://localhost{PATH} http://host.test/a http://host.test/b",
        "-x socks5h://LocalHost:99{PATH}?x http://host.test/",
        "-x socks5h://me:pw@localhost{ENCODED} http://host.test/",
        "--socks5-hostname localhost{PATH} http://host.test/",
        "--socks4a localhost{PATH} http://host.test/",
        "--preproxy socks5h://localhost{PATH} http://host.test/",
        "-x socks5h://localhost{PATH}.no http://host.test/",
        "-x socks5h://localhost/{LONG} http://host.test/",
    ],
)
@needs_curl_7_88
def test_a_socks_proxy_may_be_on_a_unix_socket(words: str) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, serving(converse) as port:
        server, path = SocksServer({"host.test": "127.0.0.1"}, port=port), f"{folder}/s"
        places = {"PATH": path, "ENCODED": path.replace("s", "%73"), "LONG": "x" * 120}
        line = ["-vsS", *words.format_map(places).split()]
        with serving_at(path, server.converse):
            ours, theirs = run(REDOX_CURL, *line), curl(*line)
    both = [
        (done.code, done.out, re.sub("curl/[^\r\n]+|0x[0-9a-f]+|[0-9]+ ms", "V", done.err))
        for done in (ours, theirs)
    ]
    assert both[0] == both[1]
    assert ours.code or [asked.host for asked in server.asked] == ["host.test"] * 2


def test_a_socks_proxy_on_a_unix_socket_counts_as_loopback(path: str) -> None:
    done = redox_curl(
        "-sS", "--deny-address", "loopback", "-x", f"socks5h://localhost{path}", "http://a.test/"
    )
    assert done.code == 7 and "it counts as loopback" in done.err

"""Names from servers of the user's own: `--dns-servers`, from where they are asked, and `--doh-url`."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.fakes.beside_curl import needs_curl_7_88
from tests.fakes.commands import CURL, REDOX_CURL, redox_curl, run
from tests.fakes.dns_server import DnsServer
from tests.fakes.raw_server import read_request, saying, serving

pytestmark = pytest.mark.interop

Doh = tuple["DohServer", str]
HERE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhere"
RECORDS = {
    "www.test": ["127.0.0.1"],
    "both.test": ["127.0.0.1", "::1"],
    "alias.test": ["=www.test"],
    "no.test": [],
}


class NameServer:
    """A DNS server on the kernel's sockets, UDP and TCP; `clients` are who asked."""

    def __init__(self, server: DnsServer, host: str = "127.0.0.1") -> None:
        self.server = server
        self.clients: list[str] = []
        self.streams = 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._tcp = socket.create_server((host, 0), family=family)
        self.port = self._tcp.getsockname()[1]
        self._udp = socket.socket(family, socket.SOCK_DGRAM)
        self._udp.bind((host, self.port))

    def serve_udp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, client = self._udp.recvfrom(2_000)
                if not data:
                    return
                self.clients.append(client[0])
                if (answer := self.server.answer(data)) is not None:
                    self._udp.sendto(answer, client)

    def serve_tcp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, client = self._tcp.accept()
                with link:
                    size = int.from_bytes(link.recv(2, socket.MSG_WAITALL), "big")
                    answer = self.server.answer(link.recv(size, socket.MSG_WAITALL), over_tcp=True)
                    assert answer is not None
                    self.streams += 1
                    self.clients.append(client[0])
                    link.sendall(len(answer).to_bytes(2, "big") + answer)

    def close(self) -> None:
        with socket.socket(self._udp.family, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._udp.getsockname())
        self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()


@contextlib.contextmanager
def name_server(host: str = "127.0.0.1", **knobs: object) -> Iterator[NameServer]:
    server = NameServer(DnsServer(RECORDS, **knobs), host)  # type: ignore[arg-type]
    threads = [threading.Thread(target=serve) for serve in (server.serve_udp, server.serve_tcp)]
    for thread in threads:
        thread.start()
    try:
        yield server
    finally:
        server.close()
        for thread in threads:
            thread.join(5)
        server._udp.close()


@pytest.fixture
def web() -> Iterator[int]:
    with serving(saying(HERE)) as port:
        yield port


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1"])
def test_a_server_on_the_users_machine_is_asked_at_its_port(web: int, host: str) -> None:
    with name_server(host) as names:
        at = f"[{host}]:{names.port}" if ":" in host else f"{host}:{names.port}"
        done = redox_curl("-sS", "-4", "--dns-servers", at, f"http://alias.test:{web}/")
        assert (done.code, done.out) == (0, b"here")
        missing = redox_curl("-sS", "--dns-servers", at, f"http://no.test:{web}/")
    assert (missing.code, missing.message) == (6, "curl: (6) Could not resolve host: no.test")
    assert ("alias.test", "A") in names.server.asked


def test_the_next_server_of_the_list_is_asked_when_one_fails(web: int) -> None:
    with name_server(rcode="SERVFAIL") as bad, name_server() as good:
        servers = f"127.0.0.1:{bad.port},127.0.0.1:{good.port}"
        done = redox_curl("-sS", "-4", "--dns-servers", servers, f"http://www.test:{web}/")
    assert (done.code, done.out) == (0, b"here")
    assert bad.server.asked == good.server.asked == [("www.test", "A")]


def test_a_long_answer_comes_over_tcp_from_the_same_server_and_end(web: int) -> None:
    with name_server(truncate=True) as names:
        done = redox_curl(
            "-sS", "-4", "--dns-servers", f"127.0.0.1:{names.port}", "--dns-ipv4-addr", "127.0.0.8",
            f"http://www.test:{web}/",
        )  # fmt: skip
    assert (done.code, done.out, names.streams) == (0, b"here", 1)
    assert names.clients == ["127.0.0.8", "127.0.0.8"]


def test_a_name_that_leads_elsewhere_the_second_time_is_judged_again() -> None:
    """DNS rebinding: the server sends the client back to its name, which is now that of a host inside."""
    with serving(saying(HERE), host="127.0.0.2") as inside, name_server(ttl=0) as names:

        def rebind(link: socket.socket) -> None:
            read_request(link)
            names.server.records = {"www.test": ["127.0.0.2"]}
            place = b"Location: http://www.test:%d/\r\n" % inside
            link.sendall(b"HTTP/1.1 302 Found\r\n" + place + b"Content-Length: 0\r\n\r\n")

        with serving(rebind) as port:
            words = ("-sSL", "-4", "--dns-servers", f"127.0.0.1:{names.port}", f"http://www.test:{port}/")
            done = redox_curl(*words)
            assert (done.code, done.out) == (0, b"here")  # nobody has forbidden it
            names.server.records = RECORDS
            done = redox_curl("--deny-address", "127.0.0.2", *words)
    assert (done.code, done.out) == (7, b"")
    assert "Address 127.0.0.2 of www.test is refused: --deny-address 127.0.0.2 holds it" in done.message


@pytest.mark.parametrize(
    ("end", "seen"),
    [(["--dns-ipv4-addr", "127.0.0.7"], "127.0.0.7"), (["--dns-interface", "lo"], "127.0.0.1")],
)
def test_questions_come_from_the_end_that_the_user_names(web: int, end: list[str], seen: str) -> None:
    with name_server() as names:
        done = redox_curl("-sS", *end, "--dns-servers", f"127.0.0.1:{names.port}", f"http://both.test:{web}/")
    assert (done.code, done.out) == (0, b"here")
    assert set(names.clients) == {seen}


def test_an_end_that_cannot_be_had_is_a_name_that_is_not_found(web: int) -> None:
    with name_server() as names:
        for end in (["--dns-interface", "no-such-if0"], ["--dns-ipv4-addr", "203.0.113.9"]):
            servers = ["--dns-servers", f"127.0.0.1:{names.port}"]
            done = redox_curl("-sS", *end, *servers, f"http://www.test:{web}/")
            assert (done.code, done.message) == (6, "curl: (6) Could not resolve host: www.test")
    assert names.clients == []


def test_the_address_rules_judge_what_the_resolver_says_and_not_the_resolver(web: int) -> None:
    with name_server() as names:
        arguments = ["-sS", "--dns-servers", f"127.0.0.1:{names.port}", f"http://www.test:{web}/"]
        assert redox_curl("--allow-address", "127.0.0.1", *arguments).out == b"here"
        done = redox_curl("--deny-address", "loopback", *arguments)
    assert (done.code, done.out) == (7, b"")
    assert "Address 127.0.0.1 of www.test" in done.message


# ---- over HTTPS


class DohServer:
    """Answers as a name server does, by POST; names it has a special way with begin with that word."""

    def __init__(self) -> None:
        self.server = DnsServer(RECORDS)
        self.heads: list[bytes] = []

    def converse(self, link: socket.socket) -> None:
        while True:
            head, _, body = read_request(link).partition(b"\r\n\r\n")
            self.heads.append(head)
            found = re.search(rb"(?i)content-length: (\d+)", head)
            assert found
            while len(body) < int(found[1]):
                body += link.recv(2_000)
            answer = self.server.answer(body) or b""
            name = self.server.asked[-1][0]
            status = b"500 Oops" if name.startswith("oops") else b"200 OK"
            kind = b"text/html" if name.startswith("html") else b"application/dns-message"
            if name.startswith("junk"):
                answer = b"abc"
            if name.startswith("huge"):
                answer = bytes(70_000)
            link.sendall(
                b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
                % (status, kind, len(answer), answer)
            )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    made, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file: Path = tmp_path_factory.mktemp("doh") / "ca.pem"
    made.cert_pem.write_to_path(file)
    made.issue_cert("localhost").configure_cert(context)
    return context, str(file)


@pytest.fixture
def doh(authority: tuple[ssl.SSLContext, str]) -> Iterator[tuple[DohServer, str]]:
    server = DohServer()
    with serving(server.converse, authority[0]) as port:
        yield server, f"https://localhost:{port}/dns-query"


def test_names_come_by_post_from_a_doh_server(
    web: int, doh: Doh, authority: tuple[ssl.SSLContext, str]
) -> None:
    server, url = doh
    done = redox_curl("-sSv", "--doh-url", url, "--cacert", authority[1], f"http://alias.test:{web}/")
    assert (done.code, done.out) == (0, b"here")
    assert sorted(server.server.asked) == [("alias.test", "A"), ("alias.test", "AAAA")]
    for head in server.heads:
        assert head.startswith(b"POST /dns-query HTTP/1.1\r\n")
        assert b"\r\nContent-Type: application/dns-message" in head and b"\r\nAccept: */*" in head
        assert b"User-Agent" not in head
    assert "* a DoH request is completed, 1 to go\n" in done.err
    assert re.search(r"\* DoH Host name: alias.test\n\* TTL: \d+ seconds\n\* DoH A: 127.0.0.1\n", done.err)


def test_the_doh_servers_certificate_has_an_option_of_its_own(web: int, doh: Doh) -> None:
    target = f"http://www.test:{web}/"
    assert redox_curl("-sS", "--doh-url", doh[1], "--doh-insecure", target).out == b"here"
    for arguments in ([], ["-k"]):
        done = redox_curl("-sSv", "--doh-url", doh[1], *arguments, target)
        assert (done.code, done.message) == (6, "curl: (6) Couldn't resolve host name")
        assert "* DoH request SSL peer certificate or SSH remote key was not OK\n" in done.err


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("no.test", "DoH: No content type AAAA for no.test"),
        ("missing.test", "DoH: Bad RCODE type AAAA for missing.test"),
        ("junk.test", "DoH: Too small type A for junk.test"),
        ("oops.test", "DoH request HTTP response code said error"),
        ("html.test", "DoH request HTTP response code said error"),
        ("huge.test", "DoH request Maximum file size exceeded"),
    ],
)
def test_what_is_no_answer_is_a_name_that_is_not_found(doh: Doh, name: str, note: str) -> None:
    done = redox_curl("-sSv", "--doh-url", doh[1], "--doh-insecure", f"http://{name}/")
    assert (done.code, done.message) == (6, "curl: (6) Couldn't resolve host name")
    assert f"* {note}\n" in done.err


def test_literals_and_localhost_are_not_asked_for(web: int, doh: Doh) -> None:
    for host in ("127.0.0.1", "localhost", "a.localhost"):
        assert redox_curl("-sS", "--doh-url", doh[1], f"http://{host}:{web}/").out == b"here"
    assert redox_curl("-sS", "--doh-url", "", f"http://127.0.0.1:{web}/").out == b"here"
    assert doh[0].server.asked == []


def test_an_answer_holds_for_its_ttl_and_one_family_is_asked_for_alone(web: int, doh: Doh) -> None:
    url = f"http://www.test:{web}/"
    done = redox_curl("-sS", "-4", "--doh-url", doh[1], "--doh-insecure", url, url)
    assert (done.code, done.out) == (0, b"herehere")
    assert doh[0].server.asked == [("www.test", "A")]


def test_the_doh_server_is_found_by_the_ordinary_dns_and_judged(
    web: int, doh: Doh, authority: tuple[ssl.SSLContext, str]
) -> None:
    url = doh[1].replace("localhost", "www.test")
    with name_server() as names:
        arguments = ["-sSv", "--doh-url", url, "--doh-insecure", "--dns-servers", f"127.0.0.1:{names.port}"]
        done = redox_curl(*arguments, f"http://both.test:{web}/")
        assert (done.code, done.out) == (0, b"here")
        assert {name for name, _ in names.server.asked} == {"www.test"}
        done = redox_curl(*arguments, "--deny-address", "127.0.0.1", f"http://both.test:{web}/")
    assert (done.code, done.out) == (6, b"")
    assert "Address 127.0.0.1 of www.test is refused" in done.err


@pytest.mark.slow
@needs_curl_7_88
@pytest.mark.parametrize("name", ["www.test", "no.test", "missing.test", "junk.test"])
def test_the_lines_about_names_are_curls(web: int, doh: Doh, name: str) -> None:
    def lines(command: tuple[str, ...]) -> tuple[int, bytes, list[str]]:
        done = run(command, "-sSv", "--doh-url", doh[1], "--doh-insecure", f"http://{name}:{web}/")
        return (
            done.code,
            done.out,
            sorted(line for line in done.err.splitlines() if re.search("DoH|TTL|curl:", line)),
        )

    assert CURL is not None
    assert lines(REDOX_CURL) == lines((CURL, "-q"))

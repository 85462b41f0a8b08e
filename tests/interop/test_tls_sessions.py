"""Sessions of TLS beside nginx: resumed in a command, from a file, in the library; early data."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

import pycurl_redox
from tests.fakes.commands import Done, redox_curl
from tests.fakes.local_servers import NGINX, needs_nginx

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_nginx]

CONFIGURATION = """\
daemon off; master_process off; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ }}
http {{
  access_log {root}/access.log combined;
  client_body_temp_path {root}/b; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f;
  uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
  keepalive_timeout 0;
  ssl_certificate {root}/chain.pem; ssl_certificate_key {root}/key.pem; ssl_session_cache none;
  server {{ listen 127.0.0.1:{plain} ssl; ssl_protocols TLSv1.3; {answers} }}
  server {{ listen 127.0.0.1:{early} ssl; ssl_protocols TLSv1.3; ssl_early_data on; {answers} }}
  server {{ listen 127.0.0.1:{retry} ssl; ssl_protocols TLSv1.3; ssl_early_data on; ssl_ecdh_curve secp384r1;
            {answers} }}
  server {{ listen 127.0.0.1:{older} ssl; ssl_protocols TLSv1.2; {answers} }}
}}
"""
ANSWERS = """
  location / { return 200 "$ssl_protocol $ssl_session_reused $ssl_early_data $request_method\\n"; }
  location /late {
    keepalive_timeout 20; if ($connection_requests = 1) { return 425; } return 200 "again\\n";
  }
"""
FULL, RESUMED = "TLSv1.3 .  GET\n", "TLSv1.3 r  GET\n"
EARLY = ("TLSv1.3 r 1 GET\n", RESUMED)
"""nginx knows of early data only as long as the handshake is not over, which it may be by then."""


class Site(NamedTuple):
    ca: str
    plain: str
    early: str
    retry: str
    older: str
    root: Path


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("sessions")
    authority = trustme.CA()
    identity = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(root / "ca.pem")
    identity.private_key_pem.write_to_path(root / "key.pem")
    (root / "chain.pem").write_bytes(b"".join(pem.bytes() for pem in identity.cert_chain_pems))
    ports = dict(zip(("plain", "early", "retry", "older"), free_ports(4), strict=True))
    (root / "nginx.conf").write_text(CONFIGURATION.format(root=root, answers=ANSWERS, **ports))
    process = subprocess.Popen([str(NGINX), "-p", str(root), "-c", str(root / "nginx.conf")])
    try:
        for port in ports.values():
            wait_for(port, process)
        yield Site(
            str(root / "ca.pem"),
            root=root,
            **{name: f"https://127.0.0.1:{port}" for name, port in ports.items()},
        )
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
    raise AssertionError("nginx does not listen")


def fetched(site: Site, *arguments: str) -> Done:
    done = redox_curl("-sS", "--cacert", site.ca, *arguments)
    assert done.code == 0, done.err
    return done


# In one command, and in the library


def test_a_command_resumes_where_connections_do_not_last(site: Site) -> None:
    done = fetched(site, *[site.plain] * 3, "-v")
    assert done.out.decode() == FULL + RESUMED * 2
    assert done.err.count("* SSL re-using session ID\n") == 2


def test_so_does_one_of_tls_1_2(site: Site) -> None:
    done = fetched(site, site.older, site.older)
    assert done.out.decode() == "TLSv1.2 .  GET\nTLSv1.2 r  GET\n"


def test_no_sessionid_makes_each_anew(site: Site) -> None:
    assert fetched(site, "--no-sessionid", site.plain, site.plain).out.decode() == FULL * 2


def test_a_session_is_for_its_port_and_its_options_only(site: Site) -> None:
    other_port = fetched(site, site.plain, site.early)
    assert other_port.out.decode() == FULL * 2
    unverified = fetched(site, "-k", site.plain, "--next", "-sS", "--cacert", site.ca, site.plain)
    assert unverified.out.decode() == FULL * 2
    pinned = fetched(site, site.plain, "--next", "-sS", "--cacert", site.ca, "--no-alpn", site.plain)
    assert pinned.out.decode() == FULL * 2


def test_the_library_resumes_and_says_so(site: Site) -> None:
    with pycurl_redox.Client(cacert=site.ca) as client:
        first, second = client.get(site.plain), client.get(site.plain)
        assert (first.text, second.text) == (FULL, RESUMED)
        assert first.tls is not None and second.tls is not None
        assert (first.tls.is_resumed, second.tls.is_resumed) == (False, True)


def test_a_pin_is_looked_at_in_a_session_resumed_too(site: Site) -> None:
    wrong = redox_curl("-sS", "--cacert", site.ca, "--pinnedpubkey", "sha256//AAAA", site.plain, site.plain)
    assert (wrong.code, wrong.out) == (90, b"")


# In a file


def test_a_file_keeps_sessions_from_command_to_command(site: Site, tmp_path: Path) -> None:
    kept = tmp_path / "sessions"
    for text in (FULL, RESUMED, RESUMED):
        assert fetched(site, "--ssl-sessions", str(kept), site.plain).out.decode() == text
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert b"127.0.0.1" not in kept.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["sessions"]


def test_a_file_that_others_could_read_is_closed_to_them(site: Site, tmp_path: Path) -> None:
    kept = tmp_path / "sessions"
    kept.touch(0o644)
    fetched(site, "--ssl-sessions", str(kept), site.plain)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_file_that_others_may_write_to_is_not_believed(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "sessions"
    fetched(site, "--ssl-sessions", str(path), site.plain)
    path.chmod(0o620)
    out = tmp_path / "out"
    done = redox_curl("--cacert", site.ca, "--ssl-sessions", str(path), site.plain, "-o", str(out))
    assert out.read_text() == FULL
    assert "others may write to it" in done.err.replace("\nWarning: ", " ")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert fetched(site, "--ssl-sessions", str(path), site.plain).out == RESUMED.encode()


def test_a_link_that_somebody_else_has_laid_is_not_written_through(site: Site, tmp_path: Path) -> None:
    if os.geteuid() != 0 or Path("/proc/sys/fs/protected_symlinks").read_text() == "0\n":
        pytest.skip("needs root, and a system that protects links in directories for all")
    (tmp_path / "ours").write_text("kept")
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o1777)
    link = public / "sessions"
    link.symlink_to(tmp_path / "ours")
    os.lchown(link, 65534, 65534)
    done = redox_curl(
        "--cacert", site.ca, "--ssl-sessions", str(link), site.plain, "-o", str(tmp_path / "out")
    )
    assert done.code == 0 and "sessions of TLS cannot be written" in done.err.replace("\nWarning: ", " ")
    assert (tmp_path / "ours").read_text() == "kept"


def test_a_session_is_given_out_once(site: Site, tmp_path: Path) -> None:
    kept, copy = tmp_path / "sessions", tmp_path / "copy"
    fetched(site, "--ssl-sessions", str(kept), site.plain)
    copy.write_bytes(kept.read_bytes())
    before = set(kept.read_bytes().splitlines())
    fetched(site, "--ssl-sessions", str(kept), "-o", "/dev/null", site.plain)
    assert not (before & set(kept.read_bytes().splitlines())) - {next(iter(kept.read_bytes().splitlines()))}


def test_a_damaged_file_is_told_of_and_set_aside(site: Site, tmp_path: Path) -> None:
    kept = tmp_path / "sessions"
    fetched(site, "--ssl-sessions", str(kept), site.plain)
    damaged = kept.read_bytes().replace(b"\n", b"\nno session at all\n", 1)
    kept.write_bytes(damaged)
    done = redox_curl(
        "-S", "--cacert", site.ca, "--ssl-sessions", str(kept), site.plain, "-o", str(tmp_path / "out")
    )
    assert done.code == 0
    assert (tmp_path / "out").read_text() == RESUMED, "what is whole serves"
    assert "line 2 is no session of TLS" in done.err.replace("\nWarning: ", " ")
    assert (tmp_path / "sessions.damaged").read_bytes() == damaged
    assert b"no session at all" not in kept.read_bytes()


def test_a_file_that_cannot_be_read_is_no_reason_to_fail(site: Site, tmp_path: Path) -> None:
    done = redox_curl("--cacert", site.ca, "--ssl-sessions", str(tmp_path), site.plain)
    assert (done.code, done.out.decode()) == (0, FULL)
    assert "sessions of TLS cannot be read" in done.err.replace("\nWarning: ", " ")


def test_an_unverified_session_in_a_file_is_not_for_who_verifies(site: Site, tmp_path: Path) -> None:
    kept = str(tmp_path / "sessions")
    fetched(site, "-k", "--ssl-sessions", kept, site.plain)
    assert fetched(site, "--ssl-sessions", kept, site.plain).out.decode() == FULL


# Early data


@pytest.fixture
def kept(site: Site, tmp_path: Path) -> list[str]:
    """Options with a file of fresh sessions of all servers."""
    options = ["--tls-earlydata", "--ssl-sessions", str(tmp_path / "sessions")]
    for url in (site.early, site.retry, site.plain):
        assert fetched(site, *options, url).out.decode() == FULL
    return options


def test_a_get_goes_out_with_the_first_flight(site: Site, kept: list[str]) -> None:
    done = fetched(site, *kept, "-v", site.early)
    assert done.out.decode() in EARLY
    assert "* TLS early data: accepted\n" in done.err


def test_only_what_may_come_twice_goes_early(site: Site, kept: list[str]) -> None:
    for arguments, method in (
        (["-d", "x=y"], "POST"),
        (["-X", "DELETE"], "DELETE"),
        (["-T", site.ca], "PUT"),
    ):
        done = fetched(site, *kept, *arguments, site.early + "/")
        assert done.out.decode().split() in (["TLSv1.3", "r", method], ["TLSv1.3", ".", method])
        fetched(site, "--ssl-sessions", kept[-1], site.early)


def test_without_the_option_nothing_goes_early(site: Site, kept: list[str]) -> None:
    assert fetched(site, *kept[1:], site.early).out.decode() == RESUMED


def test_a_server_that_wants_another_group_gets_the_request_again(site: Site, kept: list[str]) -> None:
    before = (site.root / "access.log").read_text().count("GET /once ")
    done = fetched(site, *kept, "-v", site.retry + "/once")
    assert done.out.decode() == RESUMED
    assert "* TLS early data: hello retry request\n" in done.err
    assert (site.root / "access.log").read_text().count("GET /once ") == before + 1


def test_a_server_that_takes_none_gets_the_request_as_ever(site: Site, kept: list[str]) -> None:
    done = fetched(site, *kept, "-v", site.plain)
    assert done.out.decode() == RESUMED
    assert "* TLS early data: unsupported for session\n" in done.err


def test_too_early_is_asked_again_and_not_early(site: Site, kept: list[str]) -> None:
    """RFC 8470 §5.2."""
    done = fetched(site, *kept, "-v", site.early + "/late", "-w", "%{http_code} %{num_connects}")
    assert done.out.decode() == "again\n200 1"
    assert done.err.count("* TLS early data: accepted\n") == 1


def test_too_early_without_early_data_is_an_answer_like_others(site: Site) -> None:
    assert fetched(site, site.early + "/late", "-o", "/dev/null", "-w", "%{http_code}").out == b"425"

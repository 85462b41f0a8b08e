"""Proxies that others wrote: dante, microsocks, tinyproxy behind stunnel, nginx that wants a PROXY line."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.servers import Servers, await_port, free_port
from tests.fakes.commands import redox_curl
from tests.fakes.local_servers import NGINX, body, needs_nginx, nginx

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
MICROSOCKS, DANTED, TINYPROXY, STUNNEL = (
    shutil.which(name, path=PATH) for name in ("microsocks", "danted", "tinyproxy", "stunnel4")
)
PAGE = body(300_000)

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_nginx]

DANTE = """
logoutput: {root}/dante.log
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
"""

TINY = """
Port {port}
Listen 127.0.0.1
Timeout 30
MaxClients 20
Allow 127.0.0.1
LogLevel Error
"""

TUNNEL = """
foreground = yes
pid =
[proxy]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{tiny}
cert = {root}/cert.pem
key = {root}/key.pem
sslVersionMin = TLSv1.3
"""

WANTS_LINE = """
daemon off; master_process off; pid {root}/line.pid; error_log {root}/line.log;
events {{ }}
http {{
  access_log off; client_body_temp_path {root}/b2; proxy_temp_path {root}/p2; fastcgi_temp_path {root}/f2;
  uwsgi_temp_path {root}/u2; scgi_temp_path {root}/s2;
  ssl_certificate {root}/cert.pem; ssl_certificate_key {root}/key.pem; ssl_protocols TLSv1.3;
  server {{
    listen 127.0.0.1:{port} proxy_protocol; listen [::1]:{port} proxy_protocol;
    listen 127.0.0.1:{secret} ssl proxy_protocol;
    set $told "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr";
    return 200 "$told $remote_addr $remote_port";
  }}
}}
"""


@pytest.fixture(scope="module")
def local() -> Iterator[Servers]:
    with nginx(page=PAGE) as running:
        yield running


@contextlib.contextmanager
def running(port: int, *command: str) -> Iterator[int]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_port(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def good(*words: str) -> bytes:
    done = redox_curl("-4", "-sS", *words)
    assert done.code == 0, done.err
    return done.out


@pytest.mark.skipif(MICROSOCKS is None, reason="microsocks is not installed")
def test_microsocks_carries_http_and_https_with_a_login_and_without(local: Servers) -> None:
    secret = local.https.replace("127.0.0.1", "localhost")
    assert MICROSOCKS is not None
    for login, words in ((["-u", "me", "-P", "pw"], ["-U", "me:pw"]), ([], [])):
        port = free_port()
        with running(port, MICROSOCKS, "-i", "127.0.0.1", "-p", str(port), *login):
            for kind in ("socks5", "socks5h"):
                way = ["-x", f"{kind}://127.0.0.1:{port}", *words, "--cacert", local.ca]
                assert good(*way, f"{local.http}/page", f"{secret}/page") == PAGE * 2
            refused = redox_curl("-sS", "-x", f"socks5h://127.0.0.1:{port}", *words, "http://127.0.0.1:1/")
            assert refused.code == 97 and "Can't complete SOCKS5 connection" in refused.err
            if login:
                assert redox_curl("-sS", "-x", f"socks5h://127.0.0.1:{port}", local.http).code == 97


@pytest.mark.skipif(DANTED is None, reason="dante-server is not installed")
def test_dante_carries_versions_4_and_5(local: Servers, tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "danted.conf"
    config.write_text(DANTE.format(root=tmp_path, port=port))
    assert DANTED is not None
    with running(port, DANTED, "-f", str(config)):
        for kind in ("socks4", "socks5", "socks5h"):
            url = local.http.replace("127.0.0.1", "localhost") if kind != "socks5" else local.http
            assert good("-x", f"{kind}://127.0.0.1:{port}", f"{url}/page") == PAGE


@pytest.mark.skipif(not (TINYPROXY and STUNNEL), reason="tinyproxy or stunnel4 is not installed")
def test_tinyproxy_behind_stunnel_carries_http_and_tls_within_tls(local: Servers, tmp_path: Path) -> None:
    tiny, port = free_port(), free_port()
    (tmp_path / "tiny.conf").write_text(TINY.format(port=tiny))
    (tmp_path / "stunnel.conf").write_text(TUNNEL.format(port=port, tiny=tiny, root=local.root))
    assert TINYPROXY is not None and STUNNEL is not None
    secret = local.https.replace("127.0.0.1", "localhost")
    with (
        running(tiny, TINYPROXY, "-d", "-c", str(tmp_path / "tiny.conf")),
        running(port, STUNNEL, str(tmp_path / "stunnel.conf")),
    ):
        way = ["-x", f"https://localhost:{port}", "--proxy-cacert", local.ca, "--cacert", local.ca]
        assert good(*way, f"{local.http}/page", f"{secret}/page", f"{secret}/page") == PAGE * 3
        plain = ["-x", f"127.0.0.1:{tiny}", "--cacert", local.ca]
        assert good(*plain, f"{local.http}/page", f"{secret}/page") == PAGE * 2


@pytest.fixture(scope="module")
def wants_line(local: Servers) -> Iterator[tuple[int, int]]:
    port, secret = free_port(), free_port()
    config = local.root / "line.conf"
    config.write_text(WANTS_LINE.format(root=local.root, port=port, secret=secret))
    assert NGINX is not None
    with running(port, NGINX, "-p", str(local.root), "-c", str(config)):
        yield port, secret


def test_nginx_is_told_the_ends_of_the_connection_as_it_sees_them(wants_line: tuple[int, int]) -> None:
    port, secret = wants_line
    for host in ("127.0.0.1", "[::1]"):
        done = redox_curl("-sS", "--haproxy-protocol", f"http://{host}:{port}/")
        told, told_port, server, seen, seen_port = done.out.decode().split()
        assert (told, told_port, server) == (seen, seen_port, host.strip("[]"))
    done = redox_curl("-sSk", "--haproxy-protocol", f"https://127.0.0.1:{secret}/")
    told, told_port, _, seen, seen_port = done.out.decode().split()
    assert (told, told_port) == (seen, seen_port)


def test_nginx_believes_the_client_that_the_user_names(wants_line: tuple[int, int]) -> None:
    port, _ = wants_line
    url = f"http://127.0.0.1:{port}/"
    assert re.match(rb"198\.51\.100\.7 \d+ 127\.0\.0\.1 ", good("--haproxy-clientip", "198.51.100.7", url))
    assert good("--haproxy-clientip", "2001:db8::7", url).startswith(b"2001:db8::7 ")
    assert redox_curl("-sS", "--haproxy-clientip", "name", url).code == 49


def test_nginx_refuses_a_connection_without_the_line(wants_line: tuple[int, int]) -> None:
    assert redox_curl("-sS", f"http://127.0.0.1:{wants_line[0]}/").code in (52, 56)

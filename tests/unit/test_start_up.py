"""What a plain GET imports: a process that fetches one small thing lives as long as its imports take."""

import os
import ssl
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import trustme

from tests.fakes.raw_server import saying, serving

#: No plain GET asks for any of this.
NEEDED_ELSEWHERE = {
    # the standard library; h11 brings dataclasses, inspect and re, the host's sockets bring selectors
    "argparse", "asyncio", "base64", "concurrent", "datetime", "decimal", "email", "getpass", "gzip",
    "hashlib", "hmac", "html", "http", "json", "locale", "logging", "platform", "queue", "secrets", "shutil",
    "signal", "ssl", "string", "subprocess", "tempfile", "textwrap", "traceback", "uuid", "zlib",
    "_hashlib", "_ssl",
    # other people's
    "certifi", "cryptography.x509", "dnslib", "idna", "brotli", "zstandard",
    # our own
    "pycurl_redox.address_policy", "pycurl_redox.auth", "pycurl_redox.binding", "pycurl_redox.cipher_list",
    "pycurl_redox.client", "pycurl_redox.client_certificate", "pycurl_redox.dial_options",
    "pycurl_redox.doh", "pycurl_redox.local_socket", "pycurl_redox.name_servers",
    "pycurl_redox.traffic_class",
    "pycurl_redox.cookies", "pycurl_redox.dates",
    "pycurl_redox.decode", "pycurl_redox.digest", "pycurl_redox.form", "pycurl_redox.glob",
    "pycurl_redox.help", "pycurl_redox.multipart", "pycurl_redox.netcfg", "pycurl_redox.netrc",
    "pycurl_redox.password", "pycurl_redox.ping",
    "pycurl_redox.progress", "pycurl_redox.redirect", "pycurl_redox.resolve_rules", "pycurl_redox.resolver",
    "pycurl_redox.key_log", "pycurl_redox.learned", "pycurl_redox.pins", "pycurl_redox.set_cookie",
    "pycurl_redox.tls_failures",
    "pycurl_redox.tls_names", "pycurl_redox.tls_notes", "pycurl_redox.trace", "pycurl_redox.writeout",
    "pycurl_redox.no_network", "tcpip.bare_loop", "tcpip.descriptors",
    "tcpip.destinations", "tcpip.dns", "tcpip.hosts", "tcpip.local_stream", "tcpip.lookup", "tcpip.ping",
    "tcpip.snapshot", "tcpip.tcp.info", "tcpip.udp", "tcpip.usernet.impair", "tcpip.usernet.info",
    "tcpip.usernet.local_end", "tcpip.usernet.local_sockets", "tcpip.wire.dns", "tcpip.wire.pcap",
    "tls.client_auth", "tls.crl", "tls.diagnosis", "tls.name_constraints",
    "virtio.device.tap", "virtio.info", "virtio.transport.pci",
}  # fmt: skip

TLS_ONLY = {"cryptography", "tls", "pycurl_redox.tls_settings", "pycurl_redox.tls_stream"}

FETCH = """
import sys
present = set(sys.modules)  # what the environment brings in by itself
from pycurl_redox.cli import main
assert main({arguments!r}) == 0
print(*sorted(set(sys.modules) - present))
"""

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsmall"


def modules_of_a_fetch(*arguments: str) -> set[str]:
    command = [sys.executable, "-c", FETCH.format(arguments=["-q", "-sS", "-o", os.devnull, *arguments])]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=30)
    return set(done.stdout.split())


@pytest.mark.slow
def test_a_plain_http_get_imports_only_what_it_uses() -> None:
    with serving(saying(RESPONSE)) as port:
        modules = modules_of_a_fetch(f"http://127.0.0.1:{port}/small")
    assert "tcpip.tcp.connection" in modules  # the list is one of modules at all
    assert modules & NEEDED_ELSEWHERE == set()
    assert modules & TLS_ONLY == set()


@pytest.mark.slow
def test_a_file_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"small")
    modules = modules_of_a_fetch(f"file://{tmp_path}/small")
    assert "tcpip.bare_loop" in modules
    assert not {"pycurl_redox.network", "tcpip.host", "tcpip.stack", "virtio"} & modules


@pytest.mark.slow
def test_a_plain_https_get_imports_only_what_it_uses(tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(saying(RESPONSE), context) as port:
        modules = modules_of_a_fetch("--cacert", str(tmp_path / "ca.pem"), f"https://127.0.0.1:{port}/small")
    assert modules >= TLS_ONLY
    assert modules & NEEDED_ELSEWHERE == set()


def test_the_list_names_modules_that_there_are() -> None:
    own = {
        name for name in NEEDED_ELSEWHERE if name.split(".")[0] in ("pycurl_redox", "tcpip", "tls", "virtio")
    }
    assert {name for name in own if find_spec(name) is None} == set()


def test_the_collector_is_spared_in_a_process_of_ones_own_and_left_alone_elsewhere() -> None:
    code = (
        "import gc, sys\n"
        "from pycurl_redox.cli import main\n"
        "from pycurl_redox.own_process import COLLECT_AFTER\n"
        "usual = gc.get_threshold()\n"
        "main(['-V'])\n"
        "assert gc.get_threshold() == usual and gc.get_freeze_count() == 0\n"
        "sys.argv = ['redox-curl', '-V']\n"
        "assert main() == 0\n"
        "assert gc.get_threshold()[0] == COLLECT_AFTER and gc.get_freeze_count() > 1_000\n"
    )
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True, timeout=30)

"""What the command lines of the tables find: servers on loopback, certificates, words of the shell."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from benchmarks.servers import await_port, free_port
from tests.cases.answering import Mute, full
from tests.fakes import pki
from tests.fakes.local_servers import NGINX
from tests.fakes.raw_server import saying, serving
from tests.fakes.web_site import WebSite, web_site

CLIENT_AUTH = x509.ExtendedKeyUsageOID.CLIENT_AUTH
TIMES = {"not_before": 1_577_836_800, "not_after": 2_493_072_000}

NGINX_CONFIGURATION = """
daemon off; master_process off; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {root}/b; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f;
  uwsgi_temp_path {root}/u; scgi_temp_path {root}/s; root {root}/www; default_type text/plain;
  ssl_certificate {root}/server.pem; ssl_certificate_key {root}/server.pem;
  ssl_client_certificate {root}/ca.pem;
  server {{
    listen 127.0.0.1:{http};
  }}
  server {{
    listen 127.0.0.1:{tls13} ssl; ssl_protocols TLSv1.3; ssl_verify_client on;
    location / {{ return 200 "$ssl_client_verify $ssl_client_s_dn $ssl_protocol\\n"; }}
  }}
  server {{
    listen 127.0.0.1:{tls12} ssl; ssl_protocols TLSv1.2; ssl_verify_client optional;
    location / {{ return 200 "$ssl_client_verify $ssl_client_s_dn $ssl_protocol\\n"; }}
  }}
}}
"""


class World(NamedTuple):
    """One for each case at a time."""

    site: WebSite
    tls: ssl.SSLContext
    mute: Mute
    words: dict[str, str]
    """For the shell's environment."""


@contextlib.contextmanager
def world(pems: Path, peers: dict[str, str]) -> Iterator[World]:
    """The servers that count what one case does; those of `peers` are for all."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pems / "server.pem")
    mute = Mute()
    with ExitStack() as stack:
        with serving(saying()) as free:
            pass  # nobody listens there any more
        site = stack.enter_context(web_site(context))
        hostport = site.http.removeprefix("http://")
        words = {
            **peers,
            "http": site.http,
            "https": site.https,
            "hostport": hostport,
            "port": hostport.partition(":")[2],
            "free": str(free),
            "mute": f"127.0.0.1:{stack.enter_context(serving(mute))}",
            "full": f"127.0.0.1:{stack.enter_context(full())}",
            "pems": str(pems),
            "ca": str(pems / "ca.pem"),
        }
        yield World(site, context, mute, words)


def make_pems(folder: Path) -> None:
    """A CA, certificates of its server and its clients, a stranger's, and keys in every wrapping."""
    authority = pki.ca("Test CA", private_key=pki.key("P-256", 11), **TIMES)
    other = pki.ca("Other CA", private_key=pki.key("P-256", 12), **TIMES)

    def private(key: object) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))  # type: ignore[attr-defined]

    def write(name: str, issued: pki.Issued) -> None:
        (folder / f"{name}.pem").write_bytes(issued.pem + private(issued.key))

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    names = ["localhost", "127.0.0.1", "a.test", "b.test"]
    write("server", pki.leaf(authority, "localhost", names=names, **TIMES))
    fields = {"names": (), "extended": [CLIENT_AUTH], **TIMES}
    for name, kind in (("ann", "P-256"), ("rsa", "rsa2048"), ("ed", "ed25519")):
        write(name, pki.leaf(authority, name, private_key=pki.key(kind, 13), **fields))
    write("stranger", pki.leaf(other, "stranger", **fields))
    (folder / "ca.pem").write_bytes(authority.pem)
    (folder / "ca.key").write_bytes(private(authority.key))
    openssl("x509", "-in", "ann.pem", "-out", "ann.crt")
    openssl("pkcs8", "-topk8", "-in", "ann.pem", "-passout", "pass:secret", "-out", "locked.key")
    openssl("rsa", "-in", "rsa.pem", "-aes128", "-traditional", "-passout", "pass:secret", "-out", "old.key")
    openssl("x509", "-in", "ann.pem", "-outform", "DER", "-out", "ann.der")
    openssl("pkey", "-in", "ann.pem", "-outform", "DER", "-out", "ann.key.der")
    openssl("pkcs12", "-export", "-in", "ann.pem", "-passout", "pass:secret", "-out", "ann.p12")
    (folder / "locked.pem").write_bytes(
        (folder / "ann.crt").read_bytes() + (folder / "locked.key").read_bytes()
    )


@contextlib.contextmanager
def peers(pems: Path) -> Iterator[dict[str, str]]:
    """Who wants to know who asks: nginx by TLS 1.3 (and by 1.2, if it can), `openssl s_server`."""
    found: dict[str, str] = {}
    with ExitStack() as stack:
        if NGINX is not None:
            ports = {name: free_port() for name in ("http", "tls13", "tls12")}
            (pems / "nginx.conf").write_text(NGINX_CONFIGURATION.format(root=pems, **ports))
            process = subprocess.Popen([NGINX, "-p", str(pems), "-c", str(pems / "nginx.conf")])
            stack.callback(process.wait)
            stack.callback(process.terminate)
            for port in ports.values():
                await_port(port)
            found["nginx"] = f"https://127.0.0.1:{ports['tls13']}"
            found["plainport"] = str(ports["http"])
            found["nginx12"] = f"https://127.0.0.1:{ports['tls12']}"
        options = ["-accept", "127.0.0.1:0", "-www", "-tls1_3", "-Verify", "1", "-verify_return_error"]
        files = ["-cert", "server.pem", "-key", "server.pem", "-CAfile", "ca.pem"]
        server = subprocess.Popen(
            ["openssl", "s_server", *options, *files],
            cwd=pems, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        stack.callback(server.wait)
        stack.callback(server.kill)
        assert server.stdout is not None
        while not (line := server.stdout.readline()).startswith(b"ACCEPT 127.0.0.1:"):
            assert line, "openssl s_server has ended"
        found["openssl"] = "https://" + line.split()[1].decode()
        # Nobody reads what it prints for each connection.
        reader = threading.Thread(target=server.stdout.read, daemon=True)
        reader.start()
        stack.callback(server.stdout.close)
        stack.callback(reader.join)
        stack.callback(server.kill)
        yield found

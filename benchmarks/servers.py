"""The local servers that clients are measured against: nginx, and a sink for uploads."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

NGINX = """
daemon off; master_process off; worker_processes 1; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; client_max_body_size 0;
  client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/f;
  uwsgi_temp_path {root}/u; scgi_temp_path {root}/s; default_type application/octet-stream;
  ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384;
  ssl_certificate {root}/cert.pem; ssl_certificate_key {root}/key.pem;
  server {{
    listen 127.0.0.1:{http}; listen 127.0.0.1:{https} ssl; root {root}/www;
    location /upload {{
      proxy_http_version 1.1; proxy_request_buffering off; proxy_pass http://127.0.0.1:{sink};
    }}
  }}
}}
"""


class Servers(NamedTuple):
    """Where everything is."""

    root: Path
    http: str  # http://127.0.0.1:PORT
    https: str
    ca: str


@contextlib.contextmanager
def servers(bulk_size: int) -> Iterator[Servers]:
    """Start them, yield where they are, stop them."""
    root = Path(tempfile.mkdtemp(prefix="redox-bench-"))
    processes: list[subprocess.Popen[bytes]] = []
    try:
        make_certificates(root)
        (root / "www").mkdir()
        (root / "www/small").write_bytes(b"x" * 1024)
        with open(root / "www/bulk", "wb") as file:
            os.truncate(file.fileno(), bulk_size)
        http, https, sink = free_port(), free_port(), free_port()
        (root / "nginx.conf").write_text(NGINX.format(root=root, http=http, https=https, sink=sink))
        processes.append(subprocess.Popen([sys.executable, __file__, str(sink)]))
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        processes.append(subprocess.Popen([nginx, "-p", str(root), "-c", str(root / "nginx.conf")]))
        for port in (http, https, sink):
            await_port(port)
        yield Servers(root, f"http://127.0.0.1:{http}", f"https://127.0.0.1:{https}", str(root / "ca.pem"))
    finally:
        for process in processes:
            process.terminate()
            process.wait()
        shutil.rmtree(root, ignore_errors=True)


def make_certificates(root: Path) -> None:
    """A CA and a P-256 leaf for localhost and 127.0.0.1."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench CA")])

    def builder(subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
        )

    ca = builder(ca_name, ca_key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    leaf = builder(
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench.test")]), key.public_key()
    ).add_extension(
        x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        ),
        critical=False,
    )
    pem = serialization.Encoding.PEM
    (root / "ca.pem").write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    (root / "cert.pem").write_bytes(leaf.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    (root / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_port(port: int) -> None:
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise TimeoutError(f"nothing listens on 127.0.0.1:{port}")


def sink(port: int) -> None:
    """Take request bodies of a known length and answer 200; one connection at a time."""
    server = socket.create_server(("127.0.0.1", port))
    buffer = bytearray(1 << 20)
    while True:
        link, _ = server.accept()
        with link:
            head = b""
            while b"\r\n\r\n" not in head and (piece := link.recv(65_536)):
                head += piece
            head, _, body = head.partition(b"\r\n\r\n")
            lengths = [
                line.split(b":")[1]
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            ]
            if b"100-continue" in head.lower():
                link.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            left = int(lengths[0]) - len(body) if lengths else 0
            while left > 0 and (count := link.recv_into(buffer)):
                left -= count
            if lengths:
                link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


if __name__ == "__main__":
    sink(int(sys.argv[1]))

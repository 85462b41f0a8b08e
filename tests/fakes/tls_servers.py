"""TLS servers of other hands for the interop matrix: what each can show, and how it is started for that.

A server is started anew for each feature, listens on loopback (those that
insist on every address: in a network namespace of the test's), and is ended by
its own handle.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from tests.fakes.go_server import go_server
from tests.fakes.namespaces import in_new_namespace

FEATURES = {
    "1.3": "TLS 1.3, HTTP over it",
    "1.2": "TLS 1.2",
    "retry": "HelloRetryRequest (P-384)",
    "p256": "P-256 at once",
    "p521": "P-521 at once",
    "x448": "X448 at once",
    "hybrid": "X25519MLKEM768",
    "alpn": "ALPN",
    "resumed": "session resumed, TLS 1.3",
    "resumed12": "session resumed, TLS 1.2",
    "early": "early data accepted",
    "client": "client certificate",
    "late": "client certificate after the handshake",
    "update": "KeyUpdate, with one of ours asked for",
    "staple": "OCSP staple",
    "limit": "record size limit",
    "raw": "raw public key",
    "ech": "ECH",
}
GROUPS = {"retry": "P-384", "p256": "P-256", "p521": "P-521", "x448": "X448"}


class World(NamedTuple):
    """Files of one authority: `world.ca_pem` is the path of its `ca.pem`, and so with the others."""

    folder: Path

    def __getattr__(self, name: str) -> str:
        return str(self.folder / name.replace("_", "."))


class Started(NamedTuple):
    port: int
    ech_configs: str = ""
    keyboard: IO[bytes] | None = None


Start = Callable[[World, str], contextlib.AbstractContextManager[Started]]


class Server(NamedTuple):
    """A peer; `program` is what must be there for it, `needs_root` a network of its own."""

    name: str
    program: str
    features: tuple[str, ...]
    start: Start
    needs_root: bool = False

    @property
    def is_there(self) -> bool:
        folders = (os.environ["PATH"], "/usr/sbin", "/sbin", os.path.dirname(sys.executable))
        return shutil.which(self.program, path=os.pathsep.join(folders)) is not None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], port: int, folder: Path, says: str = "") -> Iterator[Started]:
    """The server, once it takes connections, or has said so where it takes one at a time."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    with open(folder / "server.log", "wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=os.environ | {"PATH": path},
        )
        try:
            deadline = time.monotonic() + 30
            while True:
                assert process.poll() is None, (folder / "server.log").read_text(errors="replace")
                if says:
                    if says in (folder / "server.log").read_text(errors="replace"):
                        break
                else:
                    with contextlib.suppress(ConnectionRefusedError):
                        socket.create_connection(("127.0.0.1", port)).close()
                        break
                assert time.monotonic() < deadline, f"{command[0]} does not listen"
            yield Started(port, keyboard=process.stdin)
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()


def openssl(world: World, feature: str) -> contextlib.AbstractContextManager[Started]:
    port = free_port()
    more = {
        "1.2": ["-tls1_2"],
        "resumed12": ["-tls1_2"],
        "alpn": ["-alpn", "http/1.1"],
        "early": ["-early_data"],
        "client": ["-Verify", "1", "-CAfile", world.ca_pem],
        "late": ["-verify", "1", "-CAfile", world.ca_pem],
        "staple": ["-status_file", world.staple_der],
    }.get(feature, ["-groups", GROUPS[feature]] if feature in GROUPS else [])
    web = (
        [] if feature in ("early", "late", "update") else ["-www"]
    )  # with it, nothing is read from the keyboard
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", world.chain_pem]
    command += ["-key", world.key_pem, *web, *more]
    return running(command, port, world.folder, says="ACCEPT")


def nginx(world: World, feature: str) -> contextlib.AbstractContextManager[Started]:
    port = free_port()
    more = {
        "retry": "ssl_ecdh_curve secp384r1;",
        "p256": "ssl_ecdh_curve prime256v1;",
        "p521": "ssl_ecdh_curve secp521r1;",
        "x448": "ssl_ecdh_curve X448;",
        "early": "ssl_early_data on;",
        "client": f"ssl_verify_client on; ssl_client_certificate {world.ca_pem};",
        "staple": f"ssl_stapling on; ssl_stapling_file {world.staple_der};",
    }.get(feature, "")
    version = "TLSv1.2" if feature in ("1.2", "resumed12") else "TLSv1.3"
    (world.folder / "nginx.conf").write_text(f"""
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{}}
http {{ access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u;
scgi_temp_path s;
server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {world.chain_pem}; ssl_certificate_key {world.key_pem};
ssl_protocols {version}; {more} location / {{ return 200 "ok"; }} }} }}
""")
    return running(["nginx", "-p", str(world.folder), "-c", "nginx.conf"], port, world.folder)


def apache(world: World, feature: str) -> contextlib.AbstractContextManager[Started]:
    port = free_port()
    more = {
        "1.2": "SSLProtocol TLSv1.2",
        "resumed12": "SSLProtocol TLSv1.2",
        "retry": "SSLOpenSSLConfCmd Groups P-384",
        "p256": "SSLOpenSSLConfCmd Groups P-256",
        "client": f"SSLVerifyClient require\nSSLCACertificateFile {world.ca_pem}",
        "late": f"SSLCACertificateFile {world.ca_pem}\n<Location />\nSSLVerifyClient require\n</Location>",
    }.get(feature, "")
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
        for name in ("mpm_event", "authz_core", "ssl", "socache_shmcb")
    )
    (world.folder / "www").mkdir(exist_ok=True)
    (world.folder / "www" / "index").write_text("ok")
    (world.folder / "apache.conf").write_text(f"""{modules}
ServerRoot {world.folder}
ServerName localhost
PidFile {world.folder}/apache.pid
ErrorLog {world.folder}/apache.log
Listen 127.0.0.1:{port}
DocumentRoot {world.folder}/www
<Directory {world.folder}/www>
Require all granted
</Directory>
SSLSessionCache shmcb:{world.folder}/cache(512000)
SSLEngine on
SSLCertificateFile {world.chain_pem}
SSLCertificateKeyFile {world.key_pem}
{more}
""")
    command = ["apache2", "-f", str(world.folder / "apache.conf"), "-DFOREGROUND"]
    return running(command, port, world.folder)


def haproxy(world: World, feature: str) -> contextlib.AbstractContextManager[Started]:
    port = free_port()
    more = {
        "1.2": "ssl-max-ver TLSv1.2",
        "resumed12": "ssl-max-ver TLSv1.2",
        "retry": "curves P-384",
        "p256": "curves P-256",
        "p521": "curves P-521",
        "x448": "curves X448",
        "alpn": "alpn http/1.1",
        "early": "allow-0rtt",
        "client": f"verify required ca-file {world.ca_pem}",
    }.get(feature, "")
    (world.folder / "haproxy.cfg").write_text(f"""
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend f
  bind 127.0.0.1:{port} ssl crt {world.both_pem} {more}
  http-request return status 200 content-type text/plain string ok
""")
    return running(["haproxy", "-f", str(world.folder / "haproxy.cfg"), "-db"], port, world.folder)


@contextlib.contextmanager
def gnutls(world: World, feature: str) -> Iterator[Started]:
    priority = {
        "1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2",
        "resumed12": "NORMAL:-VERS-ALL:+VERS-TLS1.2",
        "retry": "NORMAL:-GROUP-ALL:+GROUP-SECP384R1",
        "p256": "NORMAL:-GROUP-ALL:+GROUP-SECP256R1",
        "p521": "NORMAL:-GROUP-ALL:+GROUP-SECP521R1",
        "x448": "NORMAL:-GROUP-ALL:+GROUP-X448",
        "raw": "NORMAL:-CTYPE-ALL:+CTYPE-SRV-RAWPK:+CTYPE-CLI-X509",
    }.get(feature, "NORMAL")
    more = {
        "alpn": ["--alpn", "http/1.1"],
        "early": ["--earlydata", "--maxearlydata", "1000"],
        "client": ["--require-client-cert", "--verify-client-cert", "--x509cafile", world.ca_pem],
        "staple": ["--ocsp-response", world.staple_der, "--ignore-ocsp-response-errors"],
        "limit": ["--recordsize", "1000"],
        "raw": ["--rawpkfile", world.spki_pem, "--rawpkkeyfile", world.key_pem],
    }.get(feature, [])
    keys = [] if feature == "raw" else ["--x509certfile", world.chain_pem, "--x509keyfile", world.key_pem]
    port = 5556
    command = ["gnutls-serv", "--http", "-p", str(port), "--priority", priority, *keys, *more]
    with in_new_namespace(), running(command, port, world.folder) as started:
        yield started


@contextlib.contextmanager
def nss(world: World, feature: str) -> Iterator[Started]:
    database = f"sql:{world.folder}/nss"
    if not (world.folder / "nss").exists():
        (world.folder / "nss").mkdir()
        for line in (
            ["certutil", "-N", "-d", database, "--empty-password"],
            ["pk12util", "-i", world.server_p12, "-d", database, "-W", "secret", "-K", ""],
            ["certutil", "-A", "-n", "authority", "-t", "CT,CT,", "-d", database, "-i", world.ca_pem],
        ):
            subprocess.run(line, check=True, capture_output=True)
    versions = "tls1.2:tls1.2" if feature in ("1.2", "resumed12") else "tls1.2:tls1.3"
    groups = {"retry": "P384", "p256": "P256", "p521": "P521"}
    more = {"resumed": ["-u"], "resumed12": ["-u"], "early": ["-u", "-Z"], "client": ["-r", "-r"]}.get(
        feature, []
    )
    more += ["-I", groups[feature]] if feature in groups else []
    command = ["selfserv", "-d", database, "-n", "server", "-p", "5557", "-V", versions, *more]
    with in_new_namespace(), running(command, 5557, world.folder) as started:
        yield started


@contextlib.contextmanager
def go(world: World, feature: str) -> Iterator[Started]:
    groups = {"retry": 24, "p256": 23, "p521": 25, "hybrid": 0x11EC}
    more = {
        "1.2": ["-tls12"],
        "resumed12": ["-tls12"],
        "client": ["-ask"],
        "staple": ["-staple", world.staple_der],
    }.get(feature, ["-group", str(groups[feature])] if feature in groups else [])
    with go_server(Path(world.chain_pem), Path(world.key_pem), *more) as server:
        yield Started(server.port, server.ech_configs)


def node(world: World, feature: str) -> contextlib.AbstractContextManager[Started]:
    port = free_port()
    options = {
        "1.2": "maxVersion: 'TLSv1.2'",
        "resumed12": "maxVersion: 'TLSv1.2'",
        "retry": "ecdhCurve: 'P-384'",
        "p256": "ecdhCurve: 'P-256'",
        "p521": "ecdhCurve: 'P-521'",
        "x448": "ecdhCurve: 'X448'",
        "alpn": "ALPNProtocols: ['http/1.1']",
        "client": f"requestCert: true, ca: fs.readFileSync('{world.ca_pem}')",
    }.get(feature, "")
    script = f"""
const fs = require('fs'), https = require('https');
const cert = fs.readFileSync('{world.chain_pem}'), key = fs.readFileSync('{world.key_pem}');
const options = {{cert, key, {options}}};
https.createServer(options, (q, a) => a.end('ok')).listen({port}, '127.0.0.1');
"""
    return running(["node", "-e", script], port, world.folder)


def java(world: World, feature: str) -> contextlib.AbstractContextManager[Started]:
    port = free_port()
    groups = {"retry": "secp384r1", "p256": "secp256r1", "p521": "secp521r1", "x448": "x448"}
    source = Path(__file__).resolve().parents[1] / "peers" / "java" / "Server.java"
    version = "TLSv1.2" if feature in ("1.2", "resumed12") else "TLSv1.3"
    command = ["java"]
    if feature in groups:
        command.append(f"-Djdk.tls.namedGroups={groups[feature]}")
    command += [str(source), str(port), world.server_p12, "secret", world.ca_pem, version, feature]
    return running(command, port, world.folder)


ALL = ("1.3", "1.2", "retry", "p256", "resumed", "resumed12", "client")
MOST = (*ALL, "p521", "alpn")
SERVERS = (
    Server("OpenSSL", "openssl", (*MOST, "x448", "early", "late", "update", "staple"), openssl),
    Server(
        "GnuTLS", "gnutls-serv", (*MOST, "x448", "early", "staple", "limit", "raw"), gnutls, needs_root=True
    ),
    Server("NSS", "selfserv", (*ALL, "p521", "early"), nss, needs_root=True),
    Server("Go", "go", (*MOST, "hybrid", "staple", "ech"), go),
    Server("Java", "java", (*MOST, "x448"), java),
    Server("Node.js", "node", (*MOST, "x448"), node),
    Server("nginx", "nginx", (*MOST, "x448", "early", "staple"), nginx),
    Server("Apache", "apache2", (*ALL, "late"), apache),
    Server("HAProxy", "haproxy", (*MOST, "x448", "early"), haproxy),
)


def table() -> str:
    """The matrix as docs/conformance.md has it."""
    names = [server.name for server in SERVERS]
    lines = ["| | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    for feature, text in FEATURES.items():
        cells = ["yes" if feature in server.features else "–" for server in SERVERS]
        lines.append(f"| {text} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"

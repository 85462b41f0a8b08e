"""Servers that want to know who asks: OpenSSL, GnuTLS and nginx, with each kind of key, a wrong one, none."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from benchmarks.servers import await_port, free_port
from pycurl_redox import Client
from pycurl_redox.errors import ReceiveFailedError
from tests.fakes import pki
from tests.fakes.beside_curl import needs_curl_7_88
from tests.fakes.local_servers import NGINX, needs_nginx
from tests.fakes.namespaces import in_new_namespace
from tests.interop.test_tls_peers import Connection, Peer
from tls.config import ClientCertificate, TlsConfig
from tls.crypto import load_signer
from tls.events import ApplicationData, CertificateRequested, TicketReceived

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine"),
]

REDOX = [sys.executable, "-m", "pycurl_redox", "-q", "-sS"]
CLIENT_AUTH = x509.ExtendedKeyUsageOID.CLIENT_AUTH
TIMES = {"not_before": 1_577_836_800, "not_after": 2_493_072_000}
KINDS = {
    "p256": "P-256",
    "p384": "P-384",
    "p521": "P-521",
    "rsa": "rsa2048",
    "ed25519": "ed25519",
    "ed448": "ed448",
}
EVERY_KIND = [*KINDS, "pss"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ca.pem`, `server.pem`, a file of certificate and key for each kind, `stranger.pem` of another CA."""
    folder = tmp_path_factory.mktemp("client-certificates")
    authority = pki.ca("Test CA", private_key=pki.key("P-256", 1), **TIMES)
    other = pki.ca("Other CA", private_key=pki.key("P-256", 2), **TIMES)
    (folder / "ca.pem").write_bytes(authority.pem)
    (folder / "ca.key").write_bytes(pem_of(authority.key))

    def write(name: str, issued: pki.Issued) -> None:
        (folder / f"{name}.pem").write_bytes(issued.pem + pem_of(issued.key))

    server = pki.leaf(authority, "localhost", names=["localhost", "127.0.0.1"], **TIMES)
    write("server", server)
    for name, kind in KINDS.items():
        key = pki.key(kind, 3)
        write(name, pki.leaf(authority, name, private_key=key, names=(), extended=[CLIENT_AUTH], **TIMES))
    write("stranger", pki.leaf(other, "stranger", names=(), extended=[CLIENT_AUTH], **TIMES))
    make_pss(folder)
    return folder


def pem_of(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make_pss(folder: Path) -> None:
    """A certificate whose key is for RSA-PSS only, which `cryptography` does not write."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "pss.key")
    openssl("req", "-new", "-key", "pss.key", "-subj", "/CN=pss", "-out", "pss.csr")
    issuer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "7"]
    openssl("x509", "-req", "-in", "pss.csr", *issuer, "-days", "300", "-out", "pss.crt")
    (folder / "pss.pem").write_bytes((folder / "pss.crt").read_bytes() + (folder / "pss.key").read_bytes())


def run(files: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*REDOX, "--cacert", str(files / "ca.pem"), *arguments, url]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", cwd=files, timeout=60, env=environment
    )


# OpenSSL ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def openssl(files: Path) -> Iterator[str]:
    options = ["-www", "-tls1_3", "-Verify", "1", "-verify_return_error", "-CAfile", str(files / "ca.pem")]
    # Nobody reads what it prints for each connection.
    with Peer(files / "server.pem", *options) as peer, draining(peer.process):
        yield f"https://localhost:{peer.port}/"


@contextlib.contextmanager
def draining(process: subprocess.Popen[bytes]) -> Iterator[None]:
    import threading

    assert process.stdout is not None
    thread = threading.Thread(target=process.stdout.read, daemon=True)
    thread.start()
    try:
        yield
    finally:
        process.kill()
        thread.join()


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_openssl_takes_each_kind_of_key(files: Path, openssl: str, kind: str) -> None:
    done = run(files, openssl, "-E", f"{kind}.pem")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Client certificate" in done.stdout and f"Subject: CN={kind}\n" in done.stdout


def test_the_library_shows_a_certificate_too(files: Path, openssl: str) -> None:
    (files / "p256.key").write_bytes(pem_of(pki.key("P-256", 3)))
    for cert in (str(files / "p256.pem"), (str(files / "p256.pem"), str(files / "p256.key"))):
        with Client(cacert=str(files / "ca.pem"), cert=cert) as client:
            assert "Subject: CN=p256" in client.get(openssl).text
    with (
        Client(cacert=str(files / "ca.pem")) as client,
        pytest.raises(ReceiveFailedError, match="wants a client"),
    ):
        client.get(openssl)


@pytest.mark.parametrize(("arguments", "shown"), [("ed25519", True), ("RSA-PSS+SHA256", False)])
def test_the_servers_signatures_decide_whether_it_is_shown(files: Path, arguments: str, shown: bool) -> None:
    options = [
        "-www",
        "-tls1_3",
        "-verify",
        "1",
        "-client_sigalgs",
        arguments,
        "-CAfile",
        str(files / "ca.pem"),
    ]
    with Peer(files / "server.pem", *options) as peer, draining(peer.process):
        done = run(files, f"https://localhost:{peer.port}/", "-E", "ed25519.pem")
    assert (done.returncode, done.stderr) == (0, "")
    assert ("Subject: CN=ed25519" in done.stdout) is shown


@pytest.mark.parametrize(("sigalgs", "shown"), [("ECDSA+SHA256:ed25519", True), ("ECDSA+SHA256", False)])
def test_sigalgs_are_for_our_own_signature_too(files: Path, sigalgs: str, shown: bool) -> None:
    options = ["-www", "-tls1_3", "-verify", "1", "-CAfile", str(files / "ca.pem")]
    with Peer(files / "server.pem", *options) as peer, draining(peer.process):
        done = run(files, f"https://localhost:{peer.port}/", "-E", "ed25519.pem", "--sigalgs", sigalgs)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("Subject: CN=ed25519" in done.stdout) is shown


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_asks_after_the_handshake(files: Path, kind: str) -> None:
    pem = (files / f"{kind}.pem").read_bytes()
    der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    config = TlsConfig(client_certificate=ClientCertificate((der,), load_signer(pem)))
    options = ["-tls1_3", "-CAfile", str(files / "ca.pem")]
    with Peer(files / "server.pem", *options) as peer, Connection(peer.port, config) as connection:
        assert not connection.handshake().sent_client_certificate
        connection.until(TicketReceived)
        peer.type(b"c\n")
        assert connection.until(CertificateRequested) == CertificateRequested(was_answered=True)
        connection.send()
        for line in peer.process.stdout:
            if line.startswith(b"depth=0"):
                assert line == f"depth=0 CN = {kind}\n".encode()
                break
        peer.type(b"now I know\n")
        connection.until(ApplicationData)
        assert connection.data == b"now I know\n"


# GnuTLS -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def gnutls(files: Path) -> Iterator[str]:
    """`gnutls-serv`, which listens everywhere: in a network of its own."""
    port = free_port()
    server = str(files / "server.pem")
    command = ["gnutls-serv", "--http", "--port", str(port), "--require-client-cert"]
    command += ["--verify-client-cert"]
    command += ["--x509certfile", server, "--x509keyfile", server, "--x509cafile", str(files / "ca.pem")]
    with in_new_namespace():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdout is not None
        while b"IPv6" not in (line := process.stdout.readline()):
            assert line, "gnutls-serv has ended"
        with draining(process):
            yield f"https://localhost:{port}/"
        process.communicate()


@pytest.mark.privileged
@pytest.mark.skipif(shutil.which("gnutls-serv") is None, reason="gnutls-bin is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root")
def test_gnutls_takes_each_kind_of_key_and_nobody_else(files: Path) -> None:
    with gnutls(files) as url:
        for kind in EVERY_KIND:
            done = run(files, url, "-4", "-E", f"{kind}.pem")
            assert (done.returncode, done.stderr) == (0, ""), kind
            assert f"Subject: CN={kind}\n" in done.stdout
        none, stranger = run(files, url, "-4"), run(files, url, "-4", "-E", "stranger.pem")
    assert none.returncode == 56 and "the server wants a client certificate (-E FILE)" in none.stderr
    assert stranger.returncode == 56


# nginx --------------------------------------------------------------------------------------------------

CONFIGURATION = """
daemon off; master_process off; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {root}/b; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f;
  uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
  server {{
    listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.3;
    ssl_verify_client on; ssl_client_certificate {root}/ca.pem;
    ssl_certificate {root}/server.pem; ssl_certificate_key {root}/server.pem;
    location / {{ return 200 "$ssl_client_verify $ssl_client_s_dn"; }}
  }}
}}
"""


@pytest.fixture(scope="module")
def nginx(files: Path) -> Iterator[str]:
    port = free_port()
    (files / "nginx.conf").write_text(CONFIGURATION.format(root=files, port=port))
    process = subprocess.Popen([str(NGINX), "-p", str(files), "-c", str(files / "nginx.conf")])
    try:
        await_port(port)
        yield f"https://localhost:{port}/"
    finally:
        process.terminate()
        process.wait()


@needs_nginx
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_nginx_takes_each_kind_of_key(files: Path, nginx: str, kind: str) -> None:
    with Client(cacert=str(files / "ca.pem"), cert=str(files / f"{kind}.pem")) as client:
        assert client.get(nginx).text == f"SUCCESS CN={kind}"


# Beside curl; more of it in tests/cases/client_certificates.txt -----------------------------------------

CURL = shutil.which("curl")


@pytest.fixture(scope="module")
def forms(files: Path) -> Path:
    """More files beside the others: keys that are locked, DER, PKCS #12, lists of revoked certificates."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=files, check=True, capture_output=True)

    openssl("pkcs8", "-topk8", "-in", "p256.pem", "-passout", "pass:secret", "-out", "locked.key")
    openssl(
        "rsa", "-in", "rsa.pem", "-aes128", "-traditional", "-passout", "pass:secret", "-out", "locked.rsa"
    )
    openssl("x509", "-in", "p256.pem", "-outform", "DER", "-out", "p256.der")
    openssl("pkey", "-in", "p256.pem", "-outform", "DER", "-out", "p256.key.der")
    openssl("pkcs12", "-export", "-in", "p256.pem", "-passout", "pass:secret", "-out", "p256.p12")
    openssl("x509", "-in", "p256.pem", "-out", "bare.pem")
    openssl("pkey", "-in", "server.pem", "-pubout", "-out", "pub.pem")
    (files / "a:b.pem").write_bytes((files / "bare.pem").read_bytes() + (files / "locked.key").read_bytes())
    authority = pki.Issued(
        x509.load_pem_x509_certificate((files / "ca.pem").read_bytes()), pki.key("P-256", 1)
    )
    server = pki.Issued(x509.load_pem_x509_certificate((files / "server.pem").read_bytes()), None)
    times = {"updated": TIMES["not_before"], "until": TIMES["not_after"]}
    (files / "crl").write_bytes(pki.crl(authority, **times))
    (files / "crl.revoked").write_bytes(pki.crl(authority, server, **times))
    (files / "crl.old").write_bytes(pki.crl(authority, updated=1_577_836_800, until=1_577_836_900))
    (files / "crl.early").write_bytes(pki.crl(authority, updated=2_493_000_000, until=2_493_072_000))
    (files / "crl.other").write_bytes(pki.crl(pki.ca("Other"), **times))
    return files


def both(files: Path, url: str, arguments: list[str], typed: str = "") -> list[tuple[int, list[str]]]:
    """Exit code and lines of curl's stderr and of ours."""
    found = []
    for command in ([str(CURL), "-q", "-sS"], REDOX):
        done = subprocess.run(
            [*command, "-4", "-o", os.devnull, "--cacert", "ca.pem", "--http1.1", *arguments, url],
            input=typed,
            capture_output=True,
            text=True,
            cwd=files,
            timeout=60,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
            start_new_session=True,  # no terminal to ask at
        )
        found.append((done.returncode, done.stderr.splitlines()))
    return found


@needs_curl_7_88
@pytest.mark.parametrize(
    "arguments",
    [
        "-E bare.pem --key p384.pem",
        "-E bare.pem --key locked.key",
        "-E bare.pem:secret --key locked.key",
        "-E rsa.pem:secret --key locked.rsa",
        "-E rsa.pem:wrong --key locked.rsa",
        r"-E a\:b.pem:secret",
        "-E a:b.pem",
        "-E :secret",
        "-E pkcs11:x",
        "-E p256.der --cert-type DER --key p256.key.der",
        "-E p256.der --cert-type DER",
        "-E p256.pem --cert-type DER",
        "-E p256.pem --cert-type P12",
        "-E none --cert-type P12",
        "-E p256.pem --cert-type ENG",
        "-E p256.pem --key-type FOO",
        "-E bare.pem --key p256.pem --key-type ENG",
        "-E bare.pem --key p256.pem --key-type P12",
        "-E p256.pem --crlfile crl",
        "-E p256.pem --crlfile crl.revoked",
        "-E p256.pem --crlfile crl.old",
        "-E p256.pem --crlfile crl.early",
        "-E p256.pem --crlfile crl.other",
        "-E p256.pem --crlfile none",
        "-E p256.pem --crlfile ca.pem",
        "-E p256.pem -k --crlfile crl.revoked",
        "-E p256.pem -k --crlfile none",
        "-E p256.pem --pinnedpubkey pub.pem",
        "-E p256.pem --pinnedpubkey ca.pem",
        "-E p256.pem --pinnedpubkey none",
        "-E p256.pem --pinnedpubkey sha256//AAAA",
        "-E p256.pem -k --pinnedpubkey sha256//AAAA;sha256//BBBB",
        "-E p256.pem --ciphers FOO",
        "-E p256.pem --ciphers FOO:AES128-SHA",
        "-E p256.pem --tls13-ciphers FOO",
        "-E p256.pem --curves X25519:FOO",
        "-E p256.pem --curves P-384",
        "-E p256.pem --tls-max 1.2 --tlsv1.3",
        "-E p256.pem --tls-max 1.3 --tlsv1.0",
        "-E p256.pem --no-sessionid --ssl-no-revoke --ssl-allow-beast",
    ],
)
def test_the_code_and_the_first_words_are_curls(forms: Path, openssl: str, arguments: str) -> None:
    theirs, ours = both(forms, openssl, arguments.split())
    assert ours[0] == theirs[0]
    failed = [line for line in theirs[1] if line.startswith(("curl: ", "Enter "))]
    assert [line for line in ours[1] if line.startswith(("curl: ", "Enter "))] == failed


@needs_curl_7_88
@pytest.mark.parametrize("typed", ["secret\n", "wrong\n", "\n", "secret", ""])
def test_a_pass_phrase_is_asked_for_as_curl_does(forms: Path, openssl: str, typed: str) -> None:
    theirs, ours = both(forms, openssl, ["-E", "bare.pem", "--key", "locked.key"], typed)
    assert (ours[0], ours[1][: len(theirs[1])]) == theirs


@needs_curl_7_88
@needs_nginx
@pytest.mark.parametrize(
    "arguments",
    [
        "-E p256.pem",
        "-E rsa.pem",
        "",
        "-E ca.key",
        "-E bare.pem --key rsa.pem",
        "-E p256.pem --crlfile crl",
        "-E p256.pem --crlfile crl.revoked",
        "-E p256.pem -k --crlfile crl.revoked",
        "-E p256.pem --pinnedpubkey sha256//AAAA",
        "-E p256.pem --pinnedpubkey pub.pem",
        "-E p256.pem -k",
    ],
)
def test_the_lines_of_v_are_curls(forms: Path, nginx: str, arguments: str) -> None:
    def plain(lines: list[str]) -> list[str]:
        """What is not of this connection alone, nor of the moment: either may close first."""
        of_the_moment = "* TLSv1.3 (IN), TLS alert, close notify"
        others = ("> User-Agent", "< Date", "{ [", "} [", of_the_moment)
        kept = [line for line in lines if not line.startswith(others)]
        end = next((at for at, line in enumerate(kept) if line.startswith("curl: (")), len(kept))
        return kept[: end + 1]

    (their_code, theirs), (code, ours) = both(forms, nginx, ["-v", *arguments.split()])
    assert code == their_code
    if code == 90:  # curl reads on for a moment when it closes
        theirs = theirs[: theirs.index("* Closing connection 0") + 1]
        ours = ours[: ours.index("* Closing connection 0") + 1]
    assert plain(ours) == plain(theirs)

"""Against `openssl s_server` on loopback: suites, groups, certificates, retries, key updates, resumption."""

from __future__ import annotations

import datetime
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from tls.client import TlsClient
from tls.config import TLS12, TLS13, ClientCertificate, ResumptionOffer, SessionTicket, TlsConfig
from tls.crypto import load_signer
from tls.errors import AlertReceivedError, PeerIncompatibleError
from tls.events import (
    ApplicationData,
    CloseNotifyReceived,
    HandshakeCompleted,
    KeyUpdated,
    TicketReceived,
)

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine"),
]

KEYS = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


@pytest.fixture(scope="module")
def identities(tmp_path_factory) -> dict[str, Path]:
    """A file with certificate and key for each kind of key."""
    folder = tmp_path_factory.mktemp("certificates")
    found = {}
    for kind, make in KEYS.items():
        key = make()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        begin = datetime.datetime(2020, 1, 1)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
        builder = builder.public_key(key.public_key()).serial_number(1)
        builder = builder.not_valid_before(begin).not_valid_after(begin.replace(year=2049))
        certificate = builder.sign(key, None if kind == "ed25519" else hashes.SHA256())
        found[kind] = folder / f"{kind}.pem"
        found[kind].write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    return found


class Peer:
    """`openssl s_server` as a child process; ended by its own handle."""

    def __init__(self, certificate: Path, *options: str, folder: Path | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.options = options
        self.heard = b""
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-cert", str(certificate), *options],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self.process.stdout is not None
        while b"ACCEPT" not in (line := self.process.stdout.readline()):
            assert line, "openssl s_server has ended"

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def until(self, text: bytes) -> None:
        """Read what the peer prints until this is among it."""
        assert self.process.stdout is not None
        while text not in self.heard:
            line = self.process.stdout.readline()
            assert line, "openssl s_server has ended"
            self.heard += line

    def type(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()


class Connection:
    """Moves octets between a client and a socket."""

    def __init__(self, port: int, config: TlsConfig) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.client = TlsClient(config, "localhost")
        self.events: list[object] = []
        self.data = b""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self) -> None:
        for octets in self.client.data_to_send():
            self.sock.sendall(octets)

    def until(self, kind: type) -> object:
        """Move octets until such an event has come; returns it."""
        while True:
            self.send()
            self.note_events()
            for event in self.events:
                if isinstance(event, kind):
                    self.events.remove(event)
                    return event
            self.client.receive_data(self.sock.recv(65536))

    def note_events(self) -> None:
        while (event := self.client.next_event()) is not None:
            if isinstance(event, ApplicationData):
                self.data += event.data
                event = ApplicationData(memoryview(bytes(event.data)))
            self.events.append(event)

    def handshake(self) -> HandshakeCompleted:
        event = self.until(HandshakeCompleted)
        assert isinstance(event, HandshakeCompleted)
        return event

    def fetch(self) -> bytes:
        """A whole exchange with `-www`."""
        self.client.send_data(b"GET / HTTP/1.0\r\n\r\n")
        self.until(CloseNotifyReceived)
        return self.data


def fetched(peer: Peer, config: TlsConfig) -> HandshakeCompleted:
    with Connection(peer.port, config) as connection:
        completed = connection.handshake()
        assert connection.fetch().startswith(b"HTTP/1.0 200 ok")
    return completed


@pytest.mark.parametrize("suite", [0x1301, 0x1302, 0x1303])
def test_each_suite(identities, suite):
    with Peer(identities["p256"], "-www") as peer:
        completed = fetched(peer, TlsConfig(cipher_suites=(suite,)))
    assert completed.cipher_suite == suite


@pytest.mark.parametrize(
    ("name", "group"), [("X25519", 0x1D), ("P-256", 0x17), ("P-384", 0x18), ("P-521", 0x19), ("X448", 0x1E)]
)
def test_each_group_at_once(identities, name, group):
    with Peer(identities["p256"], "-www", "-groups", name) as peer:
        completed = fetched(peer, TlsConfig(groups=(group,), key_shares=(group,)))
    assert (completed.group, completed.was_retried) == (group, False)


SUITES_12 = {
    0xC02B: ("ECDHE-ECDSA-AES128-GCM-SHA256", "p256"),
    0xC02C: ("ECDHE-ECDSA-AES256-GCM-SHA384", "p384"),
    0xCCA9: ("ECDHE-ECDSA-CHACHA20-POLY1305", "p256"),
    0xC02F: ("ECDHE-RSA-AES128-GCM-SHA256", "rsa"),
    0xC030: ("ECDHE-RSA-AES256-GCM-SHA384", "rsa"),
    0xCCA8: ("ECDHE-RSA-CHACHA20-POLY1305", "rsa"),
}


@pytest.mark.parametrize("suite", SUITES_12)
def test_each_suite_of_tls_12(identities, suite):
    name, kind = SUITES_12[suite]
    with Peer(identities[kind], "-www", "-tls1_2", "-cipher", name) as peer:
        completed = fetched(peer, TlsConfig())
    assert (completed.version, completed.cipher_suite) == (TLS12, suite)


def test_an_ed25519_certificate_in_tls_12(identities):
    with Peer(identities["ed25519"], "-www", "-tls1_2") as peer:
        completed = fetched(peer, TlsConfig())
    assert (completed.version, completed.signature_scheme) == (TLS12, 0x0807)


@pytest.mark.parametrize(
    ("name", "group"), [("X25519", 0x1D), ("P-256", 0x17), ("P-384", 0x18), ("P-521", 0x19), ("X448", 0x1E)]
)
def test_each_group_of_tls_12(identities, name, group):
    with Peer(identities["rsa"], "-www", "-tls1_2", "-groups", name) as peer:
        completed = fetched(peer, TlsConfig(groups=(0x11EC, 0x1D, 0x17, 0x18, 0x19, 0x1E)))
    assert completed.group == group


@pytest.mark.parametrize("scheme", ["RSA+SHA256", "RSA+SHA512", "rsa_pss_rsae_sha384"])
def test_each_rsa_scheme_of_tls_12(identities, scheme):
    with Peer(identities["rsa"], "-www", "-tls1_2", "-sigalgs", scheme) as peer:
        assert fetched(peer, TlsConfig()).version == TLS12


@pytest.mark.parametrize("kind", ["p256", "rsa", "ed25519"])
def test_a_client_certificate_in_tls_12(identities, kind):
    pem = identities[kind].read_bytes()
    der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    mine = ClientCertificate((der,), load_signer(pem))
    with Peer(identities["p256"], "-www", "-tls1_2", "-Verify", "1") as peer:
        completed = fetched(peer, TlsConfig(client_certificate=mine))
    assert completed.sent_client_certificate


def test_the_exporter_and_the_key_log_of_tls_12_are_those_of_the_server(identities, tmp_path):
    lines, log = [], tmp_path / "keys"
    options = (
        "-tls1_2",
        "-keymatexport",
        "EXPERIMENTAL test",
        "-keymatexportlen",
        "20",
        "-keylogfile",
        str(log),
    )
    with Peer(identities["p256"], *options) as peer:
        with Connection(peer.port, TlsConfig(key_log=lines.append)) as connection:
            connection.handshake()
            ours = connection.client.export_keying_material(b"EXPERIMENTAL test", None, 20)
            connection.client.close()
            connection.send()
        assert peer.process.stdout is not None
        while b"Keying material: " not in (line := peer.process.stdout.readline()):
            assert line
    assert line.split()[-1].decode().lower() == ours.hex()
    assert lines and lines[0] in log.read_text()


def test_renegotiation_is_declined_and_openssl_gives_up(identities):
    with Peer(identities["p256"], "-tls1_2") as peer, Connection(peer.port, TlsConfig()) as connection:
        connection.handshake()
        peer.type(b"R\n")
        with pytest.raises(AlertReceivedError, match="handshake_failure; a renegotiation was declined"):
            connection.until(CloseNotifyReceived)


def test_each_group_by_a_retry(identities):
    for name, group in (("P-256", 0x17), ("P-384", 0x18)):
        with Peer(identities["p256"], "-www", "-groups", name) as peer:
            completed = fetched(peer, TlsConfig())
        assert (completed.group, completed.was_retried) == (group, True)


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [("p256", 0x0403), ("p384", 0x0503), ("p521", 0x0603), ("rsa", 0x0804), ("ed25519", 0x0807)],
)
def test_each_kind_of_certificate(identities, kind, scheme):
    with Peer(identities[kind], "-www") as peer:
        completed = fetched(peer, TlsConfig())
    assert completed.signature_scheme == scheme


def test_a_cookie_is_echoed(identities):
    """`-stateless` answers the first hello with a cookie, and forgets it.

    Then it stumbles over the change_cipher_spec of compatibility mode, that of OpenSSL's own client, too.
    """
    config = TlsConfig(compatibility_mode=False)
    with Peer(identities["p256"], "-stateless") as peer, Connection(peer.port, config) as connection:
        assert connection.handshake().was_retried
        peer.type(b"hello\n")
        connection.until(ApplicationData)
    assert connection.data == b"hello\n"


def test_alpn(identities):
    with Peer(identities["p256"], "-www", "-alpn", "http/1.1") as peer:
        completed = fetched(peer, TlsConfig(alpn=(b"h2", b"http/1.1")))
    assert completed.alpn == b"http/1.1"


def test_padded_and_small_records(identities):
    with Peer(identities["p256"], "-www", "-record_padding", "1000", "-max_send_frag", "512") as peer:
        fetched(peer, TlsConfig())


def test_without_compatibility_mode(identities):
    with Peer(identities["p256"], "-www") as peer:
        fetched(peer, TlsConfig(compatibility_mode=False))


def test_a_session_is_resumed(identities):
    with Peer(identities["p256"], "-www") as peer:
        with Connection(peer.port, TlsConfig()) as first:
            first.handshake()
            received = first.until(TicketReceived)
            first.fetch()
        assert isinstance(received, TicketReceived)
        completed = fetched(peer, TlsConfig(resumption=ResumptionOffer(received.ticket, 100)))
    assert completed.is_resumed


def test_a_session_is_resumed_across_a_retry(identities):
    with Peer(identities["p256"], "-www", "-groups", "P-384") as peer:
        with Connection(peer.port, TlsConfig()) as first:
            first.handshake()
            received = first.until(TicketReceived)
            first.fetch()
        assert isinstance(received, TicketReceived)
        completed = fetched(peer, TlsConfig(resumption=ResumptionOffer(received.ticket, 100)))
    assert completed.is_resumed and completed.was_retried


def ticket_of(peer: Peer, config: TlsConfig | None = None) -> SessionTicket:
    """The first ticket of a whole exchange."""
    with Connection(peer.port, config or TlsConfig()) as first:
        first.handshake()
        received = first.until(TicketReceived)
        if "-early_data" not in peer.options:
            first.fetch()
    assert isinstance(received, TicketReceived)
    return received.ticket


@pytest.mark.parametrize("options", [(), ("-no_ticket",)])
def test_a_session_of_tls_12_is_resumed(identities, options):
    """By a ticket, and by its id where the server makes no tickets."""
    with Peer(identities["p256"], "-www", "-tls1_2", *options) as peer:
        ticket = ticket_of(peer)
        assert (ticket.version, bool(ticket.session_id)) == (TLS12, "-no_ticket" in options)
        for _ in range(2):  # it may be used again
            completed = fetched(peer, TlsConfig(resumption=ResumptionOffer(ticket, 100)))
            assert (completed.version, completed.is_resumed) == (TLS12, True)


def test_a_session_of_tls_12_is_nothing_to_a_server_that_has_come_to_1_3(identities):
    with Peer(identities["p256"], "-www", "-tls1_2") as peer:
        ticket = ticket_of(peer)
    with Peer(identities["p256"], "-www") as peer:
        completed = fetched(peer, TlsConfig(resumption=ResumptionOffer(ticket, 100)))
    assert (completed.version, completed.is_resumed) == (TLS13, False)


@pytest.mark.parametrize(
    ("options", "again", "outcome"),
    [
        ((), False, "accepted"),
        ((), True, "session_not_resumed"),  # a ticket is good once: the server guards against replay
        (("-groups", "P-384"), False, "hello_retry_request"),
    ],
)
def test_early_data(identities, options, again, outcome):
    with Peer(identities["p256"], "-early_data", "-max_early_data", "1000", *options) as peer:
        ticket = ticket_of(peer)
        config = TlsConfig(resumption=ResumptionOffer(ticket, 100), early_data=True)
        for last in (False, True) if again else (True,):
            with Connection(peer.port, config) as connection:
                assert connection.client.early_data_room == 1000
                connection.client.send_early_data(b"sent before a word was heard\n")
                completed = connection.handshake()
                if last:
                    assert completed.early_data == outcome
                    connection.client.send_data(b"sent afterwards\n")
                connection.send()
                peer.until(b"sent afterwards" if last else b"sent before a word was heard")
                connection.client.close()
                connection.send()
    assert (b"sent before a word was heard" in peer.heard) == (outcome == "accepted" or again)


def test_a_client_certificate(identities):
    pem = identities["ed25519"].read_bytes()
    der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    mine = ClientCertificate((der,), load_signer(pem))
    peer = Peer(identities["p256"], "-www", "-verify", "1", "-verify_return_error")
    with peer, Connection(peer.port, TlsConfig(client_certificate=mine)) as connection:
        assert connection.handshake().sent_client_certificate
        with pytest.raises(AlertReceivedError, match="unknown_ca"):  # it has come, and is not trusted
            connection.fetch()


def test_key_updates_both_ways(identities):
    with Peer(identities["p256"]) as peer, Connection(peer.port, TlsConfig()) as connection:
        connection.handshake()
        connection.until(TicketReceived)
        peer.type(b"K\n")  # with a request for one of ours
        assert connection.until(KeyUpdated) == KeyUpdated(outgoing=False)
        connection.client.send_data(b"answer\n")
        assert connection.until(KeyUpdated) == KeyUpdated(outgoing=True)
        connection.client.update_keys()
        connection.client.send_data(b"after our own\n")
        peer.type(b"k\n")
        assert connection.until(KeyUpdated) == KeyUpdated(outgoing=True)
        assert connection.until(KeyUpdated) == KeyUpdated(outgoing=False)
        peer.type(b"still there\n")
        connection.until(ApplicationData)
        assert connection.data == b"still there\n"
        heard = b""
        for line in peer.process.stdout:  # before Q, which it may read before what came from us
            heard += line
            if b"after our own\n" in line:
                break
        connection.client.close()
        connection.send()
        peer.type(b"Q\n")
    assert b"answer\n" in heard and b"after our own\n" in heard


def test_the_exporter_is_that_of_the_server(identities):
    options = ("-keymatexport", "EXPORTER-test", "-keymatexportlen", "32")
    with Peer(identities["p256"], *options) as peer, Connection(peer.port, TlsConfig()) as connection:
        connection.handshake()
        mine = connection.client.export_keying_material(b"EXPORTER-test", b"", 32)
        for line in peer.process.stdout:
            if b"Keying material:" in line:
                assert line.split()[-1].decode().lower() == mine.hex()
                break
        else:
            pytest.fail("no keying material from the server")


def test_the_key_log_is_that_of_the_server(identities, tmp_path):
    log, lines = tmp_path / "keys", []
    with Peer(identities["p256"], "-www", "-keylogfile", str(log)) as peer:
        fetched(peer, TlsConfig(key_log=lines.append))
    theirs = {line for line in log.read_text().splitlines() if not line.startswith("#")}
    assert set(lines) <= theirs


@pytest.mark.parametrize(("option", "versions"), [("-tls1_2", (TLS13,)), ("-tls1_1", (TLS13, TLS12))])
def test_a_server_of_an_older_version_is_incompatible(identities, option, versions):
    with (
        Peer(identities["p256"], "-www", option, "-cipher", "ALL:@SECLEVEL=0") as peer,
        Connection(peer.port, TlsConfig(versions=versions)) as connection,
    ):
        with pytest.raises((PeerIncompatibleError, AlertReceivedError)) as caught:
            connection.handshake()
        assert caught.value.alert is not None and caught.value.alert.name == "PROTOCOL_VERSION"


def test_a_large_body_comes_whole(identities, tmp_path):
    body = bytes(range(256)) * 40_000
    (tmp_path / "body").write_bytes(body)
    peer = Peer(identities["p256"], "-WWW", folder=tmp_path)
    with peer, Connection(peer.port, TlsConfig()) as connection:
        connection.handshake()
        connection.client.send_data(b"GET /body HTTP/1.0\r\n\r\n")
        connection.until(CloseNotifyReceived)
    assert connection.data.partition(b"\r\n\r\n")[2] == body

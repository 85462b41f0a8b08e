"""Each feature of TLS that a server of other hands can show, shown: the matrix of docs/conformance.md."""

from __future__ import annotations

import base64
import contextlib
import datetime
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import ocsp

from tests.fakes.tls_servers import FEATURES, SERVERS, Server, Started, World
from tls.client import TlsClient
from tls.config import (
    SECP256R1,
    SECP384R1,
    SECP521R1,
    TLS12,
    TLS13,
    X448,
    X25519,
    X25519MLKEM768,
    ClientCertificate,
    ResumptionOffer,
    TlsConfig,
)
from tls.crypto import load_signer
from tls.errors import TruncatedError
from tls.events import (
    ApplicationData,
    CertificateRequested,
    CloseNotifyReceived,
    HandshakeCompleted,
    KeyUpdated,
    TicketReceived,
)
from tls.ocsp import check
from tls.paths import verify_chain
from tls.trust import TrustStore

pytestmark = [pytest.mark.interop, pytest.mark.slow]

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
NAME = "localhost"
REQUEST = b"GET /index HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("matrix")
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    for name in ("server", "client"):
        identity = authority.issue_cert(NAME, key_type=trustme.KeyType.ECDSA)
        key = identity.private_key_pem.bytes()
        chain = b"".join(pem.bytes() for pem in identity.cert_chain_pems)
        (folder / f"{name}.pem").write_bytes(chain + key)
        if name == "server":
            server_key, server_chain = key, chain
    authority.cert_pem.write_to_path(folder / "ca.pem")
    (folder / "chain.pem").write_bytes(server_chain)
    (folder / "key.pem").write_bytes(server_key)
    (folder / "both.pem").write_bytes(server_chain + server_key)
    loaded = serialization.load_pem_private_key(server_key, None)
    certificate = x509.load_pem_x509_certificate(server_chain)
    root = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    (folder / "server.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"server", loaded, certificate, [root], serialization.BestAvailableEncryption(b"secret")
        )
    )
    spki = loaded.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "spki.pem").write_bytes(spki)
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    builder = ocsp.OCSPResponseBuilder().add_response(
        certificate,
        root,
        hashes.SHA1(),
        ocsp.OCSPCertStatus.GOOD,
        now,
        now + datetime.timedelta(hours=1),
        None,
        None,
    )
    root_key = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    staple = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, root).sign(root_key, hashes.SHA256())
    (folder / "staple.der").write_bytes(staple.public_bytes(DER))
    return World(folder)


def base(world: World, **fields: object) -> TlsConfig:
    """Verified against the authority; the groups of before the hybrids unless told otherwise."""
    trust = TrustStore.from_file(world.ca_pem)
    plain = TlsConfig(
        verify=lambda chain, name: verify_chain(chain, name, trust, time.time()),
        groups=(X25519, SECP256R1, SECP384R1, SECP521R1, X448),
        key_shares=(X25519,),
    )
    return plain._replace(**fields)  # type: ignore[arg-type]


def mine(world: World) -> ClientCertificate:
    pem = Path(world.client_pem).read_bytes()
    return ClientCertificate((x509.load_pem_x509_certificate(pem).public_bytes(DER),), load_signer(pem))


class Fetched:
    """One GET; all that happened on the way."""

    def __init__(self, port: int, config: TlsConfig, early: bool = False) -> None:
        self.events: list[object] = []
        self.body = b""
        self.records: list[int] = []
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            self.sock, self.client = sock, TlsClient(config, NAME)
            self.early_room = self.client.early_data_room
            if early:
                self.client.send_early_data(REQUEST)
            try:
                self.exchange(early)
            except (TruncatedError, ConnectionResetError):
                pass  # some leave without close_notify

    def exchange(self, early: bool) -> None:
        asked = False
        while True:
            for octets in self.client.data_to_send():
                with contextlib.suppress(
                    BrokenPipeError
                ):  # an answer to early data may end before our Finished
                    self.sock.sendall(octets)
            while (event := self.client.next_event()) is not None:
                if isinstance(event, ApplicationData):
                    self.body += event.data
                elif isinstance(event, CloseNotifyReceived):
                    return
                else:
                    self.events.append(event)
            if self.client.is_handshake_complete and not asked:
                asked = True
                if not (early and self.done.early_data == "accepted"):
                    self.client.send_data(REQUEST)
                continue
            self.client.receive_data(self.sock.recv(65536))

    @property
    def done(self) -> HandshakeCompleted:
        return next(event for event in self.events if isinstance(event, HandshakeCompleted))

    @property
    def ticket(self) -> TicketReceived:
        return next(event for event in self.events if isinstance(event, TicketReceived))


def until(sock: socket.socket, client: TlsClient, kind):  # type: ignore[no-untyped-def]
    """Move octets until such an event has come."""
    while True:
        for octets in client.data_to_send():
            sock.sendall(octets)
        while (event := client.next_event()) is not None:
            if isinstance(event, kind):
                for octets in client.data_to_send():
                    sock.sendall(octets)
                return event
        client.receive_data(sock.recv(65536))


def shows(feature: str, started: Started, world: World, server: Server) -> None:
    """Let the server show the feature; `done` says that it has."""
    port = started.port
    groups = {"p256": SECP256R1, "p521": SECP521R1, "x448": X448}
    if feature in groups:
        fetched = Fetched(port, base(world, key_shares=(groups[feature],)))
        assert (fetched.done.group, fetched.done.was_retried) == (groups[feature], False)
    elif feature == "hybrid":
        fetched = Fetched(port, TlsConfig(verify=base(world).verify))
        assert fetched.done.group == X25519MLKEM768
    elif feature == "retry":
        fetched = Fetched(port, base(world))
        assert (fetched.done.group, fetched.done.was_retried) == (SECP384R1, True)
    elif feature in ("1.3", "1.2"):
        fetched = Fetched(port, base(world))
        assert fetched.done.version == {"1.3": TLS13, "1.2": TLS12}[feature]
        assert fetched.done.verified_path is not None
    elif feature == "alpn":
        fetched = Fetched(port, base(world, alpn=(b"h3", b"http/1.1")))
        assert fetched.done.alpn == b"http/1.1"
    elif feature in ("resumed", "resumed12"):
        ticket = Fetched(port, base(world)).ticket.ticket
        fetched = Fetched(port, base(world, resumption=ResumptionOffer(ticket, 0)))
        assert fetched.done.is_resumed and fetched.done.version == {"resumed": TLS13}.get(feature, TLS12)
    elif feature == "early":
        early_data(port, world, server)
        return
    elif started.keyboard is not None and server.name == "OpenSSL" and feature in ("late", "update"):
        by_keyboard(feature, port, world, started.keyboard)
        return
    elif feature == "client":
        fetched = Fetched(port, base(world, client_certificate=mine(world)))
        assert fetched.done.sent_client_certificate
    elif feature == "late":
        fetched = Fetched(port, base(world, client_certificate=mine(world)))
        assert CertificateRequested(was_answered=True) in fetched.events
    elif feature == "staple":
        judged = []

        def judge(leaf, issuer, response):  # type: ignore[no-untyped-def]
            check(response, leaf, issuer, time.time())
            judged.append(response)

        fetched = Fetched(port, base(world, request_ocsp=True, check_staple=judge))
        assert judged == [Path(world.staple_der).read_bytes()]
    elif feature == "limit":
        fetched = Fetched(port, base(world))
        assert fetched.client._output._write_limit == 1001
    elif feature == "raw":
        key = serialization.load_pem_public_key(Path(world.spki_pem).read_bytes())
        spki = key.public_bytes(DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        fetched = Fetched(port, base(world, raw_public_keys=(spki,), versions=(TLS13,)))
        assert fetched.done.raw_public_key == spki
    else:
        assert feature == "ech"
        fetched = Fetched(port, base(world, ech_configs=base64.b64decode(started.ech_configs)))
        assert fetched.done.ech == "accepted"
    assert b" 200 " in fetched.body.partition(b"\r\n")[0]


def by_keyboard(feature: str, port: int, world: World, keyboard: IO[bytes]) -> None:
    """`s_server` does it at a letter: the first asks for a certificate, the other for new keys."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        client = TlsClient(base(world, client_certificate=mine(world)), NAME)
        until(sock, client, HandshakeCompleted)
        keyboard.write(b"c\n" if feature == "late" else b"K\n")
        keyboard.flush()
        if feature == "late":
            assert until(sock, client, CertificateRequested) == CertificateRequested(was_answered=True)
        else:
            assert until(sock, client, KeyUpdated) == KeyUpdated(outgoing=False)
            client.send_data(REQUEST)
            assert until(sock, client, KeyUpdated) == KeyUpdated(outgoing=True)
        keyboard.write(b"still there\n")
        keyboard.flush()
        assert bytes(until(sock, client, ApplicationData).data) == b"still there\n"


READ_NO_EARLY_REQUEST = ("OpenSSL", "GnuTLS", "NSS")
"""Their servers for tests take early data, but show it instead of answering it."""


def early_data(port: int, world: World, server: Server) -> None:
    """Tried until it is accepted: a server that guards against replays declines all in its first window."""
    config = base(world, early_data=True, alpn=())
    deadline = time.monotonic() + 30
    accepted = False
    while not accepted:
        assert time.monotonic() < deadline, "early data never accepted"
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            client = TlsClient(config, NAME)
            until(sock, client, HandshakeCompleted)
            if server.name != "OpenSSL":
                client.send_data(REQUEST)
            ticket = until(sock, client, TicketReceived).ticket
        again = config._replace(resumption=ResumptionOffer(ticket, 0))
        if server.name in READ_NO_EARLY_REQUEST:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
                client = TlsClient(again, NAME)
                client.send_early_data(REQUEST)
                accepted = until(sock, client, HandshakeCompleted).early_data == "accepted"
        else:
            fetched = Fetched(port, again, early=True)
            accepted = fetched.done.early_data == "accepted"
            assert b" 200 " in fetched.body.partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("server", "feature"),
    [pytest.param(one, feature, id=f"{one.name}-{feature}") for one in SERVERS for feature in one.features],
)
def test_the_server_shows_it(world: World, server: Server, feature: str) -> None:
    if not server.is_there:
        pytest.skip(f"{server.program} is not installed")
    if server.needs_root and os.geteuid() != 0:
        pytest.skip("a network namespace needs root")
    with server.start(world, feature) as started:
        shows(feature, started, world, server)


def test_the_page_has_the_matrix_as_it_is_here() -> None:
    script = Path(__file__).resolve().parents[2] / "scripts" / "tls-matrix"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_feature_is_shown_by_somebody() -> None:
    assert set(FEATURES) == {feature for server in SERVERS for feature in server.features}

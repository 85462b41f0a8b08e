"""A TLS 1.2 server in memory that keeps to RFC 5246, or breaks it in one point.

Each message of its flight is a method's result in `flight`; a test replaces,
drops or adds one.  Only the PRF and the primitives are the product's.
"""

from __future__ import annotations

import hashlib
import os

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.fakes.scripted_tls_server import IDENTITY, extension, message, record, u, vec
from tls import prf
from tls.client import TlsClient
from tls.events import Event

SUITE = 0xC02B  # ECDHE-ECDSA-AES128-GCM-SHA256
EMS, RENEGOTIATION = extension(23, b""), extension(0xFF01, b"\0")


class ScriptedTls12Server:
    """Drives one `TlsClient` through a handshake with ECDHE-ECDSA-AES128-GCM-SHA256."""

    def __init__(self, client: TlsClient) -> None:
        self.client = client
        self.key, self.certificate_der = IDENTITY
        self.random = os.urandom(32)
        self.exchange = x25519.X25519PrivateKey.generate()
        self.transcript = b""
        self.keys: dict[str, tuple[bytes, bytes]] = {}
        self.sequence = {"client": 0, "server": 0}
        self.master = b""
        self.sent = b""
        self.read_client_hello()

    # the client's octets

    def records(self) -> list[tuple[int, bytes]]:
        """What the client has sent since, opened where it was protected."""
        self.sent += b"".join(map(bytes, self.client.data_to_send()))
        found = []
        while self.sent:
            kind, length = self.sent[0], int.from_bytes(self.sent[3:5], "big")
            body, self.sent = self.sent[5 : 5 + length], self.sent[5 + length :]
            if "client" in self.keys:
                key, iv = self.keys["client"]
                aad = u(8, self.sequence["client"]) + bytes((kind, 3, 3)) + u(2, len(body) - 24)
                self.sequence["client"] += 1
                body = AESGCM(key).decrypt(iv + body[:8], body[8:], aad)
            found.append((kind, body))
            if kind == 20:
                self.keys["client"] = self.pending["client"]
            elif kind == 22 and body[0] == 16:
                self.transcript += body
                self.agree(body[5:])
            elif kind == 22:
                self.transcript += body
        return found

    def read_client_hello(self) -> None:
        ((_, hello),) = self.records()
        self.client_hello = hello
        self.client_random = hello[6:38]
        self.session_id = hello[39 : 39 + hello[38]]

    def agree(self, share: bytes) -> None:
        """Make the keys of the client's share, with the extended master secret."""
        premaster = self.exchange.exchange(x25519.X25519PublicKey.from_public_bytes(share))
        session_hash = hashlib.sha256(self.transcript).digest()
        self.use(prf.extended_master_secret("sha256", premaster, session_hash))

    def use(self, master: bytes) -> None:
        """Make the keys of a master secret, this connection's or that of a session resumed."""
        self.master = master
        block = prf.key_block("sha256", self.master, self.client_random, self.random, 40)
        self.pending = {"client": (block[:16], block[32:36]), "server": (block[16:32], block[36:40])}

    def last_alert(self) -> int | None:
        alerts = [body[1] for kind, body in self.records() if kind == 21]
        return alerts[-1] if alerts else None

    # to the client

    def deliver(self, octets: bytes) -> list[Event]:
        self.client.receive_data(octets)
        events = []
        while (event := self.client.next_event()) is not None:
            events.append(event)
        return events

    def say(self, *messages: bytes) -> bytes:
        """Handshake messages in a record of their own, noted in the transcript."""
        self.transcript += b"".join(messages)
        return self.protect(22, b"".join(messages))

    def protect(self, kind: int, data: bytes) -> bytes:
        if "server" not in self.keys:
            return record(kind, data)
        key, iv = self.keys["server"]
        number = u(8, self.sequence["server"])
        self.sequence["server"] += 1
        sealed = AESGCM(key).encrypt(iv + number, data, number + bytes((kind, 3, 3)) + u(2, len(data)))
        return record(kind, number + sealed)

    def server_hello(
        self,
        extensions: bytes = EMS + RENEGOTIATION,
        suite: int = SUITE,
        session_id: bytes = b"",
        version: int = 0x0303,
        compression: int = 0,
    ) -> bytes:
        body = u(2, version) + self.random + vec(1, session_id) + u(2, suite) + u(1, compression)
        return message(2, body + vec(2, extensions))

    def certificate(self) -> bytes:
        return message(11, vec(3, vec(3, self.certificate_der)))

    def server_key_exchange(
        self, *, group: int = 0x1D, curve_type: int = 3, scheme: int = 0x0403, share: bytes | None = None
    ) -> bytes:
        if share is None:
            share = self.exchange.public_key().public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw
            )
        parameters = u(1, curve_type) + u(2, group) + vec(1, share)
        content = self.client_random + self.random + parameters
        signature = self.key.sign(content, ec.ECDSA(hashes.SHA256()))
        return message(12, parameters + u(2, scheme) + vec(2, signature))

    def flight(self) -> list[bytes]:
        """ServerHello to ServerHelloDone."""
        return [self.server_hello(), self.certificate(), self.server_key_exchange(), message(14, b"")]

    def ticket(self, octets: bytes, lifetime: int = 600) -> bytes:
        return message(4, u(4, lifetime) + vec(2, octets))

    def finished(self) -> bytes:
        return message(
            20, prf.verify_data("sha256", self.master, "server", hashlib.sha256(self.transcript).digest())
        )

    def change_cipher_spec(self) -> bytes:
        self.keys["server"] = self.pending["server"]
        return record(20, b"\1")

    def complete(self) -> list[Event]:
        """The whole handshake; returns the client's events."""
        events = self.deliver(self.say(*self.flight()))
        self.records()
        return events + self.deliver(self.change_cipher_spec() + self.say(self.finished()))

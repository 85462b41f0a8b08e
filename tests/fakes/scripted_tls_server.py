"""A TLS 1.3 server in memory that keeps to the protocol, or breaks it in one point.

It is written against RFC 8446 with its own message code; only the key
schedule and the primitives are the product's.  A test that wants a fault
replaces one piece: a field of the ServerHello, a message, a record.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.x509.oid import NameOID

from tls import key_schedule as ks
from tls.client import TlsClient
from tls.config import X25519, TlsConfig
from tls.crypto import CIPHER_SUITES
from tls.events import Event

CLIENT_CONFIG = TlsConfig(groups=(X25519, 0x17, 0x18), key_shares=(X25519,), alpn=(b"http/1.1", b"h2"))
HRR_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def u(size: int, value: int) -> bytes:
    return value.to_bytes(size, "big")


def vec(size: int, data: bytes) -> bytes:
    return u(size, len(data)) + data


def message(kind: int, body: bytes) -> bytes:
    return u(1, kind) + vec(3, body)


def extension(kind: int, body: bytes) -> bytes:
    return u(2, kind) + vec(2, body)


def record(content_type: int, data: bytes, version: int = 0x0303) -> bytes:
    return u(1, content_type) + u(2, version) + vec(2, data)


def make_identity() -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    """A P-256 key and a self-signed certificate in DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server.test")])
    begin = datetime.datetime(2020, 1, 1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(begin).not_valid_after(begin.replace(year=2049))
    der = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    return key, der


IDENTITY = make_identity()


class ScriptedTlsServer:
    """Drives one `TlsClient`; each step is a method, so that a test may leave one out or change it."""

    def __init__(self, client: TlsClient, suite: int = 0x1301, key_and_certificate=IDENTITY) -> None:
        self.client = client
        self.key, self.certificate_der = key_and_certificate
        self.suite = CIPHER_SUITES[suite]
        self.hash = self.suite.hash_name
        self.read_secret = self.write_secret = b""
        self.write_sequence = self.read_sequence = 0
        self.transcript = b""
        self.sent = b""  # what the client has sent and nobody has read yet
        self.heard: list[tuple[int, bytes]] = []

    # The client's octets

    def collect(self) -> bytes:
        """Take what the client wants to send; returns what is not read yet."""
        self.sent += b"".join(map(bytes, self.client.data_to_send()))
        return self.sent

    def read_records(self) -> list[tuple[int, bytes]]:
        """Take and open all the client has sent."""
        self.collect()
        found = []
        while self.sent:
            length = int.from_bytes(self.sent[3:5], "big")
            header, body, self.sent = self.sent[:5], self.sent[5 : 5 + length], self.sent[5 + length :]
            kind = header[0]
            if kind == 23:
                keys = ks.traffic_keys(self.hash, self.read_secret, self.suite.key_size)
                nonce = (int.from_bytes(keys.iv, "big") ^ self.read_sequence).to_bytes(12, "big")
                inner = self.suite.new_aead(keys.key).decrypt(nonce, body, header).rstrip(b"\0")
                self.read_sequence += 1
                kind, body = inner[-1], inner[:-1]
            found.append((kind, body))
            if kind == 22 and body[0] == 24:
                self.read_secret = ks.next_traffic_secret(self.hash, self.read_secret)
                self.read_sequence = 0
        self.heard += found
        return found

    def read_messages(self) -> list[bytes]:
        """Take the handshake messages the client has sent, however many share a record."""
        octets = b"".join(body for kind, body in self.read_records() if kind == 22)
        found = []
        while octets:
            size = 4 + int.from_bytes(octets[1:4], "big")
            found.append(octets[:size])
            octets = octets[size:]
        return found

    def last_alert(self) -> int | None:
        """The code of the last alert the client sent, however protected."""
        alerts = [body[1] for kind, body in self.read_records() if kind == 21]
        return alerts[-1] if alerts else None

    # To the client

    def deliver(self, octets: bytes) -> None:
        self.client.receive_data(octets)

    def protect(self, content_type: int, data: bytes, padding: int = 0, outer: int = 23) -> bytes:
        keys = ks.traffic_keys(self.hash, self.write_secret, self.suite.key_size)
        inner = data + u(1, content_type) + bytes(padding)
        header = u(1, outer) + b"\x03\x03" + u(2, len(inner) + 16)
        nonce = (int.from_bytes(keys.iv, "big") ^ self.write_sequence).to_bytes(12, "big")
        self.write_sequence += 1
        return header + self.suite.new_aead(keys.key).encrypt(nonce, inner, header)

    def events(self) -> list[Event]:
        found = []
        while (event := self.client.next_event()) is not None:
            found.append(event)
        return found

    # The steps

    def read_client_hello(self) -> None:
        octets = self.collect()
        while octets[0] != 22:  # change_cipher_spec before a second hello
            octets = octets[5 + int.from_bytes(octets[3:5], "big") :]
        self.hello = octets[5 : 5 + int.from_bytes(octets[3:5], "big")]
        self.sent = b""
        self.transcript += self.hello
        size = self.hello[38]
        self.session_id = self.hello[39 : 39 + size]
        self.extensions = self.parse_extensions(39 + size)

    def parse_extensions(self, position: int) -> dict[int, bytes]:
        position += 2 + int.from_bytes(self.hello[position : position + 2], "big")  # cipher suites
        position += 1 + self.hello[position]  # compression
        octets, found = self.hello[position + 2 :], {}
        while octets:
            size = int.from_bytes(octets[2:4], "big")
            found[int.from_bytes(octets[:2], "big")] = octets[4 : 4 + size]
            octets = octets[4 + size :]
        return found

    def client_share(self, group: int) -> bytes | None:
        octets = self.extensions[51][2:]
        while octets:
            size = int.from_bytes(octets[2:4], "big")
            if int.from_bytes(octets[:2], "big") == group:
                return octets[4 : 4 + size]
            octets = octets[4 + size :]
        return None

    def server_hello(self, **changes) -> bytes:
        """A ServerHello; `changes` replace its fields, by the names below."""
        self.exchange = x25519.X25519PrivateKey.generate()
        share = self.exchange.public_key().public_bytes_raw()
        fields = {
            "version": 0x0303,
            "random": os.urandom(32),
            "session_id": self.session_id,
            "suite": self.suite.code,
            "compression": 0,
            "extensions": [(43, u(2, 0x0304)), (51, u(2, X25519) + vec(2, share))],
            "tail": b"",
        } | changes
        return message(
            2,
            u(2, fields["version"])
            + fields["random"]
            + vec(1, fields["session_id"])
            + u(2, fields["suite"])
            + u(1, fields["compression"])
            + vec(2, b"".join(extension(*one) for one in fields["extensions"]))
            + fields["tail"],
        )

    def hello_retry_request(self, extensions: list[tuple[int, bytes]], **changes) -> bytes:
        extensions = [(43, u(2, 0x0304)), *extensions]
        return self.server_hello(random=HRR_RANDOM, extensions=extensions, **changes)

    def note_retry(self, retry: bytes) -> None:
        """Put message_hash in the place of the first hello."""
        digest = self.digest_of(self.transcript)
        self.transcript = b"\xfe\x00\x00" + vec(1, digest) + retry

    def use_handshake_keys(self, server_hello: bytes, psk: bytes | None = None) -> None:
        self.transcript += server_hello
        peer = x25519.X25519PublicKey.from_public_bytes(self.client_share(X25519))
        secret = ks.EarlySecret(self.hash, psk).handshake(self.exchange.exchange(peer))
        digest = self.digest_of(self.transcript)
        self.read_secret = self.client_handshake_secret = secret.client_traffic_secret(digest)
        self.write_secret = secret.server_traffic_secret(digest)
        self.read_sequence = self.write_sequence = 0
        self.master = secret.master()

    def encrypted_extensions(self, extensions: list[tuple[int, bytes]] = ()) -> bytes:
        return message(8, vec(2, b"".join(extension(*one) for one in extensions)))

    def certificate_request(self, body: bytes | None = None) -> bytes:
        schemes = extension(13, vec(2, u(2, 0x0403) + u(2, 0x0807)))
        return message(13, vec(1, b"") + vec(2, schemes) if body is None else body)

    def certificate(self, chain: list[bytes] | None = None, extensions: bytes = b"") -> bytes:
        entries = [vec(3, der) + vec(2, extensions) for der in chain or [self.certificate_der]]
        return message(11, vec(1, b"") + vec(3, b"".join(entries)))

    def certificate_verify(self, scheme: int = 0x0403, side: bytes = b"server") -> bytes:
        content = b" " * 64 + b"TLS 1.3, " + side + b" CertificateVerify\0" + self.digest_of(self.transcript)
        signature = self.key.sign(content, ec.ECDSA(hashes.SHA256()))
        return message(15, u(2, scheme) + vec(2, signature))

    def finished(self) -> bytes:
        return message(20, self.verify_data(self.write_secret))

    def verify_data(self, secret: bytes) -> bytes:
        key = ks.expand_label(self.hash, secret, b"finished", b"", len(secret))
        mac = hmac.HMAC(key, hashes.SHA256() if self.hash == "sha256" else hashes.SHA384())
        mac.update(self.digest_of(self.transcript))
        return mac.finalize()

    def use_application_keys(self) -> None:
        digest = self.digest_of(self.transcript)
        self.next_read_secret = self.master.client_traffic_secret(digest)
        self.write_secret = self.master.server_traffic_secret(digest)
        self.write_sequence = 0

    # The whole

    def flight(self, change: Callable[[str, bytes], bytes] | None = None, request: bool = False) -> bytes:
        """ServerHello to Finished as octets; `change(name, message)` may replace each message."""

        def step(name: str, encoded: bytes) -> bytes:
            encoded = encoded if change is None else change(name, encoded)
            if name != "server_hello":
                self.transcript += encoded
            return encoded

        self.read_client_hello()
        hello = step("server_hello", self.server_hello())
        self.use_handshake_keys(hello)
        octets = record(22, hello) + record(20, b"\x01")
        octets += self.protect(22, step("encrypted_extensions", self.encrypted_extensions()))
        if request:
            octets += self.protect(22, step("certificate_request", self.certificate_request()))
        octets += self.protect(22, step("certificate", self.certificate()))
        octets += self.protect(22, step("certificate_verify", self.certificate_verify()))
        octets += self.protect(22, step("finished", self.finished()))
        self.use_application_keys()
        return octets

    def complete(self) -> list[Event]:
        """A handshake without fault; returns its events, and has checked the client's Finished."""
        self.deliver(self.flight())
        events = self.events()
        expected = message(20, self.verify_data(self.read_secret))
        found = [body for kind, body in self.read_records() if kind == 22]
        assert found[-1] == expected, "the client's Finished is wrong"
        self.transcript += found[-1]
        self.read_secret, self.read_sequence = self.next_read_secret, 0
        return events

    def digest_of(self, octets: bytes) -> bytes:
        digest = hashes.Hash(hashes.SHA256() if self.hash == "sha256" else hashes.SHA384())
        digest.update(octets)
        return digest.finalize()


def connected(config: TlsConfig = CLIENT_CONFIG, suite: int = 0x1301) -> ScriptedTlsServer:
    """A server whose client has completed the handshake."""
    server = ScriptedTlsServer(TlsClient(config, "server.test"), suite)
    server.complete()
    return server

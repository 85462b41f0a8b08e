"""A server with an ECH key (RFC 9849), written against the RFC with primitives of its own: `EchServer`.

HPKE's receiving side is here too (RFC 9180 §5.1.1), so that what the product
seals is opened by other code than its own.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from tests.fakes.scripted_tls_server import ScriptedTlsServer, extension, message, u, vec
from tls import key_schedule as ks

PUBLIC_NAME = b"public.test"
ECH = 0xFE0D


def ech_config(
    public_key: bytes,
    *,
    version: int = ECH,
    config_id: int = 7,
    kem: int = 0x20,
    suites: bytes = u(2, 1) + u(2, 1),
    maximum: int = 16,
    name: bytes = PUBLIC_NAME,
    extensions: bytes = b"",
) -> bytes:
    """One ECHConfig; each field may be replaced."""
    contents = u(1, config_id) + u(2, kem) + vec(2, public_key) + vec(2, suites)
    return u(2, version) + vec(2, contents + u(1, maximum) + vec(1, name) + vec(2, extensions))


class Recipient:
    """An HPKE context of the receiver: DHKEM(X25519, HKDF-SHA256), base mode."""

    def __init__(self, key: x25519.X25519PrivateKey, enc: bytes, info: bytes, kdf: int, aead: int) -> None:
        self.hash = {1: hashes.SHA256(), 2: hashes.SHA384()}[kdf]
        shared = key.exchange(x25519.X25519PublicKey.from_public_bytes(enc))
        kem_id = b"KEM" + u(2, 0x20)
        eae = self.extract(hashes.SHA256(), kem_id, b"", b"eae_prk", shared)
        context = enc + key.public_key().public_bytes_raw()
        secret = self.expand(hashes.SHA256(), kem_id, eae, b"shared_secret", context, 32)
        suite = b"HPKE" + u(2, 0x20) + u(2, kdf) + u(2, aead)
        schedule = b"\0" + self.extract(self.hash, suite, b"", b"psk_id_hash", b"")
        schedule += self.extract(self.hash, suite, b"", b"info_hash", info)
        secret = self.extract(self.hash, suite, secret, b"secret", b"")
        size = 16 if aead == 1 else 32
        sealed_by = ChaCha20Poly1305 if aead == 3 else AESGCM
        self.aead = sealed_by(self.expand(self.hash, suite, secret, b"key", schedule, size))
        self.nonce = int.from_bytes(self.expand(self.hash, suite, secret, b"base_nonce", schedule, 12), "big")
        self.count = 0

    def open(self, associated: bytes, sealed: bytes) -> bytes:
        nonce = (self.nonce ^ self.count).to_bytes(12, "big")
        self.count += 1
        return self.aead.decrypt(nonce, sealed, associated)

    @staticmethod
    def extract(
        algorithm: hashes.HashAlgorithm, suite: bytes, salt: bytes, label: bytes, material: bytes
    ) -> bytes:
        return HKDF.extract(algorithm, salt, b"HPKE-v1" + suite + label + material)

    @staticmethod
    def expand(
        algorithm: hashes.HashAlgorithm, suite: bytes, secret: bytes, label: bytes, info: bytes, size: int
    ) -> bytes:
        labeled = u(2, size) + b"HPKE-v1" + suite + label + info
        return HKDFExpand(algorithm, size, labeled).derive(secret)


KEY = x25519.X25519PrivateKey.generate()
CONFIG = ech_config(KEY.public_key().public_bytes_raw())


class EchServer(ScriptedTlsServer):
    """Opens hellos with KEY; `inner` is the hello it found, as the transcript has it."""

    config = CONFIG
    recipient: Recipient | None = None

    def read_outer(self) -> dict[int, bytes]:
        """Take the hello as it came; the transcript is of the outer one until `open_inner`."""
        self.transcript = b"" if self.recipient is None else self.transcript
        self.before = self.transcript
        self.read_client_hello()
        self.outer = self.hello
        return self.extensions

    def open_inner(self) -> dict[int, bytes]:
        """Go by the inner hello from here on; returns its extensions."""
        body = self.extensions[ECH]
        kdf, aead = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        size = int.from_bytes(body[6:8], "big")
        enc, payload = body[8 : 8 + size], body[10 + size :]
        if self.recipient is None:
            self.recipient = Recipient(KEY, enc, b"tls ech\0" + self.config, kdf, aead)
        else:
            assert enc == b"", "the second hello is under the keys of the first"
        associated = self.outer[4:].replace(payload, bytes(len(payload)))
        self.padded = self.recipient.open(associated, payload)
        self.hello = self.expanded(self.padded)
        self.transcript = self.before + self.hello
        self.inner_random = self.hello[6:38]
        self.session_id = self.hello[39 : 39 + self.hello[38]]
        self.extensions = self.parse_extensions(39 + self.hello[38])
        return self.extensions

    def expanded(self, encoded: bytes) -> bytes:
        """ClientHelloInner of EncodedClientHelloInner (RFC 9849 §5.1)."""
        assert encoded[34] == 0, "no session id inside"
        size = 35 + 2 + int.from_bytes(encoded[35:37], "big")
        head, compression = (
            encoded[:34] + vec(1, self.session_id) + encoded[35:size],
            encoded[size : size + 2],
        )
        length = int.from_bytes(encoded[size + 2 : size + 4], "big")
        octets, rest = encoded[size + 4 : size + 4 + length], encoded[size + 4 + length :]
        assert not any(rest), "padding is zeros"
        found = b""
        while octets:
            kind, count = int.from_bytes(octets[:2], "big"), int.from_bytes(octets[2:4], "big")
            body, octets = octets[4 : 4 + count], octets[4 + count :]
            if kind == 0xFD00:
                kinds = [int.from_bytes(body[at : at + 2], "big") for at in range(1, len(body), 2)]
                self.named = kinds
                found += b"".join(extension(one, self.extensions[one]) for one in kinds)
            else:
                found += extension(kind, body)
        return message(1, head + compression + vec(2, found))

    def confirmed(self, hello: bytes) -> bytes:
        """The ServerHello with the sign that the inner hello was read (RFC 9849 §7.2)."""
        zeroed = hello[:30] + bytes(8) + hello[38:]
        sign = self.confirmation(b"ech accept confirmation", self.digest_of(self.transcript + zeroed))
        return hello[:30] + sign + hello[38:]

    def confirmed_retry(self, extensions: list[tuple[int, bytes]]) -> bytes:
        """A HelloRetryRequest to the inner hello (RFC 9849 §7.2.1)."""
        zeroed = self.hello_retry_request([*extensions, (ECH, bytes(8))])
        first = b"\xfe\x00\x00" + vec(1, self.digest_of(self.transcript))
        sign = self.confirmation(b"hrr ech accept confirmation", self.digest_of(first + zeroed))
        return zeroed[:-8] + sign

    def confirmation(self, label: bytes, digest: bytes) -> bytes:
        algorithm = hashes.SHA256() if self.hash == "sha256" else hashes.SHA384()
        secret = HKDF.extract(algorithm, bytes(algorithm.digest_size), self.inner_random)
        return ks.expand_label(self.hash, secret, label, digest, 8)

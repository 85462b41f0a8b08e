"""Encrypted ClientHello (RFC 9849): the hello that is meant, sealed inside one for the public name.

Two offers go out as one message.  The outer is for a server that does not
have the key, and asks for the public name; the inner travels in its
`encrypted_client_hello`.  A server that has opened it shows so in its
ServerHello, and the handshake goes on with the inner offer; else it goes on
with the outer, to learn from the public name's owner how to do better.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from . import crypto, hpke
from . import extensions as ext
from .alerts import Alert
from .codec import Reader, uint16_list, vector
from .config import TLS13, TlsConfig
from .errors import PeerMisbehavedError, UsageError
from .key_schedule import Transcript, expand_label
from .messages import HandshakeMessage, ServerHello, build_client_hello
from .offer import Offer, first_offer, may_resume

VERSION = 0xFE0D
CONFIRMATION_SIZE = 8
_OUTER, _INNER = b"\x00", b"\x01"
#: What the two say of these differs, or must look as if it did.
_NEVER_SHARED = (ext.SERVER_NAME, ext.ENCRYPTED_CLIENT_HELLO, ext.PRE_SHARED_KEY, ext.EARLY_DATA)


class EchConfig(NamedTuple):
    """One ECHConfig (RFC 9849 §4) with the suite chosen of those it names."""

    encoded: bytes
    config_id: int
    kdf: int
    aead: int
    public_key: bytes
    maximum_name_length: int
    public_name: str


# Configs ------------------------------------------------------------------------------------------------


def choose(config_list: bytes) -> EchConfig | None:
    """Return the first config of an ECHConfigList that can be used, None where there is none.

    Raises `UsageError` for octets that are no such list.
    """
    try:
        return next(
            (found for found in map(_usable, parse_list(config_list, "ECHConfigList")) if found), None
        )
    except PeerMisbehavedError as error:
        raise UsageError(f"ECH: the config list is damaged: {error}") from None


def parse_list(octets: bytes, name: str) -> list[tuple[int, bytes]]:
    """Cut a list into its configs, each with its version; those of other versions are whole, too."""
    configs = []
    with Reader(octets, name) as reader, reader.block(2, 4) as block:
        while block.remaining:
            version = block.uint(2)
            body = block.vector(2)
            configs.append((version, version.to_bytes(2, "big") + vector(2, body)))
            if version == VERSION:
                _Contents.parse(body, name)
    return configs


class _Contents(NamedTuple):
    """ECHConfigContents."""

    config_id: int
    kem: int
    public_key: bytes
    suites: list[tuple[int, int]]
    maximum_name_length: int
    public_name: bytes
    extensions: dict[int, bytes]

    @classmethod
    def parse(cls, body: bytes, name: str) -> _Contents:
        with Reader(body, name) as reader:
            config_id, kem, public_key = reader.uint(1), reader.uint(2), reader.vector(2, 1)
            suites = []
            with reader.block(2, 4) as block:
                while block.remaining:
                    suites.append((block.uint(2), block.uint(2)))
            length, public_name = reader.uint(1), reader.vector(1, 1)
            return cls(
                config_id, kem, public_key, suites, length, public_name, ext.parse_extensions(reader, None)
            )


def _usable(config: tuple[int, bytes]) -> EchConfig | None:
    version, encoded = config
    if version != VERSION:
        return None
    contents = _Contents.parse(encoded[4:], "ECHConfig")
    suites = [(kdf, aead) for kdf, aead in contents.suites if kdf in hpke.KDFS and aead in hpke.AEADS]
    mandatory = any(kind & 0x8000 for kind in contents.extensions)  # RFC 9849 §4.2: none is known here
    is_known = contents.kem == hpke.DHKEM_X25519_HKDF_SHA256 and len(contents.public_key) == 32
    if not is_known or not suites or mandatory or not _is_public_name(contents.public_name):
        return None
    return EchConfig(
        encoded,
        contents.config_id,
        *suites[0],
        contents.public_key,
        contents.maximum_name_length,
        contents.public_name.decode("ascii"),
    )


def _is_public_name(name: bytes) -> bool:
    """RFC 9849 §4: labels of letters, digits and hyphens, and nothing that may be read as an IPv4 address."""
    labels = name.split(b".")
    last = labels[-1]
    is_number = last.isdigit() or (last[:2] in (b"0x", b"0X") and _is_hexadecimal(last[2:]))
    return not is_number and all(
        0 < len(label) <= 63
        and label[:1] != b"-"
        and label[-1:] != b"-"
        and label.replace(b"-", b"a").isalnum()
        for label in labels
    )


def _is_hexadecimal(digits: bytes) -> bool:
    return all(digit in b"0123456789abcdefABCDEF" for digit in digits)


# Offers -------------------------------------------------------------------------------------------------


class EchOffer(NamedTuple):
    """What an outer offer carries inside."""

    config: EchConfig
    sender: hpke.Sender
    inner: Offer

    def retried(
        self, outer: Offer, group: int | None, cookie: bytes | None, hash_name: str, transcript: Transcript
    ) -> Offer:
        """Both hellos once more, after a HelloRetryRequest to the inner (RFC 9849 §6.1.5)."""
        exchanges = outer.exchanges if group is None else crypto.new_key_exchanges((group,))
        inner = self.inner.retried(group, cookie, hash_name, transcript, exchanges)
        second = outer.retried(group, cookie, hash_name, None, exchanges)
        offer = self._replace(inner=inner)
        offer.seal_into(second, b"", dict(outer.extensions).get(ext.PRE_SHARED_KEY, b""))
        return second

    def seal_into(self, outer: Offer, enc: bytes, first_psk: bytes = b"") -> None:
        """Make the outer hello, with the inner in it; all else of it is authenticated (RFC 9849 §5.2).

        `first_psk` is the pre_shared_key of the outer hello before, if this is the second.
        """
        inner = self._encoded_inner(outer.extensions)
        head = _OUTER + self.config.kdf.to_bytes(2, "big") + self.config.aead.to_bytes(2, "big")
        head += bytes((self.config.config_id,)) + vector(2, enc)
        kept = [
            one for one in outer.extensions if one[0] not in (ext.ENCRYPTED_CLIENT_HELLO, ext.PRE_SHARED_KEY)
        ]
        last = [(ext.PRE_SHARED_KEY, psk)] if (psk := self._grease_psk(outer, first_psk)) else []

        def hello(payload: bytes) -> bytes:
            outer.extensions = [*kept, (ext.ENCRYPTED_CLIENT_HELLO, head + vector(2, payload)), *last]
            suites = outer.cipher_suites
            return build_client_hello(outer.random, outer.session_id, suites, outer.extensions)

        associated = hello(bytes(len(inner) + crypto.TAG_SIZE))[4:]
        outer.encoded = hello(self.sender.seal(associated, inner))
        outer.ech = self

    def _encoded_inner(self, outer: list[tuple[int, bytes]]) -> bytes:
        """EncodedClientHelloInner (RFC 9849 §5.1): what both hellos say is named only, then padding."""
        inner = self.inner
        shared = [kind for kind, _ in shared_extensions(inner.extensions, outer)]
        named = (ext.ECH_OUTER_EXTENSIONS, vector(1, uint16_list(tuple(shared))))
        extensions: list[tuple[int, bytes]] = []
        for one in inner.extensions:
            if one[0] not in shared:
                extensions.append(one)
            elif one[0] == shared[0]:
                extensions.append(named)
        encoded = build_client_hello(inner.random, b"", inner.cipher_suites, extensions)[4:]
        return encoded + bytes(self._padding(len(encoded)))

    def _padding(self, length: int) -> int:
        """RFC 9849 §6.1.3: names up to the longest look alike, and sizes go in steps of 32."""
        name = dict(self.inner.extensions).get(ext.SERVER_NAME)
        most = self.config.maximum_name_length
        padding = most + 9 if name is None else max(0, most - (len(name) - 5))
        return padding + 31 - (length + padding - 1) % 32

    def _grease_psk(self, outer: Offer, first: bytes) -> bytes:
        """As long as the inner's, and as unlike it as can be (RFC 9849 §6.1.2).

        In a second hello a session is still the same, and so is the likeness of one.
        """
        body = dict(self.inner.extensions).get(ext.PRE_SHARED_KEY)
        if body is None:
            return b""
        size = int.from_bytes(body[2:4], "big")
        random = outer.config.random_bytes
        binder = random(len(body) - size - 11)
        if first:
            return first[: len(first) - len(binder)] + binder
        return ext.pre_shared_key(random(size), int.from_bytes(random(4), "big"), binder)


def make_offer(config: TlsConfig, server_name: str, ech: EchConfig) -> Offer:
    """Make both hellos; the outer knows nothing of the session to resume, nor of a client certificate.

    Raises `UsageError` for a config whose public key cannot be used.
    """
    if config.ech_public_name is not None:
        ech = ech._replace(public_name=config.ech_public_name)
    unknown = config._replace(resumption=None, early_data=False, client_certificate=None)
    outer = first_offer(unknown, ech.public_name)
    meant = config._replace(versions=(TLS13,), signature_schemes=config.all_signature_schemes)
    inner = first_offer(meant, server_name, outer)
    shared = shared_extensions(inner.extensions, outer.extensions)
    inner.extensions = [one for one in inner.extensions if one not in shared] + shared
    inner.extensions.append((ext.ENCRYPTED_CLIENT_HELLO, _INNER))
    inner.finish(None, may_resume(meant, server_name))
    inner.ech_outcome, outer.ech_outcome = "accepted", "rejected"
    outer.early, outer.early_outcome = inner.early, inner.early_outcome
    if inner.early is not None:
        outer.extensions.append((ext.EARLY_DATA, b""))
    try:
        sender = hpke.Sender(ech.kdf, ech.aead, ech.public_key, b"tls ech\x00" + ech.encoded)
    except PeerMisbehavedError as error:  # of low order: no answer to anything, as there is no server yet
        raise UsageError(f"ECH: the config's public key is none: {error}") from None
    EchOffer(ech, sender, inner).seal_into(outer, sender.enc)
    return outer


def shared_extensions(
    inner: list[tuple[int, bytes]], outer: list[tuple[int, bytes]]
) -> list[tuple[int, bytes]]:
    """What both say in the same words, in the order of the outer hello."""
    return [one for one in outer if one in inner and one[0] not in _NEVER_SHARED]


def grease(random_bytes: Callable[[int], bytes]) -> bytes:
    """An extension that looks like ECH and is nothing (RFC 9849 §6.2)."""
    config_id, step = random_bytes(2)
    payload = random_bytes(32 * (4 + step % 4) + crypto.TAG_SIZE)
    suite = hpke.HKDF_SHA256.to_bytes(2, "big") + hpke.AES_128_GCM.to_bytes(2, "big")
    return _OUTER + suite + bytes((config_id,)) + vector(2, random_bytes(32)) + vector(2, payload)


# The server's answer ------------------------------------------------------------------------------------


def is_accepted(inner: Offer, hello: ServerHello, message: HandshakeMessage, transcript: Transcript) -> bool:
    """Whether a ServerHello confirms the inner hello (RFC 9849 §7.2); `transcript` ends before it."""
    zeroed = message.encoded[:30] + bytes(CONFIRMATION_SIZE) + message.encoded[38:]
    wanted = _confirmation(
        inner, b"ech accept confirmation", transcript.digest_with(zeroed), transcript.hash_name
    )
    return crypto.is_same(wanted, hello.random[-CONFIRMATION_SIZE:])


def expect_confirmation(sign: bytes) -> None:
    """Check the form of encrypted_client_hello in a HelloRetryRequest (RFC 9849 §5)."""
    if len(sign) != CONFIRMATION_SIZE:
        raise PeerMisbehavedError(
            f"HelloRetryRequest: encrypted_client_hello must be {CONFIRMATION_SIZE} octets: {len(sign)}",
            Alert.DECODE_ERROR,
        )


def is_retry_accepted(
    inner: Offer, sign: bytes, hello: ServerHello, message: HandshakeMessage, hash_name: str
) -> bool:
    """Whether a HelloRetryRequest with this sign is for the inner hello (RFC 9849 §7.2.1)."""
    position = _position_of_ech(hello)
    zeroed = message.encoded[:position] + bytes(CONFIRMATION_SIZE)
    zeroed += message.encoded[position + CONFIRMATION_SIZE :]
    transcript = Transcript(hash_name, inner.encoded)
    transcript.replace_by_message_hash()
    wanted = _confirmation(inner, b"hrr ech accept confirmation", transcript.digest_with(zeroed), hash_name)
    return crypto.is_same(wanted, sign)


def _position_of_ech(hello: ServerHello) -> int:
    """Where the content of encrypted_client_hello begins in a message with these fields."""
    position = 4 + 2 + 32 + 1 + len(hello.session_id) + 2 + 1 + 2
    for kind, body in hello.extensions.items():
        position += 4
        if kind == ext.ENCRYPTED_CLIENT_HELLO:
            return position
        position += len(body)
    raise AssertionError("the extension is there")


def _confirmation(inner: Offer, label: bytes, digest: bytes, hash_name: str) -> bytes:
    secret = crypto.hmac_digest(hash_name, bytes(crypto.HASH_SIZES[hash_name]), inner.random)
    return expand_label(hash_name, secret, label, digest, CONFIRMATION_SIZE)

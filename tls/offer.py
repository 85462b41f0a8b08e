"""The ClientHello, and what must be remembered of it: `Offer`.

An offer is made before there is a connection, so that a caller may make it
while the connect is under way.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from . import crypto
from . import extensions as ext
from .codec import vector
from .config import (
    CERTIFICATE_ZLIB,
    GROUP_NAMES,
    TLS12,
    TLS13,
    EarlyDataOutcome,
    EchOutcome,
    SessionTicket,
    TlsConfig,
)
from .errors import CertificateError, UsageError
from .key_schedule import EarlySecret, Transcript, finished_verify_data
from .messages import build_client_hello
from .proofs import PskAccepted, proof_of_session
from .record import MAX_INNER_PLAINTEXT, MAX_PLAINTEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from .crypto import KeyExchange
    from .ech import EchOffer


MAX_DNS_NAME = 253


class EarlyData(NamedTuple):
    """What data behind this hello goes out under (RFC 8446 §4.2.10): a session that was judged anew."""

    ticket: SessionTicket
    proof: PskAccepted
    traffic_secret: bytes
    exporter_secret: bytes

    def __repr__(self) -> str:
        return "EarlyData(...)"


class Offer:
    """A ClientHello as sent; `offered` are the extensions that the server may answer.

    It serves one connection: to a second, everything that was sent to the
    first could be played again.
    """

    __slots__ = (
        "config",
        "early",
        "early_outcome",
        "ech",
        "ech_outcome",
        "encoded",
        "exchanges",
        "extensions",
        "grease",
        "is_used",
        "psk",
        "random",
        "server_name",
        "session_12",
        "session_id",
    )

    def __init__(
        self,
        config: TlsConfig,
        server_name: str,
        random: bytes,
        session_id: bytes,
        exchanges: tuple[KeyExchange, ...],
        extensions: list[tuple[int, bytes]],
        encoded: bytes = b"",
        session_12: SessionTicket | None = None,
    ) -> None:
        self.config = config
        self.server_name = server_name
        self.random = random
        self.session_id = session_id
        self.exchanges = exchanges
        self.extensions = extensions
        self.encoded = encoded
        self.session_12 = session_12
        self.grease: tuple[int, ...] = ()
        """A code that means nothing for suites, groups, versions, and two extensions; none: not sent."""
        self.psk: EarlySecret | None = None
        self.early: EarlyData | None = None
        self.early_outcome: EarlyDataOutcome = "no_session_offered" if config.early_data else "disabled"
        self.ech: EchOffer | None = None
        self.ech_outcome: EchOutcome = "not_offered"
        """What it means for the name asked for if the server goes on with this hello."""
        self.is_used = False

    @property
    def offered(self) -> set[int]:
        kinds = {kind for kind, _ in self.extensions}
        if self.ech_outcome == "accepted":
            kinds.remove(ext.ENCRYPTED_CLIENT_HELLO)  # the mark of an inner hello, which nobody answers
        return kinds

    @property
    def cipher_suites(self) -> tuple[int, ...]:
        return self.grease[:1] + self.config.all_cipher_suites

    def exchange_for(self, group: int) -> KeyExchange | None:
        """The key pair whose share was sent for this group."""
        return next((exchange for exchange in self.exchanges if exchange.group == group), None)

    def retried(
        self,
        group: int | None,
        cookie: bytes | None,
        hash_name: str,
        transcript: Transcript | None,
        exchanges: tuple[KeyExchange, ...] | None = None,
    ) -> Offer:
        """The second ClientHello (RFC 8446 §4.1.2): another share, the cookie, a new binder, else the same.

        `transcript` has the first ClientHello and the HelloRetryRequest in
        it; `exchanges` are made here unless they are given.
        """
        if exchanges is None:
            exchanges = self.exchanges if group is None else crypto.new_key_exchanges((group,))
        extensions: list[tuple[int, bytes]] = []
        for kind, body in self.extensions:
            if kind == ext.KEY_SHARE:
                extensions.append((kind, _shares(exchanges)))
                if cookie is not None:  # beside it, where an inner and an outer hello are alike
                    extensions.append((ext.COOKIE, vector(2, cookie)))
            elif kind not in (ext.PRE_SHARED_KEY, ext.COOKIE, ext.EARLY_DATA):
                extensions.append((kind, body))
        offer = Offer(
            self.config,
            self.server_name,
            self.random,
            self.session_id,
            exchanges,
            extensions,
            b"",
            self.session_12,
        )
        offer.early_outcome = self.early_outcome if self.early is None else "hello_retry_request"
        offer.ech_outcome = self.ech_outcome
        offer.grease = self.grease
        # A session under another hash cannot be resumed any more (RFC 8446 §4.1.4).
        resumable = self.psk is not None and self.psk.hash_name == hash_name
        offer.finish(transcript if resumable else None, resumable)
        return offer

    def pad(self) -> None:
        """Leave the sizes at which some servers hang (RFC 7685 §1), none of those that make sessions."""
        size = len(build_client_hello(self.random, self.session_id, self.cipher_suites, self.extensions))
        if 256 <= size < 512:
            # Not an empty one: at the end that is a trouble of its own.
            self.extensions.append((ext.PADDING, bytes(max(512 - 4 - size, 1))))

    def finish(self, transcript: Transcript | None, resume: bool) -> None:
        """Encode, with the session to resume at the end (RFC 8446 §4.2.11)."""
        suites = self.cipher_suites
        if not resume or self.config.resumption is None:
            self.encoded = build_client_hello(self.random, self.session_id, suites, self.extensions)
            return
        ticket, age = self.config.resumption
        hash_name = crypto.CIPHER_SUITES[ticket.cipher_suite].hash_name
        size = crypto.HASH_SIZES[hash_name]
        self.psk = EarlySecret(hash_name, ticket.resumption_secret)
        proof = self._early_proof(ticket) if transcript is None else None
        before = self.extensions if proof is None else [*self.extensions, (ext.EARLY_DATA, b"")]
        obfuscated_age = (age + ticket.age_add) % (1 << 32)
        # The binder is the end of the message, and covers it up to the list of binders (RFC 8446 §4.2.11.2).
        session = ext.pre_shared_key(ticket.identity, obfuscated_age, bytes(size))
        extensions = [*before, (ext.PRE_SHARED_KEY, session)]
        unbound = build_client_hello(self.random, self.session_id, suites, extensions)
        if transcript is None:
            transcript = Transcript(hash_name, b"")
        digest = transcript.digest_with(unbound[: -(2 + 1 + size)])
        binder = finished_verify_data(hash_name, self.psk.resumption_binder_secret(), digest)
        self.encoded = unbound[:-size] + binder
        self.extensions = [*before, (ext.PRE_SHARED_KEY, session[:-size] + binder)]
        if proof is not None:
            digest = transcript.digest_with(self.encoded)
            traffic, exporter = self.psk.client_traffic_secret(digest), self.psk.exporter_secret(digest)
            self.early = EarlyData(ticket, proof, traffic, exporter)

    def _early_proof(self, ticket: SessionTicket) -> PskAccepted | None:
        """Judge the session before anything is told to who holds it; None, and why, where nothing may be."""
        config = self.config
        if not config.early_data:
            return None
        if not ticket.max_early_data_size or ticket.cipher_suite not in config.cipher_suites:
            self.early_outcome = "unsupported_for_session"
        elif ticket.alpn is not None and ticket.alpn not in config.alpn:
            self.early_outcome = "alpn_mismatch"
        else:
            try:
                return proof_of_session(config, self.server_name, ticket)
            except CertificateError:
                self.early_outcome = "session_refused"
        return None


def make_offer(config: TlsConfig, server_name: str) -> Offer:
    """Make key pairs and the first ClientHello; raises `UsageError` for a config that cannot work."""
    _check(config)
    is_13 = TLS13 in config.versions
    if is_13 and config.ech_configs:
        from . import ech

        if (chosen := ech.choose(config.ech_configs)) is not None:
            return ech.make_offer(config, server_name, chosen)
    offer = first_offer(config, server_name)
    if is_13 and config.grease_ech:
        from . import ech

        offer.extensions.append((ext.ENCRYPTED_CLIENT_HELLO, ech.grease(config.random_bytes)))
        offer.ech_outcome = "greased"
    is_resuming = may_resume(config, server_name)
    if not is_resuming:
        offer.pad()
    offer.finish(None, is_resuming)
    return offer


def first_offer(config: TlsConfig, server_name: str, outer: Offer | None = None) -> Offer:
    """Make a first ClientHello up to what `finish` adds; with `outer` its key pairs and session id serve."""
    session_12 = _session_12(config, server_name)
    random = config.random_bytes(32)
    if outer is not None:
        session_id, exchanges = outer.session_id, outer.exchanges
    else:
        session_id = _session_id(config, session_12)
        exchanges = crypto.new_key_exchanges(config.key_shares if TLS13 in config.versions else ())
    grease = _grease(config) if outer is None else outer.grease
    extensions = _extensions(config, server_name, exchanges, session_12, grease)
    if config.permute_extensions:
        _shuffle(extensions, config.random_bytes)
    offer = Offer(config, server_name, random, session_id, exchanges, extensions, b"", session_12)
    offer.grease = grease
    return offer


def _grease(config: TlsConfig) -> tuple[int, ...]:
    """RFC 8701 §2: both octets the same, and end with 0xA; the two extensions differ."""
    if not config.grease:
        return ()
    suite, group, version, first = (octet >> 4 for octet in config.random_bytes(4))
    return tuple((high << 4 | 0xA) * 0x0101 for high in (suite, group, version, first, (first + 1) % 16))


def _shuffle(extensions: list[tuple[int, bytes]], random_bytes: Callable[[int], bytes]) -> None:
    """Any order is as likely as any other, near enough."""
    for last in range(len(extensions) - 1, 0, -1):
        chosen = int.from_bytes(random_bytes(4), "big") % (last + 1)
        extensions[last], extensions[chosen] = extensions[chosen], extensions[last]


def _session_id(config: TlsConfig, session_12: SessionTicket | None) -> bytes:
    if session_12 is not None and session_12.session_id:
        return session_12.session_id
    if session_12 is not None or (TLS13 in config.versions and config.compatibility_mode):
        return config.random_bytes(32)  # with a ticket its echo says that it was taken (RFC 5077 §3.4)
    return b""


def _extensions(
    config: TlsConfig,
    server_name: str,
    exchanges: tuple[KeyExchange, ...],
    session_12: SessionTicket | None,
    grease: tuple[int, ...],
) -> list[tuple[int, bytes]]:
    extensions: list[tuple[int, bytes]] = [(grease[3], b"")] if grease else []
    if config.send_server_name and (name := sni_name(server_name)):
        extensions.append((ext.SERVER_NAME, ext.server_name(name)))
    extensions += [
        (ext.SUPPORTED_GROUPS, ext.supported_groups(grease[1:2] + config.groups)),
        (ext.SIGNATURE_ALGORITHMS, ext.signature_algorithms(config.all_signature_schemes)),
    ]
    if TLS13 in config.versions:
        extensions += [
            (ext.SUPPORTED_VERSIONS, ext.supported_versions(grease[2:3] + config.versions)),
            (ext.PSK_KEY_EXCHANGE_MODES, ext.psk_key_exchange_modes()),
            (ext.KEY_SHARE, _shares(exchanges, grease[1:2])),
        ]
    if TLS12 in config.versions:
        extensions += [
            (ext.EXTENDED_MASTER_SECRET, b""),
            (ext.RENEGOTIATION_INFO, b"\0"),
            (ext.EC_POINT_FORMATS, ext.ec_point_formats()),
            (ext.SESSION_TICKET, b"" if session_12 is None else session_12.identity),
        ]
    if config.alpn:
        extensions.append((ext.APPLICATION_LAYER_PROTOCOL_NEGOTIATION, ext.alpn(config.alpn)))
    if config.request_ocsp:
        extensions.append((ext.STATUS_REQUEST, ext.status_request()))
    if config.request_sct:
        extensions.append((ext.SIGNED_CERTIFICATE_TIMESTAMP, b""))
    if config.certificate_compression and TLS13 in config.versions:
        extensions.append(
            (ext.COMPRESS_CERTIFICATE, ext.compress_certificate(config.certificate_compression))
        )
    if config.raw_public_keys:
        extensions.append((ext.SERVER_CERTIFICATE_TYPE, ext.certificate_types((2, 0))))
    if (limit := config.record_size_limit) is not None:
        most = MAX_INNER_PLAINTEXT if TLS13 in config.versions else MAX_PLAINTEXT  # RFC 8449 §4
        extensions.append((ext.RECORD_SIZE_LIMIT, min(limit, most).to_bytes(2, "big")))
    if config.client_certificate is not None:
        extensions.append((ext.POST_HANDSHAKE_AUTH, b""))
    if grease:
        extensions.append((grease[4], b"\0"))
    return extensions


def sni_name(server_name: str) -> str | None:
    """The name for SNI (RFC 6066 §3), without the dot at its end; None for an address."""
    name = server_name.removesuffix(".")
    last = name.rpartition(".")[2]
    if not 0 < len(name) <= MAX_DNS_NAME or ":" in name or last.isdigit() or not name.isascii():
        return None
    return name


def may_resume(config: TlsConfig, server_name: str) -> bool:
    """Only under the same name (RFC 8446 §4.6.1), its hash offered, not past its lifetime (§4.2.11.1)."""
    if config.resumption is None:
        return False
    ticket, age = config.resumption
    if ticket.version != TLS13 or TLS13 not in config.versions:
        return False
    suite = crypto.CIPHER_SUITES.get(ticket.cipher_suite)
    return (
        ticket.server_name == server_name
        and suite is not None
        and any(crypto.CIPHER_SUITES[code].hash_name == suite.hash_name for code in config.cipher_suites)
        and 0 <= age <= ticket.lifetime * 1000
    )


def _session_12(config: TlsConfig, server_name: str) -> SessionTicket | None:
    """The session of TLS 1.2 that may be resumed: the same name, its suite still offered, within its life."""
    if config.resumption is None or TLS12 not in config.versions:
        return None
    ticket, age = config.resumption
    is_fit = (
        ticket.version == TLS12
        and ticket.server_name == server_name
        and ticket.cipher_suite in config.cipher_suites_12
        and 0 <= age <= ticket.lifetime * 1000
    )
    return ticket if is_fit else None


def _shares(exchanges: tuple[KeyExchange, ...], grease: tuple[int, ...] = ()) -> bytes:
    shares = [(group, b"\0") for group in grease]
    return ext.key_share(shares + [(exchange.group, exchange.share) for exchange in exchanges])


def _check(config: TlsConfig) -> None:
    _check_lists(
        config.versions,
        config.cipher_suites,
        config.cipher_suites_12,
        config.groups,
        config.key_shares,
        config.alpn,
    )
    if not config.signature_schemes or not config.all_cipher_suites:
        raise UsageError("TlsConfig: no signature scheme, or no cipher suite for the versions offered")
    if config.raw_public_keys and config.versions != (TLS13,):
        raise UsageError("TlsConfig: raw public keys are of TLS 1.3 alone: versions must be (TLS13,)")
    limit = config.record_size_limit
    if limit is not None and not 64 <= limit <= MAX_INNER_PLAINTEXT:
        raise UsageError("TlsConfig: record_size_limit is from 64 to 16385")
    if not 1 <= config.pad_records_to <= MAX_INNER_PLAINTEXT:
        raise UsageError("TlsConfig: pad_records_to is from 1 to 16385")
    if config.certificate_compression != (CERTIFICATE_ZLIB,):
        from . import compression

        compression.expect_available(config.certificate_compression)


@lru_cache(maxsize=64)  # few configs, many connections
def _check_lists(
    versions: tuple[int, ...],
    cipher_suites: tuple[int, ...],
    cipher_suites_12: tuple[int, ...],
    groups: tuple[int, ...],
    key_shares: tuple[int, ...],
    alpn: tuple[bytes, ...],
) -> None:
    if not cipher_suites or not groups:
        raise UsageError("TlsConfig: cipher suites and groups must not be empty")
    if not versions or not {TLS12, TLS13} >= set(versions):
        raise UsageError("TlsConfig: versions are TLS13, TLS12, or both")
    if not crypto.CIPHER_SUITES.keys() >= set(cipher_suites):
        raise UsageError("TlsConfig: unknown cipher suite")
    if not crypto.CIPHER_SUITES_12.keys() >= set(cipher_suites_12):
        raise UsageError("TlsConfig: unknown cipher suite of TLS 1.2")
    if not GROUP_NAMES.keys() >= set(groups):
        raise UsageError("TlsConfig: unknown group")
    if not set(key_shares) <= set(groups):
        raise UsageError("TlsConfig: a key share for a group that is not offered")
    if not all(1 <= len(protocol) <= 255 for protocol in alpn):
        raise UsageError("TlsConfig: ALPN names have 1 to 255 octets")

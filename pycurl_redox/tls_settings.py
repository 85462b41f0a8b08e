"""TLS as the options want it, and what `-v` says of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.stream import CutShortError
from tcpip.clock import wall_clock
from tls.alerts import Alert
from tls.certificates import Certificate
from tls.client import TlsClient
from tls.config import CIPHER_SUITE_NAMES, GROUP_NAMES, SECP256R1, SECP384R1, SECP521R1, TlsConfig
from tls.errors import AlertReceivedError, CertificateError, PeerIncompatibleError, TlsError, UsageError
from tls.events import Event, HandshakeCompleted, MessageTraced, TicketReceived
from tls.paths import VerifiedPath, verify_chain
from tls.trust import TrustStore

if TYPE_CHECKING:
    from pycurl_redox.connection import Connection
    from pycurl_redox.message import Observer
    from pycurl_redox.pool import Route
    from pycurl_redox.tls_options import TlsOptions

ALPN_HTTP1 = (b"http/1.1",)
SYSTEM_CAPATH = "/etc/ssl/certs"
RECORD_HEADER = 5
"""Octets (RFC 8446 §5.1)."""

CERTIFICATE_VERIFY = 15
CHANGE_CIPHER_SPEC = 1
FATAL = 2 << 8
CERTIFICATE_ALERTS = tuple(FATAL + alert for alert in (42, 43, 44, 45, 46, 48))
"""bad, unsupported, revoked, expired, unknown certificate, unknown CA, as OpenSSL numbers them in a trace."""

GROUP_ALIASES = {
    "p-256": SECP256R1,
    "prime256v1": SECP256R1,
    "p-384": SECP384R1,
    "p-521": SECP521R1,
}
GROUPS_ELSEWHERE = ("x448", "ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192")
"""Groups of TLS 1.3 (RFC 8446 §4.2.7) that other clients have."""

OPENSSL_CODES = {
    "certificate is not yet valid": 9,
    "certificate has expired": 10,
    "self-signed certificate": 18,
    "self-signed certificate in certificate chain": 19,
    "unable to get local issuer certificate": 20,
    "unable to verify the first certificate": 21,
}
"""X509_V_ERR_* by text, for the lines of -v."""


class TlsSettings:
    """What a TLS client is told, for all connections of one operation; the trust store is opened once."""

    def __init__(self, options: TlsOptions, environment: Mapping[str, str]) -> None:
        self._options = options
        self._environment = environment
        self._trust: TrustStore | None = None
        self._tls: TlsConfig | None = None
        self._ticketed: set[Route] = set()
        self._key_log: KeyLog | None = None
        if path := environment.get("SSLKEYLOGFILE"):
            self._key_log = KeyLog(path)

    def client(self, server_name: str, observer: Observer) -> TlsClient:
        """Return a client whose ClientHello is ready."""
        if self._tls is None:
            self._tls = self._make_config(observer.traces_tls)
        if self._tls.alpn:
            observer.note("ALPN: offers " + ",".join(name.decode() for name in self._tls.alpn))
        return TlsClient(self._tls, server_name)

    def on_event(self, connection: Connection) -> Callable[[Event], None]:
        """Return what takes the events of a connection that are no data."""
        is_first = not self._options.insecure
        held: list[MessageTraced] = []

        def take(event: Event) -> None:
            observer = connection.observer
            if isinstance(event, TicketReceived):
                if connection.route in self._ticketed and not self._options.is_proxy:
                    observer.note("old SSL session ID is stale, removing")
                self._ticketed.add(connection.route)
            if not isinstance(event, MessageTraced):
                return
            if (event.outgoing, event.number) in ((False, CERTIFICATE_VERIFY), (True, CHANGE_CIPHER_SPEC)):
                held.append(event)
                return
            if is_certificate_alert(event):
                held.clear()  # OpenSSL refuses a chain before it comes to these
            for each in (*held, event):
                show(each, observer)
            held.clear()

        def show(event: MessageTraced, observer: Observer) -> None:
            nonlocal is_first
            way = "OUT" if event.outgoing else "IN"
            observer.tls_message(event.outgoing, RECORD_HEADER)
            name = event.name.replace("unknown ca", "unknown CA")
            observer.note(f"TLSv1.3 ({way}), {event.content}, {name} ({event.number}):")
            observer.tls_message(event.outgoing, event.length)
            if is_first:
                is_first = False
                self._note_trust(observer)

        return take

    @staticmethod
    def on_data(connection: Connection) -> Callable[[bool], None]:
        """Return what `-v` shows of records with data: their headers, as OpenSSL lets curl see them."""
        return lambda outgoing: connection.observer.tls_message(outgoing, RECORD_HEADER)

    def completed(self, connection: Connection, observer: Observer) -> None:
        """Say what was agreed, and check the pinned key."""
        is_proxy = self._options.is_proxy
        done = connection.proxy_tls if is_proxy else connection.tls
        assert done is not None
        observer.note(f"SSL connection using TLSv1.3 / {CIPHER_SUITE_NAMES[done.cipher_suite]}")
        if done.alpn is not None:
            observer.note(f"ALPN: server accepted {done.alpn.decode('latin-1')}")
        elif not self._options.no_alpn:
            observer.note("ALPN: server did not agree on a protocol. Uses default.")
        if done.peer_certificate is not None and observer.traces_tls:
            self._note_certificate(connection.tls_host(is_proxy), done, done.peer_certificate, observer)
        if not is_proxy and not self._options.no_alpn:
            observer.note("using HTTP/1.1" if done.alpn is not None else "using HTTP/1.x")
        if self._options.pinnedpubkey is not None:
            if done.peer_certificate is None or not is_pinned(
                self._options.pinnedpubkey, done.peer_certificate.key_der
            ):
                raise errors.PinnedKeyError("SSL: public key does not match pinned public key")

    def _make_config(self, trace: bool) -> TlsConfig:
        options = self._options
        if options.tls_max not in ("", "1.3"):
            raise errors.TlsFailedError(f"TLS: --tls-max {options.tls_max}: only TLS 1.3 is spoken here")
        settings = TlsConfig(
            verify=None if options.insecure else self._verify,
            alpn=() if options.no_alpn else ALPN_HTTP1,
            trace=trace,
            key_log=self._key_log,
        )
        if not options.insecure:
            self._trust = self._open_trust()
        if options.tls13_ciphers is not None:
            settings = settings._replace(cipher_suites=_suites(options.tls13_ciphers))
        if options.curves is not None:
            groups = _groups(options.curves)
            settings = settings._replace(groups=groups, key_shares=groups[:1])
        return settings

    def _open_trust(self) -> TrustStore:
        options, environment = self._options, self._environment
        file = options.cacert or environment.get("CURL_CA_BUNDLE")
        try:
            if file is None and options.capath is None:
                return TrustStore.system(environment)
            store = TrustStore.from_file(file) if file is not None else TrustStore(str(options.capath))
        except (OSError, UsageError) as error:
            named = file or options.capath or environment.get("SSL_CERT_FILE")
            raise errors.CaFileError(f"error setting certificate file: {named}") from error
        if options.capath is not None:
            store.add_directory(options.capath)
        return store

    def _verify(self, chain: Sequence[Certificate], server_name: str) -> VerifiedPath:
        assert self._trust is not None
        return verify_chain(chain, server_name, self._trust, wall_clock(), partial_chain=True)

    def _note_trust(self, observer: Observer) -> None:
        options, environment = self._options, self._environment
        file = options.cacert or environment.get("CURL_CA_BUNDLE") or environment.get("SSL_CERT_FILE")
        if file is None:
            from tls.trust import SYSTEM_BUNDLES

            file = next((path for path in SYSTEM_BUNDLES if os.path.exists(path)), "none")
        observer.note(f" CAfile: {file}")
        observer.note(f" CApath: {options.capath or SYSTEM_CAPATH}")

    def _note_certificate(
        self, host: str, done: HandshakeCompleted, leaf: Certificate, observer: Observer
    ) -> None:
        from tls.der import time_text

        path = done.verified_path
        observer.note("Proxy certificate:" if self._options.is_proxy else "Server certificate:")
        observer.note(f" subject: {leaf.subject}")
        observer.note(f" start date: {time_text(leaf.not_before)}")
        observer.note(f" expire date: {time_text(leaf.not_after)}")
        if path is not None:
            from tls.names import parse_ip

            is_ip = parse_ip(host) is not None
            matched = "IP address!" if is_ip else f'"{path.matched_name}"'
            observer.note(f' subjectAltName: host "{host}" matched cert\'s {matched}')
        observer.note(f" issuer: {leaf.issuer}")
        if path is not None:
            observer.note(" SSL certificate verify ok.")
        else:
            self._note_unverified(host, done, observer)

    def _note_unverified(self, host: str, done: HandshakeCompleted, observer: Observer) -> None:
        """With -k: what a check would have said."""
        try:
            self._trust = self._open_trust() if self._trust is None else self._trust
        except errors.CaFileError:
            self._trust = TrustStore()
        try:
            self._verify([Certificate.parse(der) for der in done.peer_chain], host)
        except CertificateError as error:
            text = error.openssl_text or str(error)
            if not text.endswith("mismatch"):  # curl looks at names apart from this
                code = OPENSSL_CODES.get(text, 1)
                observer.note(f" SSL certificate verify result: {text} ({code}), continuing anyway.")
                return
        observer.note(" SSL certificate verify ok.")


class KeyLog:
    """SSLKEYLOGFILE: lines are added, and the file is made where only we can read it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, line: str) -> None:
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with open(descriptor, "a", encoding="ascii") as file:
                file.write(line.rstrip("\n") + "\n")
        except OSError:
            return  # a full disk is no reason to lose the connection


def is_certificate_alert(event: MessageTraced) -> bool:
    """Say whether this alert of ours is about the server's chain (RFC 8446 §6.2)."""
    return event.outgoing and event.number in CERTIFICATE_ALERTS


def is_pinned(pins: str, key_der: bytes) -> bool:
    """Compare a SubjectPublicKeyInfo with `sha256//BASE64[;...]`, or with a key in a DER or PEM file."""
    from binascii import Error, a2b_base64
    from hashlib import sha256

    if pins.startswith("sha256//"):
        digest = sha256(key_der).digest()
        for pin in pins.split(";"):
            try:
                if a2b_base64(pin.removeprefix("sha256//")) == digest:
                    return True
            except Error:
                continue
        return False
    try:
        with open(pins, "rb") as file:
            content = file.read(1 << 20)
        _, begin, rest = content.partition(b"-----BEGIN PUBLIC KEY-----")
        return (a2b_base64(rest.partition(b"-----END PUBLIC KEY-----")[0]) if begin else content) == key_der
    except (OSError, Error):
        return False


def handshake_failed(error: TlsError, host: str, is_proxy: bool = False) -> errors.FetchError:
    """Return curl's error for a handshake that came to nothing; a certificate's draws its chain."""
    if not isinstance(error, CertificateError):
        return errors.TlsFailedError(f"TLS: {error}{_old_version_hint(error)}")
    text = f"SSL certificate problem: {error.openssl_text or error}"
    if error.openssl_text.endswith("mismatch"):
        text = f"SSL: no alternative certificate subject name matches target host name '{host}'"
    diagnosis = error.diagnosis
    if is_proxy:
        for server, proxy in (
            ("The server", "The proxy"),
            ("\n--", "\n--proxy-"),
            ("\n-k", "\n--proxy-insecure"),
        ):
            diagnosis = diagnosis.replace(server, proxy)
    return errors.CertificateRefusedError("\n".join(filter(None, [text, diagnosis])))


def _old_version_hint(error: TlsError) -> str:
    """What a user should know where the server most likely has no TLS 1.3."""
    if error.alert == Alert.PROTOCOL_VERSION and isinstance(
        error, AlertReceivedError | PeerIncompatibleError
    ):
        return ": the server refuses TLS 1.3, and nothing older is spoken here"
    if error.alert == Alert.HANDSHAKE_FAILURE and isinstance(error, AlertReceivedError):
        return ": nothing in common; it may lack TLS 1.3, and nothing older is spoken here"
    return ""


def translated(error: Exception) -> Exception:
    """Return curl's error for one of TLS after the handshake; others are given back."""
    if isinstance(error, TlsError | CutShortError):
        return errors.ReceiveFailedError(f"TLS: {error}")
    return error


def _suites(text: str) -> tuple[int, ...]:
    """Read `--tls13-ciphers`: names that are not known are passed over, as long as one is."""
    numbers = {name: number for number, name in CIPHER_SUITE_NAMES.items()}
    found = tuple(numbers[word] for word in text.split(":") if word in numbers)
    if not found:
        raise errors.CipherError(f"failed setting TLS 1.3 cipher suite: {text}")
    return tuple(dict.fromkeys(found))


def _groups(text: str) -> tuple[int, ...]:
    """Read `--curves`; a name that OpenSSL does not know spoils the list."""
    numbers = {name.lower(): number for number, name in GROUP_NAMES.items()} | GROUP_ALIASES
    words = text.lower().split(":")
    found = tuple(numbers[word] for word in words if word in numbers)
    if not found or not all(word in numbers or word in GROUPS_ELSEWHERE for word in words):
        raise errors.CipherError(f"failed setting curves list: '{text}'")
    return tuple(dict.fromkeys(found))

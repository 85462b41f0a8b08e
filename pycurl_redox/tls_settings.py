"""TLS as the options want it, and what `-v` says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from pycurl_redox import errors
from tcpip.clock import wall_clock
from tls.certificates import Certificate
from tls.client import TlsClient
from tls.config import (
    CIPHER_SUITE_NAMES,
    TLS12,
    TLS13,
    VERSION_NAMES,
    ClientCertificate,
    SessionTicket,
    TlsConfig,
)
from tls.errors import (
    TlsError,
    UsageError,
)
from tls.events import Event, HandshakeCompleted, MessageTraced, TicketReceived
from tls.handshake import check_staple
from tls.offer import make_offer
from tls.paths import VerifiedPath, verify_chain
from tls.proofs import proof_of_session
from tls.record import HEADER_SIZE
from tls.trust import TrustStore

if TYPE_CHECKING:
    from pycurl_redox.connection import Connection
    from pycurl_redox.message import Observer
    from pycurl_redox.pool import Route, SharedSessions
    from pycurl_redox.tls_notes import MessageNotes
    from pycurl_redox.tls_options import TlsOptions
    from pycurl_redox.tls_sessions import SessionStore
    from tls.crl import CrlStore

ALPN_HTTP1 = (b"http/1.1",)
SYSTEM_CAPATH = "/etc/ssl/certs"
VERSIONS = ("1.0", "1.1", "1.2", "1.3")


class TlsSettings:
    """What a TLS client is told, for all connections of one operation; files are opened once.

    `may_ask`: for a pass phrase that no option gave; without it such a key is refused.
    """

    def __init__(
        self,
        options: TlsOptions,
        environment: Mapping[str, str],
        *,
        may_ask: bool = False,
        sessions: SharedSessions | None = None,
    ) -> None:
        self._options = options
        self._environment = environment
        self._may_ask = may_ask
        self._crls: CrlStore | None = None
        self._trust: TrustStore | None = None
        self._tls: TlsConfig | None = None
        self._sessions = None if options.no_sessionid else sessions
        self._ticketed: set[Route] = set()
        self._key_log: Callable[[str], None] | None = None
        if path := environment.get("SSLKEYLOGFILE"):
            from pycurl_redox.key_log import KeyLog

            self._key_log = KeyLog(path)

    def client(
        self,
        server_name: str,
        observer: Observer,
        port: int = 443,
        *,
        is_idempotent: bool = False,
        ech_configs: bytes = b"",
    ) -> TlsClient:
        """Return a client whose ClientHello is ready; early data is for what may well be done twice.

        With `ech_configs` the name is sealed, or nothing is sent: EchRequiredError.
        """
        if self._tls is None:
            self._check_versions()
        if alpn := self._alpn:
            observer.note("ALPN: offers " + ",".join(name.decode() for name in alpn))
        if self._tls is None:
            self._tls = self._make_config(observer.traces_tls)
        if self._options.ciphers is not None:
            observer.note(f"Cipher selection: {self._options.ciphers}")
        if self._options.tls13_ciphers is not None:
            observer.note(f"TLS 1.3 cipher selection: {self._options.tls13_ciphers}")
        settings = self._tls
        if self._sessions is not None and self._sessions.store is not None:
            settings = self._resuming(settings, self._sessions.store, server_name, port, observer)
            settings = settings._replace(early_data=self._options.early_data and is_idempotent)
        if ech_configs:
            settings = settings._replace(
                ech_configs=ech_configs, ech_public_name=self._options.ech_public_name
            )
        if not ech_configs:
            return TlsClient(settings, server_name)
        try:
            offer = make_offer(settings, server_name)
        except UsageError as error:
            raise errors.EchRequiredError(str(error)) from error
        if offer.ech is None:
            why = (
                "no config in the list can be used"
                if TLS13 in settings.versions
                else "TLS 1.3 is not allowed"
            )
            raise errors.EchRequiredError(f"ECH: {why}, and the name would be seen")
        return TlsClient(settings, server_name, offer)

    def _resuming(
        self, settings: TlsConfig, store: SessionStore, host: str, port: int, observer: Observer
    ) -> TlsConfig:
        """With a session of this server, if there is one that stands; one from a file is verified again."""
        found = store.take(host, port, self._identity, wall_clock())
        if found is None or not self._stands(settings, found[0].ticket, host, found[1]):
            return settings
        observer.note("SSL re-using session ID")
        return settings._replace(resumption=found[0], verify_resumed=found[1])

    def _stands(self, settings: TlsConfig, ticket: SessionTicket, host: str, is_from_file: bool) -> bool:
        """Whether who made this session would be accepted now: data may go to him before he has said a word.

        One whose certificate has run out is not offered, either: the server may have another by now.
        """
        leaf = ticket.peer_chain[0]
        try:
            pins = self._options.pinnedpubkey
            if pins is not None:
                from pycurl_redox.pins import is_pinned

                if not is_pinned(pins, Certificate.parse(leaf).key_der):
                    return False
            if is_from_file:
                proof = proof_of_session(settings, host, ticket)
                check_staple(settings, Certificate.parse(leaf), proof.peer, proof.path)
        except TlsError:
            return False
        return True

    def on_event(self, connection: Connection) -> Callable[[Event], None]:
        """Return what takes the events of a connection that are no data."""
        notes: MessageNotes | None = None

        def take(event: Event) -> None:
            nonlocal notes
            if isinstance(event, TicketReceived):
                self._take_ticket(event, connection)
            elif isinstance(event, MessageTraced):
                if notes is None:
                    from pycurl_redox.tls_notes import MessageNotes

                    notes = MessageNotes(self._versions[0], self._note_trust)
                notes.take(event, connection.observer)

        return take

    def _take_ticket(self, event: TicketReceived, connection: Connection) -> None:
        if connection.route in self._ticketed and not self._options.is_proxy:
            connection.observer.note("old SSL session ID is stale, removing")
        self._ticketed.add(connection.route)
        if self._sessions is not None:
            host, port = connection.tls_end(self._options.is_proxy)
            self._sessions.open().give(host, port, self._identity, event.ticket, wall_clock())

    @staticmethod
    def on_data(connection: Connection) -> Callable[[bool], None]:
        """Return what `-v` shows of records with data: their headers, as OpenSSL lets curl see them."""
        return lambda outgoing: connection.observer.tls_message(outgoing, HEADER_SIZE)

    def completed(self, connection: Connection, observer: Observer) -> None:
        """Say what was agreed, and check the pinned key."""
        is_proxy = self._options.is_proxy
        done = connection.proxy_tls if is_proxy else connection.tls
        assert done is not None
        suite = CIPHER_SUITE_NAMES[done.cipher_suite]
        observer.note(f"SSL connection using {VERSION_NAMES[done.version]} / {suite}")
        if done.alpn is not None:
            observer.note(f"ALPN: server accepted {done.alpn.decode('latin-1')}")
        elif not self._options.no_alpn:
            observer.note("ALPN: server did not agree on a protocol. Uses default.")
        if done.early_data not in ("disabled", "no_session_offered"):
            observer.note(f"TLS early data: {done.early_data.replace('_', ' ')}")
        if done.ech != "not_offered":
            observer.note(f"ECH: {done.ech}")
        if observer.traces_tls:
            self._note_certificate(connection.tls_end(is_proxy)[0], done, observer)
        if self._options.pinnedpubkey is not None:
            self._check_pin(self._options.pinnedpubkey, _leaf(done), observer)
        if not is_proxy and not self._options.no_alpn:
            observer.note("using HTTP/1.1" if done.alpn is not None else "using HTTP/1.x")

    @cached_property
    def _identity(self) -> str:
        """What a session is bound to, beside the server: our options, and who we say we are."""
        mine = self._tls.client_certificate if self._tls is not None else None
        # The one changes nothing in what a session is, the other is not to be guessed from a file of them.
        options = self._options._replace(early_data=False, passphrase=None)
        return repr((*options, mine.chain if mine is not None else ()))

    @property
    def _alpn(self) -> tuple[bytes, ...]:
        return () if self._options.no_alpn else ALPN_HTTP1

    def _check_versions(self) -> None:
        least, most = self._options.tls_min, self._options.tls_max
        if least and most and VERSIONS.index(most) < VERSIONS.index(least):
            raise errors.TlsFailedError("CURL_SSLVERSION_MAX incompatible with CURL_SSLVERSION")
        if most not in ("", "1.2", "1.3"):
            raise errors.TlsFailedError(f"TLS: --tls-max {most}: nothing older than TLS 1.2 is spoken here")

    @property
    def _versions(self) -> tuple[int, ...]:
        least, most = self._options.tls_min, self._options.tls_max
        return (TLS13,) * (most != "1.2") + (TLS12,) * (least != "1.3")

    def _make_config(self, trace: bool) -> TlsConfig:
        options = self._options
        settings = TlsConfig(
            verify=None if options.insecure else self._verify,
            alpn=self._alpn,
            versions=self._versions,
            trace=trace,
            key_log=self._key_log,
            grease_ech=options.ech == "grease",
            request_ocsp=options.cert_status,
            check_staple=_check_staple if options.cert_status else None,
        )
        if options.cert is not None:
            settings = settings._replace(client_certificate=self._client_certificate())
        settings = self._with_names(settings)
        if not options.insecure:
            self._trust = self._open_trust()
        if options.crlfile is not None:
            self._crls = _open_crls(options.crlfile, options.capath or SYSTEM_CAPATH)
        return settings

    def _with_names(self, settings: TlsConfig) -> TlsConfig:
        """Suites, groups and signatures, where they are named; in curl's order of complaints."""
        options = self._options
        if (options.ciphers, options.tls13_ciphers, options.curves, options.sigalgs) == (None,) * 4:
            return settings
        from pycurl_redox import tls_names

        if options.ciphers is not None:
            settings = settings._replace(cipher_suites_12=tls_names.suites_12(options.ciphers))
        if options.tls13_ciphers is not None:
            settings = settings._replace(cipher_suites=tls_names.suites(options.tls13_ciphers))
        if not settings.all_cipher_suites:
            raise errors.TlsFailedError(
                f"TLS: --ciphers {options.ciphers}: none of these suites is spoken here"
            )
        if options.curves is not None:
            groups = tls_names.groups(options.curves)
            settings = settings._replace(groups=groups, key_shares=groups[:1])
        if options.sigalgs is not None:
            schemes = tls_names.schemes(options.sigalgs)
            settings = settings._replace(signature_schemes=schemes, signature_schemes_12=())
            if (mine := settings.client_certificate) is not None:  # OpenSSL's list is for both sides
                allowed = [one for one in mine.signer.schemes if one in settings.signature_schemes]
                mine.signer.schemes = tuple(allowed)
                older = [one for one in mine.signer.schemes_12 if one in settings.signature_schemes]
                mine.signer.schemes_12 = tuple(older)
        return settings

    def _client_certificate(self) -> ClientCertificate | None:
        from pycurl_redox.client_certificate import ask_at_the_terminal, load

        return load(self._options, ask_at_the_terminal if self._may_ask else None)

    def _open_trust(self) -> TrustStore:
        """The user's file, else the system's; a directory is another source beside it."""
        options, environment = self._options, self._environment
        file = options.cacert
        if file is None and options.capath is None:
            file = environment.get("CURL_CA_BUNDLE") or None
        try:
            if file is not None:
                store = TrustStore.from_file(file)
            else:  # whoever names a directory has said where to look: the environment is not asked
                store = TrustStore.system(environment if options.capath is None else {})
        except (OSError, UsageError) as error:
            named = environment.get("SSL_CERT_FILE") if file is None else file
            raise errors.CaFileError(f"error setting certificate file: {named}") from error
        if options.capath == "":
            raise errors.CaFileError("error setting certificate path: ")
        if options.capath is not None:
            store.add_directory(options.capath)
        if options.ca_native:
            store.add_store(TrustStore.system(environment))
        return store

    def _verify(self, chain: Sequence[Certificate], server_name: str) -> VerifiedPath:
        assert self._trust is not None
        return verify_chain(
            chain, server_name, self._trust, wall_clock(), partial_chain=True, crls=self._crls
        )

    def _check_pin(self, pins: str, leaf: Certificate, observer: Observer) -> None:
        from pycurl_redox.pins import is_pinned, pin_of

        if pins.startswith("sha256//"):
            observer.note(f" public key hash: {pin_of(leaf.key_der)}")
        if not is_pinned(pins, leaf.key_der):
            raise errors.PinnedKeyError("SSL: public key does not match pinned public key")

    def _note_trust(self, observer: Observer) -> None:
        from pycurl_redox.tls_notes import note_trust

        note_trust(self._options, self._environment, observer)

    def _note_certificate(self, host: str, done: HandshakeCompleted, observer: Observer) -> None:
        from pycurl_redox.tls_notes import note_certificate, note_verdict

        path = done.verified_path
        if path is None and done.is_resumed and not self._options.insecure:
            path = self._verify([Certificate.parse(der) for der in done.peer_chain], host)
        note_certificate(self._options, host, _leaf(done), path, observer)
        if path is not None:
            observer.note(" SSL certificate verify ok.")
        else:
            note_verdict(host, done, self._crls, observer)
        if self._options.cert_status:
            observer.note("SSL certificate status: good (0)")


def _leaf(done: HandshakeCompleted) -> Certificate:
    """The server's certificate, be it of the session that was resumed."""
    return done.peer_certificate or Certificate.parse(done.peer_chain[0])


def _check_staple(leaf: Certificate, issuer: Certificate | None, response: bytes | None) -> None:
    from tls import ocsp

    ocsp.check(response, leaf, issuer, wall_clock())


def _open_crls(path: str, directory: str) -> CrlStore:
    from tls.crl import CrlStore

    try:
        return CrlStore.from_file(path, (directory,))
    except (OSError, UsageError) as error:
        raise errors.CrlFileError(f"error loading CRL file: {path}") from error

"""What `-v` says of a handshake, in curl's words and in the order in which OpenSSL lets curl see it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pycurl_redox.tls_failures import OF_CERTIFICATES
from pycurl_redox.tls_settings import SYSTEM_CAPATH
from tls.config import VERSION_NAMES
from tls.record import HEADER_SIZE

if TYPE_CHECKING:
    from pycurl_redox.message import Observer
    from pycurl_redox.tls_options import TlsOptions
    from tls.certificates import Certificate
    from tls.crl import CrlStore
    from tls.events import HandshakeCompleted, MessageTraced
    from tls.paths import VerifiedPath

HELD = ((False, "TLS handshake", 15), (True, "TLS change cipher", 1))
"""The server's CertificateVerify and our change_cipher_spec: before these OpenSSL refuses a chain."""
FATAL = 2 << 8
CERTIFICATE_ALERTS = tuple(FATAL + alert for alert in OF_CERTIFICATES)
"""As OpenSSL numbers them in a trace."""
NAMELESS_ALERTS = ("missing extension", "certificate required")
"""OpenSSL calls these two "unknown" in a trace."""


class MessageNotes:
    """A line for each message of one connection; what `note_trust` says comes behind the first."""

    def __init__(self, newest: int, note_trust: Callable[[Observer], None]) -> None:
        self._newest = newest
        self._note_trust: Callable[[Observer], None] | None = note_trust
        self._held: list[MessageTraced] = []

    def take(self, event: MessageTraced, observer: Observer) -> None:
        if (event.outgoing, event.content, event.number) in HELD:
            self._held.append(event)
            return
        if event.outgoing and event.number in CERTIFICATE_ALERTS:
            self._held.clear()
        held, self._held = self._held, []
        for each in (*held, event):
            self._show(each, observer)

    def _show(self, event: MessageTraced, observer: Observer) -> None:
        way = "OUT" if event.outgoing else "IN"
        observer.tls_message(event.outgoing, HEADER_SIZE)
        name = "unknown" if event.name in NAMELESS_ALERTS else event.name
        name = name.replace("unknown ca", "unknown CA")
        version = VERSION_NAMES[min(event.version, self._newest)]
        observer.note(f"{version} ({way}), {event.content}, {name} ({event.number}):")
        observer.tls_message(event.outgoing, event.length)
        if (note_trust := self._note_trust) is not None:
            self._note_trust = None
            note_trust(observer)


def note_trust(options: TlsOptions, environment: Mapping[str, str], observer: Observer) -> None:
    """Say by what the server is going to be judged."""
    if not options.insecure:
        file = options.cacert or environment.get("CURL_CA_BUNDLE") or environment.get("SSL_CERT_FILE")
        if file is None:
            from tls.trust import SYSTEM_BUNDLES

            file = next((path for path in SYSTEM_BUNDLES if os.path.exists(path)), "none")
        observer.note(f" CAfile: {file}")
        observer.note(f" CApath: {options.capath or SYSTEM_CAPATH}")
    if options.crlfile is not None:
        observer.note("successfully loaded CRL file:")
        observer.note(f"  CRLfile: {options.crlfile}")


def note_certificate(
    options: TlsOptions, host: str, leaf: Certificate, path: VerifiedPath | None, observer: Observer
) -> None:
    """Say whose certificate it is, up to the verdict."""
    from tls.der import time_text

    observer.note("Proxy certificate:" if options.is_proxy else "Server certificate:")
    observer.note(f" subject: {leaf.subject}")
    observer.note(f" start date: {time_text(leaf.not_before)}")
    observer.note(f" expire date: {time_text(leaf.not_after)}")
    if path is not None:
        from tls.names import parse_ip

        is_ip = parse_ip(host) is not None
        matched = "IP address!" if is_ip else f'"{path.matched_name}"'
        observer.note(f' subjectAltName: host "{host}" matched cert\'s {matched}')
    observer.note(f" issuer: {leaf.issuer}")


def note_verdict(host: str, done: HandshakeCompleted, crls: CrlStore | None, observer: Observer) -> None:
    """Say, with -k, what a check would have said."""
    from pycurl_redox.verify_result import of_unverified

    code, text = of_unverified(done, host, crls)
    if code:
        observer.note(f" SSL certificate verify result: {text} ({code}), continuing anyway.")
    else:
        observer.note(" SSL certificate verify ok.")

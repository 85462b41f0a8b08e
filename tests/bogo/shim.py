"""The shim between BoGo, BoringSSL's TLS test runner, and `TlsClient`.

It translates flags into a `TlsConfig` and moves octets between a socket and
the client; what TLS has to decide, the client decides.  A flag not known here,
or with a value that the product has nothing for, ends it with 89.
"""

from __future__ import annotations

import base64
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pycurl_redox.tls_names import suites_12
from tls import compression
from tls import config as tls_config
from tls.alerts import Alert
from tls.client import TlsClient
from tls.config import ClientCertificate, ResumptionOffer, SessionTicket, TlsConfig, TlsLimits
from tls.errors import CertificateError, EchRejectedError, TlsError, TruncatedError, UsageError
from tls.events import ApplicationData, CloseNotifyReceived, HandshakeCompleted, MessageTraced, TicketReceived

UNIMPLEMENTED = 89
INVERTED = bytes(octet ^ 0xFF for octet in range(256))
TLS12, TLS13 = 771, 772

# How the client works anyhow, or how this shim does.
TRUE_ANYHOW = {
    "-async",
    "-implicit-handshake",
    "-use-old-client-cert-callback",
    "-no-op-extra-handshake",
    "-no-ssl3",
    "-no-tls1",
    "-no-tls11",
    "-ipv6",
    "-enforce-rsa-key-usage",
    "-forbid-renegotiation-after-handshake",
    # A server of TLS 1.2 without them is refused.
    "-expect-extended-master-secret",
    "-expect-secure-renegotiation",
}
SWITCHES = {
    "-enable-grease",
    "-permute-extensions",
    "-install-cert-compression-algs",
    "-enable-ech-grease",
    "-expect-ech-accept",
    "-expect-no-ech-retry-configs",
    "-expect-no-ech-name-override",
    "-enable-early-data",
    "-expect-accept-early-data",
    "-expect-reject-early-data",
    "-expect-no-offer-early-data",
    "-no-tls12",
    "-no-tls13",
    "-verify-peer",
    "-verify-fail",
    "-use-custom-verify-callback",
    "-reverify-on-resume",
    "-expect-verify-result",
    "-expect-session-miss",
    "-expect-no-session",
    "-expect-hrr",
    "-expect-no-hrr",
    "-check-close-notify",
    "-shim-shuts-down",
    "-shim-writes-first",
    "-enable-ocsp-stapling",
    "-use-ocsp-callback",
    "-fail-ocsp-callback",
    "-send-alert",
    "-use-export-context",
    "-enable-signed-cert-timestamps",
    "-expect-ticket-supports-early-data",
    "-key-update",
    "-renegotiate-ignore",
    "-fail-cert-callback",
    "-export-traffic-secrets",
    "-expect-ticket-renewal",
    "-peek-then-read",
    "-read-with-unfinished-write",
}
VALUES = {
    "-cipher",
    "-expect-total-renegotiations",
    "-expect-certificate-types",
    # A server's: a client has nothing to staple to its own certificate.
    "-ocsp-response",
    "-signed-cert-timestamps",
    "-ech-config-list",
    "-expect-ech-retry-configs",
    "-expect-ech-name-override",
    "-expect-early-data-reason",
    "-early-write-after-message",
    "-port",
    "-resume-count",
    "-expect-peer-signature-algorithm",
    "-cert-file",
    "-key-file",
    "-expect-curve-id",
    "-max-version",
    "-min-version",
    "-expect-version",
    "-host-name",
    "-expect-ocsp-response",
    "-export-keying-material",
    "-export-label",
    "-export-context",
    "-advertise-alpn",
    "-expect-alpn",
    "-expect-signed-cert-timestamps",
    "-expect-cipher",
    "-expect-cipher-aes",
    "-expect-peer-cert-file",
    "-max-cert-list",
    "-resumption-delay",
    "-expect-client-ca-list",
}
LISTS = {"-curves", "-verify-prefs", "-signing-prefs", "-expect-peer-verify-pref"}


# The runner's own ways of compressing a certificate: two octets fewer, four more, one at random more.
DECOMPRESSORS = {
    0xFF01: lambda octets, length: exactly(b"\0\0" + octets, length),
    0xFF02: lambda octets, length: exactly(octets[4:], length),
    0xFF03: lambda octets, length: exactly(octets[1:], length),
}
compression.DECOMPRESSORS.update(DECOMPRESSORS)


def exactly(octets: bytes, length: int) -> bytes:
    if len(octets) != length:
        raise ValueError(f"{len(octets)} octets")
    return octets


class Unimplemented(Exception):
    """A flag that asks for what is not there."""


class Unexpected(Exception):
    """An expectation of the runner that does not hold."""


class Flags:
    """The flags of one connection."""

    def __init__(self) -> None:
        self.switches: set[str] = set()
        self.values: dict[str, str] = {}
        self.lists: dict[str, list[int]] = {}

    def __contains__(self, flag: str) -> bool:
        return flag in self.switches or flag in self.values

    def number(self, flag: str, default: int) -> int:
        return int(self.values.get(flag, default))


def parse(arguments: list[str]) -> tuple[Flags, Flags, Flags]:
    """Return the flags of the first connection, of those that resume, of these when early data is refused."""
    initial, resumed, retried = Flags(), Flags(), Flags()
    targets = {"-on-initial": [initial], "-on-resume": [resumed], "-on-retry": [retried]}
    rest = iter(arguments)
    for argument in rest:
        flag, chosen = argument, [initial, resumed, retried]
        for prefix, only in targets.items():
            if argument.startswith(prefix + "-"):
                flag, chosen = argument.removeprefix(prefix), only
        if flag in TRUE_ANYHOW:
            continue
        if flag in SWITCHES:
            for flags in chosen:
                flags.switches.add(flag)
        elif flag in VALUES or flag in LISTS:
            value = next(rest)
            for flags in chosen:
                if flag in VALUES:
                    flags.values[flag] = value
                else:
                    flags.lists.setdefault(flag, []).append(int(value))
        else:
            raise Unimplemented(argument)
    for flags in (initial, resumed, retried):
        check_values(flags)
    return initial, resumed, retried


def check_values(flags: Flags) -> None:
    if flags.number("-max-version", TLS13) < TLS12:
        raise Unimplemented("nothing newer than TLS 1.1")
    if any(group not in tls_config.GROUP_NAMES for group in flags.lists.get("-curves", [])):
        raise Unimplemented("a group that is not there")
    if flags.number("-expect-curve-id", tls_config.X25519) not in tls_config.GROUP_NAMES:
        raise Unimplemented("a group that is not there")


class FailingSigner:
    """A key that cannot be used when it is asked for."""

    schemes = schemes_12 = tuple(tls_config.SIGNATURE_SCHEME_NAMES)

    def sign(self, scheme, content):
        raise UsageError("signing refused by -fail-cert-callback", Alert.INTERNAL_ERROR)


class Connection:
    """One connection of a case: the client, the socket, and what was seen."""

    def __init__(
        self, flags: Flags, retried: Flags, is_resuming: bool, ticket: SessionTicket | None, age: int
    ) -> None:
        self.flags = flags
        self.retried = retried
        self.has_offered = False
        self.is_resuming = is_resuming
        self.offered_ticket = ticket
        self.completed: HandshakeCompleted | None = None
        self.ticket: SessionTicket | None = None
        self.logged: dict[str, bytes] = {}
        self.is_closed_by_peer = False
        self.client = TlsClient(self.config(age), flags.values.get("-host-name", ""))
        self.has_offered = True
        self.offered_early_data = self.client.early_data_room > 0
        self.seen_messages: set[int] = set()
        self.held: bytes | None = None
        self.held_early = False

    def config(self, age: int) -> TlsConfig:
        flags = self.flags
        config = TlsConfig(
            verify=self.verify,
            versions=self.versions(),
            verify_resumed="-reverify-on-resume" in flags,
            request_ocsp="-enable-ocsp-stapling" in flags,
            request_sct="-enable-signed-cert-timestamps" in flags,
            check_staple=self.check_staple if "-use-ocsp-callback" in flags else None,
            alpn=alpn_names(flags.values.get("-advertise-alpn", "")),
            groups=(tls_config.X25519, tls_config.SECP256R1, tls_config.SECP384R1),
            key_shares=(tls_config.X25519,),
            client_certificate=self.client_certificate(),
            early_data="-enable-early-data" in flags,
            grease_ech="-enable-ech-grease" in flags,
            grease="-enable-grease" in flags,
            permute_extensions="-permute-extensions" in flags,
            certificate_compression=tuple(DECOMPRESSORS) if "-install-cert-compression-algs" in flags else (),
            ech_configs=base64.b64decode(flags.values.get("-ech-config-list", "")),
            trace="-early-write-after-message" in flags,
            limits=self.limits(),
            key_log=self.log_key,
        )
        if curves := tuple(flags.lists.get("-curves", ())):
            config = config._replace(groups=curves, key_shares=curves[:1])
        if schemes := tuple(flags.lists.get("-verify-prefs", ())):
            config = config._replace(signature_schemes=schemes, signature_schemes_12=())
        if "-cipher" in flags:
            config = config._replace(cipher_suites_12=suites_12(flags.values["-cipher"]))
        if self.offered_ticket is not None:
            config = config._replace(resumption=ResumptionOffer(self.offered_ticket, age))
        return config

    def log_key(self, line: str) -> None:
        label, _, secret = line.split()
        self.logged[label] = bytes.fromhex(secret)

    def limits(self) -> TlsLimits:
        flags, limits = self.flags, TlsLimits()
        if "-renegotiate-ignore" not in flags:
            limits = limits._replace(hello_requests=0)
        if size := flags.number("-max-cert-list", 0):
            limits = limits._replace(certificate_size=size, certificate_count=size)
        return limits

    def versions(self) -> tuple[int, ...]:
        flags = self.flags
        low, high = flags.number("-min-version", TLS12), flags.number("-max-version", TLS13)
        asked = {TLS13: "-no-tls13" not in flags, TLS12: "-no-tls12" not in flags}
        return tuple(version for version, is_on in asked.items() if is_on and low <= version <= high)

    def verify(self, chain, server_name):
        """Do as the flags say; names and dates of the runner's certificates do not count."""
        from tls.paths import VerifiedPath

        # What is judged again after early data was offered belongs to a handshake that has refused it.
        flags = self.retried if self.has_offered and self.offered_early_data else self.flags
        asked = self.flags.values.get("-host-name", "")
        if flags.values.get("-expect-ech-name-override", server_name) != server_name:
            raise Unexpected(f"verified for {server_name!r}")
        if "-expect-no-ech-name-override" in flags and server_name != asked:
            raise Unexpected(f"verified for {server_name!r}, not {asked!r}")
        if "-verify-fail" not in flags:
            return VerifiedPath(tuple(chain), server_name)
        if "-verify-peer" not in flags:
            return None
        custom = "-use-custom-verify-callback" in flags
        alert = Alert.CERTIFICATE_UNKNOWN if custom else Alert.HANDSHAKE_FAILURE
        raise CertificateError("verification refused by -verify-fail", alert)

    def check_staple(self, _leaf, _issuer, _response):
        if "-fail-ocsp-callback" in self.flags:
            raise CertificateError(
                "staple refused by -fail-ocsp-callback", Alert.BAD_CERTIFICATE_STATUS_RESPONSE
            )

    def client_certificate(self) -> ClientCertificate | None:
        values = self.flags.values
        if "-fail-cert-callback" in self.flags:
            return ClientCertificate((b"\x30\x00",), FailingSigner())
        if "-cert-file" not in values or "-key-file" not in values:
            return None
        from tls.crypto import load_signer

        signer = load_signer(Path(values["-key-file"]).read_bytes())
        if preferences := self.flags.lists.get("-signing-prefs"):
            signer.schemes = tuple(scheme for scheme in preferences if scheme in signer.schemes)
            signer.schemes_12 = tuple(scheme for scheme in preferences if scheme in signer.schemes_12)
        return ClientCertificate(pem_chain(values["-cert-file"]), signer)

    def run(self) -> None:
        family, host = (socket.AF_INET6, "::1") if "-ipv6" in sys.argv else (socket.AF_INET, "127.0.0.1")
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(30)
            sock.connect((host, int(self.flags.values["-port"])))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock = sock
            try:
                self.exchange()
            finally:
                self.send()
                linger(sock)

    def exchange(self) -> None:
        self.send()
        pending = b""
        client, hello = self.client, self.first_words(self.flags)
        if self.offered_early_data:
            self.check_session(self.flags)
            if message := self.flags.number("-early-write-after-message", 0):
                while message not in self.seen_messages:
                    pending += self.receive()
            early, hello = hello[: client.early_data_room], hello[client.early_data_room :]
            self.export()
            client.send_early_data(early)
            self.hold_back(early)
            self.send()
        while self.completed is None:
            pending += self.receive()
        if self.offered_early_data and self.completed.early_data != "accepted":
            self.flags = self.retried
            hello = self.first_words(self.retried)
        self.check()
        flags = self.flags
        if "-send-alert" in flags:
            client.abort(Alert.DECOMPRESSION_FAILURE)
            self.send()
            return
        self.export()
        if hello:
            self.send()
            client.send_data(hello)
            self.hold_back(hello)
        if "-shim-shuts-down" in flags:
            client.close()
        self.echo(pending)
        self.check_end(flags)
        if "-expect-ticket-supports-early-data" in flags and self.ticket is not None:
            if not self.ticket.max_early_data_size:
                raise Unexpected("a ticket without early data")

    @staticmethod
    def first_words(flags: Flags) -> bytes:
        is_first = "-shim-writes-first" in flags or "-read-with-unfinished-write" in flags
        return b"hello" if is_first else b""

    def hold_back(self, data: bytes) -> None:
        """Send only one octet, and the others when something was read or the handshake is over."""
        if data and "-read-with-unfinished-write" in self.flags:
            octets = b"".join(self.client.data_to_send())
            self.sock.sendall(octets[:1])
            self.held = octets[1:]
            self.held_early = self.completed is None

    def check_end(self, flags: Flags) -> None:
        completed = self.completed
        assert completed is not None
        if "-expect-no-session" in flags and self.ticket is not None:
            raise Unexpected("a session came that was not expected")
        if flags.number("-expect-total-renegotiations", 0):
            raise Unexpected("no renegotiations")  # there never are
        if "-expect-ticket-renewal" in flags and completed.is_resumed and self.ticket is None:
            raise Unexpected("no new ticket")

    def export(self) -> None:
        flags = self.flags
        if length := flags.number("-export-keying-material", 0):
            label = flags.values.get("-export-label", "").encode()
            context = flags.values.get("-export-context", "").encode()
            if "-use-export-context" not in flags:
                context = None
            self.client.send_data(self.client.export_keying_material(label, context, length))
        if "-export-traffic-secrets" in flags:
            theirs, ours = self.logged["SERVER_TRAFFIC_SECRET_0"], self.logged["CLIENT_TRAFFIC_SECRET_0"]
            self.client.send_data(len(ours).to_bytes(2, "little"), theirs, ours)

    def echo(self, pending: bytes) -> None:
        closing = "-shim-shuts-down" in self.flags
        while True:
            if pending and not closing:
                if "-key-update" in self.flags:
                    self.client.update_keys()
                self.client.send_data(pending.translate(INVERTED))
            self.send()
            if self.is_closed_by_peer:
                self.client.close()
                self.send()
                return
            try:
                pending = self.receive()
            except TruncatedError:
                if "-check-close-notify" in self.flags:
                    raise
                return

    def receive(self) -> bytes:
        """Read once; return what application data came of it."""
        try:
            octets = (
                self.read_record() if "-early-write-after-message" in self.flags else self.sock.recv(65536)
            )
        except ConnectionResetError:
            octets = b""
        self.client.receive_data(octets)
        data, is_idle = b"", self.client.is_idle
        try:
            while (event := self.next_event()) is not None:
                if isinstance(event, ApplicationData):
                    data += event.data
                elif isinstance(event, HandshakeCompleted):
                    self.completed = event
                elif isinstance(event, TicketReceived):
                    self.ticket = event.ticket
                elif isinstance(event, MessageTraced) and not event.outgoing:
                    self.seen_messages.add(event.number)
                elif isinstance(event, CloseNotifyReceived):
                    self.is_closed_by_peer = True
        finally:
            if data or (self.held_early and self.completed is not None):
                self.release()
            self.send()
        if "-peek-then-read" in self.flags and is_idle != (not data and not self.is_closed_by_peer):
            raise Unexpected(f"idle: {is_idle}, but {len(data)} octets")
        return data

    def release(self) -> None:
        if self.held is not None:
            self.sock.sendall(self.held)
            self.held = None

    def next_event(self):
        try:
            return self.client.next_event()
        except EchRejectedError as error:
            flags = self.retried if self.offered_early_data else self.flags
            wanted = flags.values.get("-expect-ech-retry-configs")
            if wanted is not None and base64.b64decode(wanted) != error.retry_configs:
                raise Unexpected(f"retry configs: {error.retry_configs!r}") from None
            if "-expect-no-ech-retry-configs" in flags and error.retry_configs is not None:
                raise Unexpected(f"retry configs: {error.retry_configs!r}") from None
            raise

    def read_record(self) -> bytes:
        """One, so that something can be done between two messages."""
        header = self.sock.recv(5, socket.MSG_WAITALL)
        return header + self.sock.recv(int.from_bytes(header[3:], "big"), socket.MSG_WAITALL)

    def send(self) -> None:
        if self.held is not None:
            self.held += b"".join(self.client.data_to_send())
            return
        try:
            for octets in self.client.data_to_send():
                self.sock.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass  # what the server said last is still to be read

    def check(self) -> None:
        """The expectations about the handshake."""
        completed, flags = self.completed, self.flags
        assert completed is not None
        self.check_early_data(completed)
        if completed.is_resumed != (self.is_resuming and "-expect-session-miss" not in flags):
            raise Unexpected(f"resumed: {completed.is_resumed}")
        if "-expect-hrr" in flags and not completed.was_retried:
            raise Unexpected("no HelloRetryRequest")
        if "-expect-no-hrr" in flags and completed.was_retried:
            raise Unexpected("a HelloRetryRequest")
        if "-expect-verify-result" in flags:
            self.check_verify_result(completed)
        if "-expect-ech-accept" in flags and completed.ech != "accepted":
            raise Unexpected(f"ECH: {completed.ech}")
        self.expect("-expect-peer-signature-algorithm", completed.signature_scheme)
        self.expect("-expect-curve-id", completed.group)
        self.expect("-expect-version", completed.version)
        self.expect("-expect-cipher", completed.cipher_suite)
        self.expect("-expect-cipher-aes", completed.cipher_suite)
        if "-expect-alpn" in flags:
            if (completed.alpn or b"") != flags.values["-expect-alpn"].encode():
                raise Unexpected(f"ALPN: {completed.alpn!r}")
        for flag, found in (
            ("-expect-ocsp-response", completed.ocsp_response),
            ("-expect-signed-cert-timestamps", completed.sct_list),
        ):
            if flag in flags and base64.b64decode(flags.values[flag]) != found:
                raise Unexpected(f"{flag}: {found!r}")
        self.check_request(completed)
        if "-expect-peer-cert-file" in flags:
            if completed.peer_chain != pem_chain(flags.values["-expect-peer-cert-file"]):
                raise Unexpected("another chain of the peer")

    def check_early_data(self, completed: HandshakeCompleted) -> None:
        flags = self.flags
        if "-expect-accept-early-data" in flags and completed.early_data != "accepted":
            raise Unexpected(f"early data: {completed.early_data}")
        if "-expect-reject-early-data" in flags and not self.offered_early_data:
            raise Unexpected("early data was not offered")
        if "-expect-no-offer-early-data" in flags and self.offered_early_data:
            raise Unexpected("early data was offered")
        wanted = flags.values.get("-expect-early-data-reason")
        if wanted is not None and completed.early_data != wanted.replace("accept", "accepted"):
            raise Unexpected(f"early data: {completed.early_data}")

    def check_session(self, flags: Flags) -> None:
        """What may be relied on while data goes out early is that of the session."""
        ticket = self.offered_ticket
        assert ticket is not None
        if "-expect-alpn" in flags and (ticket.alpn or b"") != flags.values["-expect-alpn"].encode():
            raise Unexpected(f"ALPN of the session: {ticket.alpn!r}")
        if "-expect-peer-cert-file" in flags:
            if ticket.peer_chain != pem_chain(flags.values["-expect-peer-cert-file"]):
                raise Unexpected("another chain in the session")

    def check_request(self, completed: HandshakeCompleted) -> None:
        """What the server wanted to know of us."""
        request, flags = completed.certificate_request, self.flags
        if "-expect-certificate-types" in flags:
            types = getattr(request, "certificate_types", None)
            if base64.b64decode(flags.values["-expect-certificate-types"]) != types:
                raise Unexpected(f"certificate types: {types!r}")
        if "-expect-client-ca-list" in flags:
            names = flags.values["-expect-client-ca-list"]
            wanted = [] if names == "<EMPTY>" else names.split(",")
            if request is None or [name.hex() for name in request.authorities] != wanted:
                raise Unexpected("other authorities in the CertificateRequest")
        if schemes := flags.lists.get("-expect-peer-verify-pref"):
            if request is None or list(request.signature_schemes) != schemes:
                raise Unexpected("other schemes in the CertificateRequest")

    def check_verify_result(self, completed: HandshakeCompleted) -> None:
        was_verified = completed.verified_path is not None
        if completed.is_resumed and "-reverify-on-resume" not in self.flags:
            assert self.offered_ticket is not None
            was_verified = self.offered_ticket.was_verified
        if was_verified != ("-verify-fail" not in self.flags):
            raise Unexpected(f"verified: {was_verified}")

    def expect(self, flag: str, found: int | None) -> None:
        if flag in self.flags.values and int(self.flags.values[flag]) != found:
            raise Unexpected(f"{flag}: {found}")


def alpn_names(wire: str) -> tuple[bytes, ...]:
    names, octets = [], wire.encode("latin-1")
    while octets:
        names.append(octets[1 : 1 + octets[0]])
        octets = octets[1 + octets[0] :]
    return tuple(names)


def pem_chain(path: str) -> tuple[bytes, ...]:
    blocks = Path(path).read_text().split("-----BEGIN CERTIFICATE-----")[1:]
    return tuple(base64.b64decode(block.split("-----END")[0]) for block in blocks)


def linger(sock: socket.socket) -> None:
    """Read to the end, so that what was sent is not lost by a reset."""
    try:
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
    except OSError:
        pass


def run(arguments: list[str]) -> None:
    initial, resumed, retried = parse(arguments)
    ticket, received_at = None, 0.0
    for number in range(1 + initial.number("-resume-count", 0)):
        flags = resumed if number else initial
        age = int((time.monotonic() - received_at + flags.number("-resumption-delay", 0)) * 1000)
        connection = Connection(flags, retried, number > 0, ticket, age)
        connection.run()
        if connection.ticket is not None:
            ticket, received_at = connection.ticket, time.monotonic()


def main(arguments: list[str]) -> int:
    if arguments == ["-is-handshaker-supported"]:
        print("No")
        return 0
    try:
        run(arguments)
    except Unimplemented:
        return UNIMPLEMENTED
    except TlsError as error:
        alert = "no alert" if error.alert is None else error.alert.name.lower()
        print(f"{type(error).__name__}: {alert}: {error}", file=sys.stderr)
        return 1
    except Unexpected as error:
        print(f"not as expected: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

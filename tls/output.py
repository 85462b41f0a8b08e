"""What a state of the handshake may do to the connection: `Output`."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from . import messages
from .alerts import Alert
from .config import TLS13, TlsConfig
from .crypto import CipherSuite
from .errors import PeerMisbehavedError
from .events import Event, KeyUpdated, MessageTraced
from .messages import HandshakeMessage, MessageJoiner
from .record import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    MAX_INNER_PLAINTEXT,
    Buffer,
    Protection,
    RecordReader,
    RecordWriter,
)

if TYPE_CHECKING:
    from .offer import EarlyData
    from .record12 import Protection12

#: The names that curl, after OpenSSL, prints with `-v`.
_TRACED_NAMES = {
    messages.CLIENT_HELLO: "Client hello",
    messages.SERVER_HELLO: "Server hello",
    messages.NEW_SESSION_TICKET: "Newsession Ticket",
    messages.END_OF_EARLY_DATA: "End of early data",
    messages.ENCRYPTED_EXTENSIONS: "Encrypted Extensions",
    messages.CERTIFICATE: "Certificate",
    messages.HELLO_REQUEST: "Hello request",
    messages.SERVER_KEY_EXCHANGE: "Server key exchange",
    messages.CERTIFICATE_REQUEST: "Request CERT",
    messages.SERVER_HELLO_DONE: "Server finished",
    messages.CERTIFICATE_VERIFY: "CERT verify",
    messages.CLIENT_KEY_EXCHANGE: "Client key exchange",
    messages.FINISHED: "Finished",
    messages.CERTIFICATE_STATUS: "Certificate Status",
    messages.KEY_UPDATE: "Key update",
    messages.COMPRESSED_CERTIFICATE: "Compressed Certificate",
}


class Output:
    """Records out, events up, keys in: the connection as the states of the handshake see it."""

    __slots__ = (
        "_early_data_room",
        "_owes_change_cipher_spec",
        "_owes_key_update",
        "_read_limit",
        "_write_limit",
        "client_random",
        "config",
        "events",
        "joiner",
        "reader",
        "sent",
        "version",
        "writer",
    )

    def __init__(self, config: TlsConfig, client_random: bytes, in_compatibility_mode: bool) -> None:
        self.config = config
        self.reader = RecordReader(config.limits.empty_records)
        self.writer = RecordWriter()
        self.joiner = MessageJoiner(config.limits)
        self.events: deque[Event] = deque()
        self.sent: list[Buffer] = []
        self.version = TLS13
        """TLS 1.2 once a server has chosen it."""
        self.client_random = client_random
        """What SSLKEYLOGFILE knows the connection by: of the inner hello, once that is accepted (ECH)."""
        self._owes_change_cipher_spec = in_compatibility_mode
        self._owes_key_update = False
        self._early_data_room = 0
        self._read_limit = self._write_limit = MAX_INNER_PLAINTEXT

    # Messages

    def send_message(self, encoded: bytes, version: int = 0x0303) -> None:
        """Send a handshake message; `version` is for the record of the very first (RFC 8446 §5.1)."""
        if self.writer.protection is None:
            self.sent.append(self.writer.plaintext(HANDSHAKE, encoded, version))
        else:
            self.sent.append(self.writer.seal(HANDSHAKE, encoded))
        self.trace_message(True, encoded[0], len(encoded))

    def send_messages(self, *encoded: bytes) -> None:
        """Send protected handshake messages of one flight side by side, in one record where they fit."""
        self.sent.append(self.writer.seal(HANDSHAKE, b"".join(encoded)))
        for each in encoded:
            self.trace_message(True, each[0], len(each))

    def send_change_cipher_spec(self) -> None:
        """In compatibility mode, once, before anything protected or a second hello (RFC 8446 §D.4)."""
        if self._owes_change_cipher_spec:
            self._owes_change_cipher_spec = False
            self.sent.append(self.writer.plaintext(CHANGE_CIPHER_SPEC, b"\x01"))
            self.trace(True, "TLS change cipher", "Change cipher spec", 1, 1)

    def send_change_cipher_spec_12(self) -> None:
        """In TLS 1.2 it means what it says (RFC 5246 §7.1)."""
        self._owes_change_cipher_spec = True
        self.send_change_cipher_spec()

    def send_alert(self, alert: Alert, *, is_warning: bool = False) -> None:
        level = 1 if is_warning or alert in (Alert.CLOSE_NOTIFY, Alert.USER_CANCELED) else 2
        octets = bytes([level, alert])
        if self.writer.protection is None:
            self.sent.append(self.writer.plaintext(ALERT, octets))
        else:
            self.send_change_cipher_spec()
            self.sent.append(self.writer.seal(ALERT, octets))
        self.trace_alert(True, level, alert)

    def send_application_data(self, data: Buffer) -> None:
        """Seal and send, with new keys whenever the limit of the present ones is reached."""
        if self._owes_key_update:
            self.update_write_keys(messages.UPDATE_NOT_REQUESTED)
        view = memoryview(data).cast("B")
        limit = self.config.limits.records_per_key
        if (
            self.version != TLS13
        ):  # no new keys without a new handshake, and AES-GCM's margin is the server's too
            self.sent.append(self.writer.seal(APPLICATION_DATA, view))
            return
        while len(view):
            assert self.writer.protection is not None
            records = limit - self.writer.protection.sequence
            if records <= 1:  # the last record is kept for the KeyUpdate itself
                self.update_write_keys(messages.UPDATE_NOT_REQUESTED)
                records = max(limit, 2)
            now = (records - 1) * (self._write_limit - 1)
            self.sent.append(self.writer.seal(APPLICATION_DATA, view[:now]))
            view = view[now:]

    # Early data (RFC 8446 §4.2.10)

    def begin_early_data(self, suite: CipherSuite, early: EarlyData) -> None:
        """What is sent from here on is early data, up to the ticket's limit."""
        self.send_change_cipher_spec()
        self.write_with(suite, early.traffic_secret)
        self.log_secret("CLIENT_EARLY_TRAFFIC_SECRET", early.traffic_secret)
        self.log_secret("EARLY_EXPORTER_SECRET", early.exporter_secret)
        self._early_data_room = early.ticket.max_early_data_size

    @property
    def early_data_room(self) -> int:
        return self._early_data_room

    def send_early_data(self, data: Buffer) -> None:
        self._early_data_room -= len(data)
        self.sent.append(self.writer.seal(APPLICATION_DATA, data))

    def end_early_data(self) -> None:
        """Too late for more, whether the server has taken it or not."""
        self._early_data_room = 0

    # Keys

    def read_with(self, suite: CipherSuite, secret: bytes) -> None:
        self.expect_no_leftovers()
        self.reader.protection = Protection(suite, secret, self._read_limit)

    def write_with(self, suite: CipherSuite, secret: bytes) -> None:
        self.writer.protection = Protection(suite, secret, self._write_limit, self.config.pad_records_to)

    def read_with_12(self, protection: Protection12) -> None:
        protection.limit = self._read_limit
        self.reader.protection = protection

    def write_with_12(self, protection: Protection12) -> None:
        protection.limit = self._write_limit
        self.writer.protection = protection

    def limit_records(self, server_limit: int) -> None:
        """Both sides have said how long a record may be (RFC 8449 §4); it goes for all protected ones.

        `server_limit` counts a type, in TLS 1.2 as in 1.3.
        """
        own = self.config.record_size_limit
        assert own is not None
        if self.version != TLS13:
            own += 1  # there the content alone is counted
        self._read_limit = min(own, MAX_INNER_PLAINTEXT)
        self._write_limit = min(server_limit, MAX_INNER_PLAINTEXT)
        for protection, limit in (
            (self.reader.protection, self._read_limit),
            (self.writer.protection, self._write_limit),
        ):
            if protection is not None:
                protection.limit = limit

    def update_read_keys(self) -> None:
        self.expect_no_leftovers()
        assert isinstance(self.reader.protection, Protection)
        self.reader.protection = self.reader.protection.updated()
        self.events.append(KeyUpdated(outgoing=False))

    def update_write_keys(self, request: int) -> None:
        """Send a KeyUpdate, and go over to the next keys (RFC 8446 §4.6.3)."""
        assert isinstance(self.writer.protection, Protection)
        self.send_message(messages.build_key_update(request))
        self.writer.protection = self.writer.protection.updated()
        self._owes_key_update = False
        self.events.append(KeyUpdated(outgoing=True))

    def owe_key_update(self) -> None:
        """Answer before the next application data, and as one however many ask (RFC 8446 §4.6.3)."""
        self._owes_key_update = True

    def log_secret(self, label: str, secret: bytes) -> None:
        """Give a line of an SSLKEYLOGFILE (draft-ietf-tls-keylogfile) to who asked for it."""
        if self.config.key_log is not None:
            self.config.key_log(f"{label} {self.client_random.hex()} {secret.hex()}")

    def data_to_send(self) -> list[Buffer]:
        sent, self.sent = self.sent, []
        return sent

    # News

    def trace_message(self, outgoing: bool, kind: int, length: int) -> None:
        if self.config.trace:
            name = _TRACED_NAMES.get(kind, "Unknown")
            self.trace(outgoing, "TLS handshake", name, kind, length)

    def trace_alert(self, outgoing: bool, level: int, code: int) -> None:
        if self.config.trace:
            self.trace(outgoing, "TLS alert", _alert_name(code).replace("_", " "), level << 8 | code, 2)

    def trace(self, outgoing: bool, content: str, name: str, number: int, length: int) -> None:
        if self.config.trace:
            self.events.append(MessageTraced(outgoing, content, name, number, length, self.version))

    def next_message(self) -> HandshakeMessage | None:
        message = self.joiner.next_message()
        if message is not None:
            self.trace_message(False, message.kind, len(message.encoded))
        return message

    def expect_no_leftovers(self, before: str = "a key change") -> None:
        """RFC 8446 §5.1: messages must not span key changes; in TLS 1.2 nor the turns of the two sides."""
        if not self.joiner.is_empty:
            raise PeerMisbehavedError(
                f"handshake: octets left over before {before}", Alert.UNEXPECTED_MESSAGE
            )


def _alert_name(code: int) -> str:
    try:
        return Alert(code).name.lower()
    except ValueError:
        return "unknown"

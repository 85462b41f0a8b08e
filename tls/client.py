"""A TLS 1.3 client without I/O: octets in, events out, octets to send.

client = TlsClient(config, "example.org")
send(client.data_to_send())                   # the ClientHello
client.receive_data(octets)                   # b"" at the end of the stream
while (event := client.next_event()) is not None:
    ...                                       # or a TlsError, final and the same each time
send(client.data_to_send())                   # also after an error: the alert
"""

from __future__ import annotations

from .alerts import Alert
from .config import TLS12, TlsConfig
from .crypto import CIPHER_SUITES
from .errors import AlertReceivedError, PeerMisbehavedError, TlsError, TruncatedError, UsageError
from .events import ApplicationData, CloseNotifyReceived, Event
from .handshake import State
from .messages import HELLO_REQUEST, UPDATE_NOT_REQUESTED, UPDATE_REQUESTED, HandshakeMessage
from .offer import Offer, make_offer
from .output import Output
from .record import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, MAX_PLAINTEXT, Buffer
from .server_hello import ExpectServerHello
from .traffic import ExpectTraffic, ExpectTraffic12

_WARNING, _FATAL = 1, 2


class TlsClient:
    """One connection; the ClientHello is ready to be sent at once.

    An `offer` made before saves its time here; it carries its own config,
    and serves no second client.
    """

    def __init__(self, config: TlsConfig, server_name: str, offer: Offer | None = None) -> None:
        offer = make_offer(config, server_name) if offer is None else offer
        if offer.is_used:
            raise UsageError("an offer serves one connection")
        offer.is_used = True
        self._output = Output(offer.config, offer.random, bool(offer.session_id))
        self._state: State = ExpectServerHello(offer)
        self._error: TlsError | None = None
        self._has_closed = False
        self._is_aborted = False
        self._is_closed_by_peer = False
        self._idle_records = 0
        self._warnings = 0
        self._hello_requests = 0
        # RFC 8446 §5.1: 0x0301 on the first record, for servers that are picky about it.
        self._output.send_message(offer.encoded, 0x0301)
        if offer.ech is not None:
            self._output.log_secret("ECH_SECRET", offer.ech.sender.shared_secret)
            self._output.log_secret("ECH_CONFIG", offer.ech.config.encoded)
        if offer.early is not None:
            self._output.begin_early_data(CIPHER_SUITES[offer.early.ticket.cipher_suite], offer.early)

    @property
    def is_handshake_complete(self) -> bool:
        """Whether data may be sent and secrets exported."""
        return isinstance(self._state, ExpectTraffic | ExpectTraffic12)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of the stream waits to be fetched: no data, no end, no error; tickets may."""
        return (
            self._error is None
            and not self._is_closed_by_peer
            and not any(type(event) is ApplicationData for event in self._output.events)
        )

    @property
    def early_data_room(self) -> int:
        """How many octets `send_early_data` takes now; 0 where none may be sent, or not any more."""
        return self._output.early_data_room if self._error is None and not self._has_closed else 0

    def send_early_data(self, data: Buffer) -> None:
        """Protect octets that go out before the server has said a word (RFC 8446 §2.3).

        What becomes of them `HandshakeCompleted.early_data` says: if it is not
        "accepted", the caller sends them again with `send_data`.  They are not
        safe from being sent twice by others, and not forward secret.
        """
        data = memoryview(data).cast("B")
        if len(data) > self.early_data_room:
            raise UsageError(f"early data: {len(data)} octets, there is room for {self.early_data_room}")
        if len(data):
            self._output.send_early_data(data)

    def receive_data(self, data: Buffer) -> None:
        """Take octets of the stream, b"" at its end; never raises for what is in them.

        `ApplicationData` given before loses its content.
        """
        if self._error is not None or self._is_closed_by_peer or self._is_aborted:
            return
        try:
            if len(data) == 0:
                raise TruncatedError(self._truncation())
            # Events not fetched yet keep their memory.
            self._output.reader.receive(data, may_reuse_memory=not self._output.events)
            while not self._is_closed_by_peer:
                if (record := self._output.reader.next_record()) is None:
                    break
                self._handle_record(*record)
        except TlsError as error:
            self._fail(error)
        except BaseException:
            # A function of the config raised: its caller hears of it, and nothing goes on from here.
            self._fail(UsageError("a function of the config has failed", Alert.INTERNAL_ERROR))
            raise

    def next_event(self) -> Event | None:
        """What happened next, None when nothing did; after the last event the connection's error comes."""
        if self._output.events:
            return self._output.events.popleft()
        if self._error is not None:
            # Without its traceback, which would grow each time and hold the secrets of its frames.
            raise self._error.with_traceback(None)
        return None

    def data_to_send(self) -> list[Buffer]:
        """Return what is to be sent, in order; the caller owns it."""
        return self._output.data_to_send()

    def send_data(self, *pieces: Buffer) -> None:
        """Protect octets of the stream; they are copied, and the caller may change them afterwards.

        Small pieces share a record.
        """
        self._expect_connected()
        if len(pieces) > 1 and sum(map(len, pieces)) <= MAX_PLAINTEXT:
            pieces = (b"".join(pieces),)
        for piece in pieces:
            self._output.send_application_data(piece)

    def update_keys(self, request_peer: bool = False) -> None:
        """Send a KeyUpdate now; with `request_peer` the server is to send one, too."""
        self._expect_connected()
        if self._output.version == TLS12:
            raise UsageError("TLS 1.2 has no KeyUpdate")
        self._output.update_write_keys(UPDATE_REQUESTED if request_peer else UPDATE_NOT_REQUESTED)

    def export_keying_material(self, label: bytes, context: bytes | None, length: int) -> bytes:
        """RFC 8446 §7.5: a secret that both sides of this connection know, for the use that `label` names.

        No context and an empty one differ in TLS 1.2 alone (RFC 5705 §4).
        """
        if not isinstance(self._state, ExpectTraffic | ExpectTraffic12):
            raise UsageError("no keying material before the handshake is complete")
        return self._state.export(label, context, length)

    def close(self) -> None:
        """End our side in order, with close_notify; a second call does nothing.

        Receiving goes on, but not in the handshake: there it ends both sides.
        """
        self.abort(Alert.CLOSE_NOTIFY)

    def abort(self, alert: Alert) -> None:
        """End our side with this alert, and both sides if it is an error's; nothing is sent any more."""
        if self._error is None and not self._has_closed:
            self._has_closed = True
            self._is_aborted = alert != Alert.CLOSE_NOTIFY or not self.is_handshake_complete
            self._output.send_alert(alert)

    # Records

    def _handle_record(self, content_type: int, fragment: memoryview) -> None:
        output = self._output
        if content_type == APPLICATION_DATA:
            self._handle_application_data(fragment)
        elif content_type == HANDSHAKE:
            output.joiner.receive(fragment)
            while (message := output.next_message()) is not None:
                if message.kind == HELLO_REQUEST and self._may_be_12:
                    self._decline_renegotiation(message)
                else:
                    self._state = self._state.handle(message, output)
        elif not output.joiner.is_empty:  # RFC 8446 §5.1
            raise _not_allowed_here(f"{content_type}, in the midst of a handshake message")
        elif content_type == ALERT:
            self._handle_alert(fragment)
        elif content_type == CHANGE_CIPHER_SPEC:
            self._handle_change_cipher_spec(fragment)
        else:
            raise _not_allowed_here(str(content_type))

    def _handle_application_data(self, fragment: memoryview) -> None:
        if not isinstance(self._state, ExpectTraffic | ExpectTraffic12):
            raise _not_allowed_here("application data before the handshake is complete")
        if not self._output.joiner.is_empty:
            raise _not_allowed_here("application data in the midst of a handshake message")
        if len(fragment):
            self._state = self._state.after_application_data()
            self._warnings = 0
            self._hello_requests = 0
            self._output.events.append(ApplicationData(fragment))

    def _handle_alert(self, fragment: memoryview) -> None:
        """RFC 8446 §6."""
        if len(fragment) != 2:
            raise PeerMisbehavedError(f"alert: must be 2 octets: {len(fragment)}", Alert.DECODE_ERROR)
        level, code = fragment
        if level not in (_WARNING, _FATAL):
            raise PeerMisbehavedError(f"alert: unknown level: {level}", Alert.ILLEGAL_PARAMETER)
        self._output.trace_alert(False, level, code)
        if code == Alert.CLOSE_NOTIFY:
            self._is_closed_by_peer = True
            if self.is_handshake_complete:
                self._output.events.append(CloseNotifyReceived())
            else:
                raise AlertReceivedError("alert received: close_notify in the handshake", Alert(code), code)
        elif code == Alert.USER_CANCELED or (level == _WARNING and self._may_be_12):
            self._count_warning()
        else:
            raise _alert_received(code, "; a renegotiation was declined" if self._hello_requests else "")

    @property
    def _may_be_12(self) -> bool:
        """TLS 1.2 is what is spoken, or what the ServerHello may yet choose."""
        if isinstance(self._state, ExpectServerHello):
            return TLS12 in self._output.config.versions and self._state.retry is None
        return self._output.version == TLS12

    def _count_warning(self) -> None:
        self._warnings += 1
        limit = self._output.config.limits.warnings
        if self._warnings > limit:
            raise PeerMisbehavedError(
                f"alert: too many warnings: over {limit} in a row", Alert.UNEXPECTED_MESSAGE
            )

    def _handle_change_cipher_spec(self, fragment: memoryview) -> None:
        """RFC 8446 §5: dropped during the handshake if it is the one octet 1, else an error."""
        if self._output.version == TLS12:
            from .handshake12 import change_cipher_spec

            self._state = change_cipher_spec(self._state, fragment, self._output)
            return
        if self.is_handshake_complete or bytes(fragment) != b"\x01":
            raise _not_allowed_here("change_cipher_spec")
        self._count_idle("change_cipher_spec")

    def _decline_renegotiation(self, message: HandshakeMessage) -> None:
        """RFC 5246 §7.4.1.1: in the handshake it is ignored, later answered with a warning.

        A server that asked for the sake of a certificate then decides whether
        to go on without; one that asks and asks is not waited for.
        """
        message.reader().expect_end()
        if not self.is_handshake_complete:
            self._count_idle("HelloRequest")
            return
        self._hello_requests += 1
        if self._hello_requests > self._output.config.limits.hello_requests:
            raise PeerMisbehavedError("HelloRequest: renegotiation is refused", Alert.NO_RENEGOTIATION)
        if not self._has_closed:
            self._output.send_alert(Alert.NO_RENEGOTIATION, is_warning=True)

    def _count_idle(self, what: str) -> None:
        self._idle_records += 1
        limit = self._output.config.limits.empty_records
        if self._idle_records > limit:
            raise PeerMisbehavedError(
                f"record: too many empty records: over {limit} {what}", Alert.UNEXPECTED_MESSAGE
            )

    # Ends

    def _truncation(self) -> str:
        if not self.is_handshake_complete:
            return "stream: ended in the handshake"
        return "stream: ended without close_notify"

    def _fail(self, error: TlsError) -> None:
        self._error = error
        if error.alert is not None and not self._has_closed and not isinstance(error, AlertReceivedError):
            self._output.send_alert(error.alert)

    def _expect_connected(self) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)
        if self._has_closed:
            raise UsageError("sending after close")
        if not self.is_handshake_complete:
            raise UsageError("sending before the handshake is complete")


def _not_allowed_here(what: str) -> PeerMisbehavedError:
    return PeerMisbehavedError(f"record: content type not allowed here: {what}", Alert.UNEXPECTED_MESSAGE)


def _alert_received(code: int, note: str) -> AlertReceivedError:
    try:
        alert = Alert(code)
    except ValueError:
        return AlertReceivedError(f"alert received: number {code}{note}", None, code)
    return AlertReceivedError(f"alert received: {alert.name.lower()}{note}", alert, code)

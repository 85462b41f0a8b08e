"""TLS as a ByteStream; apart from `stream`, so that plain http loads no TLS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from pycurl_redox.stream import Buffer, ByteStream, CutShortError
from tcpip.errors import StackError, TimedOutError
from tcpip.scheduler import Signal
from tls.client import TlsClient
from tls.errors import TlsError, TruncatedError
from tls.events import ApplicationData, CloseNotifyReceived, Event, HandshakeCompleted


class TlsStream:
    """TLS over another stream: plain octets in and out, records below.

    What the protocol has to say of itself, a handshake message or a ticket,
    goes to `on_event` as it comes; `on_data` hears of octets that go out
    (True) or come in.
    """

    def __init__(
        self,
        lower: ByteStream,
        client: TlsClient,
        on_event: Callable[[Event], None],
        on_data: Callable[[bool], None] | None = None,
    ) -> None:
        self.lower = lower
        self.client = client
        self._on_event = on_event
        self._on_data = on_data
        self._at_eof = False
        self._is_closed = False
        self._has_left = False
        """The stream below has been closed in order: there is nothing left to break off."""
        self._flushing = False
        self._flushed = Signal()
        self.finish: Callable[[float | None], Awaitable[HandshakeCompleted]] | None = None
        """Ends the handshake where data may go out before it (RFC 8446 §2.3); None once that is done."""
        self._early: list[bytes] = []
        self.early_size = 0
        """Octets that the server has taken before the handshake was over."""

    @property
    def is_stale(self) -> bool:
        return self._is_closed or self._at_eof or not self.client.is_idle or self.lower.is_stale

    async def handshake(self, deadline: float | None) -> HandshakeCompleted:
        """Shake hands; TlsError says why it failed, after the alert has been sent.

        The end is in order then: a reset behind the alert would take it from a server that has not read it.
        """
        while True:
            try:
                event = await self._next_event(deadline)
            except TlsError:
                self._is_closed = self._has_left = True
                await self.lower.close(deadline)
                raise
            await self._flush(deadline)
            if type(event) is HandshakeCompleted:
                return event
            if event is None:
                self.client.receive_data(await self.lower.read(deadline))
            else:
                self._on_event(event)

    async def read(self, deadline: float | None) -> Buffer:
        if self.finish is not None:
            await self._end_early_data(deadline)
        while not self._at_eof:
            try:
                event = await self._next_event(deadline)
            except TruncatedError as error:
                raise CutShortError(str(error)) from error
            if type(event) is ApplicationData:
                if self._on_data is not None:
                    self._on_data(False)
                return event.data
            if event is None:
                await self._flush(deadline)
                self.client.receive_data(await self.lower.read(deadline))
            elif type(event) is CloseNotifyReceived:
                self._at_eof = True
            else:
                self._on_event(event)
        return b""

    async def write(self, pieces: Sequence[Buffer], deadline: float | None) -> None:
        if self.finish is not None:
            octets = b"".join(pieces)
            if len(octets) <= self.client.early_data_room:
                self._early.append(octets)
                self.client.send_early_data(octets)
                await self._flush(deadline)
                return
            await self._end_early_data(deadline)
        if self._on_data is not None:
            self._on_data(True)
        self.client.send_data(*pieces)
        await self._flush(deadline)

    async def _end_early_data(self, deadline: float | None) -> None:
        """Complete the handshake; what went out early goes out again if the server has not taken it."""
        assert self.finish is not None
        finish, self.finish = self.finish, None
        done = await finish(deadline)
        early, self._early = self._early, []
        if done.early_data == "accepted":
            self.early_size = sum(map(len, early))
        elif early:
            self.client.send_data(*early)
            await self._flush(deadline)

    async def close(self, deadline: float | None) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self.client.close()
        try:
            while (event := self.client.next_event()) is not None:
                if not isinstance(event, ApplicationData | CloseNotifyReceived):
                    self._on_event(event)
        except TlsError:
            pass  # whoever read has heard of it
        try:
            await self._flush(deadline)
        finally:
            await self.lower.close(deadline)

    def abort(self) -> None:
        self._is_closed = True
        if not self._has_left:
            self.lower.abort()

    async def _next_event(self, deadline: float | None) -> Event | None:
        try:
            return self.client.next_event()
        except TlsError:
            try:
                await self._flush(deadline)  # the alert
            except StackError:
                pass
            raise

    async def _flush(self, deadline: float | None) -> None:
        """Send what is ready; reader and writer may both have something, and records keep their order."""
        while self._flushing:
            if not await self._flushed.wait(deadline):
                raise TimedOutError("TLS: write timed out")
        self._flushing = True
        try:
            while pieces := self.client.data_to_send():
                await self.lower.write(pieces, deadline)
        finally:
            self._flushing = False
            self._flushed.fire()

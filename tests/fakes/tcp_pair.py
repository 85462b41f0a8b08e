"""Two TCP connections and a wire, with the invariants of a connection checked at every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tcpip.tcp.config import TcpConfig
from tcpip.tcp.connection import TcpConnection
from tcpip.tcp.send import SegmentOut
from tcpip.wire import tcp
from tests.fakes.virtual_wire import Quality, VirtualWire

CLIENT_PORT, SERVER_PORT = 40000, 80


def on_the_wire(segment: SegmentOut) -> list[bytes]:
    """What a device makes of it: one segment, or a super-segment cut as virtio 1.2 §5.1.6.2 has it."""
    payload = b"".join(segment.payload)
    assert len(payload) == segment.length
    if not segment.gso_size:
        return [segment.header + payload]
    out = []
    header = bytearray(segment.header)
    sequence = int.from_bytes(header[4:8], "big")
    for at in range(0, len(payload), segment.gso_size):
        part = bytearray(header)
        part[4:8] = ((sequence + at) & 0xFFFFFFFF).to_bytes(4, "big")
        if at + segment.gso_size < len(payload):
            part[13] &= ~(tcp.FIN | tcp.PSH)
        out.append(bytes(part) + payload[at : at + segment.gso_size])
    return out


class TcpEnd:
    """One connection, a writer and a reader: the end of a `VirtualWire[bytes]`."""

    def __init__(self, connection: TcpConnection, to_write: bytes = b"", write_size: int = 1 << 16) -> None:
        self.connection = connection
        self.to_write = memoryview(to_write)
        self.write_size = write_size
        self.closes_when_written = True
        self.closes_at_eof = True
        self.reads = True
        self.received = bytearray()
        self.largest_unread = 0
        self._right_edge: int | None = None
        self._rcv_nxt = 0

    def write(self, now: float) -> None:
        c = self.connection
        while len(self.to_write) and c.error is None and c.state.value != "CLOSED":
            taken = c.send(self.to_write[: self.write_size])
            if not taken:
                return
            self.to_write = self.to_write[taken:]
        if self.closes_when_written and not len(self.to_write):
            c.shutdown(now)

    def read(self, now: float) -> None:
        while self.reads and (chunk := self.connection.receive()):
            self.received += chunk
        if self.closes_at_eof and self.connection.at_eof and not len(self.to_write):
            self.connection.shutdown(now)

    def emit(self, now: float) -> Iterator[bytes]:
        c = self.connection
        if c.is_established:
            self.write(now)
        self.read(now)
        for segment in c.segments_to_send(now):
            self._check()
            yield from on_the_wire(segment)

    def accept(self, item: bytes, now: float) -> None:
        self.connection.receive_segment(tcp.Segment.parse(memoryview(item)), now)
        self._check()

    def next_timeout(self) -> float | None:
        return self.connection.next_timeout()

    def handle_timeout(self, now: float) -> None:
        self.connection.handle_timeout(now)
        self._check()

    def _check(self) -> None:
        """What holds at any moment (RFC 9293 §3.3.1, §3.8.6)."""
        c = self.connection
        assert c.snd_una <= c.snd_nxt <= c.snd_max
        assert c.snd_max <= c.snd_una + c.max_snd_wnd + 2, "sent beyond the peer's window"
        assert len(c.buffer) <= c.config.send_buffer
        assert c.readable + c.assembler.octets <= c.config.receive_buffer + (1 << 14)
        self.largest_unread = max(self.largest_unread, c.readable)
        if c.state.value not in ("CLOSED", "LISTEN", "SYN-SENT"):
            assert c.rcv_nxt >= self._rcv_nxt, "RCV.NXT moved back"
            self._rcv_nxt = c.rcv_nxt
            assert self._right_edge is None or c.rcv_adv >= self._right_edge, "the right edge moved left"
            self._right_edge = c.rcv_adv
            timer = c.next_timeout()
            if c.snd_max > c.snd_una and not (c.snd_nxt < c.snd_max or c.ack_now):
                assert timer is not None, "text is under way and no timer runs"


class TcpPair:
    """A client that connects and a server that listens."""

    def __init__(
        self,
        upload: bytes = b"",
        download: bytes = b"",
        *,
        seed: int = 0,
        quality: Quality = Quality(),  # noqa: B008
        back: Quality | None = None,
        client_config: TcpConfig = TcpConfig(),  # noqa: B008
        server_config: TcpConfig = TcpConfig(),  # noqa: B008
        client_iss: int = 0xFFFF_F000,
        server_iss: int = 0x7FFF_FF00,
        mss: int = 1460,
        gso_max: int = 0,
        simultaneous: bool = False,
    ) -> None:
        client = TcpConnection(
            client_config,
            CLIENT_PORT,
            SERVER_PORT,
            iss=client_iss,
            timestamp_offset=0xFFFF_FF00,
            mss=mss,
            gso_max=gso_max,
        )
        server = TcpConnection(
            server_config,
            SERVER_PORT,
            CLIENT_PORT,
            iss=server_iss,
            timestamp_offset=7,
            mss=mss,
            gso_max=gso_max,
        )
        self.client, self.server = TcpEnd(client, upload), TcpEnd(server, download)
        self.upload, self.download = upload, download
        self.wire: VirtualWire[bytes] = VirtualWire(self.client, self.server, seed, quality, back)
        client.connect(self.wire.now)
        if simultaneous:
            server.connect(self.wire.now)
        else:
            server.listen(self.wire.now)

    def establish(self) -> None:
        """Run until both are established, without a writer that closes."""
        for end in (self.client, self.server):
            end.closes_when_written = False
        self.run(lambda: self.client.connection.is_established and self.server.connection.is_established)

    def run(self, until: Callable[[], bool], limit: float = 3600.0) -> float:
        return self.wire.run(until, limit)

    def run_to_the_end(self, limit: float = 3600.0) -> float:
        """Both ways of text, both FINs, and both connections gone; the text is whole."""
        took = self.run(lambda: self.client.connection.is_closed and self.server.connection.is_closed, limit)
        assert self.client.connection.error is None and self.server.connection.error is None
        assert bytes(self.server.received) == self.upload
        assert bytes(self.client.received) == self.download
        return took

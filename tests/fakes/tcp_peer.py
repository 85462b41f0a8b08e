"""A peer by hand: it sends exactly the segments that a test writes, and shows those that come back."""

from __future__ import annotations

from tcpip.seqnum import MASK
from tcpip.tcp.config import TcpConfig
from tcpip.tcp.connection import TcpConnection
from tcpip.tcp.states import State
from tcpip.wire import tcp
from tcpip.wire.tcp import ACK, FIN, RST, SYN, Segment
from tests.fakes.tcp_pair import on_the_wire

LETTERS = {"S": SYN, "A": ACK, "F": FIN, "R": RST, "P": tcp.PSH, "U": tcp.URG}
MSS = 1000
_PLAIN = TcpConfig(timestamps=False)


class TcpPeer:
    """Numbers are counted from each side's initial sequence number, which lies just below the wrap."""

    def __init__(self, config: TcpConfig = _PLAIN, *, gso_max: int = 0) -> None:
        self.iss, self.irs = 0xFFFF_FFF0, 0xFFFF_FF00
        self.changes = 0
        self.connection = TcpConnection(
            config, 40000, 80, iss=self.iss, mss=MSS, gso_max=gso_max, on_change=self._changed
        )
        self.now = 0.0

    @classmethod
    def established(
        cls,
        config: TcpConfig = _PLAIN,
        *,
        gso_max: int = 0,
        window: int = 60_000,
        ts: int = 100,
    ) -> TcpPeer:
        """After an active open against a peer that supports what the config has; window not scaled."""
        peer = cls(config, gso_max=gso_max)
        peer.connection.connect(0.0)
        peer.take()
        value = ts if config.timestamps else None
        peer.give("SA", seq=0, ack=1, window=window, mss=MSS, sack=config.sack, ts=value)
        peer.take()
        assert peer.state is State.ESTABLISHED
        return peer

    def _changed(self) -> None:
        self.changes += 1

    @property
    def state(self) -> State:
        return self.connection.state

    def give(
        self,
        flags: str,
        seq: int = 1,
        ack: int = 1,
        payload: bytes = b"",
        window: int = 60_000,
        mss: int | None = None,
        scale: int | None = None,
        sack: bool = False,
        blocks: list[tuple[int, int]] | None = None,
        ts: int | None = None,
        echo: int = 0,
    ) -> None:
        options = tcp.build_options(
            mss,
            scale,
            sack,
            ts,
            echo,
            [((self.iss + start) & MASK, (self.iss + end) & MASK) for start, end in blocks or ()],
        )
        bits = sum(LETTERS[letter] for letter in flags)
        number = (self.iss + ack) & MASK if bits & ACK else 0
        header = tcp.build_header(80, 40000, (self.irs + seq) & MASK, number, bits, window, options)
        self.connection.receive_segment(Segment.parse(memoryview(header + payload)), self.now)

    def take(self) -> list[tuple[str, int, int, int]]:
        """What the connection sends now: (flags, sequence, acknowledgment, octets of payload)."""
        return [self.read(segment) for segment in self.segments()]

    def segments(self) -> list[Segment]:
        out = []
        for segment in self.connection.segments_to_send(self.now):
            out += [Segment.parse(memoryview(octets)) for octets in on_the_wire(segment)]
        return out

    def read(self, segment: Segment) -> tuple[str, int, int, int]:
        flags = "".join(letter for letter in "SFRPAU" if segment.flags & LETTERS[letter])
        sequence = (segment.sequence - self.iss) & MASK
        acknowledgment = (segment.acknowledgment - self.irs) & MASK if segment.flags & ACK else 0
        return flags, sequence, acknowledgment, len(segment.payload)

    def jump(self) -> float:
        """To the next deadline, and what is due there; returns how long it took."""
        deadline = self.connection.next_timeout()
        assert deadline is not None and deadline > self.now
        took, self.now = deadline - self.now, deadline
        self.connection.handle_timeout(self.now)
        return took

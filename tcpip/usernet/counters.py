"""What the user-mode network counts; `info.py` shows it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcpip.usernet.splice import TcpFlow


class Counters:
    """Running numbers of one network."""

    __slots__ = (
        "flows_opened",
        "flows_refused",
        "frames_from_guest",
        "host_errors",
        "malformed",
        "martians",
        "resets_sent",
        "retransmissions",
        "unsupported",
    )

    def __init__(self) -> None:
        self.frames_from_guest = 0
        self.malformed = 0
        self.martians = 0
        self.unsupported = 0
        self.flows_opened = 0
        self.flows_refused = 0
        self.resets_sent = 0
        self.retransmissions = 0
        self.host_errors: dict[str, int] = {}

    def note_error(self, number: int | None) -> None:
        name = errno.errorcode.get(number or 0, f"errno {number}")
        self.host_errors[name] = self.host_errors.get(name, 0) + 1

    def note_flow(self, flow: TcpFlow) -> None:
        """Keep what a flow that ends has counted."""
        self.retransmissions += flow.retransmissions

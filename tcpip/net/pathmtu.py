"""Path MTUs that routers reported, per destination (RFC 1191, RFC 8201)."""

from __future__ import annotations

from collections import OrderedDict

from tcpip.wire.address import IpAddress

MIN_IPV4 = 552
"""A report of less is not believed; Linux' `min_pmtu`, against attacks of RFC 5927 §7."""
MIN_IPV6 = 1280
MAX_DESTINATIONS = 256
LIFETIME_SECONDS = 600.0
"""After ten minutes the path may have changed for the better (RFC 1191 §6.3)."""


class PathMtus:
    """A bounded cache: the oldest report goes first."""

    def __init__(self) -> None:
        self._reports: OrderedDict[IpAddress, tuple[int, float]] = OrderedDict()

    def report(self, destination: IpAddress, mtu: int, current: int, now: float) -> int | None:
        """Take a router's word; return the new path MTU, None when it is no news or not to be believed."""
        floor = MIN_IPV4 if len(destination) == 4 else MIN_IPV6
        mtu = max(mtu, floor)
        if mtu >= min(current, self.of(destination, current, now)):
            return None
        self._reports.pop(destination, None)
        if len(self._reports) == MAX_DESTINATIONS:
            self._reports.popitem(last=False)
        self._reports[destination] = (mtu, now + LIFETIME_SECONDS)
        return mtu

    def of(self, destination: IpAddress, link_mtu: int, now: float) -> int:
        report = self._reports.get(destination)
        if report is None:
            return link_mtu
        if report[1] <= now:
            del self._reports[destination]
            return link_mtu
        return min(report[0], link_mtu)

    def __len__(self) -> int:
        return len(self._reports)

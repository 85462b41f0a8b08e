"""Numbers of what an IP packet carries (IANA Assigned Internet Protocol Numbers), for both families."""

from __future__ import annotations

HOP_BY_HOP = 0
ICMP = 1
TCP = 6
UDP = 17
ROUTING = 43
FRAGMENT = 44
ICMPV6 = 58
NO_NEXT_HEADER = 59
DESTINATION_OPTIONS = 60

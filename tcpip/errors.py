"""What can go wrong in the stack; the class says whose fault, the message what exactly.

StackError
├── MalformedPacketError     a peer's packet; counted, never raised out of a `receive_…`
├── ConnectRefusedError      the peer answered that nothing listens there
├── UnreachableError         the network answered, or no route, or no neighbour
├── PeerResetError           the peer broke a connection off
├── TimedOutError            nobody answered in time
├── ConnectionAbortedError   we broke the connection off ourselves
├── ResolveError             a name has no address
│   └── NameNotFoundError        a server said so
├── AddressError             no such local address, or none configured
├── BindError                the local end that was asked for cannot be had
└── UsageError               the caller's mistake
"""

from __future__ import annotations


class StackError(Exception):
    """Base of all errors of this package."""


class MalformedPacketError(StackError):
    """A packet that breaks its format; the message starts with the protocol."""


class ConnectRefusedError(StackError):
    """A reset answered the SYN, or ICMP said port unreachable."""


class UnreachableError(StackError):
    """No way to the destination; the message says who found out."""


class PeerResetError(StackError):
    """The peer reset an established connection."""


class TimedOutError(StackError):
    """A deadline passed, the caller's or the protocol's own."""


class ConnectionAbortedError(StackError):
    """This side aborted the connection."""


class ResolveError(StackError):
    """A name could not be resolved."""


class NameNotFoundError(ResolveError):
    """The name does not exist, or has no address."""


class AddressError(StackError):
    """No usable local address."""


class BindError(StackError):
    """The local end that was asked for cannot be had; no text where it is of another family."""


class UsageError(StackError):
    """A call that makes no sense in this state."""

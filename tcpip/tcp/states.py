"""The states of a connection and the ways between them (RFC 9293 §3.3.2, figure 5).

CLOSED is where a connection begins and ends.  An active open goes by
SYN-SENT, a passive one by LISTEN, and both meet in ESTABLISHED; when both
sides open at once, by way of SYN-RECEIVED.  Whoever closes first goes
through FIN-WAIT-1 and ends in TIME-WAIT; the other one through CLOSE-WAIT
and LAST-ACK.  When both close at once, both go through CLOSING.

A reset, a time-out or an abort leads from every state to CLOSED.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """RFC 9293 §3.3.2."""

    CLOSED = "CLOSED"
    LISTEN = "LISTEN"
    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"

    # Members are singletons, and the states of every segment are looked up in sets.
    __hash__ = object.__hash__


TRANSITIONS: dict[State, frozenset[State]] = {
    State.CLOSED: frozenset({State.LISTEN, State.SYN_SENT}),
    State.LISTEN: frozenset({State.SYN_RECEIVED, State.CLOSED}),
    State.SYN_SENT: frozenset({State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSED}),
    State.SYN_RECEIVED: frozenset({State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSE_WAIT, State.CLOSED}),
    State.ESTABLISHED: frozenset({State.FIN_WAIT_1, State.CLOSE_WAIT, State.CLOSED}),
    State.FIN_WAIT_1: frozenset({State.FIN_WAIT_2, State.CLOSING, State.TIME_WAIT, State.CLOSED}),
    State.FIN_WAIT_2: frozenset({State.TIME_WAIT, State.CLOSED}),
    State.CLOSE_WAIT: frozenset({State.LAST_ACK, State.CLOSED}),
    State.CLOSING: frozenset({State.TIME_WAIT, State.CLOSED}),
    State.LAST_ACK: frozenset({State.CLOSED}),
    State.TIME_WAIT: frozenset({State.CLOSED}),
}

SYNCHRONIZED = frozenset(State) - {State.CLOSED, State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED}
"""Both sides have seen each other's SYN acknowledged."""

RECEIVING = frozenset({State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2})
"""The peer may still send text (RFC 9293 §3.10.7.4, seventh)."""

SENDING = frozenset({State.ESTABLISHED, State.CLOSE_WAIT, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})
"""Text and a FIN may still be under way from here."""

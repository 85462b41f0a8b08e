"""Whatever a SOCKS server says: an event or an error, and the same however it is cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from pycurl_redox.errors import ProxyHandshakeError
from pycurl_redox.socks import Granted, Ready, Socks4, Socks5
from tcpip.wire.address import IpAddress

WHERE = IpAddress.parse("192.0.2.1")
said = st.one_of(
    st.binary(max_size=300),
    st.builds(b"".join, st.tuples(st.sampled_from([b"\5\0", b"\5\2\1\0"]), st.binary(max_size=300))),
    st.builds(b"".join, st.tuples(st.just(b"\5\0\5\0\0"), st.binary(max_size=300))),
)


def outcome(machine: Socks4 | Socks5, pieces: list[bytes]) -> tuple[list[str], bytes, bytes]:
    """Names of the events, the error at the end; what was sent; what is left for whoever comes next."""
    names: list[str] = []
    sent = b""
    waiting = [*pieces, b""]
    try:
        while True:
            event = machine.next_event()
            sent += b"".join(machine.data_to_send())
            if event is None:
                machine.receive_data(waiting.pop(0))
                continue
            names.append(type(event).__name__)
            if isinstance(event, Granted):
                return names, sent, machine.trailing_data + b"".join(waiting)
            assert isinstance(event, Ready)
            machine.ask(WHERE, 80, "a.test")
    except ProxyHandshakeError as error:
        return [*names, str(error)], sent + b"".join(machine.data_to_send()), b""


@given(said, st.lists(st.integers(0, 300), max_size=6), st.booleans())
@example(b"\0\x5a" + bytes(6), [], True)
@example(b"\5\0\5\0\0\3\5hello\0\x50HTTP", [2, 7], False)
def test_cutting_makes_no_difference(data: bytes, cuts: list[int], is_4: bool) -> None:
    def machine() -> Socks4 | Socks5:
        return Socks4(b"me") if is_4 else Socks5((b"me", b"pw"))

    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in pairwise(edges)]
    whole = outcome(machine(), [data] if data else [])
    assert outcome(machine(), pieces) == whole
    assert outcome(machine(), [data[at : at + 1] for at in range(len(data))]) == whole

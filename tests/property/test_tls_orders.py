"""Messages in any order: only the right one is a handshake, all else is an error by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.ech_server import CONFIG, ECH, EchServer
from tests.fakes.scripted_tls12_server import EMS, RENEGOTIATION, ScriptedTls12Server
from tests.fakes.scripted_tls_server import (
    CLIENT_CONFIG,
    ScriptedTlsServer,
    connected,
    extension,
    message,
    record,
    u,
    vec,
)
from tls.alerts import Alert
from tls.client import TlsClient
from tls.config import ResumptionOffer, SessionTicket
from tls.errors import AlertReceivedError, EchRejectedError, TlsError, UsageError
from tls.events import HandshakeCompleted

FULL = ["hello", "encrypted extensions", "certificate", "certificate verify", "finished"]
RESUMED = ["hello", "encrypted extensions", "finished"]
AFTER = ["ticket", "data", "key update"]
OTHERS = [
    "certificate request",
    "hello request",
    "server hello done",
    "own message",
    "empty",
    "close",
    "warning",
]
BETWEEN = ["change cipher spec"]
STEPS = [*FULL, *AFTER, *OTHERS, *BETWEEN, "retry", "send early", "close ours", "update ours"]
MOST_SENT = 50_000
"""Octets that a client may have to say in all of this."""


@cache
def ticket() -> SessionTicket:
    server = connected()
    limits = extension(42, u(4, 1000))
    told = message(4, u(4, 600) + u(4, 77) + vec(1, b"n") + vec(2, b"ticket") + vec(2, limits))
    server.deliver(server.protect(22, told))
    (received,) = server.events()
    return received.ticket._replace(alpn=None)  # type: ignore[union-attr]


class AnyOrder:
    """A server that does each step when it is told, under the keys that it has by then."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        config = CLIENT_CONFIG._replace(groups=(0x1D, 0x17), request_ocsp=True, request_sct=True)
        if kind in ("resumed", "early"):
            config = config._replace(resumption=ResumptionOffer(ticket(), 1), early_data=kind == "early")
        if "ech" in kind:
            config = config._replace(ech_configs=vec(2, CONFIG))
        self.client = TlsClient(config, "server.test")
        self.server = EchServer(self.client) if "ech" in kind else ScriptedTlsServer(self.client)
        self.has_keys = self.is_over = False
        self.said: list[str] = []
        self.completed_after: list[str] | None = None
        self.error: TlsError | None = None
        self.amount = 0
        self.read_hello()

    def read_hello(self) -> None:
        if isinstance(self.server, EchServer):
            self.server.read_outer()
            if self.kind == "ech accepted":
                self.server.open_inner()
        else:
            self.server.read_client_hello()

    def do(self, step: str) -> None:
        server = self.server
        if step == "send early":
            self.client.send_early_data(bytes(min(10, self.client.early_data_room)))
        elif step == "close ours":
            self.client.close()
            self.is_over = True
        elif step == "update ours":
            with_refusal(self.client.update_keys)
        elif step == "change cipher spec":
            server.deliver(record(20, b"\1"))
        elif step in ("data", "empty", "close", "warning"):
            content = {
                "data": (23, b"data"),
                "empty": (23, b""),
                "close": (21, b"\1\0"),
                "warning": (21, b"\1\x5a"),
            }
            self.deliver(*content[step])
        else:
            self.say(step)
        self.listen()

    def say(self, step: str) -> None:
        server = self.server
        self.said.append(step)
        if step == "hello":
            hello = self.hello()
            server.deliver(record(22, hello) if not self.has_keys else server.protect(22, hello))
            if not self.has_keys:
                server.use_handshake_keys(hello, ticket().resumption_secret if self.is_resumed else None)
                self.has_keys = True
            return
        if step == "retry":
            retry = server.hello_retry_request([(51, u(2, 0x17))])
            self.deliver(22, retry)
            return
        encoded = self.encoded(step)
        server.transcript += encoded
        self.deliver(22, encoded)
        if step == "finished" and self.has_keys:
            server.use_application_keys()

    @property
    def is_resumed(self) -> bool:
        return self.kind in ("resumed", "early")

    def hello(self) -> bytes:
        server = self.server
        hello = server.server_hello()
        if self.is_resumed:
            share = server.exchange.public_key().public_bytes_raw()
            kept = server.exchange
            extensions = [(43, u(2, 0x0304)), (51, u(2, 0x1D) + vec(2, share)), (41, u(2, 0))]
            hello = server.server_hello(extensions=extensions)
            server.exchange = kept
        return server.confirmed(hello) if self.kind == "ech accepted" else hello  # type: ignore[attr-defined]

    def encoded(self, step: str) -> bytes:
        server = self.server
        if step == "encrypted extensions":
            told = {"ech rejected": [(ECH, vec(2, CONFIG))], "early": [(42, b"")]}
            return server.encrypted_extensions(told.get(self.kind, []))
        makers: dict[str, Callable[[], bytes]] = {
            "certificate": server.certificate,
            "certificate verify": server.certificate_verify,
            "certificate request": server.certificate_request,
            "hello request": lambda: message(0, b""),
            "server hello done": lambda: message(14, b""),
            "own message": lambda: message(1, b""),
            "ticket": lambda: message(4, u(4, 60) + u(4, 7) + vec(1, b"n") + vec(2, b"new") + vec(2, b"")),
            "key update": lambda: message(24, b"\1"),
            "finished": server.finished if self.has_keys else lambda: message(20, bytes(32)),
        }
        return makers[step]()

    def deliver(self, kind: int, octets: bytes) -> None:
        self.server.deliver(self.server.protect(kind, octets) if self.has_keys else record(kind, octets))

    def listen(self) -> None:
        self.amount += sum(map(len, self.client.data_to_send()))
        try:
            while (event := self.client.next_event()) is not None:
                if isinstance(event, HandshakeCompleted):
                    assert self.completed_after is None
                    self.completed_after = list(self.said)
        except TlsError as error:
            if self.error is None:
                self.error = error
            assert error is self.error, "the same each time"


def with_refusal(act: Callable[[], None]) -> None:
    try:
        act()
    except (UsageError, TlsError):
        pass


KINDS = {"plain": FULL, "resumed": RESUMED, "early": RESUMED, "ech accepted": FULL, "ech rejected": FULL}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_only_the_right_order_is_a_handshake(kind: str, data: st.DataObject) -> None:
    right = KINDS[kind]
    begun = right[: data.draw(st.integers(0, len(right)), "so far in order")]
    odd = data.draw(st.lists(st.sampled_from(STEPS), max_size=3), "then")
    play = AnyOrder(kind)
    steps = [*begun, *odd, *right[len(begun) :], *AFTER]
    for step in steps:
        play.do(step)
    assert play.amount < MOST_SENT
    if kind == "ech rejected":
        assert play.completed_after is None
    if play.completed_after is not None:
        asked = [*FULL[:2], "certificate request", *FULL[2:]] if right == FULL else right
        assert play.completed_after in (right, asked), "a message more or less is no handshake"
    elif play.error is None:
        assert play.is_over, "closed by ourselves"
    if play.error is not None:
        assert not isinstance(play.error, UsageError)
        assert play.error.alert not in (Alert.INTERNAL_ERROR, Alert.BAD_CERTIFICATE)
        if isinstance(play.error, EchRejectedError):
            assert play.error.alert == Alert.ECH_REQUIRED and kind == "ech rejected"
        elif not isinstance(play.error, AlertReceivedError):
            assert play.error.alert is not None
    if not odd:
        assert (play.completed_after is not None) != (kind == "ech rejected")


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_left_out_or_said_twice_is_not_forgiven(kind: str) -> None:
    right = KINDS[kind]
    for place in range(len(right)):
        left_out = AnyOrder(kind)
        for step in [*right[:place], *right[place + 1 :]]:
            left_out.do(step)
        assert left_out.completed_after is None
        assert (left_out.error is None) == (right[place] == "finished"), "that one is still awaited"
        twice = AnyOrder(kind)
        for step in [*right[: place + 1], *right[place:]]:
            twice.do(step)
        assert twice.error is not None
        is_late = right[place] == "finished" and kind != "ech rejected"
        assert twice.completed_after == (right if is_late else None)


# TLS 1.2

FULL_12 = ["hello", "certificate", "key exchange", "done", "change cipher spec", "finished"]
OTHERS_12 = [
    "certificate request",
    "ticket",
    "hello request",
    "key update",
    "certificate verify",
    "data",
    "close",
]


class AnyOrder12:
    """The same for TLS 1.2; its server keeps to the keys that it has."""

    def __init__(self) -> None:
        self.client = TlsClient(CLIENT_CONFIG, "server.test")
        self.server = ScriptedTls12Server(self.client)
        self.said: list[str] = []
        self.completed_after: list[str] | None = None
        self.error: TlsError | None = None

    def do(self, step: str) -> None:
        server = self.server
        if step == "change cipher spec":
            if self.said:  # before, TLS 1.3 may yet be chosen, where it means nothing (RFC 8446 §5)
                self.said.append(step)
            self.deliver(server.change_cipher_spec() if server.master else record(20, b"\1"))
        elif step in ("data", "close"):
            self.deliver(server.protect(*((23, b"data") if step == "data" else (21, b"\1\0"))))
        elif step == "hello request":  # not of the handshake (RFC 5246 §7.4.1.1)
            self.deliver(server.protect(22, message(0, b"")))
        else:
            self.said.append(step)
            self.deliver(server.say(self.encoded(step)))

    def encoded(self, step: str) -> bytes:
        server = self.server
        makers: dict[str, Callable[[], bytes]] = {
            "hello": lambda: server.server_hello(EMS + RENEGOTIATION),
            "certificate": server.certificate,
            "key exchange": server.server_key_exchange,
            "done": lambda: message(14, b""),
            "finished": server.finished if server.master else lambda: message(20, bytes(12)),
            "certificate request": lambda: message(13, vec(1, b"\x40") + vec(2, u(2, 0x0403)) + vec(2, b"")),
            "ticket": lambda: server.ticket(b"a ticket"),
            "key update": lambda: message(24, b"\1"),
            "certificate verify": lambda: message(15, u(2, 0x0403) + vec(2, b"x")),
        }
        return makers[step]()

    def deliver(self, octets: bytes) -> None:
        self.client.receive_data(octets)
        try:
            while (event := self.client.next_event()) is not None:
                if isinstance(event, HandshakeCompleted):
                    assert self.completed_after is None
                    self.completed_after = list(self.said)
        except TlsError as error:
            assert self.error in (None, error)
            self.error = error
        if self.error is None:
            self.server.records()


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, len(FULL_12)), st.lists(st.sampled_from([*FULL_12, *OTHERS_12]), max_size=3), st.booleans()
)
def test_only_the_right_order_is_a_handshake_of_tls_1_2(kept: int, odd: list[str], leaves_out: bool) -> None:
    play = AnyOrder12()
    for step in [*FULL_12[:kept], *odd, *FULL_12[kept + leaves_out :], "data"]:
        play.do(step)
    asked = [*FULL_12[:3], "certificate request", *FULL_12[3:]]
    if play.completed_after is not None:
        assert play.completed_after in (FULL_12, asked), "a message more or less is no handshake"
    else:
        assert play.error is not None
    if play.error is not None:
        assert not isinstance(play.error, UsageError) and play.error.alert is not None
    if not odd and not leaves_out:
        assert play.completed_after == FULL_12

"""SOCKS 5 (RFC 1928, RFC 1929), 4 and 4a: the client's side of the talk that comes before the octets.

    version 5   greeting ─▶ ◀─ method   [login ─▶ ◀─ status]   Ready   request ─▶ ◀─ reply   Granted
    version 4                                                  Ready   request ─▶ ◀─ reply   Granted

A machine says `Ready` when `ask` may be called: nobody needs to know an address before, so that a name is
looked up after the server has let us in.  `Granted` is the last event; what came behind the reply is
`trailing_data`.  Errors are `ProxyHandshakeError` with curl's words.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from pycurl_redox.errors import ProxyHandshakeError
from tcpip.wire.address import IpAddress

CONNECT = 1
NO_AUTHENTICATION, GSSAPI, USERNAME_PASSWORD, NO_ACCEPTABLE = 0, 1, 2, 0xFF  # RFC 1928 §3
IPV4, DOMAIN_NAME, IPV6 = 1, 3, 4  # RFC 1928 §4
ADDRESS_SIZES = {IPV4: 4, IPV6: 16}
MAX_FIELD = 255
"""A length is one octet: of names, users and passwords."""
MAX_NAME_4A = 254
"""curl's bound."""
GRANTED_4 = 90
REFUSALS_4 = {
    91: "request rejected or failed.",
    92: "request rejected because SOCKS server cannot connect to identd on the client.",
    93: "request rejected because the client program and identd report different user-ids.",
}

Destination = IpAddress | bytes
"""An address, or a name for the server to look up."""


class Ready:
    """The server waits for the request: `ask`."""


class Granted:
    """From here on octets go through."""


class _Machine:
    """What both versions have in common: octets come in, one step after the other takes what it needs."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._to_send: list[bytes] = []
        self._has_ended = False
        self._error: ProxyHandshakeError | None = None
        self._step: Callable[[], Ready | Granted | None] = self._nothing

    @property
    def trailing_data(self) -> bytes:
        """What came behind the reply that granted the request."""
        return bytes(self._received)

    def receive_data(self, data: bytes) -> None:
        self._received += data
        self._has_ended |= not data

    def next_event(self) -> Ready | Granted | None:
        if self._error is not None:
            raise self._error
        try:
            event = self._step()
            if event is None and self._has_ended:
                raise ProxyHandshakeError("connection to proxy closed")
        except ProxyHandshakeError as error:
            self._error = error
            raise
        return event

    def data_to_send(self) -> list[bytes]:
        pieces, self._to_send = self._to_send, []
        return pieces

    def _take(self, size: int) -> bytes | None:
        if len(self._received) < size:
            return None
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def _nothing(self) -> None:
        return None

    def _ready(self) -> Ready:
        self._step = self._nothing
        return Ready()

    def _granted(self) -> Granted:
        self._step = self._nothing
        self._has_ended = False
        return Granted()


class Socks4(_Machine):
    """Version 4, and 4a when a name is asked for."""

    def __init__(self, user: bytes = b"") -> None:
        super().__init__()
        self._user = user
        self._step = self._ready

    def ask(self, destination: Destination, port: int, name: str = "") -> None:
        """Request a connection; the address is one of IPv4."""
        if isinstance(destination, IpAddress):
            address, tail = bytes(destination), b""
        else:
            if len(destination) > MAX_NAME_4A:
                raise ProxyHandshakeError("SOCKS4: too long host name")
            address, tail = b"\0\0\0\1", destination + b"\0"  # 4a: an address that cannot be, then the name
        self._to_send.append(struct.pack("!BBH", 4, CONNECT, port) + address + self._user + b"\0" + tail)
        self._step = self._reply

    def _reply(self) -> Granted | None:
        data = self._take(8)
        if data is None:
            return None
        version, status, port, address = struct.unpack("!BBH4s", data)
        if version != 0:
            raise ProxyHandshakeError("SOCKS4 reply has wrong version, version should be 0.")
        if status != GRANTED_4:
            reason = REFUSALS_4.get(status, "Unknown.")
            end = f"{IpAddress(address)}:{port}"
            raise ProxyHandshakeError(f"Can't complete SOCKS4 connection to {end}. ({status}), {reason}")
        return self._granted()


class Socks5(_Machine):
    """Version 5; with a login (RFC 1929) when the server wants one."""

    def __init__(self, login: tuple[bytes, bytes] | None = None) -> None:
        super().__init__()
        self._login = login or (b"", b"")
        methods = [NO_AUTHENTICATION] if login is None else [NO_AUTHENTICATION, USERNAME_PASSWORD]
        self._to_send.append(bytes([5, len(methods), *methods]))
        self._step = self._method
        self._name = ""

    def ask(self, destination: Destination, port: int, name: str = "") -> None:
        """Request a connection; `name` is for the error when it is refused."""
        if isinstance(destination, IpAddress):
            address = bytes([IPV4 if destination.version == 4 else IPV6]) + bytes(destination)
        else:
            address = bytes([DOMAIN_NAME]) + _field(destination)
        self._to_send.append(bytes([5, CONNECT, 0]) + address + struct.pack("!H", port))
        self._name = name
        self._step = self._reply

    def _method(self) -> Ready | None:
        """RFC 1928 §3."""
        data = self._take(2)
        if data is None:
            return None
        version, method = data
        if version != 5:
            raise ProxyHandshakeError("Received invalid version in initial SOCKS5 response.")
        if method == NO_AUTHENTICATION:
            return self._ready()
        if method == USERNAME_PASSWORD:  # unasked for, it gets an empty one, as in curl
            self._send_login()
            self._step = self._status
            return self._status()
        if method == GSSAPI:
            raise ProxyHandshakeError("SOCKS5 GSSAPI per-message authentication is not supported.")
        if method == NO_ACCEPTABLE:
            raise ProxyHandshakeError("No authentication method was acceptable.")
        raise ProxyHandshakeError("Undocumented SOCKS5 mode attempted to be used by server.")

    def _send_login(self) -> None:
        """RFC 1929 §2."""
        for what, value in zip(("user name", "password"), self._login, strict=True):
            if len(value) > MAX_FIELD:
                raise ProxyHandshakeError(f"Excessive {what} length for proxy auth")
        user, password = self._login
        self._to_send.append(b"\1" + _field(user) + _field(password))

    def _status(self) -> Ready | None:
        data = self._take(2)
        if data is None:
            return None
        version, status = data  # which version some servers say is their own affair
        if status != 0:
            raise ProxyHandshakeError(f"User was rejected by the SOCKS5 server ({version} {status}).")
        return self._ready()

    def _reply(self) -> Granted | None:
        """RFC 1928 §6; the address that it ends with is of no interest, but has to be passed by."""
        if len(self._received) < 4:
            return None
        version, status, _, kind = self._received[:4]
        if version != 5:
            raise ProxyHandshakeError("SOCKS5 reply has wrong version, version should be 5.")
        if status != 0:
            raise ProxyHandshakeError(f"Can't complete SOCKS5 connection to {self._name}. ({status})")
        if kind == DOMAIN_NAME:
            if len(self._received) < 5:
                return None
            size = 1 + self._received[4]
        elif kind in ADDRESS_SIZES:
            size = ADDRESS_SIZES[kind]
        else:
            raise ProxyHandshakeError("SOCKS5 reply has wrong address type.")
        return None if self._take(4 + size + 2) is None else self._granted()


def _field(value: bytes) -> bytes:
    assert len(value) <= MAX_FIELD
    return bytes([len(value)]) + value

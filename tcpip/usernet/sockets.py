"""The host's sockets: the only file of the product that opens any.

Linux only: epoll, `MSG_TRUNC` and the error queue carry the design.  A TCP
socket is the send buffer of its flow.  What the guest has not acknowledged
stays in it: `peek` reads on from where the last peek ended, `rewind` starts
again at the first octet that is not discarded, `discard` drops octets
without a copy.

Every socket is watched edge-triggered for everything at once, so that no
transfer needs an `epoll_ctl`; who got an event keeps "readable" in mind
until a read found nothing.
"""

from __future__ import annotations

import errno
import mmap
import select
import socket
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tcpip.errors import UsageError
from tcpip.wire.address import IpAddress, IpNetwork

READABLE = 0x0001 | 0x2000  # EPOLLIN, EPOLLRDHUP
URGENT = 0x0002  # EPOLLPRI
WRITABLE = 0x0004  # EPOLLOUT
FAILED = 0x0008 | 0x0010  # EPOLLERR, EPOLLHUP
_EDGES = READABLE | URGENT | WRITABLE | 1 << 31  # EPOLLET
_MAX_EVENTS = 512

_SO_PEEK_OFF = 42
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("=9I")  # linux/sock_diag.h, SK_MEMINFO_*
_IP_RECVERR, _IPV6_RECVERR, _IP_RECVTTL = 11, 25, 12
_ICMP_FILTER, _SOL_RAW = 1, 255
_ERROR_QUEUE = 0x2000  # MSG_ERRQUEUE
_LINGER_RESET = struct.pack("ii", 1, 0)
_EXTENDED_ERROR = struct.Struct("=IBBBxII")
_SCRATCH_SIZE = 1 << 20
_MAX_PENDING_ERRORS = 16
_MAX_KEEPALIVE, _MAX_PROBES = 32_767, 127  # linux/tcp.h, MAX_TCP_KEEPIDLE and MAX_TCP_KEEPCNT
_SEND_MORE = socket.MSG_NOSIGNAL | socket.MSG_MORE

Buffer = bytes | bytearray | memoryview


_WINDOW = 1 << 20  # octets; a few dozen merged frames, and still within the processor's cache


class HostError(NamedTuple):
    """An error from a socket's error queue (ip(7), IP_RECVERR)."""

    type: int
    """ICMP type and code, of the socket's family."""
    code: int
    info: int
    """The MTU of "packet too big"."""
    offender: IpAddress | None
    """The router or host that said so."""
    data: bytes
    """What was sent, behind the header that the kernel made."""
    is_icmp: bool


class TcpSocket:
    """A non-blocking TCP connection of the host."""

    __slots__ = ("_has_nagle", "_recv_into", "_recvmsg_into", "_scratch", "_sendmsg", "_socket", "fileno")

    def __init__(self, host_socket: socket.socket, scratch: memoryview) -> None:
        self._socket = host_socket
        self._has_nagle = False
        self._recv_into = host_socket.recv_into
        self._recvmsg_into = host_socket.recvmsg_into
        self._sendmsg = host_socket.sendmsg
        self._scratch = scratch
        self.fileno = host_socket.fileno()

    def error(self) -> int:
        """The pending error, which is then forgotten; 0: none."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def peek(self, views: Sequence[memoryview]) -> int | None:
        """Fill `views` with what follows the last peek; 0 at the end of the stream, None: nothing now."""
        try:
            if len(views) == 1:
                return self._recv_into(views[0], 0, socket.MSG_PEEK)
            return self._recvmsg_into(views, 0, socket.MSG_PEEK)[0]
        except BlockingIOError:
            return None

    def rewind(self, offset: int = 0) -> None:
        """Let the next peek start `offset` octets behind the first that is not discarded."""
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_PEEK_OFF, offset)

    def discard(self, count: int) -> None:
        """Drop octets that were peeked at; nothing is copied.  OSError if there are not so many."""
        while count:
            dropped = self._recv_into(self._scratch, min(count, _SCRATCH_SIZE), socket.MSG_TRUNC)
            if not dropped:
                raise OSError(errno.ENODATA, "fewer octets than were peeked at")
            count -= dropped

    def send(self, pieces: Sequence[Buffer], has_more: bool = False) -> int:
        """Hand octets to the kernel; returns how many it took.

        With `has_more` the kernel may keep them until the next `send` or `push`.
        """
        if self._has_nagle:
            has_more = False  # the kernel waits by itself, and `push` must not end that
        try:
            return self._sendmsg(pieces, (), _SEND_MORE if has_more else socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0

    def push(self) -> None:
        """Send what `has_more` kept (tcp(7): setting TCP_NODELAY flushes, corked or not)."""
        if not self._has_nagle:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def tune(self, *, nagle: bool, keepalive: float | None, probes: int | None) -> None:
        """Set Nagle's algorithm and the keepalive (tcp(7)) of the half beyond the gateway."""
        option = self._socket.setsockopt
        if nagle != self._has_nagle:
            self._has_nagle = nagle
            option(socket.IPPROTO_TCP, socket.TCP_NODELAY, not nagle)
        option(socket.SOL_SOCKET, socket.SO_KEEPALIVE, keepalive is not None)
        if keepalive is not None:
            seconds = min(max(int(keepalive), 1), _MAX_KEEPALIVE)
            option(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
            option(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, seconds)
            if probes is not None:
                option(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, min(probes, _MAX_PROBES))

    def room(self) -> tuple[int, int]:
        """Octets that `send` will take now, about, and the size of the buffer they are a part of.

        A quarter of the buffer is left for what the kernel keeps beside each
        segment.  More than a third must be used before the kernel thinks of
        enlarging the buffer, so that nobody should leave more than that.
        """
        memory = _MEMINFO.unpack(self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
        size, queued = memory[3], memory[5]
        return max(0, (size >> 2) * 3 - queued), size

    def shutdown(self) -> None:
        """Say that no more will be sent."""
        self._socket.shutdown(socket.SHUT_WR)

    @property
    def local(self) -> tuple[IpAddress, int]:
        return _endpoint(self._socket.getsockname())

    def abort(self) -> None:
        """Close with a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        self._socket.close()

    def close(self) -> None:
        self._socket.close()


class CopyingTcpSocket(TcpSocket):
    """For kernels without SO_PEEK_OFF on TCP (before 6.9): each peek first reads over what was seen."""

    __slots__ = ("_offset",)

    def __init__(self, host_socket: socket.socket, scratch: memoryview) -> None:
        super().__init__(host_socket, scratch)
        self._offset = 0

    def peek(self, views: Sequence[memoryview]) -> int | None:
        seen = self._offset
        skipped = [self._scratch] * (seen // _SCRATCH_SIZE) + [self._scratch[: seen % _SCRATCH_SIZE]]
        try:
            count = self._recvmsg_into([*skipped, *views], 0, socket.MSG_PEEK)[0] - seen
        except BlockingIOError:
            return None
        if count > 0:
            self._offset += count
            return count
        return 0 if self._is_at_end else None

    @property
    def _is_at_end(self) -> bool:
        """A peek over octets seen already cannot tell the end of the stream; the connection's state can."""
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        return info[0] in _STATES_AFTER_FIN

    def rewind(self, offset: int = 0) -> None:
        self._offset = offset

    def discard(self, count: int) -> None:
        self._offset = max(0, self._offset - count)
        super().discard(count)


_STATES_AFTER_FIN = (6, 7, 8, 9, 11)  # TIME-WAIT, CLOSE, CLOSE-WAIT, LAST-ACK, CLOSING in linux/tcp.h


class DatagramSocket:
    """A connected UDP or ICMP echo socket of the host, with its error queue."""

    __slots__ = ("_hop_limit", "_is_raw", "_is_v4", "_socket", "fileno")

    def __init__(self, host_socket: socket.socket, is_raw: bool = False) -> None:
        self._socket = host_socket
        self._is_v4 = host_socket.family == socket.AF_INET
        self._is_raw = is_raw
        self._hop_limit = -1
        self.fileno = host_socket.fileno()
        if self._is_v4:
            host_socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            host_socket.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
        else:
            host_socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
            host_socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)

    @property
    def is_raw(self) -> bool:
        """Raw ICMP sockets keep the identifier and check nothing; datagram ones have their own."""
        return self._is_raw

    @property
    def local(self) -> tuple[IpAddress, int]:
        return _endpoint(self._socket.getsockname())

    def send(self, pieces: Iterable[Buffer], hop_limit: int) -> None:
        """Send one datagram; OSError if it cannot be sent, an earlier one's error included."""
        if hop_limit != self._hop_limit:
            if self._is_v4:
                self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hop_limit)
            else:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hop_limit)
            self._hop_limit = hop_limit
        self._socket.sendmsg(pieces)

    def receive(self, buffer: memoryview) -> tuple[int, int, int] | None:
        """Read one datagram: where it starts in `buffer`, where it ends, its hop limit; None: nothing now."""
        for _ in range(_MAX_PENDING_ERRORS):
            try:
                size, ancillary, _, _ = self._socket.recvmsg_into([buffer], 64)
            except BlockingIOError:
                return None
            except OSError:
                continue  # an error is pending; what it says is in the error queue
            hop_limit = 64
            for _, _, value in ancillary:
                hop_limit = int.from_bytes(value[:4], "little")
            start = (buffer[0] & 0x0F) * 4 if self._is_raw and self._is_v4 and size else 0
            return start, size, hop_limit
        return None

    def next_error(self) -> HostError | None:
        """The oldest entry of the error queue; None: it is empty."""
        try:
            data, ancillary, _, _ = self._socket.recvmsg(2_048, 512, _ERROR_QUEUE)
        except OSError:
            return None
        for _, kind, value in ancillary:
            if kind in (_IP_RECVERR, _IPV6_RECVERR) and len(value) >= _EXTENDED_ERROR.size:
                return _host_error(value, data)
        return HostError(0, 0, 0, None, data, False)

    def close(self) -> None:
        self._socket.close()


def _host_error(value: bytes, data: bytes) -> HostError:
    """Read `struct sock_extended_err` and the address behind it (linux/errqueue.h)."""
    _, origin, kind, code, info, _ = _EXTENDED_ERROR.unpack_from(value)
    address = value[_EXTENDED_ERROR.size :]
    offender = None
    if len(address) >= 8 and address[:2] == struct.pack("=H", socket.AF_INET):
        offender = IpAddress(address[4:8])
    elif len(address) >= 24 and address[:2] == struct.pack("=H", socket.AF_INET6):
        offender = IpAddress(address[8:24])
    return HostError(kind, code, info, offender, data, origin in (2, 3))


class HostSockets:
    """Opens sockets and watches them all through one epoll descriptor."""

    def __init__(self) -> None:
        if not hasattr(select, "epoll"):
            raise UsageError("user-mode network: needs Linux; take another --nic here")
        self._epoll = select.epoll()
        # Seldom written to: a mapping has no memory until then, where a bytearray is filled with zeros.
        self._scratch = memoryview(mmap.mmap(-1, _SCRATCH_SIZE))

    @property
    def fileno(self) -> int:
        """Readable whenever `poll` has something to tell."""
        return self._epoll.fileno()

    def poll(self) -> list[tuple[int, int]]:
        """What happened since the last call: descriptors with READABLE, WRITABLE, FAILED bits."""
        return self._epoll.poll(0, _MAX_EVENTS)

    def rearm(self, fileno: int) -> None:
        """Ask for an event as soon as there is room to send, even if no send fell short."""
        self._epoll.modify(fileno, _EDGES)

    def tcp_connect(self, address: IpAddress, port: int, bound: socket.socket | None = None) -> TcpSocket:
        """Begin to connect; `poll` tells the outcome.  OSError when the host refuses at once.

        `bound` is a socket made ready for this; it is closed when it cannot be used.
        """
        new = bound
        if new is None:
            family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
            new = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            made = self._tcp_socket(new)
            new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the guest has its own Nagle
            new.setsockopt(
                socket.SOL_SOCKET, socket.SO_OOBINLINE, 1
            )  # urgent octets are octets (RFC 6093 §6)
            _connect(new, address, port)
            self._epoll.register(new.fileno(), _EDGES)
        except BaseException:
            new.close()
            raise
        return made

    def udp_connect(
        self, address: IpAddress, port: int, bound: socket.socket | None = None
    ) -> DatagramSocket:
        new = bound
        if new is None:
            family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
            new = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        return self._datagram(new, address, port)

    def echo_connect(self, address: IpAddress) -> DatagramSocket:
        """Open an ICMP datagram socket, or else a raw one; PermissionError if neither is allowed."""
        is_v4 = len(address) == 4
        family, protocol = (socket.AF_INET, socket.IPPROTO_ICMP) if is_v4 else (socket.AF_INET6, 58)
        try:
            new = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol)
            return self._datagram(new, address, 0)
        except PermissionError:
            new = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
        if is_v4:
            new.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", 0xFFFFFFFF ^ 1))  # echo replies only
        else:
            passed = [0xFFFFFFFF] * 8
            passed[129 // 32] ^= 1 << 129 % 32
            new.setsockopt(58, _ICMP_FILTER, struct.pack("=8I", *passed))
        return self._datagram(new, address, 0, is_raw=True)

    def echo_refusal(self) -> str | None:
        """Why no echo request can be sent beyond the gateway; None: it can."""
        try:
            for address in (IpAddress(b"\x7f\0\0\1"), IpAddress(bytes(15) + b"\1")):
                self.echo_connect(address).close()
                return None
        except PermissionError:
            return (
                "the host allows no ICMP socket: set net.ipv4.ping_group_range to hold your group"
                ' (sysctl -w net.ipv4.ping_group_range="0 2147483647"), or run with CAP_NET_RAW'
            )
        except OSError as error:
            return f"the host opens no ICMP socket: {error.strerror}"
        return None

    def close(self) -> None:
        self._epoll.close()

    def _tcp_socket(self, new: socket.socket) -> TcpSocket:
        _widen_window(new)
        try:
            new.setsockopt(socket.SOL_SOCKET, _SO_PEEK_OFF, 0)
        except OSError:
            return CopyingTcpSocket(new, self._scratch)
        return TcpSocket(new, self._scratch)

    def _datagram(
        self, new: socket.socket, address: IpAddress, port: int, is_raw: bool = False
    ) -> DatagramSocket:
        try:
            made = DatagramSocket(new, is_raw)
            _connect(new, address, port)
            self._epoll.register(new.fileno(), _EDGES)
        except BaseException:
            new.close()
            raise
        return made


def _widen_window(new: socket.socket) -> None:
    """Let the server have `_WINDOW` octets on their way from the start.

    The kernel enlarges a receive buffer by what is read from it, and peeking
    is not reading: left alone, a fast server waits for each of our turns, and
    a bulk download takes 20 000 turns for a gigabyte instead of 550.  A low
    watermark makes the kernel provide the room; unlike SO_RCVBUF it needs no
    `net.core.rmem_max`, and the kernel still enlarges the buffer after it.
    """
    try:
        new.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, _WINDOW)
        new.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
    except OSError:
        pass  # a smaller window is slower and nothing else


def _connect(new: socket.socket, address: IpAddress, port: int) -> None:
    number = new.connect_ex((str(address), port))
    if number not in (0, errno.EINPROGRESS):
        raise OSError(number, errno.errorcode.get(number, str(number)))


def _endpoint(name: tuple[str, int]) -> tuple[IpAddress, int]:
    return IpAddress.parse(name[0].partition("%")[0]), name[1]


def host_resolvers(path: str = "/etc/resolv.conf") -> tuple[IpAddress, ...]:
    """Name servers of the host (resolv.conf(5)); 127.0.0.1 when none is named."""
    found = []
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                words = line.split()
                if len(words) >= 2 and words[0] == "nameserver":
                    try:
                        found.append(IpAddress.parse(words[1]))
                    except ValueError:
                        continue  # one with a zone, or a mistake: resolvers skip it too
    except OSError:
        pass
    return tuple(found[:3]) or (IpAddress(b"\x7f\0\0\1"),)


_RTM_GETADDR, _RTM_NEWADDR, _NLM_DUMP, _IFA_ADDRESS, _IFA_LOCAL = 22, 20, 0x301, 1, 2


InterfaceAddress = tuple[int, IpAddress, IpNetwork]
"""The number of an interface, an address of the host there, and its network."""


def host_addresses() -> list[IpNetwork]:
    """Networks of the host's interfaces, both families; none when the host does not tell."""
    return [network for _, _, network in interface_addresses()]


def interface_addresses() -> list[InterfaceAddress]:
    """All addresses of the host (rtnetlink(7)); none when the host does not tell."""
    found = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as netlink:
            netlink.settimeout(1.0)
            netlink.send(struct.pack("=IHHIIB7x", 24, _RTM_GETADDR, _NLM_DUMP, 1, 0, 0))
            while True:
                data = netlink.recv(65_536)
                done, addresses = _read_addresses(data)
                found += addresses
                if done:
                    return found
    except OSError:
        return found


def _read_addresses(data: bytes) -> tuple[bool, list[InterfaceAddress]]:
    found: list[InterfaceAddress] = []
    offset = 0
    while offset + 16 <= len(data):
        size, kind = struct.unpack_from("=IH", data, offset)
        if kind != _RTM_NEWADDR:
            return True, found  # NLMSG_DONE or NLMSG_ERROR
        prefix_length, index = struct.unpack_from("=BxxI", data, offset + 17)
        attribute = offset + 24
        values: dict[int, IpAddress] = {}
        while attribute + 4 <= offset + size:
            length, number = struct.unpack_from("=HH", data, attribute)
            value = data[attribute + 4 : attribute + length]
            if number in (_IFA_ADDRESS, _IFA_LOCAL) and len(value) in (4, 16):
                values[number] = IpAddress(value)
            attribute += max(length + 3 & ~3, 4)
        if (address := values.get(_IFA_ADDRESS)) is not None:  # of a point-to-point link, the other end
            network = IpNetwork.of(address, prefix_length)
            found.append((index, values.get(_IFA_LOCAL, address), network))
        offset += max(size + 3 & ~3, 16)
    return False, found

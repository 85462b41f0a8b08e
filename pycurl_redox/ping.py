"""`redox-ping`: ICMP echo with iputils' output, statistics and exit codes.

The coroutine keeps its figures in a `Statistics` that outlives it, so that
Ctrl-C ends it at any moment and the figures are printed all the same.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pycurl_redox.own_process import run_in_own_process
from tcpip.errors import NameNotFoundError, ResolveError, StackError

if TYPE_CHECKING:
    from pycurl_redox.network import Network
    from tcpip.ping import Reply
    from tcpip.sockets import EchoSocket
    from tcpip.wire.address import IpAddress

EXIT_REPLIES, EXIT_NO_REPLY, EXIT_OTHER = 0, 1, 2

USAGE = """\
Usage: redox-ping [options] <destination>

  -4                 IPv4 only
  -6                 IPv6 only
  -c <count>         stop after <count> replies
  -D                 print timestamps
  -h                 print help and exit
  -i <interval>      seconds between sending each packet
  -n                 no reverse name resolution
  -O                 report outstanding replies
  -q                 quiet output
  -s <size>          use <size> as number of data bytes to be sent
  -t <ttl>           define time to live
  -V                 print version and exit
  -w <deadline>      reply wait <deadline> in seconds
  -W <timeout>       time to wait for response
      --nic <nic>    the network to use: user (default), tap:NAME
"""


class UsageError(Exception):
    """A bad command line; carries the exit code, which iputils does not keep constant."""

    def __init__(self, message: str, exit_code: int = EXIT_OTHER, usage: bool = False) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.usage = usage


class Options(NamedTuple):
    """The command line, read."""

    destination: str
    family: int = 0  # 0, 4 or 6
    packets: int | None = None
    interval: float = 1.0
    timeout: float = 10.0  # for the last replies, while none has come (iputils' MAXWAIT)
    has_timeout: bool = False
    deadline: float | None = None
    size: int = 56
    ttl: int = 64
    quiet: bool = False
    stamps: bool = False
    numeric: bool = False
    outstanding: bool = False
    nic: str = "user"


def parse(argv: list[str]) -> Options | None:
    """Read the command line; None when help was asked for; `UsageError`."""
    import getopt

    try:
        flags, words = getopt.gnu_getopt(argv, "46c:Dhi:nOqs:t:Vw:W:", ["nic=", "help", "version"])
    except getopt.GetoptError as error:
        if "requires argument" in error.msg:
            raise UsageError(f"option requires an argument -- '{error.opt}'", usage=True) from None
        raise UsageError(f"invalid option -- '{error.opt}'", usage=True) from None
    options = Options("")
    for flag, value in flags:
        match flag:
            case "-h" | "--help" | "-V" | "--version":
                return None
            case "-4" | "-6":
                if options.family not in (0, int(flag[1])):
                    raise UsageError("only one -4 or -6 option may be specified")
                options = options._replace(family=int(flag[1]))
            case "-c":
                options = options._replace(packets=_integer(value, 1, 2**63 - 1))
            case "-i":
                options = options._replace(interval=_seconds(value, "timing interval"))
            case "-w":
                options = options._replace(deadline=float(_integer(value, 0, 2**31 - 1)) or None)
            case "-W":
                options = options._replace(timeout=_seconds(value, "linger time"), has_timeout=True)
            case "-s":
                options = options._replace(size=_integer(value, 0, 65_507))
            case "-t":
                options = options._replace(ttl=_integer(value, 1, 255))
            case "-q":
                options = options._replace(quiet=True)
            case "-D":
                options = options._replace(stamps=True)
            case "-n":
                options = options._replace(numeric=True)
            case "-O":
                options = options._replace(outstanding=True)
            case "--nic":
                options = options._replace(nic=value)
    if not words:
        raise UsageError("usage error: Destination address required", EXIT_NO_REPLY)
    if len(words) > 1:
        raise UsageError(f"usage error: one destination, not {len(words)}", usage=True)
    if options.interval < 0.002:
        raise UsageError("cannot flood; minimal interval allowed for user is 2ms")
    return options._replace(destination=words[0])


def _integer(text: str, low: int, high: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise UsageError(f"invalid argument: '{text}'", EXIT_NO_REPLY) from None
    if not low <= value <= high:
        raise UsageError(f"invalid argument: '{text}': out of range: {low} <= value <= {high}", EXIT_NO_REPLY)
    return value


def _seconds(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 2**31 / 1000:
        raise UsageError(f"bad {what}: {text}")
    return value


class Statistics:
    """What was sent and what came back."""

    def __init__(self) -> None:
        self.began = 0.0
        self.latest = 0.0
        self.sent = 0
        self.received = 0
        self.duplicates = 0
        self.errors = 0
        self._times: list[float] = [math.inf, 0.0, 0.0, 0.0]  # least, most, sum, sum of squares: milliseconds
        self.timed = False

    @property
    def longest(self) -> float:
        """The longest round trip so far, in seconds."""
        return self._times[1] / 1000

    def add_time(self, milliseconds: float) -> None:
        self.timed = True
        times = self._times
        times[0] = min(times[0], milliseconds)
        times[1] = max(times[1], milliseconds)
        times[2] += milliseconds
        times[3] += milliseconds * milliseconds

    def text(self, destination: str) -> str:
        """The lines at the end, the empty one before them included."""
        parts = [f"{self.sent} packets transmitted", f"{self.received} received"]
        if self.duplicates:
            parts.append(f"+{self.duplicates} duplicates")
        if self.errors:
            parts.append(f"+{self.errors} errors")
        loss = (self.sent - self.received) * 100 / self.sent if self.sent else 0.0
        parts.append(f"{loss:.6g}% packet loss")
        parts.append(f"time {max(0, round((self.latest - self.began) * 1000))}ms")
        lines = ["", f"--- {destination} ping statistics ---", ", ".join(parts)]
        if self.timed:
            least, most, total, squares = self._times
            count = self.received + self.duplicates
            mean = total / count
            deviation = math.sqrt(max(0.0, squares / count - mean * mean))
            lines.append(f"rtt min/avg/max/mdev = {least:.3f}/{mean:.3f}/{most:.3f}/{deviation:.3f} ms")
        else:
            lines.append("")
        return "\n".join(lines) + "\n"


class Ping:
    """One run: sends at its interval, prints what comes, counts."""

    def __init__(self, network: Network, options: Options, write: Callable[[str], object]) -> None:
        self._network = network
        self._options = options
        self._write = write
        self._names: dict[bytes, str] = {}
        self.statistics = Statistics()
        self._answered: set[int] = set()

    async def run(self) -> None:
        """Ping until the count, the deadline or cancellation; `StackError` when the way is not open."""
        options, network, figures = self._options, self._network, self.statistics
        address, shown = await self._destination()
        socket = await network.echo(address)
        try:
            self._write(self._head(address, shown))
            figures.began = figures.latest = due = network.now()
            end = figures.began + options.deadline if options.deadline is not None else None
            until = end
            while not self._is_over(until):
                if self._may_send() and network.now() >= due:
                    if options.outstanding and figures.sent and figures.sent not in self._answered:
                        self._say(f"no answer yet for icmp_seq={figures.sent}")
                    self._send(socket, address)
                    due += options.interval
                    if not self._may_send():
                        until = _earlier(end, network.now() + self._linger())
                await self._listen(socket, due if self._may_send() else until)
        finally:
            socket.close()

    async def _destination(self) -> tuple[IpAddress, str]:
        """The address, and how it is shown in the head."""
        options = self._options
        addresses = await self._network.resolve(options.destination, options.family, None)
        address = addresses[0]
        if str(address) == options.destination or _is_literal(options.destination):
            self._names[address] = ""
        return address, options.destination

    def _head(self, address: IpAddress, shown: str) -> str:
        size = self._options.size
        if address.version == 4:
            return f"PING {shown} ({address}) {size}({size + 28}) bytes of data.\n"
        return f"PING {shown}({self._named(address)}) {size} data bytes\n"

    def _may_send(self) -> bool:
        return self._options.packets is None or self.statistics.sent < self._options.packets

    def _is_over(self, until: float | None) -> bool:
        figures, count = self.statistics, self._options.packets
        if count is not None and figures.received + figures.errors >= count:
            return True
        return until is not None and self._network.now() >= until

    def _linger(self) -> float:
        """How long to wait after the last packet: twice the longest round trip, once there is one."""
        if self.statistics.received and not self._options.has_timeout:
            return max(2 * self.statistics.longest, self._options.interval)
        return self._options.timeout

    def _send(self, socket: EchoSocket, address: IpAddress) -> None:
        figures = self.statistics
        figures.sent += 1
        figures.latest = self._network.now()
        sequence = figures.sent & 0xFFFF
        self._answered.discard(sequence)
        socket.send(sequence, self._options.size, self._options.ttl)

    async def _listen(self, socket: EchoSocket, until: float | None) -> None:
        while (reply := await socket.reply(until)) is not None:
            self._take(reply)
            if self._is_over(None):
                return

    def _take(self, reply: Reply) -> None:
        figures = self.statistics
        figures.latest = self._network.now()
        if reply.error:
            figures.errors += 1
            self._say(f"From {self._named(reply.source)} icmp_seq={reply.sequence} {reply.error}")
            return
        duplicate = reply.sequence in self._answered
        self._answered.add(reply.sequence)
        if duplicate:
            figures.duplicates += 1
        else:
            figures.received += 1
        line = (
            f"{reply.size + 8} bytes from {self._named(reply.source)}: "
            f"icmp_seq={reply.sequence} ttl={reply.ttl}"
        )
        if self._options.size >= 16 and reply.rtt is not None:
            milliseconds = reply.rtt * 1000
            figures.add_time(milliseconds)
            line += f" time={_milliseconds(milliseconds)} ms"
        self._say(line + (" (DUP!)" if duplicate else ""))

    def _say(self, line: str) -> None:
        if self._options.quiet:
            return
        if self._options.stamps:
            line = f"[{self._network.wall_clock():.6f}] {line}"
        self._write(line + "\n")

    def _named(self, address: IpAddress) -> str:
        """An address as iputils shows it: with its name before it, unless the user typed numbers."""
        name = self._names.get(address)
        if name is None:
            name = "localhost" if address.is_loopback else self._network.name_of(address) or str(address)
            self._names[address] = name
        if self._options.numeric or not name:
            return str(address)
        return f"{name} ({address})"


def _is_literal(text: str) -> bool:
    from tcpip.wire.address import IpAddress

    try:
        IpAddress.parse(text)
    except ValueError:
        return False
    return True


def _earlier(a: float | None, b: float) -> float:
    return b if a is None else min(a, b)


def _milliseconds(value: float) -> str:
    if value < 1:
        return f"{value:.3f}"
    if value < 10:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns iputils' exit code."""
    if argv is None:
        return run_in_own_process(lambda: main(sys.argv[1:]), "redox-ping", EXIT_OTHER)
    try:
        options = parse(argv)
    except UsageError as error:
        sys.stderr.write(f"redox-ping: {error}\n" + (USAGE if error.usage else ""))
        return error.exit_code
    if options is None:
        sys.stdout.write(USAGE)
        return EXIT_REPLIES
    from pycurl_redox.network import NetworkError, open_network

    try:
        network = open_network(options.nic)
    except NetworkError as error:
        sys.stderr.write(f"redox-ping: {error}\n")
        return EXIT_OTHER
    try:
        return _run(network, options)
    finally:
        network.close()


def _run(network: Network, options: Options) -> int:
    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    ping = Ping(network, options, write)
    try:
        network.run(ping.run())
    except KeyboardInterrupt:
        pass
    except NameNotFoundError:
        sys.stderr.write(f"redox-ping: {options.destination}: Name or service not known\n")
        return EXIT_OTHER
    except ResolveError as error:
        cause = f"Temporary failure in name resolution ({error})"
        sys.stderr.write(f"redox-ping: {options.destination}: {cause}\n")
        return EXIT_OTHER
    except StackError as error:
        sys.stderr.write(f"redox-ping: {error}\n")
        return EXIT_OTHER
    figures = ping.statistics
    if not figures.sent:
        return EXIT_NO_REPLY
    write(figures.text(options.destination))
    enough = options.deadline is None or options.packets is None or figures.received >= options.packets
    return EXIT_REPLIES if figures.received and enough else EXIT_NO_REPLY

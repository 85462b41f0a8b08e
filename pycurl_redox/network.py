"""A network to fetch over: the one file that puts a stack on a driver.

    network = open_network("user")
    network.run(coroutine)
    network.close()

| `--nic` | the other side of the ring |
| --- | --- |
| `user` | the user-mode network over the host's sockets |
| `tap:NAME[,KEY=VALUE]...` | a kernel TAP |

Keys of a TAP: `address=A/N`, `gateway=A`, `dns=A` instead of DHCP, and `without=checksum` or
`without=segmentation` to leave offloads unasked for.

What a user types as `localhost`, 127.0.0.0/8 or ::1 means the user's machine.
On `user`, when nothing in our own stack listens there, such a connection goes
to the gateway, with the wanted address kept as a rule of the user-mode
network, beside the frame and not in it.
"""

from __future__ import annotations

import os
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pycurl_redox import descriptors
from pycurl_redox.errors import InterfaceError
from tcpip.clock import wall_clock
from tcpip.errors import AddressError, BindError, ConnectRefusedError, ResolveError, TimedOutError
from tcpip.host import Host
from tcpip.scheduler import Task
from tcpip.sockets import EchoSocket, TcpStream, connect
from tcpip.stack import Stack, StackConfig
from tcpip.wire.address import IpAddress, IpNetwork
from virtio import spec
from virtio.device.net import NetDevice
from virtio.errors import VirtioError
from virtio.net import VirtioNet, VirtioNetConfig
from virtio.transport.inprocess import InProcessTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from pycurl_redox.dial import Note
    from pycurl_redox.dial_options import DialOptions, NameOptions
    from pycurl_redox.resolver import NameResolver
    from tcpip.descriptors import Descriptors
    from tcpip.local_stream import LocalStream, LocalStreams
    from tcpip.usernet.gateway import UserNetwork
    from tcpip.usernet.impair import ImpairConfig
    from tcpip.usernet.local_end import LocalEnd
    from tcpip.wire.dns import ServiceBinding
    from virtio.device.backend import Backend

T = TypeVar("T")

CONFIGURE_TIMEOUT = 10.0
"""Seconds to wait for DHCP: three DISCOVERs (RFC 2131 §4.1)."""
ADVERTISEMENT_TIMEOUT = 6.0
"""Seconds to wait for a router advertisement: an answer to the second solicitation (RFC 4861 §10)."""

CHECKSUM_FEATURES = spec.VIRTIO_NET_F_CSUM | spec.VIRTIO_NET_F_GUEST_CSUM
SEGMENTATION_FEATURES = spec.HOST_TSO | spec.GUEST_TSO


class NetworkError(InterfaceError):
    """A network that cannot be brought up, or a device that is beyond recovery; says what the user can do."""


class NicSpec(NamedTuple):
    """A `--nic`, read."""

    kind: str  # user, tap
    name: str = ""
    address: IpAddress | None = None
    prefix_length: int = 0
    gateway: IpAddress | None = None
    resolvers: tuple[IpAddress, ...] = ()
    without: int = 0  # feature bits the driver does not ask for

    @classmethod
    def parse(cls, text: str) -> NicSpec:
        """Read `user` or `tap:NAME[,KEY=VALUE]...`; `NetworkError`."""
        head, *words = text.split(",")
        kind, _, name = head.partition(":")
        if kind not in ("user", "tap") or (kind == "tap") != bool(name):
            raise NetworkError(f"--nic {text}: neither 'user' nor 'tap:NAME'")
        found = cls(kind, name)
        for word in words:
            key, _, value = word.partition("=")
            try:
                found = found._with(key, value)
            except ValueError as error:
                raise NetworkError(f"--nic {text}: {word}: {error}") from None
        return found

    def _with(self, key: str, value: str) -> NicSpec:
        match key:
            case "address":
                network = IpNetwork.parse(value)
                return self._replace(
                    address=IpAddress.parse(value.partition("/")[0]), prefix_length=network.prefix_length
                )
            case "gateway":
                return self._replace(gateway=IpAddress.parse(value))
            case "dns":
                return self._replace(resolvers=(*self.resolvers, IpAddress.parse(value)))
            case "without" if value == "checksum":  # no segmentation without checksums (virtio 1.2 §5.1.3.1)
                return self._replace(without=self.without | CHECKSUM_FEATURES | SEGMENTATION_FEATURES)
            case "without" if value == "segmentation":
                return self._replace(without=self.without | SEGMENTATION_FEATURES)
        raise ValueError("not a setting")


def open_network(
    nic: str = "user",
    *,
    impair: ImpairConfig | None = None,
    capture: Callable[[bool, Any], None] | None = None,
    background: bool = False,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> Network:
    """Bring up the NIC that `nic` names; `NetworkError` says why it cannot be.

    `impair` spoils the wire between device and gateway, `capture` sees each
    frame there (`UserNetwork.capture`); both are for `user` only.  With
    `background`, a thread looks after connections while nobody else does.
    """
    from tcpip.usernet.config import UserNetConfig

    wanted = NicSpec.parse(nic)
    if wanted.kind != "user" and (impair or capture):
        raise NetworkError(f"--nic {nic}: only the user-mode network can be spoilt or captured")
    usernet: UserNetwork | None = None
    backend: Backend
    try:
        if wanted.kind == "user":
            backend = usernet = _user_network(UserNetConfig(impair=impair), random_bytes)
            if capture is not None:
                usernet.capture(capture)
        else:
            from virtio.device.tap import TapBackend

            backend = TapBackend(wanted.name)
        config = VirtioNetConfig(features=spec.ALL_FEATURES & ~wanted.without)
        device = VirtioNet(InProcessTransport(NetDevice(backend)), config)
    except VirtioError as error:
        raise NetworkError(f"--nic {nic}: {error}") from error
    except OSError as error:
        raise NetworkError(f"--nic {nic}: {error.strerror or error}") from error
    stack = Stack(_stack_config(wanted), device.mac, device.mtu, device.offloads, random_bytes)
    return Network(
        Host(stack, device), device, wanted, usernet, random_bytes=random_bytes, background=background
    )


def _user_network(config: Any, random_bytes: Callable[[int], bytes]) -> UserNetwork:
    from tcpip.usernet.config import choose_network, choose_network6
    from tcpip.usernet.gateway import UserNetwork
    from tcpip.usernet.sockets import host_addresses, host_resolvers

    taken = host_addresses()
    config = config._replace(
        network=choose_network([n for n in taken if n.address.version == 4]),
        network6=choose_network6([n for n in taken if n.address.version == 6]),
        resolvers=host_resolvers(),
    )
    return UserNetwork(config, random_bytes=random_bytes)


def _stack_config(wanted: NicSpec) -> StackConfig:
    from tcpip.config import StaticAddress
    from tcpip.tcp.config import TcpConfig

    config = StackConfig(tcp=TcpConfig(nagle=False), interface_name=wanted.name or "user")
    if wanted.address is None:
        return config
    return config._replace(
        addresses=(StaticAddress(wanted.address, wanted.prefix_length),),
        gateways=(wanted.gateway,) if wanted.gateway is not None else (),
        dns_servers=wanted.resolvers,
        dhcp=False,
    )


class Network:
    """A host on a network, as the client sees it; made by `open_network`."""

    wall_clock = staticmethod(wall_clock)

    def __init__(
        self,
        host: Host,
        device: VirtioNet,
        nic: NicSpec,
        usernet: UserNetwork | None = None,
        *,
        random_bytes: Callable[[int], bytes],
        background: bool = False,
    ) -> None:
        self.host = host
        self._device = device
        self.nic = nic
        self.usernet = usernet
        self._resolvers: dict[NameOptions | None, NameResolver] = {}
        self._local: LocalStreams | None = None
        self._descriptors: Descriptors | None = None
        self._random_bytes = random_bytes
        if background:
            host.keep_in_background()

    def now(self) -> float:
        return self.host.now()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, on this thread; NetworkError when the device fails for good."""
        try:
            return self.host.run(coroutine)
        except VirtioError as error:
            raise NetworkError(f"network card: {error}") from error

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Task[T]:
        """Start a task beside the coroutine that runs."""
        return self.host.spawn(coroutine)

    def close(self) -> None:
        """Drop what is open, give a lease back, and take the NIC down."""
        if self.usernet is None:
            self.host.stack.release_lease(self.now())
        self.host.close()

    async def connect(
        self,
        address: IpAddress,
        port: int,
        deadline: float | None,
        options: DialOptions | None = None,
        note: Note | None = None,
    ) -> TcpStream:
        """Open a TCP connection; a `StackError` says why not.

        `options` say from where, and what its packets are marked with; `note`
        hears what comes of that.
        """
        try:
            return await self._connect(address, port, deadline, options, note)
        except (ConnectRefusedError, BindError, OSError) as error:
            self._blame_descriptors(error)
            raise

    async def _connect(
        self,
        address: IpAddress,
        port: int,
        deadline: float | None,
        options: DialOptions | None,
        note: Note | None,
    ) -> TcpStream:
        host, is_own = self.host, address.is_loopback or address.is_unspecified  # 0.0.0.0, as Linux takes it
        if is_own and self.usernet is not None and not host.stack.is_listening(port):
            return await self._connect_to_own_machine(address, port, deadline, options, note)
        if not is_own:
            await self._configured(address.version, deadline)
        if options is not None and options.is_bound:
            if self.usernet is not None and not is_own:
                return await self._connect_bound(address, address, port, deadline, options, note)
            from pycurl_redox.binding import connect_own

            return await connect_own(host, address, port, deadline, options, self.resolve, note or _look_away)
        stream = await connect(host, address, port, deadline)
        if self.usernet is not None and not is_own:
            self._show_host_end(stream, address.version)
        return stream

    async def connect_local(
        self, path: str, port: int, deadline: float | None, *, is_abstract: bool
    ) -> LocalStream:
        """Open a unix socket of the machine we run on, which is beside every network card."""
        if self._local is None:
            from tcpip.local_stream import LocalStreams

            self._local = LocalStreams()
            self.host.add_source(self._local)
        return await self._local.connect(
            path, is_abstract=is_abstract, port=port, now=self.now, deadline=deadline
        )

    async def wait_for(self, fileno: int, events: int, deadline: float | None) -> bool:
        """Wait for a descriptor of the machine; False at the deadline."""
        if self._descriptors is None:
            from tcpip.descriptors import Descriptors

            self._descriptors = Descriptors()
            self.host.add_source(self._descriptors)
        return await self._descriptors.wait(fileno, events, deadline)

    def reached_by(self, address: IpAddress) -> IpAddress:
        """Which address a connection to this one comes to: the user-mode network's lead to the machine."""
        return address if self.usernet is None else self.usernet.reached_by(address)

    def source_for(self, address: IpAddress) -> IpAddress | None:
        """The address that a server there would see; None when there is no way."""
        if self.usernet is None:
            return self.host.stack.source_for(address)
        from tcpip.usernet.local_end import source_for

        return source_for(self.usernet.reached_by(address))

    async def resolve(
        self, name: str, family: int, deadline: float | None, options: NameOptions | None = None
    ) -> list[IpAddress]:
        """Find the addresses of a name, in the order of RFC 6724; family 0, 4 or 6; `ResolveError`."""
        try:
            names = self._names(options)
            if names.needs_dns(name, family):
                await self._configured(4, deadline)
            return await names.resolve(name, family, deadline)
        except (ResolveError, OSError) as error:
            self._blame_descriptors(error)
            raise

    async def services(
        self, name: str, deadline: float | None, options: NameOptions | None = None
    ) -> tuple[ServiceBinding, ...]:
        """Find the HTTPS records of a name (RFC 9460); `ResolveError`."""
        await self._configured(4, deadline)
        return await self._names(options).services(name, deadline)

    def name_of(self, address: IpAddress) -> str | None:
        """The name the hosts file gives an address."""
        return self._names().name_of(address)

    async def echo(self, address: IpAddress) -> EchoSocket:
        """Make ready to ping an address; `StackError` when the network does not let us."""
        if not address.is_loopback:
            await self._configured(address.version, None)
            usernet = self.usernet
            if usernet is not None and address not in (usernet.config.gateway, usernet.config.gateway6):
                refusal = usernet.icmp_refusal()
                if refusal is not None:
                    raise AddressError(refusal)
        return EchoSocket(self.host, address)

    async def configured(self, deadline: float | None) -> None:
        """Wait until an address of either family is there; AddressError when none comes."""
        await self._configured(4, deadline)

    def info(self) -> dict[str, Any]:
        """Everything there is to show, in plain values: stack, driver and user-mode network."""
        state: dict[str, Any] = dict(self.host.stack.info())
        driver = self._device.info()
        state["virtio"] = driver._asdict() | {
            "receive": driver.receive._asdict(),
            "transmit": driver.transmit._asdict(),
        }
        if self.usernet is not None:
            gateway = self.usernet.info()
            state["usernet"] = gateway._asdict() | {"tcp_flows": [f._asdict() for f in gateway.tcp_flows]}
        return state

    # private

    def _blame_descriptors(self, error: Exception) -> None:
        """AddressError where the gateway could open no socket, and had to say something else."""
        if self.usernet is not None and descriptors.none_is_left():
            raise AddressError(descriptors.complaint()) from error

    def _names(self, options: NameOptions | None = None) -> NameResolver:
        if options not in self._resolvers:
            from pycurl_redox.resolver import NameResolver

            self._resolvers[options] = NameResolver(self, self._random_bytes, options)
        return self._resolvers[options]

    async def _configured(self, version: int, deadline: float | None) -> None:
        timeout = CONFIGURE_TIMEOUT if version == 4 else ADVERTISEMENT_TIMEOUT
        until = self.now() + timeout
        is_short = deadline is not None and deadline < until
        if await self.host.configured(version, deadline if is_short else until):
            return
        how = "DHCP did not answer" if version == 4 else "no router advertised a prefix"
        message = f"IPv{version}: no address on {self.nic.kind} {self.nic.name}".rstrip() + f": {how}"
        if self.nic.kind == "tap":
            message += f"; --nic tap:{self.nic.name},address=A/N,gateway=A sets one by hand"
        raise TimedOutError(message) if is_short else AddressError(message)

    async def _connect_to_own_machine(
        self,
        address: IpAddress,
        port: int,
        deadline: float | None,
        options: DialOptions | None,
        note: Note | None,
    ) -> TcpStream:
        """Reach a loopback address of the machine we run on, by the gateway and a rule beside the frame."""
        assert self.usernet is not None
        await self._configured(4, deadline)
        gateway = self.usernet.config.gateway
        if options is not None and options.is_bound:
            return await self._connect_bound(address, gateway, port, deadline, options, note)
        return await self._connect_by_rule(address, gateway, port, deadline)

    async def _connect_bound(
        self,
        address: IpAddress,
        via: IpAddress,
        port: int,
        deadline: float | None,
        options: DialOptions,
        note: Note | None,
    ) -> TcpStream:
        """Let the connection go on from a socket of the host that is bound as the user wishes."""
        from pycurl_redox.binding import host_end

        end = await host_end(options, address.version, self.resolve, deadline, note or _look_away)
        try:
            return await self._connect_by_rule(
                address, via, port, deadline, end, traffic_class=options.traffic_class or 0
            )
        except BaseException:
            end.close()
            raise

    async def _connect_by_rule(
        self,
        address: IpAddress,
        via: IpAddress,
        port: int,
        deadline: float | None,
        end: LocalEnd | None = None,
        traffic_class: int = 0,
    ) -> TcpStream:
        """Connect to `via`, where rules for our port say what becomes of it."""
        assert self.usernet is not None
        usernet = self.usernet
        ports: list[int] = []

        def opened(local: int) -> None:
            ports.append(local)
            if via != address:
                usernet.forward(local, (address, port))
            if end is not None:
                usernet.prepare(local, end)

        try:
            stream = await connect(self.host, via, port, deadline, opened=opened, traffic_class=traffic_class)
        except BaseException:
            for local in ports:  # the SYN may not have left, and the rule would wait for another's
                usernet.take_back(local)
            raise
        stream.remote = (address, port)
        self._show_host_end(stream, via.version)
        return stream

    def _show_host_end(self, stream: TcpStream, version: int) -> None:
        """`local` is what the server sees, which is the host's socket; what is tuned is both halves."""
        assert self.usernet is not None
        usernet, port = self.usernet, stream.local[1]
        endpoint = usernet.host_endpoint(port, version)
        if endpoint is not None:
            stream.local = endpoint
        stream.on_tune = lambda nagle, keepalive, probes: usernet.tune(
            port, version, nagle=nagle, keepalive=keepalive, probes=probes
        )


def _look_away(text: str) -> None:
    """A note that nobody reads."""

"""What stands in a network's place where nothing is fetched over one: `file://`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from pycurl_redox.errors import ConnectFailedError
from tcpip.bare_loop import BareLoop

if TYPE_CHECKING:
    from tcpip.wire.address import IpAddress


class NoNetwork(BareLoop):
    """A `pycurl_redox.dial.NetworkLike` with time and tasks, and nobody to reach."""

    async def wait_for(self, fileno: int, events: int, deadline: float | None) -> bool:
        return await self.descriptors.wait(fileno, events, deadline)

    async def resolve(self, *arguments: object) -> NoReturn:
        raise ConnectFailedError("there is no network")

    async def services(self, *arguments: object) -> NoReturn:
        raise ConnectFailedError("there is no network")

    async def connect(self, *arguments: object) -> NoReturn:
        raise ConnectFailedError("there is no network")

    async def connect_local(self, *arguments: object, is_abstract: bool) -> NoReturn:
        raise ConnectFailedError("there is no network")

    def reached_by(self, address: IpAddress) -> IpAddress:
        return address

    def source_for(self, address: IpAddress) -> IpAddress | None:
        return None

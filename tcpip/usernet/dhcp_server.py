"""The DHCP server of the gateway: one guest, one address (RFC 2131 §4.3)."""

from __future__ import annotations

from tcpip.errors import MalformedPacketError
from tcpip.usernet.config import UserNetConfig
from tcpip.wire import dhcp
from tcpip.wire.address import IPV4_ANY, IPV4_BROADCAST, IpAddress
from tcpip.wire.checksum import Buffer
from tcpip.wire.dhcp import DhcpMessage, MessageType


class DhcpServer:
    """Answers messages; it keeps no state, since there is one lease to give."""

    def __init__(self, config: UserNetConfig) -> None:
        self._config = config
        network = config.network
        mask = (1 << 32) - (1 << 32 - network.prefix_length)
        self._parameters = {
            dhcp.SUBNET_MASK: mask.to_bytes(4, "big"),
            dhcp.ROUTER: bytes(config.gateway),
            dhcp.DOMAIN_NAME_SERVER: bytes(config.dns),
            dhcp.INTERFACE_MTU: config.mtu.to_bytes(2, "big"),
        }

    def receive(self, data: Buffer) -> tuple[IpAddress, bytes] | None:
        """Take what came to the server's port; returns the answer and where it goes, or None.

        Raises MalformedPacketError.
        """
        message = DhcpMessage.parse(data)
        if message.op != dhcp.BOOT_REQUEST:
            raise MalformedPacketError("DHCP: a reply came to the server")
        kind = message.message_type
        if kind is MessageType.DISCOVER:
            return self._reply(message, MessageType.OFFER)
        if kind is MessageType.REQUEST:
            return self._receive_request(message)
        if kind is MessageType.INFORM:
            return self._reply(message, MessageType.ACK)
        return None  # DECLINE, RELEASE: the address stays the guest's

    def _receive_request(self, message: DhcpMessage) -> tuple[IpAddress, bytes] | None:
        """SELECTING, INIT-REBOOT, RENEWING and REBINDING differ in where the wish stands (§4.3.2)."""
        server = message.addresses(dhcp.SERVER_IDENTIFIER)
        if server and server[0] != self._config.gateway:
            return None  # another server was chosen
        requested = message.addresses(dhcp.REQUESTED_ADDRESS)
        wish = requested[0] if requested else message.client_address
        return self._reply(message, MessageType.ACK if wish == self._config.guest else MessageType.NAK)

    def _reply(self, message: DhcpMessage, kind: MessageType) -> tuple[IpAddress, bytes]:
        config = self._config
        options = {
            dhcp.MESSAGE_TYPE: bytes((kind,)),
            dhcp.SERVER_IDENTIFIER: bytes(config.gateway),
        }
        yours = IPV4_ANY
        if kind is not MessageType.NAK:
            options |= self._parameters
        if message.message_type is not MessageType.INFORM and kind is not MessageType.NAK:
            options[dhcp.LEASE_TIME] = config.lease_time.to_bytes(4, "big")
            yours = config.guest
        client = IPV4_ANY if kind is MessageType.NAK else message.client_address
        reply = DhcpMessage(
            dhcp.BOOT_REPLY,
            message.transaction_id,
            message.client_mac,
            options,
            wants_broadcast=message.wants_broadcast,
            client_address=client,
            your_address=yours,
            server_address=config.gateway,
        )
        to = client if client != IPV4_ANY else IPV4_BROADCAST
        return to, reply.build()

import pytest

from tcpip.dhcp import DhcpClient, DhcpState
from tcpip.errors import MalformedPacketError
from tcpip.events import LeaseLost, LeaseObtained
from tcpip.wire import dhcp
from tcpip.wire.address import IpAddress
from tcpip.wire.dhcp import DhcpMessage, MessageType
from tests.fakes.frame_pair import MAC_A, random_bytes

SERVER = IpAddress.parse("10.0.2.2")
ADDRESS = IpAddress.parse("10.0.2.15")


def answer(request: DhcpMessage, kind: MessageType, **more: bytes) -> DhcpMessage:
    options = {
        dhcp.MESSAGE_TYPE: bytes((kind,)),
        dhcp.SERVER_IDENTIFIER: bytes(SERVER),
        dhcp.LEASE_TIME: (1000).to_bytes(4, "big"),
    }
    options.update({getattr(dhcp, name): value for name, value in more.items()})
    return DhcpMessage(2, request.transaction_id, MAC_A, options, your_address=ADDRESS)


def leased(**more: bytes) -> DhcpClient:
    client = DhcpClient(MAC_A, random_bytes(3))
    client.start(0.0)
    client.receive_message(answer(client.next_message().message, MessageType.OFFER), 0.0)
    client.receive_message(answer(client.next_message().message, MessageType.ACK, **more), 1.0)
    return client


def test_times_count_from_the_request_and_default_to_a_half_and_seven_eighths():
    lease = leased().lease
    assert (lease.renew_at, lease.rebind_at, lease.expires_at) == (500.0, 875.0, 1000.0)


@pytest.mark.parametrize(("t1", "t2"), [(900, 100), (5000, 6000), (0, 0)])
def test_times_that_make_no_sense_are_replaced(t1, t2):
    lease = leased(RENEWAL_TIME=t1.to_bytes(4, "big"), REBINDING_TIME=t2.to_bytes(4, "big")).lease
    assert 0 < lease.renew_at <= lease.rebind_at < lease.expires_at == 1000.0


def test_a_lease_for_ever_has_no_deadline():
    client = leased(LEASE_TIME=b"\xff\xff\xff\xff")
    assert (client.next_timeout(), client.lease.expires_at) == (None, None)


@pytest.mark.parametrize(
    ("mask", "length"), [("255.255.255.0", 24), ("255.255.255.254", 31), ("255.0.255.0", 8), ("0.0.0.0", 8)]
)
def test_a_mask_with_holes_gives_way_to_the_class(mask, length):
    assert leased(SUBNET_MASK=bytes(IpAddress.parse(mask))).lease.prefix_length == length


def test_hostile_routers_resolvers_and_names_are_left_out():
    lease = leased(
        ROUTER=bytes(IpAddress.parse("127.0.0.1")) + bytes(IpAddress.parse("224.0.0.1")),
        DOMAIN_NAME_SERVER=b"\x0a\0\x02\x03\x01",
        DOMAIN_NAME=b"evil\nname",
        INTERFACE_MTU=(68).to_bytes(2, "big"),
    ).lease
    assert (lease.routers, lease.dns_servers, lease.domain, lease.mtu) == ((), (), None, None)


def test_an_ack_for_another_address_than_was_offered_is_ignored():
    client = DhcpClient(MAC_A, random_bytes(3))
    client.start(0.0)
    client.receive_message(answer(client.next_message().message, MessageType.OFFER), 0.0)
    ack = answer(client.next_message().message, MessageType.ACK)
    client.receive_message(ack._replace(your_address=IpAddress.parse("10.0.2.99")), 0.0)
    assert client.state is DhcpState.REQUESTING


def test_four_requests_without_an_answer_begin_anew():
    client = DhcpClient(MAC_A, random_bytes(3))
    client.start(0.0)
    client.receive_message(answer(client.next_message().message, MessageType.OFFER), 0.0)
    kinds = []
    while len(kinds) < 5:
        while (outgoing := client.next_message()) is not None:
            kinds.append(outgoing.message.message_type)
        client.handle_timeout(client.next_timeout())
    assert kinds == [MessageType.REQUEST] * 4 + [MessageType.DISCOVER]


def test_a_released_lease_is_told_to_its_server():
    client = leased()
    assert isinstance(client.next_event(), LeaseObtained)
    client.release()
    message, source, destination = client.next_message()
    assert message.message_type is MessageType.RELEASE
    assert (source, destination) == (ADDRESS, SERVER)
    assert client.next_event() == LeaseLost(ADDRESS, "released")
    assert client.next_timeout() is None


def test_options_overflow_into_the_other_fields():
    built = bytearray(DhcpMessage(2, 1, MAC_A, {dhcp.OVERLOAD: b"\3", dhcp.DOMAIN_NAME: b"one."}).build())
    built[108 : 108 + 7] = bytes((dhcp.DOMAIN_NAME, 4)) + b"two." + b"\xff"
    built[44 : 44 + 8] = bytes((dhcp.DOMAIN_NAME, 5)) + b"three" + b"\xff"
    assert DhcpMessage.parse(built).options == {dhcp.DOMAIN_NAME: b"one.two.three"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (b"\x35\x01", "cut short"),
        (b"\x35", "cut short"),
        (b"\0\0", "no end"),
        (b"\x34\2\1\1\xff", "overload"),
    ],
)
def test_malformed_options_are_named(options, said):
    message = DhcpMessage(2, 1, MAC_A, {}).build()[:240] + options
    with pytest.raises(MalformedPacketError, match=said):
        DhcpMessage.parse(message)

"""Fetches over a kernel TAP: addresses and names from dnsmasq, servers of the kernel, both families."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.fakes.commands import REDOX_CURL, REDOX_NETCFG, REDOX_PING, needs_root, run
from tests.fakes.local_servers import body
from tests.fakes.pki import DAY, ca, leaf
from tests.fakes.tap_world import ADDRESS, ADDRESS6, HTTP, HTTPS, MISSING, TAP, World, tap_world

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.privileged,
    needs_root,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]

CONTENT = body(1_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAMES = ["both.test", "four.test", "six.test", "alias.test", ADDRESS, ADDRESS6]
OFFLOADS = {
    "all offloads": "",
    "no segmentation": ",without=segmentation",
    "no checksum": ",without=checksum",
}
BY_DHCP = f"tap:{TAP}"
STATIC4 = f"tap:{TAP},address=192.0.2.9/24,gateway={ADDRESS},dns={ADDRESS}"
STATIC6 = f"tap:{TAP},address=fd77::9/64,gateway={ADDRESS6},dns={ADDRESS6}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("world")
    now = int(time.time())
    valid = {"not_before": now - DAY, "not_after": now + DAY}
    root = ca("TAP Root", **valid)
    server = leaf(root, "both.test", names=NAMES, **valid)
    (made / "ca.pem").write_bytes(root.pem)
    (made / "cert.pem").write_bytes(server.pem)
    (made / "key.pem").write_bytes(
        server.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    (made / "content").write_bytes(CONTENT)
    return made


@pytest.fixture(scope="module")
def world(folder: Path) -> Iterator[World]:
    with tap_world(folder) as running:
        yield running


def url(scheme: str, host: str) -> str:
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}:{HTTP if scheme == 'http' else HTTPS}/content"


def fetch(world: World, folder: Path, nic: str, *arguments: str) -> tuple[bytes, str]:
    code, out, err = world.run(
        *REDOX_CURL, "-sS", "--nic", nic, "--cacert", str(folder / "ca.pem"), "-m", "30", *arguments
    )
    assert (code, err) == (0, ""), err
    return out, err


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("offloads", OFFLOADS)
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("version", [4, 6])
def test_a_body_is_the_same_with_each_offload_and_without(
    world: World, folder: Path, version: int, scheme: str, offloads: str
) -> None:
    nic, host = (STATIC4, ADDRESS) if version == 4 else (STATIC6, ADDRESS6)
    out, _ = fetch(world, folder, nic + OFFLOADS[offloads], url(scheme, host))
    assert len(out) == len(CONTENT) and digest(out) == DIGEST


@pytest.mark.parametrize("offloads", OFFLOADS)
@pytest.mark.parametrize("host", [ADDRESS, ADDRESS6])
def test_an_upload_arrives_the_same_with_each_offload_and_without(
    world: World, folder: Path, host: str, offloads: str
) -> None:
    nic = STATIC4 if host == ADDRESS else STATIC6
    out, _ = fetch(world, folder, nic + OFFLOADS[offloads], "-T", str(folder / "content"), url("http", host))
    assert digest(out) == DIGEST


REMOTE = "%{remote_ip}\n"


@pytest.mark.parametrize(
    ("host", "option", "remote"),
    [
        ("four.test", "-4", ADDRESS),
        ("six.test", "-6", ADDRESS6),
        ("both.test", "-4", ADDRESS),
        ("alias.test", "-6", ADDRESS6),
    ],
)
def test_names_and_addresses_come_from_the_network(
    world: World, folder: Path, host: str, option: str, remote: str
) -> None:
    """DHCP and router advertisements for addresses, A and AAAA from dnsmasq by way of our own stack."""
    out, _ = fetch(world, folder, BY_DHCP, option, "-o", "/dev/null", "-w", REMOTE, url("https", host))
    assert out == remote.encode() + b"\n"


def test_a_name_of_both_families_is_reached_by_either(world: World, folder: Path) -> None:
    out, _ = fetch(world, folder, BY_DHCP, url("http", "both.test"))
    assert digest(out) == DIGEST


def test_a_name_that_is_not_there_is_not_resolved(world: World) -> None:
    code, out, err = world.run(*REDOX_CURL, "-sS", "--nic", BY_DHCP, "http://none.test/")
    assert (code, out, err) == (6, b"", "curl: (6) Could not resolve host: none.test\n")


@pytest.mark.parametrize("host", [ADDRESS, ADDRESS6])
def test_a_closed_port_is_refused(world: World, host: str) -> None:
    target = f"http://[{host}]:9/" if ":" in host else f"http://{host}:9/"
    code, _, err = world.run(*REDOX_CURL, "-sS", "--nic", BY_DHCP, target)
    assert code == 7 and f"Failed to connect to {host} port 9" in err


@pytest.mark.parametrize("host", [ADDRESS, ADDRESS6, "four.test", "six.test"])
def test_the_kernel_answers_pings(world: World, host: str) -> None:
    code, out, err = world.run(*REDOX_PING, "--nic", BY_DHCP, "-c", "2", "-i", "0.05", host)
    assert (code, err) == (0, "")
    assert b"2 packets transmitted, 2 received, 0% packet loss" in out


def test_netcfg_shows_what_dnsmasq_gave(world: World) -> None:
    code, out, err = world.run(*REDOX_NETCFG, "--nic", BY_DHCP, "--json")
    assert (code, err) == (0, "")
    state = json.loads(out)
    lease = state["dhcp"]["lease"]
    assert (lease["server"], lease["routers"], lease["domain"]) == (ADDRESS, [ADDRESS], "example.test")
    assert ADDRESS in state["resolvers"]
    origins = {each["origin"] for link in state["interfaces"] for each in link["addresses"]}
    assert {"dhcp", "slaac", "link-local"} <= origins
    assert {"0.0.0.0/0", "::/0"} <= {route["destination"] for route in state["routes"]}


def test_a_network_that_gives_no_address_says_so_and_what_to_do() -> None:
    """A TAP with nobody behind it."""
    setup = f"ip tuntap add {TAP} mode tap vnet_hdr; ip link set {TAP} up"
    done = run(REDOX_CURL, "-sS", "--nic", BY_DHCP, "http://[fd77::1]/", within=setup)
    assert done.code == 7
    assert done.err.endswith(
        f": IPv6: no address on tap {TAP}: no router advertised a prefix; "
        f"--nic tap:{TAP},address=A/N,gateway=A sets one by hand\n"
    )


def test_our_end_is_an_address_and_a_port_of_our_own_stack(world: World, folder: Path) -> None:
    out, _ = fetch(
        world, folder, STATIC4, "--interface", "192.0.2.9", "--local-port", "5000-5001", "-o", "/dev/null",
        "-w", "%{local_ip} %{local_port} ", url("http", ADDRESS), "-w", "%{local_ip} %{local_port}",
    )  # fmt: skip
    assert out == b"192.0.2.9 5000"
    assert digest(fetch(world, folder, STATIC4, "--interface", TAP, url("http", ADDRESS))[0]) == DIGEST


@pytest.mark.parametrize(
    ("interface", "message"),
    [
        ("192.0.2.77", "curl: (45) bind failed with errno 99: Cannot assign requested address\n"),
        ("if!eth7", "curl: (45) Couldn't bind to interface 'eth7'\n"),
    ],
)
def test_an_end_that_our_stack_has_not_is_refused(world: World, interface: str, message: str) -> None:
    arguments = ["-sS", "--nic", STATIC4, "--interface", interface, url("http", ADDRESS)]
    assert world.run(*REDOX_CURL, *arguments) == (45, b"", message)


def test_names_come_from_the_servers_that_the_user_names(world: World, folder: Path) -> None:
    nic = f"tap:{TAP},address=192.0.2.9/24,gateway={ADDRESS},dns=192.0.2.99"
    for end in ([], ["--dns-interface", TAP], ["--dns-ipv4-addr", "192.0.2.9"]):
        arguments = ["--dns-servers", f"{ADDRESS}:53", *end, url("http", "four.test")]
        assert digest(fetch(world, folder, nic, *arguments)[0]) == DIGEST
    for end in (["--dns-interface", "eth7"], ["--dns-ipv4-addr", "192.0.2.8"]):
        arguments = ["-sS", "--nic", nic, "--dns-servers", ADDRESS, *end, url("http", "four.test")]
        assert world.run(*REDOX_CURL, *arguments)[0] == 6


def test_a_unix_socket_is_beside_every_network_card(world: World, tmp_path: Path) -> None:
    import socket
    import threading

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def serve() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(4_000)
                link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        arguments = ["-sS", "--nic", STATIC4, "--unix-socket", str(tmp_path / "s"), "http://a.test/"]
        assert world.run(*REDOX_CURL, *arguments) == (0, b"here", "")
        thread.join(5)

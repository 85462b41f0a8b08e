"""Encrypted ClientHello of the command beside Go's crypto/tls: configs given, from DNS, refused, anew."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from tests.fakes.commands import Done, redox_curl
from tests.fakes.dns_server import DnsServer
from tests.fakes.go_server import GoServer, go_server, needs_go

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_go]


class World(NamedTuple):
    folder: Path
    ca: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("ech")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    identity = authority.issue_cert("localhost", "public.test")
    identity.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "chain.pem").write_bytes(b"".join(pem.bytes() for pem in identity.cert_chain_pems))
    return World(folder, str(folder / "ca.pem"))


@contextlib.contextmanager
def serving(world: World, *options: str) -> Iterator[GoServer]:
    with go_server(world.folder / "chain.pem", world.folder / "key.pem", *options) as server:
        yield server


def fetched(world: World, server: GoServer, *arguments: str) -> Done:
    url = f"https://localhost:{server.port}/"
    return redox_curl("-4sSv", "--cacert", world.ca, *arguments, url, "-w", "%{num_connects}")


def agreed(done: Done) -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S*)", done.out.decode()))


@contextlib.contextmanager
def name_server(zone: DnsServer) -> Iterator[str]:
    """The fake zone at a UDP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]

        def serve() -> None:
            while True:
                data, source = sock.recvfrom(4096)
                if not data:
                    return
                if (answer := zone.answer(data)) is not None:
                    sock.sendto(answer, source)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            sock.sendto(b"", ("127.0.0.1", port))
            thread.join(10)


def other_configs(world: World) -> str:
    """The config of a server that is gone: its key is nobody's."""
    with serving(world) as gone:
        return gone.ech_configs


def test_a_config_that_is_given_seals_the_name(world: World) -> None:
    with serving(world) as server:
        done = fetched(world, server, "--ech", f"ecl:{server.ech_configs}")
    assert done.code == 0
    assert (agreed(done)["ech"], agreed(done)["name"]) == ("true", "localhost")
    assert "* ECH: accepted\n" in done.err


def test_it_is_sealed_across_a_retry_for_another_group_too(world: World) -> None:
    with serving(world, "-group", str(0x18)) as server:
        done = fetched(world, server, "--ech", f"ecl:{server.ech_configs}")
    assert (agreed(done)["ech"], agreed(done)["group"]) == ("true", str(0x18))


def test_an_old_config_is_replaced_by_the_servers_and_tried_again(world: World) -> None:
    with serving(world) as server:
        done = fetched(world, server, "--ech", f"ecl:{other_configs(world)}")
    assert done.code == 0 and agreed(done)["ech"] == "true"
    assert done.out.endswith(b"\n2"), "two connections"
    assert "it gave configs to try again with; connecting again" in done.err


def test_what_nobody_vouches_for_is_not_tried(world: World) -> None:
    with serving(world) as server:
        done = fetched(world, server, "-k", "--ech", f"ecl:{other_configs(world)}")
    assert done.code == 101 and done.out == b"1"


def test_a_server_that_has_no_other_is_left(world: World) -> None:
    with serving(world, "-retry=false") as server:
        done = fetched(world, server, "--ech", f"ecl:{other_configs(world)}")
    assert done.code == 101 and done.out == b"1"
    assert "public.test could not open the encrypted ClientHello" in done.err


def test_the_certificate_of_who_cannot_open_it_must_be_the_public_names(world: World) -> None:
    with serving(world, "-public", "elsewhere.test") as gone:
        configs = gone.ech_configs
    with serving(world) as server:
        done = fetched(world, server, "--ech", f"ecl:{configs}")
    assert done.code == 60 and "localhost" in done.err and "elsewhere.test" in done.err


def test_grease_is_no_ech(world: World) -> None:
    with serving(world) as server:
        done = fetched(world, server, "--ech", "grease")
    assert done.code == 0 and agreed(done)["ech"] == "false"
    assert "* ECH: greased\n" in done.err


def test_a_config_comes_from_the_https_record_of_the_port(world: World) -> None:
    with serving(world) as server:
        name = f"_{server.port}._https.localhost"
        zone = DnsServer({}, services={name: [(1, "", {5: base64.b64decode(server.ech_configs)})]})
        with name_server(zone) as address:
            done = fetched(world, server, "--ech", "hard", "--dns-servers", address)
    assert done.code == 0 and agreed(done)["ech"] == "true"
    assert "* ECH: config from DNS\n" in done.err
    assert zone.asked == [(name, "HTTPS")]


@pytest.mark.parametrize(("wish", "code"), [("true", 0), ("hard", 101)])
def test_without_a_config_true_goes_on_and_hard_does_not(world: World, wish: str, code: int) -> None:
    with serving(world) as server, name_server(DnsServer({})) as address:
        done = fetched(world, server, "--ech", wish, "--dns-servers", address)
    assert done.code == code
    if code:
        assert "there is none in an HTTPS record" in done.err and "--ech ecl:BASE64" in done.err
    else:
        assert agreed(done)["ech"] == "false"


def test_nobody_is_asked_for_the_record_of_an_address(world: World) -> None:
    zone = DnsServer({})
    with serving(world) as server, name_server(zone) as address:
        url = f"https://127.0.0.1:{server.port}/"
        done = redox_curl("-ksSv", "--ech", "true", "--dns-servers", address, url)
    assert done.code == 0 and "* ECH: no config, an address has no HTTPS record\n" in done.err
    assert zone.asked == []


UNUSABLE = b"\0\x06\xfe\x0c\0\2??"
"""A list of one config, of another version."""


@pytest.mark.parametrize(("wish", "code"), [("true", 0), ("hard", 101)])
@pytest.mark.parametrize("found", [UNUSABLE, b"damaged"])
def test_a_record_with_nothing_usable_is_as_none(world: World, wish: str, code: int, found: bytes) -> None:
    with serving(world) as server:
        zone = DnsServer({}, services={f"_{server.port}._https.localhost": [(1, "", {5: found})]})
        with name_server(zone) as address:
            done = fetched(world, server, "--ech", wish, "--dns-servers", address)
    assert done.code == code
    assert "can be used" in done.err
    if code:
        assert "Client hello" not in done.err, "the name is not seen"
    else:
        assert agreed(done)["ech"] == "false"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--ech", f"ecl:{base64.b64encode(UNUSABLE).decode()}"), "no config in the list can be used"),
        (("--ech", "hard", "--tls-max", "1.2"), "TLS 1.3 is not allowed"),
    ],
)
def test_a_name_that_cannot_be_sealed_is_not_sent(world: World, arguments: tuple[str, ...], why: str) -> None:
    with serving(world) as server:
        done = fetched(world, server, *arguments)
    assert done.code == 101 and why in done.err
    assert "Client hello" not in done.err


def test_what_one_server_says_to_try_again_with_is_not_for_another(world: World) -> None:
    with serving(world) as second, serving(world, "-location", f"https://localhost:{second.port}/") as first:
        done = fetched(world, first, "-L", "--ech", f"ecl:{other_configs(world)}")
    assert done.code == 0 and agreed(done)["ech"] == "true"
    assert done.err.count("connecting again") == 2, "each has its own"


def test_another_public_name_may_be_shown(world: World) -> None:
    with serving(world) as server:
        done = fetched(world, server, "--ech", f"ecl:{server.ech_configs}", "--ech", "pn:front.test")
    assert done.code == 0 and agreed(done)["ech"] == "true"


@pytest.mark.parametrize("wish", ["", "maybe", "ecl:***", "ecl:AAA"])
def test_what_is_no_wish_is_refused(wish: str) -> None:
    done = redox_curl("--ech", wish, "https://localhost/")
    assert done.code == 2 and "option --ech: is badly used here" in done.err


def test_a_list_that_is_none_is_an_error_of_ech(world: World) -> None:
    with serving(world) as server:
        done = fetched(world, server, "--ech", "ecl:AAAA")
    assert done.code == 101 and "the config list is damaged" in done.err

"""`--allow-address` and `--deny-address` on every way to a connection, against servers on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from pycurl_redox.client import Client
from pycurl_redox.errors import AddressDeniedError, UsageError
from tests.fakes.commands import redox_curl
from tests.fakes.raw_server import read_request, saying, serving

pytestmark = pytest.mark.interop

HERE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere"


@pytest.fixture
def server() -> Iterator[int]:
    """Listens on every address of loopback, and says so."""
    with serving(saying(HERE), host="127.0.0.1") as port:
        yield port


def refused(*arguments: str) -> str:
    done = redox_curl("-sS", *arguments)
    assert (done.code, done.out) == (7, b""), done
    return done.message


def test_the_message_says_which_address_of_whom_and_which_rule(server: int) -> None:
    assert refused("--deny-address", "private,loopback", f"http://localhost:{server}/") in (
        "curl: (7) Address 127.0.0.1 of localhost is refused: --deny-address loopback holds it",
        "curl: (7) Address ::1 of localhost is refused: --deny-address loopback holds it",
    )
    assert refused("--allow-address", "10.0.0.0/8", f"http://127.0.0.1:{server}/") == (
        "curl: (7) Address 127.0.0.1 of 127.0.0.1 is refused: no --allow-address holds it"
    )


def test_what_is_allowed_is_fetched(server: int) -> None:
    for rules in (
        ["--allow-address", "loopback"],
        ["--deny-address", "private", "--deny-address", "multicast"],
    ):
        done = redox_curl("-sS", *rules, f"http://127.0.0.1:{server}/")
        assert (done.code, done.out) == (0, b"here")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.9.9.9", "localhost", "a.localhost", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]"]
    + ["127.1", "2130706433", "0x7f000001", "10.0.2.2"],
)
def test_no_spelling_of_loopback_gets_past_it(server: int, host: str) -> None:
    """10.0.2.2 is the gateway of the user-mode network, behind which is the machine's own loopback."""
    done = redox_curl("-sS", "--deny-address", "loopback", f"http://{host}:{server}/")
    assert (done.code, done.out) != (0, b"here")
    if host not in (
        "127.1",
        "2130706433",
        "0x7f000001",
    ):  # which are names, where no resolver makes them numbers
        assert done.code == 7 and "is refused" in done.message


def test_a_redirect_is_judged_where_it_leads(server: int) -> None:
    place = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:%d/\r\nContent-Length: 0\r\n\r\n" % server
    with serving(saying(place)) as port:
        message = refused("-L", "--deny-address", "127.0.0.2", f"http://127.0.0.1:{port}/")
    assert "Address 127.0.0.2 of 127.0.0.2" in message


def test_a_retry_is_judged_again(server: int) -> None:
    arguments = ["--retry", "2", "--retry-delay", "1", "--retry-connrefused", "--deny-address", "loopback"]
    refused(*arguments, f"http://127.0.0.1:{server}/")


def test_resolve_and_connect_to_lead_past_no_rule(server: int) -> None:
    url = f"http://a.test:{server}/"
    refused("--deny-address", "loopback", "--resolve", f"a.test:{server}:127.0.0.1", url)
    refused("--deny-address", "loopback", "--connect-to", f"::127.0.0.1:{server}", url)


def test_of_several_addresses_the_permitted_ones_are_dialled(server: int) -> None:
    done = redox_curl(
        "-sSv", "--deny-address", "127.0.0.2", "--resolve", f"a.test:{server}:127.0.0.2,127.0.0.1",
        f"http://a.test:{server}/",
    )  # fmt: skip
    assert (done.code, done.out) == (0, b"here")
    assert "* Address 127.0.0.2 of a.test is refused: --deny-address 127.0.0.2 holds it\n" in done.err
    assert "Trying 127.0.0.2" not in done.err


def test_of_a_proxy_its_own_address_is_judged(server: int) -> None:
    proxy = f"http://127.0.0.1:{server}"
    refused("--deny-address", "loopback", "-x", proxy, "http://a.test/")
    refused("--deny-address", "loopback", "-p", "-x", proxy, "http://a.test/")
    # What it connects to is its own affair.
    done = redox_curl("-sS", "--deny-address", "private", "-x", proxy, "http://10.0.0.1/")
    assert (done.code, done.out) == (0, b"here")


def test_a_kept_connection_serves_only_the_same_rules(server: int) -> None:
    def keep_open(link: socket.socket) -> None:
        while read_request(link):
            link.sendall(HERE)

    with serving(keep_open) as port:
        url = f"http://127.0.0.1:{port}/"
        done = redox_curl("-sS", url, "--next", "-sS", "--deny-address", "loopback", url)
    assert (done.code, done.out) == (7, b"here")


def test_the_library_has_the_same_rules(server: int) -> None:
    url = f"http://127.0.0.1:{server}/"
    with Client(deny_addresses=["loopback", "private"], background=False) as client:
        with pytest.raises(AddressDeniedError) as caught:
            client.get(url)
        assert caught.value.exit_code == 7
        results = list(client.map([url, url], return_exceptions=True))
        assert [type(result) for result in results] == [AddressDeniedError] * 2
    with Client(allow_addresses=["127.0.0.0/8"], background=False) as client:
        assert client.get(url).text == "here"
    with pytest.raises(UsageError, match="address rules"):
        Client(allow_addresses=["nonsense"])

"""Address rules of the library; the command's are in `tests/cases/addresses.txt`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pycurl_redox.client import Client
from pycurl_redox.errors import AddressDeniedError, UsageError
from tests.fakes.raw_server import saying, serving

pytestmark = pytest.mark.interop

HERE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere"


@pytest.fixture
def server() -> Iterator[int]:
    """Listens on every address of loopback, and says so."""
    with serving(saying(HERE), host="127.0.0.1") as port:
        yield port


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

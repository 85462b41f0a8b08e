"""What callers of the library hand over, and how much comes back."""

from __future__ import annotations

import asyncio
import gzip
import inspect
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

import pycurl_redox
from pycurl_redox import Client, errors
from pycurl_redox.collected import Collected
from tests.fakes.memory_network import MemoryNetwork, Script

URL = "http://a.test/"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
ZEROS = gzip.compress(bytes(1_000_000))
BOMB = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(ZEROS), ZEROS)


def client_on(*scripts: Script, **settings: Any) -> Client:
    return Client(network=MemoryNetwork(*scripts), **settings)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda c: c.get(None), "a URL is text, not None"),
        (lambda c: c.get(b"http://a.test/"), "a URL is text, not b'http://a.test/'"),
        (lambda c: c.request(None, URL), "a method is text such as 'GET', not None"),
        (lambda c: c.get(URL, timeout="x"), "a time-out is a number of seconds or None, not 'x'"),
        (lambda c: c.get(URL, max_size="1k"), "max_size is a number of octets or None, not '1k'"),
        (lambda c: c.get(URL, headers={"X": 5}), "header 'X' .* the value is 5"),
        (lambda c: c.get(URL, headers={5: "x"}), "header 5 .* the value is 'x'"),
        (lambda c: c.get(URL, headers=[("X", "5")]), "headers are a mapping"),
        (lambda c: c.get(URL, params="a=b"), "params is a mapping"),
        (lambda c: c.post(URL, data=5), "data is octets, text, a mapping, a file or an iterable, not 5"),
        (lambda c: c.gather([URL]), "gather takes coroutines such as .*, not 'http://a.test/'"),
        (lambda c: c.gather(URL), "gather takes a list of coroutines, not 'http://a.test/'"),
        (lambda c: c.gather(None), "gather takes a list of coroutines, not None"),
        (lambda c: list(c.map([None])), "a URL is text, not None"),
        (lambda c: Client(timeout="x"), "a time-out is a number"),
        (lambda c: Client(auth="me:secret"), "auth is a pair"),
    ],
)
def test_arguments_of_a_wrong_type_are_named(call: Callable[[Client], object], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        call(client_on())


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda c: c.get(URL, headers={"X Y": "a"}), "header 'X Y': the name is not a token"),
        (lambda c: c.get(URL, headers={"": "a"}), "header '': the name is not a token"),
        (lambda c: c.get(URL, headers={"X:": "a"}), "header 'X:': the name is not a token"),
        (lambda c: c.get(URL, headers={"X": "a\r\nY: b"}), "header 'X': a line end or NUL in it"),
        (lambda c: c.request("GE T", URL), "method 'GE T': not a token"),
        (lambda c: c.get(URL, timeout=0), "a time-out of 0 seconds"),
        (lambda c: c.get(URL, max_size=-1), "max_size of -1 octets"),
        (
            lambda c: c.post(URL, data=iter([b""]), headers={"Content-Length": "x"}),
            "'x' is no number of octets",
        ),
        (lambda c: Client(auth=("a", "b"), auth_method="ntlm"), "'ntlm': one of basic, digest, any"),
    ],
)
def test_arguments_of_a_wrong_value_are_named(call: Callable[[Client], object], text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        call(client_on())
    assert isinstance(caught.value, errors.FetchError)


def test_the_names_of_the_package_are_all_there() -> None:
    assert {name: getattr(pycurl_redox, name).__name__ for name in dir(pycurl_redox)} == {
        name: name for name in pycurl_redox.__all__
    }
    assert pycurl_redox.ArgumentError is errors.ArgumentError
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pycurl_redox.nothing


def test_what_gather_does_not_take_leaves_no_coroutine_behind() -> None:
    client = client_on()
    coroutine = client.request_async("GET", URL)
    with pytest.raises(TypeError):
        client.gather([coroutine, URL])
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


def test_asyncio_is_told_that_it_is_not_the_loop() -> None:
    with pytest.raises(RuntimeError, match=r"asyncio's, cannot run it: .* \(Client.gather\)"):
        asyncio.run(client_on([None]).request_async("GET", URL))


@pytest.mark.parametrize("answer", [OK, BOMB], ids=["plain", "gzip"])
def test_a_body_over_max_size_is_refused(answer: bytes) -> None:
    text = r"body: over 9 octets \(max_size\); stream\(\) takes one of any size"
    with pytest.raises(errors.FileSizeExceededError, match=text):
        client_on([answer]).get(URL, max_size=9)
    with pytest.raises(errors.FileSizeExceededError, match=text):
        client_on([answer], max_size=9).get(URL)
    with pytest.raises(errors.FileSizeExceededError, match=text):
        client_on([answer], max_size=9).stream("GET", URL).read()
    for client, options in (
        (client_on([answer], max_size=1_000_000), {}),
        (client_on([answer], max_size=9), {"max_size": None}),
    ):
        assert len(client.get(URL, **options).content) in (10, 1_000_000)


def test_a_length_that_is_too_much_is_refused_before_the_body_and_a_head_has_none() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
    with pytest.raises(errors.FileSizeExceededError):
        client_on([head]).get(URL, max_size=9)
    assert client_on([head]).head(URL, max_size=9).content == b""


def test_a_streamed_body_may_be_of_any_size() -> None:
    with client_on([BOMB], max_size=9).stream("GET", URL) as response:
        assert sum(map(len, response)) == 1_000_000


def test_a_body_is_never_there_twice() -> None:
    content, piece = Collected(None), bytes(100_000)
    tracemalloc.start()
    try:
        for _ in range(300):
            content.add(piece)
        assert len(content.take()) == 30_000_000
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()

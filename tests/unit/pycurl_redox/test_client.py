"""The library, over scripted connections."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

import pycurl_redox
from pycurl_redox import Client, errors
from tests.fakes.memory_network import SILENCE, MemoryNetwork, Script


def reply(body: bytes = b"", *headers: str, status: int = 200) -> bytes:
    lines = [f"HTTP/1.1 {status} Fine", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def client_on(*scripts: Script | None, **settings: object) -> tuple[Client, MemoryNetwork]:
    network = MemoryNetwork(*scripts)
    return Client(network=network, **settings), network  # type: ignore[arg-type]


def test_a_response_has_all_that_came() -> None:
    client, _ = client_on(
        [reply('{"a": "ü"}'.encode(), "Content-Type: application/json", "X-A: 1", "x-a: 2")]
    )
    response = client.get("http://a.test/?q")
    assert (response.status, response.reason, response.ok) == (200, "Fine", True)
    assert response.json() == {"a": "ü"} and response.text == '{"a": "ü"}'
    assert response.headers["X-a"] == "1, 2" and response.headers.values_of("X-A") == ["1", "2"]
    assert response.url == "http://a.test/?q" and response.tls is None and response.certificate is None
    assert response.remote == ("192.0.2.1", 80)


def test_text_follows_the_charset() -> None:
    client, _ = client_on([reply(b"\xe9", "Content-Type: text/plain; charset=latin-1")])
    assert client.get("http://a.test/").text == "é"


def test_an_unknown_charset_is_read_as_utf8() -> None:
    client, _ = client_on([reply(b"\xe9", "Content-Type: text/plain; charset=none-such")])
    assert client.get("http://a.test/").text == "\ufffd"


def test_redirects_are_followed_and_remembered() -> None:
    client, _ = client_on([reply(b"", "Location: /y", status=301), reply(b"there")])
    response = client.get("http://a.test/x")
    assert response.content == b"there" and response.url == "http://a.test/y"
    assert [status for status, _ in response.history] == [301]


def test_connections_are_kept_and_closed_with_the_client() -> None:
    client, network = client_on([reply(b"1"), reply(b"2"), b""])
    with client:
        client.get("http://a.test/")
        client.get("http://a.test/")
    assert len(network.streams) == 1 and network.streams[0].is_closed
    assert not network.is_closed  # it was given, and is the giver's


@pytest.mark.parametrize(
    ("data", "sent", "content_type"),
    [
        (b"octets", b"octets", None),
        ("text", b"text", None),
        ({"a": "b c"}, b"a=b%20c", b"application/x-www-form-urlencoded"),
        (iter([b"ab", b"c"]), b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", None),
    ],
)
def test_bodies_of_all_kinds_go_out(data: object, sent: bytes, content_type: bytes | None) -> None:
    client, network = client_on([reply()])
    client.post("http://a.test/", data=data)
    head, _, body = bytes(network.streams[0].sent).partition(b"\r\n\r\n")
    assert body == sent and b"Expect" not in head
    assert content_type is None or b"Content-Type: " + content_type in head


def test_json_goes_out_with_its_type_whatever_the_method() -> None:
    client, network = client_on([reply()])
    client.patch("http://a.test/", json={"a": 1})
    sent = bytes(network.streams[0].sent)
    assert sent.startswith(b"PATCH / HTTP/1.1") and sent.endswith(b'{"a": 1}')
    assert b"Content-Type: application/json" in sent


def test_an_iterable_with_a_length_is_sent_without_chunks() -> None:
    client, network = client_on([reply()])
    client.put("http://a.test/", data=iter([b"ab", b"cd"]), headers={"Content-Length": "4"})
    assert bytes(network.streams[0].sent).endswith(b"Content-Length: 4\r\n\r\nabcd")


def test_a_streamed_body_comes_piece_by_piece_and_may_be_left() -> None:
    client, network = client_on([b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab", b"cd", b"ef"])
    with client.stream("GET", "http://a.test/") as response:
        assert response.status == 200
        assert next(response.iter_bytes()) == b"ab"
    assert network.streams[0].is_closed


def test_many_fetches_keep_their_order_and_their_bound() -> None:
    client, network = client_on(*[[reply(b"%d" % i)] for i in range(20)], max_connections=20)
    assert sorted(r.text for r in client.map(["http://a.test/"] * 20)) == sorted(str(i) for i in range(20))
    bounded, network = client_on([reply(b"x")] * 1, [reply(b"y")] * 1, max_connections=2)
    assert len(list(bounded.map(["http://a.test/", "http://b.test/"]))) == 2
    assert len(network.streams) == 2


def test_the_first_failure_ends_all() -> None:
    client, network = client_on([SILENCE], None, read_timeout=None)
    coroutines = [client.request_async("GET", f"http://{name}.test/") for name in "ab"]
    with pytest.raises(errors.ConnectFailedError):
        client.gather(coroutines)
    assert network.streams[0].is_closed


def test_a_failure_may_be_a_result_among_the_others() -> None:
    urls = ["http://a.test/", "http://b.test/", "http://nowhere.test/", "http://a.test/"]
    client, _ = client_on([reply(b"1")], None, [reply(b"4")])
    gathered = client.gather((client.request_async("GET", url) for url in urls), return_exceptions=True)
    client, _ = client_on([reply(b"1")], None, [reply(b"4")])
    for results in (gathered, list(client.map(urls, return_exceptions=True))):
        assert [getattr(result, "text", type(result)) for result in results] == [
            "1",
            errors.ConnectFailedError,
            errors.ResolveFailedError,
            "4",
        ]


def test_map_raises_in_the_place_of_the_response_and_gives_up_the_rest() -> None:
    client, network = client_on([reply(b"1")], None, [SILENCE], read_timeout=None)
    responses = client.map(["http://a.test/", "http://b.test/", "http://a.test/"])
    assert next(responses).text == "1"
    with pytest.raises(errors.ConnectFailedError):
        next(responses)
    assert network.streams[1].is_closed


def test_map_runs_ahead_of_its_reader_by_so_many_and_no_more() -> None:
    asked: list[int] = []

    def urls() -> Iterator[str]:
        for number in range(1000):
            asked.append(number)
            yield "http://a.test/"

    client, _ = client_on(*[[reply(b"%d" % n)] for n in range(3)], max_connections=3)
    responses = client.map(urls())
    assert not asked
    assert next(responses).text == "0" and len(asked) == 3
    responses.close()  # type: ignore[attr-defined]
    assert len(asked) == 3


def test_a_body_that_can_be_read_once_does_not_survive_a_redirect() -> None:
    client, _ = client_on([reply(b"", "Location: /y", status=307)])
    with pytest.raises(errors.RewindError):
        client.put("http://a.test/x", data=iter([b"once"]))


def test_a_connection_whose_response_leads_nowhere_is_kept_or_closed() -> None:
    client, network = client_on([reply(b"", "Location: /y", status=307)])
    with pytest.raises(errors.RewindError):
        client.put("http://a.test/x", data=iter([b"once"]))
    assert network.streams[0].is_closed
    client, network = client_on([reply(b"", "Location: /y", status=301), reply(b"2")], max_redirects=0)
    with pytest.raises(errors.TooManyRedirectsError):
        client.get("http://a.test/x")
    assert client._pool.idle_count == 1 and not network.streams[0].is_closed


def test_what_is_no_json_is_a_value_error() -> None:
    client, _ = client_on([reply(b"<p>")])
    with pytest.raises(ValueError, match="Expecting value"):
        client.get("http://a.test/").json()


def test_a_name_that_comes_slowly_and_a_host_that_does_not_answer_end_at_the_connect_timeout() -> None:
    client, network = client_on(["slow"], connect_timeout=1.5)
    with pytest.raises(errors.OperationTimedOutError, match="Timeout was reached"):
        client.get("http://a.test/")
    assert network.now() == 1001.5


def test_the_same_request_again_is_the_same_octets_and_other_headers_are_others() -> None:
    client, network = client_on([reply()] * 5)
    client.get("http://a.test/x")
    client.get("http://a.test/x")
    client.get("http://a.test/x", headers={"A": "b"})
    client.head("http://a.test/x")
    client.headers["C"] = "d"
    client.get("http://a.test/x")
    first, second, third, fourth, fifth = bytes(network.streams[0].sent).split(b"\r\n\r\n")[:5]
    assert first == second and third == first + b"\r\nA: b"
    assert fourth == b"HEAD" + first.removeprefix(b"GET") and fifth == first + b"\r\nC: d"


def test_a_cookie_that_was_set_goes_with_the_next_of_the_same_requests() -> None:
    client, network = client_on([reply(b"", "Set-Cookie: k=v"), reply()])
    client.get("http://a.test/x")
    client.get("http://a.test/x")
    assert bytes(network.streams[0].sent).count(b"Cookie: k=v\r\n") == 1


def test_a_read_timeout_is_for_each_wait_and_a_timeout_for_the_whole() -> None:
    client, network = client_on([SILENCE], [SILENCE], read_timeout=2.0)
    with pytest.raises(errors.OperationTimedOutError):
        client.get("http://a.test/")
    assert network.now() == 1002.0
    with pytest.raises(errors.OperationTimedOutError):
        client.get("http://a.test/", timeout=0.5)
    assert network.now() == 1002.5


@pytest.mark.parametrize("header", [{"A": "b\r\nC: d"}, {"A\r\n": "b"}, {"A:": "b"}])
def test_a_header_cannot_smuggle_another(header: dict[str, str]) -> None:
    client, network = client_on([reply()])
    with pytest.raises(errors.UsageError):
        client.get("http://a.test/", headers=header)
    assert not network.streams


def test_raise_for_status_and_the_module_functions() -> None:
    client, _ = client_on([reply(status=404), reply(b"x")])
    with pytest.raises(pycurl_redox.FetchError, match="404"):
        pycurl_redox.get("http://a.test/", client=client).raise_for_status()


def test_a_file_is_sent_from_where_it_stands(tmp_path: object) -> None:
    path = tmp_path / "f"  # type: ignore[operator]
    path.write_bytes(b"0123456789")
    client, network = client_on([reply()])
    with open(path, "rb") as file:
        file.seek(4)
        client.put("http://a.test/", data=file)
    assert bytes(network.streams[0].sent).endswith(b"Content-Length: 6\r\n\r\n456789")
    assert io.SEEK_SET == 0


def test_lists_are_fields_of_their_own_and_none_is_no_field() -> None:
    client, network = client_on([reply()])
    fields = {"a": [1, "x y"], "n": None, "b": (b"\xff", None), "c": 2}
    client.post("http://a.test/?q", params=fields, data=fields)
    head, _, body = bytes(network.streams[0].sent).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /?q&a=1&a=x%20y&b=%FF&c=2 HTTP/1.1\r\n")
    assert body == b"a=1&a=x%20y&b=%FF&c=2"


@pytest.mark.parametrize("params", [{}, {"n": None}, {"n": []}])
def test_parameters_that_come_to_nothing_leave_the_url_alone(params: dict[str, object]) -> None:
    client, network = client_on([reply()])
    client.get("http://a.test/x", params=params)
    assert bytes(network.streams[0].sent).startswith(b"GET /x HTTP/1.1\r\n")


def test_a_request_has_one_body() -> None:
    client, network = client_on()
    with pytest.raises(errors.UsageError, match="data and json"):
        client.post("http://a.test/", data=b"", json={})
    assert not network.streams


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_time_out_is_more_than_nothing(seconds: float) -> None:
    client, network = client_on()
    with pytest.raises(errors.UsageError, match="time-out"):
        client.get("http://a.test/", timeout=seconds)
    for name in ("timeout", "connect_timeout", "read_timeout"):
        with pytest.raises(errors.UsageError, match="time-out"):
            client_on(**{name: seconds})  # type: ignore[arg-type]
    assert not network.streams


def test_a_streamed_response_is_an_iterable_of_its_pieces() -> None:
    client, _ = client_on([b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab", b"cd", b"ef"])
    with client.stream("GET", "http://a.test/") as response:
        assert list(response) == [b"ab", b"cd", b"ef"]
        assert list(response) == []


def test_a_closed_client_says_so_at_once_and_leaves_the_network_it_was_given() -> None:
    client, network = client_on([reply()], [reply()])
    client.get("http://a.test/")
    client.close()
    for ask in (client.get, lambda url: next(client.map([url])), lambda url: client.stream("GET", url)):
        with pytest.raises(errors.UsageError, match="this client is closed"):
            ask("http://a.test/")
    assert len(network.streams) == 1 and not network.is_closed


def test_a_streamed_response_may_be_closed_after_its_client() -> None:
    client, _ = client_on([b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab"])
    with client.stream("GET", "http://a.test/") as response:
        client.close()
        with pytest.raises(errors.UsageError, match="this client is closed"):
            response.read()

"""--retry that goes on where the body broke off: what is asked for, what is believed, what stays on disk."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pycurl_redox.cli import main
from pycurl_redox.errors import PartialFileError
from pycurl_redox.message import Head
from pycurl_redox.resume import BrokenBody, Verdict, content_range, strong_validator
from tests.fakes.memory_network import RESET, SILENCE, MemoryNetwork, Script

WHOLE = b"0123456789"
TAG = b'ETag: "v1"\r\n'
OLD = b"Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nDate: Mon, 01 Jan 2024 00:00:01 GMT\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
FULL = b"HTTP/1.1 416 No\r\nContent-Range: bytes */10\r\nContent-Length: 3\r\n\r\nno!"


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "all_proxy", "ALL_PROXY", "CURL_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def whole(body: bytes = WHOLE, head: bytes = TAG, length: int = 10) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (length, head, body)


def rest(first: int, body: bytes, head: bytes = TAG, span: bytes = b"", length: int | None = None) -> bytes:
    span = span or b"%d-9/10" % first
    length = len(body) if length is None else length
    return b"HTTP/1.1 206 P\r\nContent-Range: bytes %s\r\nContent-Length: %d\r\n%s\r\n%s" % (
        span, length, head, body,
    )  # fmt: skip


class Ran:
    def __init__(self, words: str, *scripts: Script) -> None:
        self.network = MemoryNetwork(*scripts)
        self.code = main(
            shlex.split(f"-sS --retry 5 --retry-all-errors {words} a.test"),
            network_factory=lambda nic: self.network,
        )
        self.asked = [ranges(bytes(stream.sent)) for stream in self.network.streams]


def ranges(sent: bytes) -> list[bytes]:
    return [line for line in sent.split(b"\r\n") if line.lower().startswith((b"range:", b"if-range:"))]


def held() -> bytes:
    return Path("f").read_bytes()


@pytest.mark.parametrize("option", ["", "-Z --no-progress-meter"])
def test_the_next_try_asks_for_the_rest_and_adds_it(option: str) -> None:
    ran = Ran(f"-o f {option}", [whole(WHOLE[:4])], [rest(4, WHOLE[4:])])
    assert (ran.code, held()) == (0, WHOLE)
    assert ran.asked == [[], [b"Range: bytes=4-", b'If-Range: "v1"']]


def test_every_break_moves_it_on() -> None:
    ran = Ran(
        "-o f", [whole(WHOLE[:4]), RESET], [rest(4, WHOLE[4:7], length=6), RESET], None, [rest(7, WHOLE[7:])]
    )
    assert (ran.code, held()) == (0, WHOLE)
    assert [asked[:1] for asked in ran.asked] == [[], [b"Range: bytes=4-"], [b"Range: bytes=7-"]]


def test_time_that_is_over_is_a_break_as_well() -> None:
    ran = Ran("-m 5 -o f", [whole(WHOLE[:4]), SILENCE], [rest(4, WHOLE[4:])])
    assert (ran.code, held()) == (0, WHOLE)


def test_without_a_tag_the_date_is_the_condition() -> None:
    ran = Ran("-o f", [whole(WHOLE[:4], OLD)], [rest(4, WHOLE[4:], OLD)])
    assert (ran.code, held()) == (0, WHOLE)
    assert ran.asked[1] == [b"Range: bytes=4-", b"If-Range: Mon, 01 Jan 2024 00:00:00 GMT"]


@pytest.mark.parametrize(
    "head",
    [b"", b'ETag: W/"v1"\r\n', b'ETag: W/"v1"\r\n' + OLD, b"ETag: v1\r\n", TAG + b"Accept-Ranges: none\r\n"]
    + [OLD.replace(b":01 GMT", b":00 GMT"), OLD.partition(b"Date")[0]],
)
def test_without_something_strong_to_rely_on_the_whole_is_asked_for(head: bytes) -> None:
    ran = Ran("-o f", [whole(WHOLE[:4], head)], [whole(head=head)])
    assert (ran.code, held(), ran.asked) == (0, WHOLE, [[], []])


@pytest.mark.parametrize(
    "words",
    [
        "-o f --compressed",
        "-o f --tr-encoding",
        "-o f -i",
        "-o f -z '1 Jan 2024 00:00:00 GMT'",
        "-o f -X GET -d x",
        "-o f --raw",
    ]
    + ["-o f -H Range:", "-o f -H 'If-Range: x'"],
)
def test_where_a_range_would_count_something_else_the_whole_is_asked_for(words: str) -> None:
    ran = Ran(words, [whole(WHOLE[:4])], [whole(b"abcdefghij")])
    assert (ran.code, held()[-10:]) == (0, b"abcdefghij")
    assert not any(line.startswith(b"Range: bytes") for asked in ran.asked for line in asked)


def test_standard_output_gets_the_whole_again_as_from_curl(capfd: pytest.CaptureFixture[str]) -> None:
    ran = Ran("", [whole(WHOLE[:4])], [whole()])
    assert (capfd.readouterr().out, ran.asked) == ("01230123456789", [[], []])


def test_another_representation_takes_the_place_of_the_first() -> None:
    ran = Ran("-o f", [whole(WHOLE[:4])], [whole(b"abc", b'ETag: "v2"\r\n', 3)])
    assert (ran.code, held()) == (0, b"abc")
    assert ran.asked[1] == [b"Range: bytes=4-", b'If-Range: "v1"']


def test_an_empty_representation_does_so_too() -> None:
    ran = Ran("-o f", [whole(WHOLE[:4])], [whole(b"", b'ETag: "v2"\r\n', 0)])
    assert (ran.code, held()) == (0, b"")


def test_the_same_sent_whole_is_compared_with_nothing_and_loses_nothing() -> None:
    """A server without ranges: the octets that are there are passed over, so that a new break costs none."""
    ran = Ran("--retry 1 -o f", [whole(WHOLE[:6])], [whole(WHOLE[:3]), RESET])
    assert (ran.code, held()) == (56, WHOLE[:6])
    ran = Ran("-o f", [whole(WHOLE[:6])], [whole(WHOLE[:3]), WHOLE[3:8], WHOLE[8:]])
    assert (ran.code, held()) == (0, WHOLE)
    ran = Ran("-o f", [whole(WHOLE[:6])], [whole(WHOLE[:3]), WHOLE[3:8], RESET], [rest(8, WHOLE[8:])])
    assert (ran.code, held(), ran.asked[2][0]) == (0, WHOLE, b"Range: bytes=8-")


@pytest.mark.parametrize(
    "answer",
    [
        FULL,
        rest(3, WHOLE[3:], span=b"3-9/10"),
        rest(4, WHOLE[4:], span=b"4-9/11"),
        rest(4, WHOLE[4:8], span=b"4-7/10"),
        rest(4, WHOLE[4:], span=b"4-9/*"),
        rest(4, WHOLE[4:], span=b"nonsense"),
        rest(4, WHOLE[4:], b'ETag: "v2"\r\n'),
        rest(4, WHOLE[4:8], span=b"4-9/10"),
        b'HTTP/1.1 206 P\r\nContent-Type: multipart/byteranges; boundary=x\r\nETag: "v1"\r\n\r\n--x--',
    ],
)
@pytest.mark.parametrize("option", ["", "-f", "-Z --no-progress-meter"])
def test_what_is_not_the_rest_is_not_added_and_the_whole_is_asked_for_at_once(
    answer: bytes, option: str
) -> None:
    ran = Ran(f"-o f {option}", [whole(WHOLE[:4])], [answer], [whole(b"abcdefghij")])
    assert (ran.code, held()) == (0, b"abcdefghij")
    assert [len(asked) for asked in ran.asked] == [0, 2, 0]


def test_when_the_whole_does_not_come_either_what_was_there_stays() -> None:
    ran = Ran("--retry 1 -o f", [whole(WHOLE[:4])], [FULL], None)
    assert (ran.code, held()) == (7, WHOLE[:4])


@pytest.mark.parametrize(
    ("last", "option", "code"),
    [
        (BUSY, "", 18),
        (BUSY, "-f", 22),
        (BUSY, "--fail-with-body", 22),
        (BUSY.replace(b"503", b"404"), "", 18),
    ],
)
def test_an_error_page_never_takes_the_place_of_part_of_a_body(
    last: bytes, option: str, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """And without -f the exit code says nevertheless that the body is not whole."""
    ran = Ran(f"--retry 1 -o f {option}", [whole(WHOLE[:4])], [last])
    assert (ran.code, held()) == (code, WHOLE[:4])
    assert capfd.readouterr().err.splitlines()[-1].startswith(f"curl: ({code}) ")


def test_a_server_that_is_busy_in_between_costs_nothing() -> None:
    ran = Ran("-o f", [whole(WHOLE[:4])], [BUSY], [rest(4, WHOLE[4:])])
    assert (ran.code, held()) == (0, WHOLE)


def test_an_error_page_that_came_first_is_replaced() -> None:
    ran = Ran("-o f", [BUSY], [whole()])
    assert (ran.code, held(), ran.asked[-1]) == (0, WHOLE, [])


def test_continue_at_moves_on_by_what_has_come(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(WHOLE[:2])
    ran = Ran(
        "-C - -o f",
        [rest(2, WHOLE[2:5], length=8)],
        None,
        [rest(5, WHOLE[5:6], length=5)],
        [rest(6, WHOLE[6:])],
    )
    assert (ran.code, held()) == (0, WHOLE)
    assert ran.asked == [[b"Range: bytes=2-"], [b"Range: bytes=5-"], [b"Range: bytes=6-"]]


def test_a_range_of_the_users_own_is_asked_for_again() -> None:
    ran = Ran(
        "-r 0-7 -o f", [rest(0, WHOLE[:4], span=b"0-7/10", length=8)], [rest(0, WHOLE[:8], span=b"0-7/10")]
    )
    assert (ran.code, held()) == (0, WHOLE[:8])
    assert ran.asked == [[b"Range: bytes=0-7"]] * 2


def test_a_name_from_a_header_is_settled_by_the_first_try(tmp_path: Path) -> None:
    name = b"Content-Disposition: attachment; filename=f\r\n"
    ran = Ran(
        "-OJ a.test/x --url", [whole(WHOLE[:4], TAG + name)], [rest(4, WHOLE[4:], TAG + name)], [whole()]
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": WHOLE}
    assert len(ran.asked) == 3


def test_verbose_says_what_the_answer_was_taken_for(capfd: pytest.CaptureFixture[str]) -> None:
    Ran("-v -o f", [whole(WHOLE[:4])], [rest(4, WHOLE[4:])])
    assert "* 4 bytes are here already; the answer is the rest\n" in capfd.readouterr().err


def test_a_largest_size_holds_for_both_parts_together() -> None:
    head = TAG + b"Transfer-Encoding: chunked\r\n"
    chunked = b"HTTP/1.1 200 OK\r\n%s\r\n4\r\n%s\r\n" % (head, WHOLE[:4])
    assert Ran("--retry 1 --max-filesize 8 -o f", [chunked], [rest(4, WHOLE[4:])]).code == 63


# ---- what is believed


def head(status: int, *lines: bytes) -> Head:
    pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    return Head(b"1.1", status, b"", pairs, b"")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"bytes 4-9/10", (4, 9, 10)),
        (b"BYTES 0-0/1", (0, 0, 1)),
        (b"bytes */10", None),
        (b"bytes 4-9/*", None),
        (b"bytes 9-4/10", None),
        (b"bytes 4-10/10", None),
        (b"bytes 4-9", None),
        (b"bytes -9/10", None),
        (b"lines 4-9/10", None),
        (b"bytes 4-9/" + b"9" * 30, None),
        (b"", None),
    ],
)
def test_a_content_range_is_read_whole_or_not_at_all(
    value: bytes, found: tuple[int, int, int] | None
) -> None:
    assert content_range(value) == found


def test_a_tag_of_any_kind_keeps_the_date_out() -> None:
    dates = tuple(OLD.rstrip().split(b"\r\n"))
    assert strong_validator(head(200, *dates)) == b"Mon, 01 Jan 2024 00:00:00 GMT"
    assert strong_validator(head(200, *dates, b'ETag: W/"x"')) is None
    assert strong_validator(head(200, *dates, b'ETag: "x"')) == b'"x"'


def test_a_body_of_unknown_length_takes_the_length_of_the_range() -> None:
    broken = BrokenBody(head(200, b'ETag: "x"'), 4, PartialFileError())
    assert broken.judge(head(206, b"Content-Range: bytes 4-99/100", b'ETag: "x"')) is Verdict.REST
    assert broken.judge(head(204)) is Verdict.OTHER
    assert broken.judge(head(301)) is Verdict.NO_BODY

"""The dumps in tests/golden/curl are curl 7.88.1's of a POST of trace-data.bin."""

from pathlib import Path

import pytest

from pycurl_redox import trace

GOLDEN = Path(__file__).parents[2] / "golden" / "curl"


@pytest.mark.parametrize(("with_hex", "name"), [(False, "trace-ascii.txt"), (True, "trace-hex.txt")])
def test_a_dump_is_curls(with_hex, name):
    data = (GOLDEN / "trace-data.bin").read_bytes()
    assert trace.dump(trace.DATA_OUT, data, with_hex=with_hex) == (GOLDEN / name).read_bytes()


def test_a_note_is_one_line():
    assert trace.dump(trace.INFO, b"text\n", with_hex=False, stamp=b"1 ") == b"1 == Info: text\n"


def test_verbose_lines_have_their_signs():
    verbose = trace.VerboseText()
    out = verbose.text(trace.INFO, b"note")
    out += verbose.text(trace.HEADER_OUT, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    out += verbose.text(trace.DATA_OUT, b"x" * 655) + verbose.text(trace.DATA_OUT, b"more")
    out += verbose.text(trace.HEADER_IN, b"HTTP/1.1 200 OK\r\n") + verbose.text(trace.HEADER_IN, b"\r\n")
    out += verbose.text(trace.DATA_IN, b"x" * 805)
    assert out == (
        b"* note\n> GET / HTTP/1.1\r\n> Host: h\r\n> \r\n} [655 bytes data]\n"
        b"< HTTP/1.1 200 OK\r\n< \r\n{ [805 bytes data]\n"
    )


def test_a_line_that_comes_in_pieces_has_one_sign():
    verbose = trace.VerboseText()
    pieces = [verbose.text(trace.HEADER_IN, piece) for piece in (b"A: ", b"b\r\n", b"C: d\r\n")]
    assert b"".join(pieces) == b"< A: b\r\n< C: d\r\n"


def test_sizes_are_left_out_when_the_body_is_seen_anyhow():
    assert trace.VerboseText(shows_sizes=False).text(trace.DATA_IN, b"x") == b""


def test_a_tracer_stamps_every_line_and_closes_once():
    out, closed = [], []
    tracer = trace.Tracer(
        out.append, "plain", stamp=lambda: trace.time_stamp(1, 2, 3, 4), close=lambda: closed.append(1)
    )
    tracer.note("a")
    tracer.header_out(b"b\r\n\r\n")
    tracer.close()
    tracer.close()
    assert b"".join(out) == b"01:02:03.000004 * a\n01:02:03.000004 > b\r\n01:02:03.000004 > \r\n"
    assert closed == [1]


def test_every_kind_has_its_title():
    out = []
    tracer = trace.Tracer(out.append, "ascii")
    for send in (
        tracer.header_in,
        tracer.header_out,
        tracer.data_in,
        tracer.data_out,
        tracer.tls_data_in,
        tracer.tls_data_out,
    ):
        send(b"x")
    titles = [line.split(b",")[0] for line in out]
    assert titles == [
        b"<= Recv header",
        b"=> Send header",
        b"<= Recv data",
        b"=> Send data",
        b"<= Recv SSL data",
        b"=> Send SSL data",
    ]

"""Expected texts are curl 7.88.1's for a fetch with these values."""

import json

import pytest

from pycurl_redox.writeout import VARIABLES, Transfer, quoted_json, write_out

HEADERS = [
    (b"Content-Length", b"79"),
    (b"Set-Cookie", b"a=1"),
    (b"content-type", b"text/plain"),
    (b"set-cookie", b'"b"'),
]
VALUES = {
    "response_code": 200,
    "http_code": 200,
    "content_type": "text/plain",
    "size_download": 79,
    "exitcode": 0,
    "time_total": 0.0006594,
    "url": "http://h/é",
    "http_version": "1.1",
}


def written(template, values=VALUES, headers=HEADERS):
    return write_out(template, Transfer(values, headers, "libcurl/x"))


def text(template, **keywords):
    (piece,) = written(template, **keywords)
    assert piece.stream == "stdout"
    return piece.octets.decode()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("%{http_code}|%{HTTP_CODE}|%{size_download}", "200|200|79"),
        ("%{content_type}|%{errormsg}|%{exitcode}|%{time_total}", "text/plain||0|0.000659"),
        ("%{time_redirect}|%{num_redirects}|%{http_connect}", "0.000000|0|000"),
        ("%x|%%|\\t|\\n|\\q|%{open", "%x|%|\t|\n|\\q|%{open"),
        ("x\\", "x\\"),
        ("x%", "x%"),
        ("%header{CONTENT-type}|%header{nope}|%header{", "text/plain||%header{"),
        ("%header{set-cookie}", "a=1"),
        ("%{url}", "http://h/é"),
    ],
)
def test_a_format_is_filled_in(template, expected):
    assert text(template) == expected


def test_text_can_go_to_stderr_and_back():
    pieces = written("a%{stderr}b%{stdout}c%output{f}d%output{>>g}e")
    assert [(piece.stream, piece.octets) for piece in pieces] == [
        ("stdout", b"a"),
        ("stderr", b"b"),
        ("stdout", b"c"),
        (">f", b"d"),
        (">>g", b"e"),
    ]


def test_an_unknown_variable_is_named_on_stderr():
    pieces = written("a%{nope}b")
    assert [piece.stream for piece in pieces] == ["stdout", "stderr", "stdout"]
    assert pieces[1].octets == b"curl: unknown --write-out variable: 'nope'\n"


def test_onerror_ends_the_text_of_a_good_transfer():
    assert text("a%{onerror}b") == "a"
    assert text("a%{onerror}b%{exitcode}", values={"exitcode": 7}) == "ab7"


def test_json_has_every_variable_in_curls_order():
    shown = text("%{json}")
    fields = json.loads(shown)
    assert list(fields) == [*VARIABLES, "curl_version"]
    assert (fields["http_code"], fields["errormsg"], fields["certs"], fields["num_connects"]) == (
        200,
        None,
        "",
        0,
    )
    assert '"time_total":0.000659,' in shown and shown.startswith('{"certs":"","content_type":"text/plain",')
    assert json.loads(text("%{json}", values={}))["http_version"] == "0"


def test_headers_are_json_one_name_a_line():
    assert text("%{header_json}") == (
        '{"content-length":["79"],\n"set-cookie":["a=1","\\"b\\""],\n"content-type":["text/plain"]\n}'
    )
    assert text("%{header_json}", headers=[]) == "{\n}"


def test_json_text_is_always_json():
    for letter in map(chr, range(256)):
        assert json.loads(quoted_json(letter)) == letter


def test_the_time_is_told_in_utc():
    told = write_out(
        "%time{%d/%b/%Y %H:%M:%S.%f %z %Z %% %s %%s}", Transfer(VALUES, [], moment=1754037103.037103)
    )
    assert told[0].octets == b"01/Aug/2025 08:31:43.037103 +0000 UTC % 1754037103 %s"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("url.scheme", "http"),
        ("url.user", "u"),
        ("url.password", "p%20w"),
        ("url.options", ""),
        ("url.host", "[fe80::1]"),
        ("url.zoneid", "eth0"),
        ("url.port", "80"),
        ("url.path", "/b"),
        ("url.query", "q=1"),
        ("url.fragment", "f"),
        ("urle.host", "other"),
        ("urle.port", "8080"),
        ("urle.query", ""),
        ("URLE.Path", "/"),
    ],
)
def test_parts_of_both_urls_are_told(name, expected):
    values = {"url": "http://u:p%20w@[fe80::1%25eth0]/a/../b?q=1#f", "url_effective": "http://other:8080/"}
    assert text(f"<%{{{name}}}>", values=values) == f"<{expected}>"


def test_a_part_of_what_is_no_url_is_empty_and_an_unknown_part_is_named():
    assert text("<%{url.host}>", values={"url": "http://"}) == "<>"
    pieces = written("%{url.nothing}")
    assert pieces[0].octets == b"curl: unknown --write-out variable: 'url.nothing'\n"

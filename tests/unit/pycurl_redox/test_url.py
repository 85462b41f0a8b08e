"""Expected values were taken from curl 7.88.1, asked with -w '%{url_effective}' and '%{redirect_url}'."""

import pytest

from pycurl_redox.errors import LoginDeniedError, UnsupportedProtocolError, UrlError
from pycurl_redox.url import (
    add_upload_name,
    append_query,
    normalize_ipv4,
    parse_url,
    percent_encode,
    quote,
    remote_name,
    remove_dot_segments,
    resolve_reference,
    unquote,
)


@pytest.mark.parametrize(
    ("text", "effective", "target", "host"),
    [
        ("h", "http://h/", "/", "h"),
        ("h:81/a/../b", "http://h:81/b", "/b", "h:81"),
        ("HTTPS://H?q#f", "https://H/?q#f", "/?q", "H"),
        ("http://h/?", "http://h/", "/?", "h"),
        ("http://h:080/x#", "http://h:80/x", "/x", "h"),
        ("http://h:/", "http://h/", "/", "h"),
        ("http:///h/..", "http://h/", "/", "h"),
        ("http:/h", "http://h/", "/", "h"),
        ("http://u:p%40@127.1/a/./c?x", "http://u:p%40@127.0.0.1/a/c?x", "/a/c?x", "127.0.0.1"),
        ("http://0x7f.1", "http://127.0.0.1/", "/", "127.0.0.1"),
        ("http://%31%32%37.0.0.1/", "http://127.0.0.1/", "/", "127.0.0.1"),
        ("http://a%zz%25.test", "http://a%25zz%25.test/", "/", "a%25zz%25.test"),
        ("http://0x7f%41/", "http://0.0.7.250/", "/", "0.0.7.250"),
        ("http://[::FFFF:7f00:1]:81/", "http://[::FFFF:7f00:1]:81/", "/", "[::FFFF:7f00:1]:81"),
        ("http://[fe80::1%25lo]/", "http://[fe80::1%25lo]/", "/", "[fe80::1]"),
        ("http://h/é?ü", "http://h/é?ü", "/%c3%a9?ü", "h"),
        ("http://é/", "http://é/", "/", "xn--9ca"),
        ("http://h//a//../%2e%2e/x", "http://h//a/%2e%2e/x", "//a/%2e%2e/x", "h"),
    ],
)
def test_a_url_is_taken_as_curl_takes_it(text, effective, target, host):
    url = parse_url(text)
    assert (url.text(), url.target, url.authority) == (effective, target, host)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "/",
        "#",
        ":80",
        "http://",
        "http:////h/",
        "x://",
        "http://?x",
        "http://a b/",
        "http://h/a b",
        "http://h/?a b",
        "http://h/\x01",
        "http://h:99999/",
        "http://h:8x",
        "http://h:+8",
        "foo:bar",
        "http://[::1/",
        "http://[::1]x/",
        "http://[::1%]/",
        "http://[1.2.3.4]/",
        "http://h\\x",
        "http://a{b",
        "http://a@b@c/",
        "http://a%00b/",
        "http://user@:80/",
        "http://a_b!.c",
    ],
)
def test_what_is_none_is_refused_with_exit_code_3(text):
    with pytest.raises(UrlError) as caught:
        parse_url(text)
    assert caught.value.report() == "curl: (3) URL using bad/illegal format or missing URL\n"


def test_other_schemes_are_refused_by_name():
    for text in ("ftpx://h/", "ftp.h/", "FILE:///x"):
        with pytest.raises(
            UnsupportedProtocolError, match=r'Protocol "(ftpx|ftp|file)" not supported or disabled'
        ):
            parse_url(text)


def test_a_scheme_may_be_given_for_urls_without():
    assert parse_url("h/x", default_scheme="https").text() == "https://h/x"
    assert parse_url("http://h", default_scheme="https").scheme == "http"


def test_the_path_can_be_left_as_it_is():
    assert parse_url("http://h/a/../b", path_as_is=True).target == "/a/../b"


def test_a_login_is_decoded_and_can_be_forbidden():
    assert parse_url("http://u%40:p%3a@h").login() == (b"u@", b"p:")
    assert parse_url("http://u@h").login() == (b"u", b"")
    assert parse_url("http://h").login() is None
    with pytest.raises(LoginDeniedError) as caught:
        parse_url("http://u@h", allow_user=False)
    assert caught.value.exit_code == 67
    with pytest.raises(UrlError):
        parse_url("http://u%00@h").login()


BASE = "http://u:p@h:81/a/b/c?x=/y#f"


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("/x", "http://u:p@h:81/x"),
        ("x", "http://u:p@h:81/a/b/x"),
        ("./x", "http://u:p@h:81/a/b/x"),
        ("../x", "http://u:p@h:81/a/x"),
        ("../../../x", "http://u:p@h:81/x"),
        ("..", "http://u:p@h:81/a/"),
        ("?z", "http://u:p@h:81/a/b/c?z"),
        ("x?a=/../b", "http://u:p@h:81/a/b/x?a=/../b"),
        ("//other/x y", "http://other/x%20y"),
        ("HTTPS://H:443/../a", "https://H:443/a"),
        ("/a b?c d#e f", "http://u:p@h:81/a%20b?c+d#e+f"),
        ("/é", "http://u:p@h:81/%c3%a9"),
        ("http:/foo", "http://foo/"),
    ],
)
def test_a_redirect_leads_where_curl_goes(reference, target):
    assert resolve_reference(parse_url(BASE), reference).text() == target


def test_a_fragment_alone_stays_on_the_page():
    assert resolve_reference(parse_url(BASE), "#g").text() == "http://u:p@h:81/a/b/c?x=/y#g"


@pytest.mark.parametrize(
    ("reference", "report"),
    [
        ("foo:bar", "(1) The redirect target URL could not be parsed: Unsupported URL scheme"),
        ("mailto:a@b", "(1) The redirect target URL could not be parsed: Unsupported URL scheme"),
        (
            "https:foo",
            "(3) The redirect target URL could not be parsed: Unsupported number of slashes following scheme",
        ),
        ("//", "(3) The redirect target URL could not be parsed: No host part in the URL"),
        ("//@:80/", "(3) The redirect target URL could not be parsed: No host part in the URL"),
        ("/a\tb?c\td", "(3) The redirect target URL could not be parsed: Bad query"),
        ("//b\x01/", "(3) The redirect target URL could not be parsed: Bad hostname"),
        (
            "//[::1]x",
            "(3) The redirect target URL could not be parsed: "
            "Port number was not a decimal number between 0 and 65535",
        ),
        ("/tab\tx", "(3) The redirect target URL could not be parsed: Bad path"),
    ],
)
def test_a_redirect_that_leads_nowhere_says_why(reference, report):
    with pytest.raises((UrlError, UnsupportedProtocolError)) as caught:
        resolve_reference(parse_url(BASE), reference)
    assert caught.value.report() == f"curl: {report}\n"


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("/a/..", "/"),
        ("/./a", "/a"),
        ("/a/.", "/a/"),
        ("/..a/.b", "/..a/.b"),
        ("/../..", "/"),
        ("/a//..", "/a/"),
    ],
)
def test_dot_segments_are_resolved(path, result):
    assert remove_dot_segments(path) == result


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1", "0.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("017.1", "15.0.0.1"),
        ("1.2.3", "1.2.0.3"),
        ("256.1", None),
        ("1.2.3.4.5", None),
        ("0x", None),
        ("08", None),
        ("1.", None),
        ("a", None),
        ("4294967296", None),
        ("1\t", None),
        ("1. 2", None),
        ("1.0x_2", None),
    ],
)
def test_addresses_of_fewer_numbers_are_spelled_out(text, address):
    assert normalize_ipv4(text) == address


def test_queries_are_appended():
    assert append_query("h/?x", "a=b c") == "http://h/?x&a=b c"
    assert append_query("h/?%4A", "%4A%zZ%B") == "http://h/?%4A&%4a%zZ%B"
    assert append_query("h", "") == "http://h/"
    assert append_query("h/?x#f", "") == "http://h/?x&#f"
    assert append_query("h/?x&", "y") == "http://h/?x&y"
    with pytest.raises(UrlError, match="Could not parse the URL, failed to set query"):
        append_query("http://a b", "x")


def test_an_upload_without_a_name_gets_that_of_its_file():
    assert add_upload_name("http://h", "/tmp/f x.txt") == "http://h/f%20x.txt"
    assert add_upload_name("http://h/d/?x=1", "f") == "http://h/d/f?x=1"
    assert add_upload_name("http://h/d", "f") == "http://h/d"


def test_the_name_of_a_download_is_the_last_of_the_path():
    assert remote_name("http://h/a/b?c/d#e/f") == "b"
    assert remote_name("http://h/a/") == ""
    assert remote_name("h") == ""


def test_percent_encoding_goes_both_ways():
    assert quote(b"a b-._~\xff/") == "a%20b-._~%FF%2F"
    assert unquote("a%20%zz%4") == b"a %zz%4"
    assert percent_encode("a é", space="+") == "a+%c3%a9"

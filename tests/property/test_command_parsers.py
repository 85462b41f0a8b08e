"""Whatever the text: a result or the named error."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pycurl_redox.config_file import config_lines
from pycurl_redox.cookies import CookieJar
from pycurl_redox.data import urlencoded
from pycurl_redox.dates import http_date, parse_date
from pycurl_redox.decode import content_decoder
from pycurl_redox.digest import ChallengeError, Digest, parse_parameters
from pycurl_redox.errors import (
    ContentEncodingError,
    OptionSyntaxError,
    ReadFailedError,
    UnsupportedProtocolError,
    UrlError,
    UsageError,
    WriteFailedError,
)
from pycurl_redox.form import FormError, add_field
from pycurl_redox.glob import Glob
from pycurl_redox.messages import warning
from pycurl_redox.multipart import FormEncoderError, build_form
from pycurl_redox.netrc import find_login
from pycurl_redox.noproxy import is_exempt
from pycurl_redox.options import read_command_line
from pycurl_redox.resolve_rules import ResolveRules, connect_to
from pycurl_redox.trace import DATA_IN, dump
from pycurl_redox.url import parse_url, quote, remove_dot_segments, resolve_reference, unquote
from pycurl_redox.writeout import Transfer, write_out

NOW = 1_800_000_000
pieces_of_urls = st.lists(
    st.sampled_from(
        [
            "http",
            ":",
            "//",
            "/",
            "h",
            "@",
            "[::1]",
            "[",
            "]",
            "%41",
            "%",
            "?",
            "#",
            "..",
            ".",
            "80",
            " ",
            "é",
            "\x00",
            "\udcff",
            "127.1",
            "0x7f",
            "{a,b}",
            "[1-3]",
            "\\",
        ]
    )
).map("".join)
urls = pieces_of_urls | st.text(max_size=40)
words = st.sampled_from(
    [
        "-L",
        "-sS",
        "-d",
        "@x",
        "-F",
        "a=@x",
        "--next",
        "-o",
        "-K",
        "--",
        "http://h/",
        "-m",
        "1",
        "-z",
        "--no-location",
        "--proto",
        "=https",
        "-r",
        "-C",
        "-",
        "--rate",
        "2/s",
        "-w",
        "%{json}",
        "-b",
        "-H",
        "-e",
        ";auto",
        "-T",
        "--limit-rate",
        "1k",
        "-u",
        "a:b",
        "-J",
        "-i",
        "-I",
    ]
) | st.text(max_size=12)


def no_file(path):
    raise FileNotFoundError(2, "No such file or directory", path)


@given(st.lists(words, max_size=8))
def test_a_command_line_is_taken_or_refused(arguments):
    try:
        line = read_command_line(["-q", *arguments], {}, no_file)
    except UsageError as error:
        assert error.exit_code in (1, 2, 26) and error.report().endswith("for more information\n")
    else:
        assert line.action in ("run", "help", "version", "manual") and line.operations


@given(st.text(max_size=200))
def test_a_config_file_is_taken_line_by_line(text):
    for line in config_lines(text):
        assert 1 <= line.number <= text.count("\n") + 1
        assert not line.option.startswith(("#", "/", "*"))


@given(st.binary(max_size=200))
def test_a_config_file_of_any_octets_gives_warnings_or_words_that_curl_refuses_together(octets):
    try:
        read_command_line(["-q", "-K", "f"], {}, lambda path: octets if path == "f" else no_file(path))
    except UsageError as error:
        assert str(error).endswith(" and --remote-header-name cannot be combined")


@given(urls)
def test_a_url_is_taken_or_refused_and_what_is_shown_is_taken_again(text):
    try:
        url = parse_url(text)
    except (UrlError, UnsupportedProtocolError):
        return
    assert not any(letter <= " " for letter in url.target + url.host)
    again = parse_url(url.text())
    assert (again.host, again.port, again.path, again.query or None) == (
        url.host,
        url.port,
        url.path,
        url.query or None,
    )


@given(urls, urls)
def test_a_redirect_leads_somewhere_or_is_refused(base, reference):
    try:
        target = resolve_reference(parse_url(base), reference)
    except (UrlError, UnsupportedProtocolError):
        return
    assert target.scheme in ("http", "https")
    assert target.target.isascii() and " " not in target.target


@given(st.text(alphabet="/.a", max_size=30))
def test_dot_segments_are_gone_for_good(path):
    clean = remove_dot_segments("/" + path)
    assert clean.startswith("/") and remove_dot_segments(clean) == clean
    assert not {".", ".."} & set(clean.split("/"))


@given(st.binary(max_size=60))
def test_percent_encoding_is_undone(octets):
    assert unquote(quote(octets)) == octets


@given(st.text(alphabet="{}[],-:\\a19z0", max_size=25))
def test_a_pattern_is_expanded_or_refused(pattern):
    try:
        glob = Glob(pattern)
    except UrlError as error:
        assert len(str(error)) < 512
        return
    found = [expansion.url for expansion, _ in zip(glob, range(50), strict=False)]
    assert len(found) == min(glob.count, 50)


@given(st.text(alphabet="0123456789 :+-,/JanFebSuGMTZ", max_size=40) | st.text(max_size=40))
def test_a_date_is_a_number_or_none(text):
    moment = parse_date(text)
    assert moment is None or isinstance(moment, int)


@given(st.integers(0, 253_402_300_799))
def test_a_date_that_is_written_is_read_again(moment):
    assert parse_date(http_date(moment)) == moment


cookie_octets = st.lists(
    st.sampled_from(
        [
            b"a",
            b"=",
            b";",
            b" ",
            b"\t",
            b"path",
            b"domain",
            b"example.com",
            b"secure",
            b"max-age",
            b"1",
            b'"',
            b"/",
            b"expires",
            b"Thu, 01-Jan-1970",
            b"\xff",
            b"\x00",
            b"__Host-",
        ]
    )
).map(b"".join)


@given(st.lists(cookie_octets | st.binary(max_size=40), max_size=6))
def test_any_set_cookie_leaves_a_jar_that_can_be_saved_and_loaded(values):
    jar = CookieJar()
    for value in values:
        jar.receive(value, "www.example.com", "/dir/", is_secure=True, now=NOW)
    again = CookieJar()
    again.load(jar.file_text(NOW), NOW)
    sent = jar.header("www.example.com", "/dir/", is_secure=True, now=NOW)
    assert sent is None or not {0, 10, 13} & set(sent)
    assert len(again) <= len(jar)


@given(st.binary(max_size=200))
def test_any_cookie_file_is_read(octets):
    jar = CookieJar()
    jar.load(octets, NOW)
    jar.header("h", "/", is_secure=False, now=NOW)


challenge_words = st.sampled_from([b"nonce", b"=", b'"', b",", b" ", b"qop", b"auth", b"\\"])


@given(st.binary(max_size=100) | st.lists(challenge_words).map(b"".join))
def test_a_challenge_is_answered_or_refused(text):
    assert all(isinstance(value, bytes) for value in parse_parameters(text).values())
    digest = Digest(lambda count: "0" * count)
    try:
        digest.receive_challenge(text)
    except ChallengeError:
        return
    assert b"response=" in digest.response(b"u", b"p", "GET", b"/")


@given(st.text(alphabet='machinelogpswrdeft "\\\n#u', max_size=60) | st.text(max_size=60))
def test_a_netrc_has_a_login_or_none_or_is_refused(text):
    try:
        find_login(text, "u")
    except ReadFailedError:
        assert '"' in text


@given(st.lists(st.text(alphabet='a=@<;,"\\()type/ nfilm', max_size=25), max_size=4))
def test_a_form_is_built_or_refused(fields):
    parts = []
    try:
        for field in fields:
            add_field(parts, field, literal=False, read=no_file, warn=lambda text: None)
        form = build_form(parts, lambda count: "0" * count)
    except (FormError, FormEncoderError, ReadFailedError):
        return
    assert len(b"".join(form)) == form.length


@given(st.sampled_from(["gzip", "deflate", "gzip, deflate"]), st.lists(st.binary(max_size=60), max_size=5))
@example("deflate", [b"[\0\0\0"])
@example("deflate", [b"[\0\0\0", b"\0\0\0\0"])
def test_any_content_is_decoded_or_refused(coding, pieces):
    decoder = content_decoder(coding)
    try:
        for data in pieces:
            for piece in decoder.decode(data):
                assert len(piece) > 0
        decoder.finish()
    except ContentEncodingError as error:
        assert error.exit_code == 61
    except WriteFailedError as error:  # octets behind the end of the coding, as curl has it
        assert error.exit_code == 23


@given(st.text(max_size=30), st.text(alphabet=".:/0123456789, abc*", max_size=30))
def test_a_list_of_hosts_gives_an_answer(host, entries):
    assert is_exempt(host, entries) in (True, False)


@given(st.text(alphabet=":h80[]1.,-+*x", max_size=25))
def test_rules_are_taken_or_refused(entry):
    try:
        ResolveRules([entry]).load()
        connect_to([entry], "h", 80)
    except OptionSyntaxError as error:
        assert error.exit_code == 49


@given(st.text(max_size=30) | st.text(alphabet="%{}\\njsohead_r", max_size=30))
def test_any_format_is_written(template):
    for piece in write_out(template, Transfer({}, [(b"a", b"\xff")])):
        assert piece.octets


@given(st.binary(max_size=400))
@settings(max_examples=50)
def test_a_dump_shows_every_octet_once(octets):
    rows = dump(DATA_IN, octets, with_hex=True).split(b"\n")[1:-1]
    shown = b"".join(bytes.fromhex(row[6:54].decode()) for row in rows)
    assert shown == octets


@given(st.text(alphabet="ab \t", max_size=300))
def test_a_wrapped_warning_loses_nothing(text):
    lines = warning(text).split("\n")[:-1]
    assert all(line.startswith("Warning: ") and len(line) <= 79 for line in lines)
    assert "".join(line.removeprefix("Warning: ") for line in lines) == text


@given(st.text(max_size=30))
def test_urlencoded_data_is_plain_ascii_behind_the_name(value):
    try:
        encoded = urlencoded(value, no_file)
    except OSError:
        return
    assert encoded.rpartition(b"=")[2].isascii()

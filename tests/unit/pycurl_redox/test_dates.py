import pytest

from pycurl_redox.dates import file_time, http_date, parse_date


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        # The three of RFC 9110 §5.6.7, then those of curl_getdate(3).
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        ("Sun Nov  6 08:49:37 1994", 784111777),
        ("06 Nov 1994 08:49:37 gmt", 784111777),
        ("1994 Nov 6 08:49:37", 784111777),
        ("Nov      6          94          08:49:37          GMT", 784111777),
        ("06 Nov 1994 09:49:37 +0100", 784111777),
        ("06 Nov 1994 08:49", 784111740),
        ("20040911 +0200", 1094853600),
        ("20040912 15:05:58 -0700", 1095026758),
        ("Thu Jan 1 00:00:00 1970", 0),
        ("1 jan 1600", -11676096000),
        ("31 dec 2037 12:30 EST", 2145893400),
        ("Thu, 01-Jan-70 00:00:00 GMT", 3155760000),
        ("29 Feb 2000", 951782400),
    ],
)
def test_dates_are_read(text, moment):
    assert parse_date(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "31 12",
        "nov 1994",
        "6 nov",
        "6 nov 1500",
        "32 nov 1994 1",
        "6 nov 1994 24:00:00",
        "6 nov 1994 1:60",
        "mon mon 6 nov 1994",
        "99999999999",
        "6 nov 99999999999",
        "20041301",
    ],
)
def test_what_is_no_date_is_none(text):
    assert parse_date(text) is None


@pytest.mark.parametrize("moment", [0, 784111777, 951782400, 951868799, 4102444799, 253402300799])
def test_http_dates_go_both_ways(moment):
    assert parse_date(http_date(moment)) == moment


def test_a_date_is_written_as_http_wants_it():
    assert http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_a_file_has_a_time_and_a_missing_one_has_none(tmp_path):
    import os

    (tmp_path / "file").write_bytes(b"")
    os.utime(tmp_path / "file", (5, 784111777))
    assert file_time(str(tmp_path / "file"), print) == 784111777
    assert file_time(str(tmp_path / "none"), print) is None

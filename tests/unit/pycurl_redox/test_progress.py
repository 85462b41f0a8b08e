import pytest

from pycurl_redox.progress import METER_HEAD, Bar, Flight, Meter, short_size, short_time


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (0, "    0"),
        (99_999, "99999"),
        (100_000, "  97k"),
        (10_239_999, "9999k"),
        (10_240_000, " 9.7M"),
        (64 << 20, "64.0M"),
        (100 << 20, " 100M"),
        (9999 << 20, "9999M"),
        (10_000 << 20, " 9.7G"),
        (100 << 30, " 100G"),
        (10_000 << 30, "   9T"),
        (10_000 << 40, "   9P"),
        (2**63 - 1, "8191P"),
    ],
)
def test_sizes_fit_five_columns(octets, shown):
    assert short_size(octets) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "--:--:--"),
        (-5, "--:--:--"),
        (59, " 0:00:59"),
        (359_999, "99:59:59"),
        (360_000, "  4d 04h"),
        (86_400 * 1000, "   1000d"),
    ],
)
def test_times_fit_eight_columns(seconds, shown):
    assert short_time(seconds) == shown


def test_the_meter_of_a_download_is_curls():
    # As curl 7.88.1 showed a fetch of 64 MiB.
    meter = Meter(100.0)
    size = 64 << 20
    assert meter.update(100.0, downloaded=0, uploaded=0) == METER_HEAD + (
        "\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0"
    )
    assert meter.update(100.1, downloaded=5, uploaded=0, download_size=size) == ""
    line = meter.finish(100.1014, downloaded=size, uploaded=0, download_size=size)
    assert line == "\r100 64.0M  100 64.0M    0     0   631M      0 --:--:-- --:--:-- --:--:--  633M\n"


def test_the_meter_draws_once_a_second_and_foresees_the_end():
    meter = Meter(0.0)
    meter.update(0.0, downloaded=0, uploaded=0)
    line = meter.update(2.0, downloaded=200_000, uploaded=0, download_size=1_000_000)
    assert line == "\r 20  976k   20  195k    0     0    97k      0  0:00:10  0:00:02  0:00:08   97k"
    assert meter.update(2.9, downloaded=300_000, uploaded=0, download_size=1_000_000) == ""


def test_the_current_speed_is_that_of_the_last_five_seconds():
    meter = Meter(0.0)
    for second in range(20):
        line = meter.update(float(second), downloaded=second * 1000, uploaded=0)
    assert line.endswith(" 1000")
    for second in range(20, 26):
        line = meter.update(float(second), downloaded=19_000, uploaded=0)
    assert line.endswith("    0")


def test_a_resumed_download_says_where():
    head = Meter(0.0, resume_from=5).update(0.0, downloaded=0, uploaded=0)
    assert head.startswith("** Resuming transfer from byte position 5\n")


def test_the_bar_ends_full():
    bar = Bar(79)
    assert bar.update(0.0, downloaded=0, uploaded=0, download_size=100) == ""
    assert bar.update(0.05, downloaded=50, uploaded=0, download_size=100) == ""
    half = bar.update(0.2, downloaded=50, uploaded=0, download_size=100)
    assert half == "\r" + "#" * 36 + " " * 36 + "  50.0%"
    assert bar.update(0.21, downloaded=100, uploaded=0, download_size=100) == "\r" + "#" * 72 + " 100.0%"


def test_without_a_size_something_flies():
    bar = Bar(79)
    bar.update(0.0, downloaded=0, uploaded=0)
    first, second = (bar.update(at, downloaded=5, uploaded=0) for at in (0.2, 0.4))
    assert first != second
    assert all(len(line) == 79 and line.endswith("\r") and "#" in line for line in (first, second))


def test_the_flight_turns_at_both_ends_and_stays_in_its_line():
    flight = Flight(30)
    places = [flight.draw(True).replace("#", " ") for _ in range(200)]
    assert all(len(line) == 30 for line in places)
    first = [line.find("O") for line in places]
    assert max(first) <= 26

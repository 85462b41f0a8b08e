"""Dates as servers and people write them, for cookies, `-z` and Last-Modified.

The grammar is curl_getdate(3)'s: words and numbers in any order, each taken for the first thing that it
can be and that is not known yet.
"""

from __future__ import annotations

from collections.abc import Callable

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORT_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
_INT_MAX = 2**31 - 1

# Minutes west of Greenwich, summer time included.
_ZONES = {
    "gmt": 0, "ut": 0, "utc": 0, "wet": 0, "bst": -60, "wat": 60, "ast": 240, "adt": 180,
    "est": 300, "edt": 240, "cst": 360, "cdt": 300, "mst": 420, "mdt": 360, "pst": 480, "pdt": 420,
    "yst": 540, "ydt": 480, "hst": 600, "hdt": 540, "cat": 600, "ahst": 600, "nt": 660, "idlw": 720,
    "cet": -60, "met": -60, "mewt": -60, "mest": -120, "cest": -120, "mesz": -120, "fwt": -60,
    "fst": -120, "eet": -120, "wast": -420, "wadt": -480, "cct": -480, "jst": -540, "east": -600,
    "eadt": -660, "gst": -600, "nzt": -720, "nzst": -720, "nzdt": -780, "idle": -720,
    # One letter, with the signs of military usage.
    "a": 60, "b": 120, "c": 180, "d": 240, "e": 300, "f": 360, "g": 420, "h": 480, "i": 540,
    "k": 600, "l": 660, "m": 720, "n": -60, "o": -120, "p": -180, "q": -240, "r": -300, "s": -360,
    "t": -420, "u": -480, "v": -540, "w": -600, "x": -660, "y": -720, "z": 0,
}  # fmt: skip

MAX_PARTS = 6
"""curl looks no further than this many words and numbers."""


def parse_date(text: str) -> int | None:
    """Return seconds since 1970 in UTC, or None for what is no date."""
    date = _Date()
    position = 0
    for _ in range(MAX_PARTS):
        while position < len(text) and not (text[position].isascii() and text[position].isalnum()):
            position += 1
        if position == len(text):
            break
        take = date.take_word if text[position].isalpha() else date.take_number
        end = take(text, position)
        if end is None:
            return None
        position = end
    return date.timestamp()


def file_time(path: str, warn: Callable[[str], None]) -> int | None:
    """Return when a file was last changed, for `-z FILE`; None when there is no such file."""
    import os

    try:
        return int(os.stat(path).st_mtime)
    except (FileNotFoundError, ValueError):
        return None
    except OSError as error:
        warn(f"Failed to get filetime: {error.strerror}")
        return None


def http_date(timestamp: int) -> str:
    """Return the date as HTTP writes it (RFC 9110 §5.6.7)."""
    days, second = divmod(timestamp, 86_400)
    year, month, day = date_of(days)
    name = _SHORT_DAYS[(days + 3) % 7].title()
    hour, minute = second // 3600, second // 60 % 60
    return (
        f"{name}, {day:02} {_MONTHS[month - 1].title()} {year:04} {hour:02}:{minute:02}:{second % 60:02} GMT"
    )


def compact_date(timestamp: int) -> str:
    """Return the date as ISO 8601 has it without marks: 20261125T101112Z."""
    days, second = divmod(timestamp, 86_400)
    year, month, day = date_of(days)
    return f"{year:04}{month:02}{day:02}T{second // 3600:02}{second // 60 % 60:02}{second % 60:02}Z"


class _Date:
    """The parts that are known so far."""

    def __init__(self) -> None:
        self.day: int | None = None
        self.month: int | None = None
        self.year: int | None = None
        self.time: tuple[int, int, int] | None = None
        self.zone: int | None = None
        """Seconds west of Greenwich."""
        self._has_weekday = False
        self._expects_year = False

    def take_word(self, text: str, start: int) -> int | None:
        """Take a day, a month or a zone; return where it ends."""
        end = start
        while end < len(text) and text[end].isascii() and text[end].isalpha():
            end += 1
        word = text[start:end].lower()
        if not self._has_weekday and word in _DAYS + _SHORT_DAYS:
            self._has_weekday = True
        elif self.month is None and word in _MONTHS:
            self.month = _MONTHS.index(word) + 1
        elif self.zone is None and word in _ZONES:
            self.zone = 60 * _ZONES[word]
        else:
            return None
        return end

    def take_number(self, text: str, start: int) -> int | None:
        """Take a time, a zone like +0200, a day or a year; return where it ends."""
        if self.time is None and (end := self._take_time(text, start)):
            return end
        end = _digits_end(text, start, len(text))
        number, digits = int(text[start:end][:11]), end - start
        if number > _INT_MAX:
            return None
        taken = False
        if self.zone is None and digits == 4 and number <= 1400 and start and text[start - 1] in "+-":
            seconds = (number // 100 * 60 + number % 100) * 60
            self.zone = -seconds if text[start - 1] == "+" else seconds
            taken = True
        if digits == 8 and self.year is None and self.month is None and self.day is None:
            self.year, self.month, self.day = number // 10_000, number % 10_000 // 100, number % 100
            taken = True
        return end if taken or self._take_day_or_year(number) else None

    def timestamp(self) -> int | None:
        """Return the moment, if day, month and year are known and there is such a time of day."""
        if self.day is None or self.month is None or self.year is None or self.year < 1583:
            return None
        hour, minute, second = self.time or (0, 0, 0)
        if self.day > 31 or not 1 <= self.month <= 12 or hour > 23 or minute > 59 or second > 60:
            return None
        days = _days_since_1970(self.year, self.month) + self.day - 1
        return ((days * 24 + hour) * 60 + minute) * 60 + second + (self.zone or 0)

    def _take_day_or_year(self, number: int) -> bool:
        if not self._expects_year and self.day is None:
            # What cannot be a day is a year; then the day may still come.
            self._expects_year = True
            if 0 < number < 32:
                self.day = number
                return True
        if self._expects_year and self.year is None:
            self.year = number if number >= 100 else number + (1900 if number > 70 else 2000)
            self._expects_year = self.day is not None
            return True
        return False

    def _take_time(self, text: str, start: int) -> int | None:
        hour_end = _digits_end(text, start, start + 2)
        minute_end = _digits_end(text, hour_end + 1, hour_end + 3)
        if text[hour_end : hour_end + 1] != ":" or minute_end == hour_end + 1:
            return None
        end, second = minute_end, 0
        second_end = _digits_end(text, minute_end + 1, minute_end + 3)
        if text[minute_end : minute_end + 1] == ":" and second_end > minute_end + 1:
            end, second = second_end, int(text[minute_end + 1 : second_end])
        self.time = int(text[start:hour_end]), int(text[hour_end + 1 : minute_end]), second
        return end


def _digits_end(text: str, start: int, limit: int) -> int:
    end = start
    while end < min(limit, len(text)) and "0" <= text[end] <= "9":
        end += 1
    return end


def _days_since_1970(year: int, month: int) -> int:
    """Count the days to the first of a month of the Gregorian calendar."""
    # A leap day counts from March on.
    leap_year = year - (month <= 2)
    leap_days = leap_year // 4 - leap_year // 100 + leap_year // 400 - 477
    return (year - 1970) * 365 + leap_days + _DAYS_BEFORE[month - 1]


def date_of(days: int) -> tuple[int, int, int]:
    """Return year, month and day of a number of days since 1970."""
    year = 1970 + days // 366
    while _days_since_1970(year + 1, 1) <= days:
        year += 1
    month = 12
    while _days_since_1970(year, month) > days:
        month -= 1
    return year, month, days - _days_since_1970(year, month) + 1

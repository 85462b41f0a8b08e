"""The progress meter and the bar of `-#`, from numbers and times that are handed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

METER_HEAD = (
    "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
    "                                 Dload  Upload   Total   Spent    Left  Speed\n"
)
_OFFSET_MAX = 2**63 - 1
_SPAN = 6
"""The current speed is that of the last five seconds: six samples."""
_MAX_BAR_WIDTH = 256

PARALLEL_INTERVAL = 0.5
"""Seconds between two lines of the meter of transfers side by side."""
_PARALLEL_SPAN = 10

Figures = tuple[tuple[int, int | None], tuple[int, int | None]]
"""Octets and size, of the download and of the upload."""


class Meter:
    """curl's meter: one line that is drawn over and over.

    `now` are seconds of any clock that does not go back; sizes are None until they are known.
    The head is drawn once: a retry goes on below it.
    """

    def __init__(self, start: float, *, resume_from: int = 0, has_head: bool = True) -> None:
        self._start = start
        self._resume_from = resume_from
        self._head_is_out = not has_head
        self._last_second: int | None = None
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SPAN)
        self._current = 0

    def update(
        self,
        now: float,
        *,
        downloaded: int,
        uploaded: int,
        download_size: int | None = None,
        upload_size: int | None = None,
        force: bool = False,
    ) -> str:
        """Return what to write to stderr, "" most of the time: a line a second, or when `force` says so."""
        microseconds = int((now - self._start) * 1e6)
        download_speed = transfer_speed(downloaded, microseconds)
        upload_speed = transfer_speed(uploaded, microseconds)
        if not force and self._last_second == int(now):
            return ""
        self._last_second = int(now)
        self._sample(now, downloaded + uploaded, download_speed + upload_speed)
        head = "" if self._head_is_out else self._head()
        self._head_is_out = True
        download_estimate, download_percent = _estimate(downloaded, download_size, download_speed)
        upload_estimate, upload_percent = _estimate(uploaded, upload_size, upload_speed)
        total_estimate = max(download_estimate, upload_estimate)
        spent = microseconds // 1_000_000
        expected = (uploaded if upload_size is None else upload_size) + (
            downloaded if download_size is None else download_size
        )
        percent = _percent(downloaded + uploaded, expected)
        left = total_estimate - spent if total_estimate > 0 else 0
        return head + (
            f"\r{percent:3} {short_size(expected)}  {download_percent:3} {short_size(downloaded)}  "
            f"{upload_percent:3} {short_size(uploaded)}  {short_size(download_speed)}  "
            f"{short_size(upload_speed)} {short_time(total_estimate)} {short_time(spent)} "
            f"{short_time(left)} {short_size(self._current)}"
        )

    def finish(
        self,
        now: float,
        *,
        downloaded: int,
        uploaded: int,
        download_size: int | None = None,
        upload_size: int | None = None,
    ) -> str:
        """Return the last line, with its newline."""
        line = self.update(
            now,
            downloaded=downloaded,
            uploaded=uploaded,
            download_size=download_size,
            upload_size=upload_size,
            force=True,
        )
        return line + "\n"

    def _head(self) -> str:
        resuming = (
            f"** Resuming transfer from byte position {self._resume_from}\n" if self._resume_from else ""
        )
        return resuming + METER_HEAD

    def _sample(self, now: float, amount: int, average: int) -> None:
        self._samples.append((now, amount))
        then, before = self._samples[0]
        if len(self._samples) == 1:
            self._current = average
            return
        milliseconds = max(int((now - then) * 1000), 1)
        self._current = (amount - before) * 1000 // milliseconds


class Bar:
    """The bar of `-#`; `columns` is the terminal's width, 79 when there is none."""

    def __init__(self, columns: int = 79, *, resume_from: int = 0) -> None:
        self._width = min(columns, _MAX_BAR_WIDTH)
        self._resume_from = resume_from
        self._last_point = 0
        self._last_time = 0.0
        self._is_first = True
        self._flight = Flight(self._width)

    def update(
        self,
        now: float,
        *,
        downloaded: int,
        uploaded: int,
        download_size: int | None = None,
        upload_size: int | None = None,
    ) -> str:
        """Return what to write to stderr: at most ten times a second, and when all is there."""
        total = (download_size or 0) + (upload_size or 0) + self._resume_from
        point = downloaded + uploaded + self._resume_from
        out = ""
        if not self._is_first:
            recent = now - self._last_time < 0.1
            if total and (point == self._last_point or (recent and point < total)):
                return ""
            if not total and recent:
                return ""
            if not total:
                out = self._flight.draw(point != self._last_point)
        self._is_first = False
        if total > 0 and point != self._last_point:
            out += self._line(point, max(total, point))
        self._last_point, self._last_time = point, now
        return out

    def _line(self, point: int, total: int) -> str:
        fraction = point / total
        width = self._width - 7
        return f"\r{'#' * int(width * fraction):<{width}} {fraction * 100:5.1f}%"


class Flight:
    """What flies to and fro while the size is not known."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._tick = 150
        self._at = 0
        self._step = 1

    def draw(self, moved: bool) -> str:
        line = [" "] * (self._width - 1)
        line[self._at : self._at + 5] = "-=O=-"
        for offset in (0, 5, 10, 15):
            line[_wave((self._tick + offset) % 200) // (1_000_000 // (self._width - 2))] = "#"
        self._tick = (self._tick + 2) % 200
        self._at += self._step if moved else 0
        if self._at >= self._width - 6:
            self._step, self._at = -1, self._width - 6
        elif self._at < 0:
            self._step, self._at = 1, 0
        return "".join(line[: self._width - 1]) + "\r"


def _wave(index: int) -> int:
    """Return the sine of a turn in 200 steps, from 0 to 999 999; its π is curl's, 3.1415."""
    from math import sin

    return int(sin((index + 1) / 200 * 2 * 3.1415) * 500_000 + 500_000)


def transfer_speed(octets: int, microseconds: int) -> int:
    """Return octets a second."""
    return octets * 1_000_000 // max(microseconds, 1)


def short_size(octets: int) -> str:
    """Return a size in five columns."""
    if octets < 100_000:
        return f"{octets:5}"
    if octets < 10_000 * 1024:
        return f"{octets >> 10:4}k"
    for bits, letter in ((20, "M"), (30, "G")):
        unit = 1 << bits
        if octets < 100 * unit:
            return f"{octets >> bits:2}.{octets % unit // (unit // 10)}{letter}"[:5]
        if octets < 10_000 * unit:
            return f"{octets >> bits:4}{letter}"
    if octets < 10_000 << 40:
        return f"{octets >> 40:4}T"
    return f"{octets >> 50:4}P"


def short_time(seconds: int) -> str:
    """Return a span in eight columns."""
    if seconds <= 0:
        return "--:--:--"
    hours = seconds // 3600
    if hours <= 99:
        return f"{hours:2}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    days = seconds // 86_400
    return f"{days:3}d {hours % 24:02}h" if days <= 999 else f"{days:7}d"


def _estimate(done: int, size: int | None, speed: int) -> tuple[int, int]:
    """Return the seconds that a transfer takes in all, and how many percent are done."""
    if size is None or speed <= 0:
        return 0, 0
    return size // speed, _percent(done, size)


def _percent(done: int, size: int) -> int:
    if size > 10_000:
        return done // (size // 100)
    return done * 100 // size if size > 0 else 0


PARALLEL_HEAD = "DL% UL%  Dled  Uled  Xfers  Live Total     Current  Left    Speed\n"


class ParallelMeter:
    """curl's meter of transfers side by side: one line for all.

    What has ended is handed to `ended`, what goes on is shown to `line`; each with a number of its own, as
    its size counts once, however often it is tried.
    """

    def __init__(self, start: float) -> None:
        self._start = start
        self._head_is_out = False
        self._drawn: float | None = None
        self._shown = [0, 0]
        self._done = [0, 0]
        self._sizes = [0, 0]
        self._counted: list[set[int]] = [set(), set()]
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=_PARALLEL_SPAN)

    def is_due(self, now: float, running: Iterable[tuple[int, Figures]]) -> bool:
        """Say whether it is time for another line: later where nothing moves."""
        if self._drawn is None or now - self._drawn >= 2 * PARALLEL_INTERVAL:
            return True
        return now - self._drawn >= PARALLEL_INTERVAL and self._sum(running) != self._shown

    def ended(self, key: int, figures: Figures, *, is_last: bool) -> None:
        """Add a try that has ended; `is_last` of its transfer."""
        for way in (0, 1):
            done, size = figures[way]
            self._done[way] += done
            self._count(way, key, size)
            if is_last:
                self._counted[way].discard(key)

    def line(
        self,
        now: float,
        running: Iterable[tuple[int, Figures]],
        begun: int,
        live: int,
        *,
        final: bool = False,
    ) -> str:
        """Return the next line, the head before the first; `begun` transfers so far, `live` go on."""
        self._drawn = now
        running = list(running)
        self._shown = done = self._sum(running)
        known = [True, True]
        for key, figures in running:
            for way in (0, 1):
                known[way] &= bool(figures[way][1])
                self._count(way, key, figures[way][1])
        percents = [
            f"{done[way] * 100 // self._sizes[way]:3}" if known[way] and self._sizes[way] else "-- "
            for way in (0, 1)
        ]
        speed = self._speed(now, done)
        total = left = 0
        if known[0] and speed:
            total, left = self._sizes[0] // speed, (self._sizes[0] - done[0]) // speed
        head = "" if self._head_is_out else PARALLEL_HEAD
        self._head_is_out = True
        return head + (
            f"\r{percents[0]} {percents[1]} {short_size(done[0])} {short_size(done[1])} {begun:5} {live:5}  "
            f"{short_time(total)} {short_time(int(now - self._start))} {short_time(left)} "
            f"{short_size(speed)} {chr(10) if final else '':>5}"
        )

    def _sum(self, running: Iterable[tuple[int, Figures]]) -> list[int]:
        done = list(self._done)
        for _, figures in running:
            done[0] += figures[0][0]
            done[1] += figures[1][0]
        return done

    def _count(self, way: int, key: int, size: int | None) -> None:
        if size and key not in self._counted[way]:
            self._counted[way].add(key)
            self._sizes[way] += size

    def _speed(self, now: float, done: list[int]) -> int:
        """The higher of both ways, over the last ten lines."""
        self._samples.append((now, done[0], done[1]))
        is_full = len(self._samples) == _PARALLEL_SPAN
        then, down, up = self._samples[0] if is_full else (self._start, 0, 0)
        seconds = max(int((now - then) * 1000), 1) / 1000
        return max(int((done[0] - down) / seconds), int((done[1] - up) / seconds))

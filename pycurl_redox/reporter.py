"""What the command shows of a transfer while it runs: response heads, -v and --trace, the progress meter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from pycurl_redox.message import Head, Observer
from pycurl_redox.stream import Buffer
from tcpip.scheduler import sleep_until

if TYPE_CHECKING:
    from pycurl_redox.config import GlobalConfig, OperationConfig
    from pycurl_redox.output import Output
    from pycurl_redox.progress import Bar, Meter
    from pycurl_redox.transfer import Result


MAX_NOTE = 2047
"""Octets of a note; curl cuts off the rest."""


class Reporter(Observer):
    """Sends heads to -i and -D, counts them for -w, and tells a tracer everything."""

    def __init__(
        self, config: OperationConfig, output: Output, dump: BinaryIO | None, tracer: Tracer | None
    ) -> None:
        self._config = config
        self._output = output
        self._dump = dump
        self._tracer = tracer
        self.traces_tls = tracer is not None
        self.result: Result | None = None
        self.on_head: Callable[[Head], None] | None = None
        self.style: Callable[[bytes], bytes] | None = None
        """What makes a line fit for a terminal."""
        self.progress: ProgressLine | None = None

    def note(self, text: str) -> None:
        if self._tracer is not None:
            self._tracer.write("info", text.encode("utf-8", "surrogateescape")[:MAX_NOTE])

    def transfer_ended(self) -> None:
        """The last line of the meter stands before what is said of the connection."""
        if self.progress is not None and self.result is not None:
            self.progress.finish(self.result)
            self.progress = None

    def tls_message(self, outgoing: bool, length: int) -> None:
        if self._tracer is not None:
            self._tracer.tls_message(outgoing, length)

    def header_out(self, data: bytes) -> None:
        if self.result is not None:
            self.result.request_octets += len(data)
        if self._tracer is not None:
            self._tracer.write("header out", data)

    def data_out(self, data: Buffer) -> None:
        if self.result is not None:
            self.result.uploaded += len(data)
        if self._tracer is not None:
            self._tracer.write("data out", data)

    def data_in(self, data: Buffer) -> None:
        if self._tracer is not None:
            self._tracer.write("data in", data)

    def head_in(self, head: Head) -> None:
        if self.on_head is not None:
            self.on_head(head)
        notes = head.notes[::-1]
        for line in head.lines():
            if notes and line.partition(b":")[0].strip().lower() == notes[-1][0]:
                for text in filter(None, notes.pop()[1]):
                    self.note(text)
            self._line(line)

    def trailer_in(self, line: bytes) -> None:
        self._line(line)

    def _line(self, line: bytes) -> None:
        if self._tracer is not None:
            self._tracer.write("header in", line)
        if self.result is not None:
            self.result.header_octets += len(line)
        if self.is_tunnel and self._config.suppress_connect_headers:
            return
        if self._dump is not None:
            self._dump.write(line)
        if self._config.include:
            self._output.write(line if self.style is None else self.style(line))


class Tracer:
    """Writes -v, --trace-ascii or --trace; one for the whole command, as a line may go on."""

    def __init__(self, config: GlobalConfig, file: BinaryIO, shows_sizes: bool) -> None:
        from pycurl_redox import trace

        self._file = file
        self._dump = trace.dump
        self._with_hex = config.trace_kind == "hex"
        self._verbose = trace.VerboseText(shows_sizes=shows_sizes) if config.trace_kind == "plain" else None
        self._has_time = config.trace_time

    def write(self, kind: str, data: Buffer) -> None:
        """Write what passed; `kind` is one of those in `trace`."""
        stamp = self._stamp() if self._has_time else b""
        if self._verbose is not None:
            self._file.write(self._verbose.text(kind, data, stamp))
        else:
            self._file.write(self._dump(kind, data, with_hex=self._with_hex, stamp=stamp))
        self._file.flush()

    def tls_message(self, outgoing: bool, length: int) -> None:
        """Mention a TLS message; its octets are not shown, as most are secret on the wire for a reason."""
        if self._verbose is not None:
            self.write("tls data out" if outgoing else "tls data in", bytes(length))

    @staticmethod
    def _stamp() -> bytes:
        from datetime import datetime

        from pycurl_redox.trace import time_stamp

        now = datetime.now()
        return time_stamp(now.hour, now.minute, now.second, now.microsecond)


class ProgressLine:
    """Draws the meter or the bar of one transfer on stderr, from its figures."""

    def __init__(
        self,
        write: Callable[[str], object],
        now: Callable[[], float],
        *,
        bar: bool,
        start: int,
        is_first: bool = True,
    ) -> None:
        from pycurl_redox import progress

        self._write = write
        self._now = now
        self._meter: Meter | None = None
        self._bar: Bar | None = None
        if bar:
            self._bar = progress.Bar(_columns(), resume_from=start)
        else:
            self._meter = progress.Meter(now(), resume_from=start, has_head=is_first)

    async def run(self, result: Result) -> None:
        """Draw now and then, until cancelled."""
        while True:
            await sleep_until(self._now() + (0.1 if self._bar else 1.0))
            self.draw(result)

    def draw(self, result: Result) -> None:
        """Draw what there is to draw now."""
        drawer = self._bar or self._meter
        assert drawer is not None
        text = drawer.update(
            self._now(),
            downloaded=result.downloaded,
            uploaded=result.uploaded,
            download_size=result.expected,
            upload_size=result.to_upload,
        )
        self._out(text)

    def finish(self, result: Result) -> None:
        """Draw the last line."""
        sizes = {
            "downloaded": result.downloaded,
            "uploaded": result.uploaded,
            "download_size": result.expected,
            "upload_size": result.to_upload,
        }
        if self._meter is not None:
            self._out(self._meter.finish(self._now(), **sizes))  # type: ignore[arg-type]
        elif self._bar is not None:
            self.draw(result)
            self._out("\n")

    def _out(self, text: str) -> None:
        if text:
            self._write(text)


def _columns() -> int:
    import os

    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and 20 < int(columns) < 10_000:
        return int(columns)
    try:
        return os.get_terminal_size(2).columns
    except OSError:
        return 79

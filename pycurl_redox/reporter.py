"""What the command shows of a transfer while it runs: response heads, -v and --trace, the progress meter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from pycurl_redox.errors import WriteFailedError
from pycurl_redox.message import Head, Observer
from pycurl_redox.sending import SENT_WITH_HEAD
from pycurl_redox.stream import Buffer
from tcpip.scheduler import sleep_until

if TYPE_CHECKING:
    from pycurl_redox.config import GlobalConfig, OperationConfig
    from pycurl_redox.output import Output
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
        self._has_ids = tracer is not None and tracer.has_ids
        self._dumps_to_terminal = dump is not None and dump.isatty()
        is_piped = output.is_stdout and not output.is_terminal
        self._is_held = is_piped and not config.no_buffer and dump is None and tracer is None
        """A head goes out with its body: `curl -i URL | head -1` has read all it wants, and may go away."""
        self.number = 0
        """Which of the command's transfers this is."""
        self.result: Result | None = None
        self.now: Callable[[], float] | None = None
        self.on_head: Callable[[Head], None] | None = None
        self.style: Callable[[bytes], bytes] | None = None
        """What makes a line fit for a terminal."""
        self.progress: ProgressLine | None = None
        self.bar_is_open = False
        """A bar was drawn, and its line has no end yet."""

    def note(self, text: str) -> None:
        self._trace("info", text.encode("utf-8", "surrogateescape")[:MAX_NOTE])

    def transfer_began(self) -> None:
        """A file is open: only now does the meter begin."""
        if self.progress is not None and self.result is not None:
            self.progress.draw(self.result)

    def hop_ended(self, received: int, expected: int | None) -> None:
        """A redirect, a login or a dead connection has a line of its own; the next request goes on below."""
        if self.progress is not None and self.result is not None:
            self.progress.finish(self.result, received, expected)

    def aside(self) -> Observer:
        """Only -v and --trace tell of it."""
        from pycurl_redox.config import OperationConfig

        return Reporter(OperationConfig(), self._output, None, self._tracer)

    def transfer_ended(self) -> None:
        """The last line of the meter stands before what is said of the connection."""
        if self.progress is not None and self.result is not None:
            self.progress.end(self.result)
            self.bar_is_open |= self.progress.is_bar
            self.progress = None

    def tls_message(self, outgoing: bool, length: int) -> None:
        if self._tracer is not None:
            self._tracer.tls_message(outgoing, length, self._ids())

    def header_out(self, data: bytes) -> None:
        if self.result is not None:
            self.result.request_octets += len(data)
            self._sent(self.result)
        self._trace("header out", data)

    def data_out(self, data: Buffer) -> None:
        if self.result is not None:
            self.result.uploaded += len(data)
            data_option = self._config.data
            if data_option is not None and len(data_option) <= SENT_WITH_HEAD:
                self.result.request_octets += len(data)
            self._sent(self.result)
        self._trace("data out", data)

    def data_in(self, data: Buffer) -> None:
        self._trace("data in", data)

    def head_in(self, head: Head) -> None:
        if self.on_head is not None:
            self.on_head(head)
        # curl shows the end of a head in a trace only when something comes of the response.
        is_interim = head.status < 200 and head.status != 101
        leads_nowhere = is_interim or (self._config.fail and head.status >= 400 and not head.goes_on)
        leads_nowhere = leads_nowhere and not self.is_tunnel
        notes = head.notes[::-1]
        for line in head.lines():
            said: list[str] = []
            if notes and line.partition(b":")[0].strip().lower() == notes[-1][0]:
                said = [text for text in notes.pop()[1] if text]
            # Notes stand before their line, those on a proxy's answer to CONNECT behind it.
            for text in said * (not self.is_tunnel):
                self.note(text)
            self._line(line, is_traced=not leads_nowhere or bool(line.strip(b"\r\n")))
            for text in said * self.is_tunnel:
                self.note(text)

    def trailer_in(self, line: bytes) -> None:
        self.file_header(line)  # curl counts and traces heads only

    def _trace(self, kind: str, data: Buffer) -> None:
        if self._tracer is not None:
            self._tracer.write(kind, data, self._ids())

    def _ids(self) -> bytes:
        """--trace-ids: the transfer's number and the connection's, x for none."""
        if not self._has_ids:
            return b""
        number = self.result.connection_number if self.result is not None else -1
        return b"[%d-%s] " % (self.number, b"x" if number < 0 else b"%d" % number)

    def _sent(self, result: Result) -> None:
        if self.now is not None:
            result.post_transfer = self.now() - result.began

    def _line(self, line: bytes, *, is_traced: bool = True) -> None:
        if is_traced:
            self._trace("header in", line)
        if self.result is not None:
            self.result.header_octets += len(line)
        if self.is_tunnel and self._config.suppress_connect_headers:
            return
        self.file_header(line)

    def file_header(self, line: bytes) -> None:
        """Show a line; by itself it is one that no server has sent: neither traced nor in `header_octets`."""
        if self.result is not None:
            self.result.count_header(line)
        if self._dump is not None:
            self._dump.write(_harmless(line) if self._dumps_to_terminal else line)
        if self._config.include:
            write = self._output.hold if self._is_held else self._output.write
            try:
                write(line if self.style is None else self.style(line))
            except WriteFailedError as error:
                error.args = ("Failed writing header",)
                raise


class Tracer:
    """Writes -v, --trace-ascii or --trace.

    One for the whole command, as a line may go on in the next transfer; side by side each transfer has its
    own, which writes whole lines.
    """

    def __init__(self, config: GlobalConfig, file: BinaryIO, shows_sizes: bool) -> None:
        from pycurl_redox import trace

        self.file = file
        self._is_beside_others = config.parallel
        self._line_begun = b""
        self._dump = trace.dump
        self._with_hex = config.trace_kind == "hex"
        self._verbose = trace.VerboseText(shows_sizes=shows_sizes) if config.trace_kind == "plain" else None
        self._has_time = config.trace_time
        self.has_ids = config.trace_ids
        self._is_terminal = file.isatty()

    def write(self, kind: str, data: Buffer, ids: bytes = b"") -> None:
        """Write what passed; `kind` is one of those in `trace`."""
        stamp = (self._stamp() if self._has_time else b"") + ids
        if self._verbose is not None:
            text = self._verbose.text(kind, data, stamp)
        else:
            text = self._dump(kind, data, with_hex=self._with_hex, stamp=stamp)
        if self._is_beside_others:
            text = self._line_begun + text
            end = text.rfind(b"\n") + 1
            text, self._line_begun = text[:end], text[end:]
        self.file.write(_harmless(text) if self._is_terminal else text)
        self.file.flush()

    def tls_message(self, outgoing: bool, length: int, ids: bytes = b"") -> None:
        """Mention a TLS message; its octets are not shown, as most are secret on the wire for a reason."""
        if self._verbose is not None:
            self.write("tls data out" if outgoing else "tls data in", bytes(length), ids)

    @staticmethod
    def _stamp() -> bytes:
        from datetime import datetime

        from pycurl_redox.trace import time_stamp

        now = datetime.now()
        return time_stamp(now.hour, now.minute, now.second, now.microsecond)


def _harmless(octets: bytes) -> bytes:
    from pycurl_redox.terminal import harmless

    return harmless(octets)


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
        self._has_begun = False
        self.is_bar = False
        """A bar, and one that was drawn."""
        self._now = now
        self._meter = progress.Meter(now(), resume_from=start, has_head=is_first)
        self._bar = progress.Bar(_columns(), resume_from=start) if bar else None

    async def run(self, result: Result) -> None:
        """Draw now and then, until cancelled."""
        while True:
            await sleep_until(self._now() + (0.1 if self._bar else 1.0))
            self.draw(result)

    def draw(self, result: Result) -> None:
        """Draw what there is to draw now."""
        self._has_begun, self.is_bar = True, self._bar is not None
        drawer = self._bar or self._meter
        text = drawer.update(
            self._now(),
            downloaded=result.downloaded,
            uploaded=result.uploaded,
            download_size=result.expected,
            upload_size=result.to_upload,
        )
        self._out(text)

    def end(self, result: Result) -> None:
        """Draw the last line of all; none when nothing has begun, or nothing since a hop has ended."""
        if self._has_begun:
            self.finish(result, result.downloaded, result.expected)

    def finish(self, result: Result, downloaded: int, size: int | None) -> None:
        """Draw the last line of a hop."""
        self._has_begun = False
        drawer = self._bar.update if self._bar is not None else self._meter.finish
        text = drawer(
            self._now(),
            downloaded=downloaded,
            uploaded=result.uploaded,
            download_size=size,
            upload_size=result.to_upload,
        )
        self._out(text)

    def _out(self, text: str) -> None:
        if text:
            self._write(text)


def _columns() -> int:
    """Return how wide the bar may be; curl takes 20 columns and fewer for none at all."""
    import os

    text = os.environ.get("COLUMNS", "")
    if text.isdigit() and 20 < int(text) < 10_000:
        return int(text)
    try:
        columns = os.get_terminal_size(2).columns
    except OSError:
        columns = 0
    return columns if columns > 20 else 79

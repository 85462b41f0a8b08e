"""What the command shows of a transfer while it runs: response heads, and the lines of -v and --trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from pycurl_redox.http1 import Head, Observer
from pycurl_redox.stream import Buffer

if TYPE_CHECKING:
    from pycurl_redox.config import OperationConfig
    from pycurl_redox.output import Output
    from pycurl_redox.trace import Tracer
    from pycurl_redox.transfer import Result


class Reporter(Observer):
    """Sends heads to -i and -D, counts them for -w, and tells a tracer everything."""

    def __init__(
        self, config: OperationConfig, output: Output, dump: BinaryIO | None, tracer: Tracer | None
    ) -> None:
        self._config = config
        self._output = output
        self._dump = dump
        self._tracer = tracer
        self.result: Result | None = None
        self.on_head: list[object] = []

    def note(self, text: str) -> None:
        if self._tracer is not None:
            self._tracer.note(text)

    def header_out(self, data: bytes) -> None:
        if self.result is not None:
            self.result.request_octets += len(data)
        if self._tracer is not None:
            self._tracer.header_out(data)

    def data_out(self, data: Buffer) -> None:
        if self._tracer is not None:
            self._tracer.data_out(data)

    def data_in(self, data: Buffer) -> None:
        if self._tracer is not None:
            self._tracer.data_in(data)

    def head_in(self, head: Head) -> None:
        for line in head.lines():
            self._line(line)

    def trailer_in(self, line: bytes) -> None:
        self._line(line)

    def _line(self, line: bytes) -> None:
        if self._tracer is not None:
            self._tracer.header_in(line)
        if self.result is not None:
            self.result.header_octets += len(line)
        if self.is_tunnel and self._config.suppress_connect_headers:
            return
        if self._dump is not None:
            self._dump.write(line)
        if self._config.include:
            self._output.write(line)

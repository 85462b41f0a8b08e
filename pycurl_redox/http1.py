"""HTTP/1.x on one connection (RFC 9112): the one place that knows h11.

    response = await connection.exchange(request, exchange_options)
    while chunk := await response.read(deadline):
        ...

h11 reads and writes heads.  Bodies pass by it untouched: the stream's own
pieces go to the reader; those in chunks by way of `chunks`.  Heads that h11
refuses though curl takes them are read and written in `http1_lenient`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import h11

from pycurl_redox import errors
from pycurl_redox.message import Head, Observer, Policy, Request
from pycurl_redox.sending import Upload
from pycurl_redox.stream import Buffer, ByteStream, CutShortError
from tcpip.errors import StackError, TimedOutError
from tcpip.scheduler import CancelledError

MAX_LINE = 100 * 1024  # curl's limit for one header line
MAX_HEAD = 300 * 1024  # curl's limit for all heads of one transfer
HTTP1 = (b"1.1", b"1.0")


class Response:
    """A response whose head is in; the body is read from it, to the end or not."""

    __slots__ = ("_connection", "_reader", "drained", "head", "is_complete", "upload_cut_short")

    def __init__(self, connection: HttpConnection, head: Head, reader: BodyReader) -> None:
        self._connection = connection
        self._reader = reader
        self.head = head
        self.is_complete = reader.is_empty
        self.upload_cut_short = False
        self.drained = 0
        """Octets that nobody wanted."""

    @property
    def content_length(self) -> int | None:
        """How many octets of body are to come in all; None when only the end will tell."""
        return self._reader.length

    @property
    def length_left(self) -> int | None:
        return self._reader.left

    async def read(self, deadline: float | None) -> Buffer:
        """Return the next octets of the body, empty at its end; a view is good until the next call."""
        if self.is_complete:
            return b""
        data = await self._reader.read(deadline)
        if not len(data):
            self.is_complete = True
        return data

    async def drain(self, deadline: float | None, limit: int) -> bool:
        """Read the rest and forget it, so that the connection can be used again; False beyond `limit`."""
        while data := await self.read(deadline):
            self.drained += len(data)
            if self.drained > limit:
                return False
        return True


class HttpConnection:
    """Requests and responses in turn on one stream."""

    def __init__(self, stream: ByteStream, observer: Observer) -> None:
        self.stream = stream
        self.observer = observer
        self.is_reusable = True
        self.is_http10 = False
        """Whether the other side has answered in HTTP/1.0."""
        self.exchanges = 0
        self.received = bytearray()
        self._written: tuple[Request, h11.Request] | None = None
        self.head_octets = 0
        """Of all heads of a transfer so far, on other connections too: `MAX_HEAD` bounds them together."""
        self.body_sent = 0
        self.body_goes_by_itself = False
        """It is not sent in one piece with its head."""
        self.learn: Callable[[Head], None] | None = None
        """Takes what is to be remembered of a head, before it is shown."""

    @property
    def is_stale(self) -> bool:
        """True when the peer has closed, or has sent what nobody asked for."""
        return not self.is_reusable or bool(self.received) or self.stream.is_stale

    async def exchange(
        self, request: Request, policy: Policy, deadline: float | None, now: Callable[[], float], spawn: Any
    ) -> Response:
        """Send a request and return its final response, the body still to be read.

        A large body is sent by a task of its own, so that a server may answer
        before it has taken everything.
        """
        self.exchanges += 1
        self.body_sent = 0
        machine = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        head_out = self._write_head(machine, request)
        upload = Upload(self, request, policy.wait_for)
        self.body_goes_by_itself = upload.goes_by_itself
        if policy.rate:
            upload.hold_to(policy.rate, now)
        waits = request.expects_continue and request.body is not None
        await self._write([head_out, *([] if waits else upload.inline())], deadline)
        self.observer.header_out(head_out)
        upload.tell()
        head: Head | None = None
        if waits:
            head = await self._await_continue(
                machine, request, policy, now() + policy.continue_wait, deadline
            )
            if head is None:
                await self._write(upload.inline(), deadline)
                upload.tell()
        task = None
        if head is None and not upload.is_done:
            task = spawn(upload.run(deadline))
        try:
            if head is None:
                head = await self._read_final_head(machine, request, policy, deadline, upload)
        except Exception:
            upload.raise_body_error()
            raise
        finally:
            if task is not None and not task.is_done:
                task.cancel()
        self.is_http10 = head.http_version == b"1.0"
        response = Response(self, head, self._body_reader(request, policy, head))
        if not upload.is_done:
            # Where the server closes anyway there is nothing to stop.
            response.upload_cut_short = self.is_reusable and head.status >= 400
            self.is_reusable = False
        return response

    def _write_head(self, machine: h11.Connection, request: Request) -> bytes:
        """Write a request's head; one that is sent again has been validated already."""
        if self._written is not None and self._written[0] is request:
            return machine.send(self._written[1]) or b""
        event = _request_event(request)
        if event is not None:
            self._written = request, event
            return machine.send(event) or b""
        from pycurl_redox import http1_lenient

        return http1_lenient.build_head(request.method, request.target, request.http_version, request.headers)

    def take_received(self) -> bytes:
        """Hand over what came in behind a head."""
        data = bytes(self.received)
        self.received.clear()
        return data

    async def _write(self, pieces: list[Buffer], deadline: float | None) -> None:
        await self.stream.write(pieces, deadline)

    async def read_framed(self, deadline: float | None) -> Buffer:
        """Read from the stream; how it ends is all one where HTTP itself tells what is missing."""
        try:
            return await self.stream.read(deadline)
        except CutShortError:
            return b""

    async def _await_continue(
        self, machine: h11.Connection, request: Request, policy: Policy, until: float, deadline: float | None
    ) -> Head | None:
        """Give the server a moment to say 100; a final head means that it wants no body."""
        if deadline is not None:
            until = min(until, deadline)
        try:
            head = await self._read_head(machine, request, policy, until)
        except TimedOutError:
            self.observer.note("Done waiting for 100-continue")
            return None
        if head.status == 100:
            return None
        if 100 <= head.status < 200 and head.status != 101:
            return await self._await_continue(machine, request, policy, until, deadline)
        return head

    async def _read_final_head(
        self,
        machine: h11.Connection,
        request: Request,
        policy: Policy,
        deadline: float | None,
        upload: Upload,
    ) -> Head:
        """Read past interim heads (RFC 9110 §15.2), which count for `MAX_HEAD` as the final one does."""
        while True:
            try:
                head = await self._read_head(machine, request, policy, deadline)
            except StackError:
                # What has come in whole lines is shown, whatever ends the wait for the rest.
                self._show_good_lines(bytes(self.received), self.received.rfind(b"\n") + 1)
                raise
            if not 100 <= head.status < 200 or head.status == 101:
                if not upload.is_done and head.status < 400:
                    await upload.finished(deadline)
                return head

    async def _read_head(
        self, machine: h11.Connection, request: Request, policy: Policy, deadline: float | None
    ) -> Head:
        received = self.received
        searched = 0
        while True:
            if received:
                if not _may_be_http(received):
                    return self._http09(request, policy)
                end = _end_of_head(received, searched)
                if end:
                    break
                searched = max(0, len(received) - 3)
                self._check_size(received)
            # Half a head is taken from a peer that has closed in order only.
            try:
                data = await (self.stream.read(deadline) if received else self.read_framed(deadline))
            except (CancelledError, KeyboardInterrupt):
                self._show_good_lines(bytes(received), received.rfind(b"\n") + 1)
                raise
            if not len(data):
                return self._head_cut_short(request, policy)
            received += data
        raw = bytes(received[:end])
        del received[:end]
        self._check_size(raw)
        self.head_octets += end
        try:
            head = _parse_head(machine, raw)
        except errors.WeirdReplyError as error:
            self._show_good_lines(raw, getattr(error, "good", 0))
            raise
        if head.http_version == b"1.0" and not self.observer.is_tunnel:
            self.observer.note("HTTP 1.0, assume close after body")
        if self.learn is not None:
            self.learn(head)
        if head.status >= 200 and not self.observer.is_tunnel:
            _explain(head, request, policy)
            if policy.max_length and _announced_length(head, policy) > policy.max_length:
                head.is_too_long = True
                head.raw = raw[: raw.rindex(b"\n", 0, -1) + 1]  # curl does not come to its empty line
        self.observer.head_in(head)
        return head

    def _show_good_lines(self, raw: bytes, good: int) -> None:
        """What stood before the line at fault is remembered and shown all the same."""
        if not good:
            return
        from pycurl_redox import http1_lenient

        head = Head(b"", 0, b"", [], raw[:good])
        try:
            head = http1_lenient.parse_head(head.raw)
        except errors.FetchError:
            pass
        else:
            if self.learn is not None:
                self.learn(head)
        self.observer.head_in(head)

    def _check_size(self, block: bytes | bytearray) -> None:
        """Bound a head; what came before it went too far is shown all the same."""
        if len(block) <= MAX_LINE and self.head_octets + len(block) <= MAX_HEAD:
            return
        from pycurl_redox.http1_lenient import excess

        found = excess(bytes(block), self.head_octets, MAX_LINE, MAX_HEAD)
        if found is not None:
            good, failure = found
            self._show_good_lines(bytes(block), good)
            raise failure

    def _http09(self, request: Request, policy: Policy) -> Head:
        """RFC 1945 §4.1, Simple-Response: no head at all."""
        self.is_reusable = False
        if not policy.http09_allowed:
            raise errors.UnsupportedProtocolError("Received HTTP/0.9 when not allowed")
        if request.wants_no_body:
            raise errors.WeirdReplyError()  # it is a body, whatever was asked for
        return Head(b"0.9", 0, b"", [], b"")

    def _head_cut_short(self, request: Request, policy: Policy) -> Head:
        """The stream ended inside a head: what is there in whole lines counts, as in curl."""
        from pycurl_redox import http1_lenient

        self.is_reusable = False
        end = self.received.rfind(b"\n") + 1
        if not end:
            if self.received and policy.http09_allowed:
                return self._http09(request, policy)
            raise errors.empty_reply()
        raw = bytes(self.received[:end])
        self.received.clear()
        head = http1_lenient.parse_head(raw)
        if self.learn is not None:
            self.learn(head)
        self.observer.head_in(head)
        return head

    def _body_reader(self, request: Request, policy: Policy, head: Head) -> BodyReader:
        """RFC 9112 §6.3, in its order."""
        persists = _persists(head)
        if not persists:
            self.is_reusable = False
        if request.method == b"HEAD" and not request.wants_no_body:
            self.is_reusable = (
                False  # typed as -X HEAD, which servers that are no HTTP servers may give a body
            )
        if request.method == b"HEAD" or head.status in (204, 304):
            return LengthReader(self, 0)
        if request.wants_no_body:
            self.is_reusable = False  # what the server sends all the same lies in between
            return LengthReader(self, 0)
        if request.method == b"CONNECT" and 200 <= head.status < 300:
            return LengthReader(self, 0)
        codings = head.header(b"transfer-encoding")
        if codings is not None and _last_coding(head) == b"chunked":
            from pycurl_redox.chunks import ChunkedReader, RawChunkedReader

            return RawChunkedReader(self) if policy.raw else ChunkedReader(self)
        if codings is None and not policy.ignore_content_length:
            length = _content_length(head)
            if length is not None:
                return LengthReader(self, length)
        self.is_reusable = False
        return CloseReader(self)


class BodyReader(Protocol):
    """Where a body ends; `read` returns empty there, and raises when the stream ends before."""

    @property
    def length(self) -> int | None: ...
    @property
    def left(self) -> int | None: ...
    @property
    def is_empty(self) -> bool: ...

    async def read(self, deadline: float | None) -> Buffer: ...


class LengthReader:
    """RFC 9112 §6.2."""

    __slots__ = ("_connection", "is_empty", "left", "length")

    def __init__(self, connection: HttpConnection, length: int) -> None:
        self._connection = connection
        self.length = length
        self.left = length
        self.is_empty = length == 0

    async def read(self, deadline: float | None) -> Buffer:
        if self.left == 0:
            return b""
        connection = self._connection
        data: Buffer
        if connection.received:
            data = connection.take_received()
        else:
            data = await connection.read_framed(deadline)
            if not len(data):
                connection.is_reusable = False
                raise errors.transfer_closed(self.left)
        connection.observer.data_in(data)
        if len(data) > self.left:
            data = self._without_excess(memoryview(data))
        self.left -= len(data)
        return data

    def _without_excess(self, data: memoryview) -> memoryview:
        """What goes beyond the length was not asked for; the connection ends with the response."""
        connection, excess = self._connection, len(data) - self.left
        connection.is_reusable = False
        connection.observer.note(
            f"Excess found in a read: excess = {excess}, size = {self.length}, "
            f"maxdownload = {self.length}, bytecount = {self.length - self.left}"
        )
        return data[: self.left]


class CloseReader:
    """RFC 9112 §6.3 item 8: the body ends with the connection."""

    __slots__ = ("_connection", "is_empty", "left", "length")

    def __init__(self, connection: HttpConnection) -> None:
        self._connection = connection
        self.length: int | None = None
        self.left: int | None = None
        self.is_empty = False

    async def read(self, deadline: float | None) -> Buffer:
        connection = self._connection
        if connection.received:
            data: Buffer = connection.take_received()
        else:
            data = await connection.stream.read(deadline)
        if len(data):
            connection.observer.data_in(data)
        return data


def _request_event(request: Request) -> h11.Request | None:
    """Return a request as h11 takes it; None where it refuses what curl sends."""
    method, target, headers = request.method, request.target, request.headers
    both_framings = request.is_chunked and any(name.lower() == b"content-length" for name, _ in headers)
    as_usual = all(type(value) is bytes and value and value[-1] > 32 for _, value in headers)
    host_first = headers[:1] and headers[0][0].lower() == b"host"  # h11 would put it there
    if request.http_version == b"1.1" and not both_framings and as_usual and host_first:
        try:
            event = h11.Request(method=method, target=target, headers=headers)
            return event if len(event.headers) == len(headers) else None  # it makes one of two lengths
        except h11.LocalProtocolError:
            pass
    return None


def _parse_head(machine: h11.Connection, raw: bytes) -> Head:
    """Read a response's head by h11, or where h11 refuses what curl takes, beside it."""
    try:
        machine.receive_data(raw)
        event = machine.next_event()
        if isinstance(event, h11.Response | h11.InformationalResponse) and event.http_version in HTTP1:
            return Head(event.http_version, event.status_code, event.reason, list(event.headers), raw)
    except h11.RemoteProtocolError:
        pass
    from pycurl_redox import http1_lenient

    return http1_lenient.parse_head(raw)


def _may_be_http(received: bytearray) -> bool:
    """A status line begins with HTTP/, in any case; what does not is a body without a head."""
    return b"HTTP/".startswith(received[:5].upper())


def _end_of_head(received: bytearray, start: int) -> int:
    """Where the empty line ends; 0 when it is not there.  A bare LF ends a line as well."""
    crlf = received.find(b"\n\r\n", start)
    bare = received.find(b"\n\n", start, crlf + 1 if crlf >= 0 else len(received))
    if bare >= 0:
        return bare + 2
    return crlf + 3 if crlf >= 0 else 0


def _persists(head: Head) -> bool:
    """RFC 9112 §9.3; a proxy's old Proxy-Connection counts, as in curl."""
    values = head.values_of(b"connection") + head.values_of(b"proxy-connection")
    if not values:
        return head.http_version != b"1.0"
    options = b",".join(values).lower()
    tokens = [option.strip() for option in options.split(b",")]
    if b"close" in tokens:
        return False
    return head.http_version != b"1.0" or b"keep-alive" in tokens


def _explain(head: Head, request: Request, policy: Policy) -> None:
    """Say ahead of the line that decides it how long the connection lasts."""
    if head.http_version == b"1.0" and b"keep-alive" in (head.header(b"connection") or b"").lower():
        at = 0
        for name, _ in head.headers:
            if name == b"connection":
                break
            at += at < len(head.notes) and head.notes[at][0] == name
        head.notes.insert(at, (b"connection", ["HTTP/1.0 connection set to keep alive"]))
    has_length = head.header(b"content-length") is not None and not policy.ignore_content_length
    has_body = head.status not in (204, 304) and request.method != b"HEAD" and not request.wants_no_body
    if has_body and not has_length and _persists(head) and head.http_version == b"1.1":
        if head.header(b"transfer-encoding") is None:
            if not head.notes or head.notes[-1][0]:
                head.notes.append((b"", []))
            head.notes[-1][1].insert(0, "no chunk, no close, no size. Assume close to signal end")


def _last_coding(head: Head) -> bytes:
    """RFC 9112 §6.1; identity, which older specifications had, stands for nothing."""
    listed = b",".join(head.values_of(b"transfer-encoding")).lower().split(b",")
    codings = [coding for each in listed if (coding := each.strip()) not in (b"", b"identity")]
    return codings[-1] if codings else b""


def _announced_length(head: Head, policy: Policy) -> int:
    """How long a body is said to be; 0 when nothing of it is said, or nothing counts."""
    is_bare = head.status in (204, 304) or head.header(b"transfer-encoding") is not None
    return 0 if is_bare or policy.ignore_content_length else _content_length(head) or 0


def _content_length(head: Head) -> int | None:
    """RFC 9112 §6.3 item 5, with curl's exit code for what is none.  The same length may be told twice."""
    values = {v.strip() for k, each in head.headers if k == b"content-length" for v in each.split(b",")}
    if not values:
        return None
    value = values.pop()
    if values or not value[:1].isdigit():
        raise errors.WeirdReplyError("Invalid Content-Length: value")
    digits = value[: len(value) - len(value.lstrip(b"0123456789"))].lstrip(b"0") or b"0"
    return int(digits) if len(digits) < 20 and int(digits) < 1 << 63 else None

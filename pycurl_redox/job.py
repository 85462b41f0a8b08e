"""One transfer of the command: prepared, run, run again, and told of."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, BinaryIO

from pycurl_redox import errors
from pycurl_redox.compose import FORM_URLENCODED
from pycurl_redox.method import method_note, settle_method
from pycurl_redox.output import FileNotOpenError, Output, open_deaf
from pycurl_redox.reporter import Reporter
from pycurl_redox.routing import random_hex
from pycurl_redox.transfer import Transfer
from pycurl_redox.upload import BytesBody, FileBody, IterableBody
from pycurl_redox.url import (
    DEFAULT_PORTS,
    Url,
    add_upload_name,
    append_query,
    parse_url,
    remote_name,
    unread_url,
)
from tcpip.clock import wall_clock
from tcpip.scheduler import sleep_until

if TYPE_CHECKING:
    from pycurl_redox.command import Command, OperationSetup
    from pycurl_redox.config import UrlNode
    from pycurl_redox.incoming import Incoming
    from pycurl_redox.message import Body, Head
    from pycurl_redox.reporter import ProgressLine

HTTP_PROBLEM = ": HTTP error"
RETRIED_STATUSES = (408, 429, 500, 502, 503, 504)
FIRST_RETRY_DELAY = 1.0
LAST_RETRY_DELAY = 600.0


class SkippedError(Exception):
    """This transfer is left out, and that is no failure."""


class Job:
    """Everything between one URL of the command line and its exit code."""

    def __init__(
        self,
        command: Command,
        setup: OperationSetup,
        node: UrlNode,
        url: str,
        values: tuple[str, ...],
        upload: str | None,
    ) -> None:
        self.command = command
        self.setup = setup
        self.config = setup.config

        self.url_text = self.given_url = url
        self._node = node
        self._values = values
        self._upload = upload
        self._upload_file: BinaryIO | None = None
        self._dump: BinaryIO | None = None
        self.output = Output(None)
        self._etag_file: BinaryIO | None = None
        self.retries_left = self.config.retry
        self._url_error: errors.FetchError | None = None

    @property
    def url_number(self) -> int:
        """Which argument of the command line the URL came from, counted from 0."""
        before = self.command.operations[: self.command.operations.index(self.config)]
        return sum(len(operation.urls) for operation in before) + self.config.urls.index(self._node)

    def run(self) -> int:
        """Do the transfer; errors are reported here, the exit code says what they were."""
        try:
            self._open_etag_file()
            transfer = self._prepare()
        except SkippedError:
            return 0
        except errors.UsageError:
            raise
        except errors.FetchError as error:
            self.command.complain(error)
            return error.exit_code
        exit_code = 0
        try:
            if self._url_error is not None:
                return self._refuse(transfer, self._url_error)
            exit_code = self.command.network.run(self._perform(transfer))
        except KeyboardInterrupt:
            self.output.close()
            raise
        finally:
            self._clean_up()
        return exit_code

    # ---- before

    def _prepare(self) -> Transfer:
        config, command = self.config, self.command
        method = settle_method(config, command.warn, uploads=self._upload is not None)
        text = method_note(config, method, command.config.verbose)
        if text and not command.config.silent:
            command.stderr.write(text)
        if self._upload is not None and self._upload not in ("-", "."):
            self.url_text = add_upload_name(self.url_text, self._upload)
        if config.query:
            self.url_text = append_query(self.url_text, config.query)
        url = self._parse_url()
        self.output = self._choose_output(url)
        body, content_type = self._body(method)
        self._dump = self._open_dump()
        self.reporter = reporter = Reporter(config, self.output, self._dump, command.open_tracer(self.output))
        transfer = Transfer(
            config,
            url,
            method,
            body=body,
            content_type=content_type,
            observer=reporter,
            cookies=command.cookies,
        )
        self._resume(transfer)
        transfer.extra_headers = self._extra_headers()
        reporter.result = transfer.result
        reporter.on_head = self._see_head
        if config.include and command.config.styled_output and self.output.is_terminal:
            from pycurl_redox.styled import styled

            reporter.style = lambda line: styled(line, transfer.url)
        transfer.result.referer = config.referer
        return transfer

    def _parse_url(self) -> Url:
        """Read the URL; one that cannot be read fails where a transfer would, so that -w tells of it."""
        config = self.config
        try:
            url = parse_url(
                self.url_text,
                default_scheme=config.proto_default,
                path_as_is=config.path_as_is,
                allow_user=not config.disallow_username_in_url,
                any_scheme=True,
            )
        except errors.FetchError as error:
            self._url_error = error
            return unread_url(self.url_text)
        if url.scheme not in DEFAULT_PORTS:
            self._url_error = errors.protocol_not_supported(url.scheme)
        return url

    def _extra_headers(self) -> list[str]:
        """What --json and --etag-compare add to -H."""
        config, extra = self.config, []
        if config.json:
            given = {line.partition(":")[0].strip().lower() for line in config.headers}
            for name in ("Content-Type", "Accept"):
                if name.lower() not in given:
                    extra.append(f"{name}: application/json")
        if config.etag_compare is not None:
            from pycurl_redox.data import read_file

            try:
                etag = read_file(config.etag_compare).split(b"\n")[0].strip()
            except OSError:
                etag = b""
            extra.append("If-None-Match: " + (etag.decode("utf-8", "surrogateescape") or '""'))
        return extra

    def _open_etag_file(self) -> None:
        path = self.config.etag_save
        if path is None:
            return
        try:
            self._etag_file = open_deaf(path, "a")
        except OSError:
            self.command.warn(f'Failed creating file for saving etags: "{path}". Skip this transfer')
            raise SkippedError from None

    def _see_head(self, head: Head) -> None:
        """Take from a head what names files: --etag-save and -J."""
        if self._etag_file is not None and (etag := head.header(b"etag")):
            if self.config.etag_save and os.path.isfile(self.config.etag_save):
                self._etag_file.truncate(0)
            self._etag_file.write(etag + b"\n")
        if self.config.remote_header_name and self._node.remote_name:
            name = file_name_of(head.header(b"content-disposition") or b"")
            if name and not self.output.name_is_from_header:
                folder = self.config.output_dir
                self.output.path = os.path.join(folder, name) if folder else name
                self.output.name_is_from_header = True

    def _choose_output(self, url: Url) -> Output:
        config, node = self.config, self._node
        path = node.output
        if node.remote_name:
            path = remote_name(self.url_text)
            if not path and not config.remote_header_name:
                raise errors.WriteFailedError("Remote file name has no length!")
        elif path and self._values:
            from pycurl_redox.glob import output_name

            path = output_name(path, self._values)
        if path == "-" or path is None:
            return Output(None)
        if config.output_dir:
            path = os.path.join(config.output_dir, path)
        output = Output(path, clobber=config.clobber, create_dirs=config.create_dirs)
        output.mode = config.create_file_mode
        return output

    def _body(self, method: str) -> tuple[Body | None, str | None]:
        config = self.config
        if self._upload is not None:
            return self._upload_body(self._upload), None
        if config.form is not None:
            from pycurl_redox.multipart import build_form

            form = build_form(config.form, random_hex, escape=config.form_escape)
            make = form.__iter__ if form.can_rewind else iter(form)
            return IterableBody(make, form.length), form.content_type
        if method == "POST" and config.data is not None:
            content_type = "application/json" if config.json else FORM_URLENCODED
            return BytesBody(config.data), content_type
        return None, None

    def _upload_body(self, path: str) -> Body:
        if path in ("-", "."):
            return FileBody(sys.stdin.buffer, None)
        start = max(0, self.config.continue_at or 0)
        try:
            self._upload_file = file = open(path, "rb")  # noqa: SIM115 - closed in _clean_up
            size = os.fstat(file.fileno()).st_size if os.path.isfile(path) else None
        except OSError:
            raise errors.UsageError(f"Can't open '{path}'!", 26) from None
        return FileBody(file, None if size is None else max(0, size - start), start)

    def _open_dump(self) -> BinaryIO | None:
        path = self.config.dump_header
        if path is None:
            return None
        try:
            begun, self.setup.dump_has_begun = self.setup.dump_has_begun, True
            return open_deaf(path, "a" if begun else "w")
        except OSError:
            raise errors.WriteFailedError(f"Failed to open {path}") from None

    def _resume(self, transfer: Transfer) -> None:
        at = self.config.continue_at
        if at is None:
            return
        if at == -1:
            path = self.output.path
            at = os.path.getsize(path) if path and os.path.isfile(path) and self._upload is None else 0
        transfer.resume_from = at
        self.output.appends = True

    # ---- the transfer

    async def _perform(self, transfer: Transfer) -> int:
        network = self.setup.fetcher.network
        began = network.now()
        delay = FIRST_RETRY_DELAY
        while True:
            error = await self._attempt(transfer)
            wait = self._retry_wait(transfer, error, delay, network.now() - began)
            if wait is None:
                return self._finish(transfer, error)
            delay = min(delay * 2, LAST_RETRY_DELAY)
            await sleep_until(network.now() + wait)
            self.output.truncate()
            transfer = self._again(transfer)

    async def _attempt(self, transfer: Transfer) -> errors.FetchError | None:
        line = self._progress(transfer)
        if line is None:
            return await self._transfer(transfer)
        reporter = self.reporter
        reporter.progress = line
        line.draw(transfer.result)
        task = self.setup.fetcher.network.spawn(line.run(transfer.result))
        try:
            return await self._transfer(transfer)
        finally:
            task.cancel()
            reporter.transfer_ended()

    def _progress(self, transfer: Transfer) -> ProgressLine | None:
        config = self.command.config
        if config.silent or config.no_progress_meter or self.output.is_terminal:
            return None
        from pycurl_redox.reporter import ProgressLine

        return ProgressLine(
            self.command.write_stderr,
            self.setup.fetcher.network.now,
            bar=config.progress_bar,
            start=transfer.resume_from,
            is_first=not transfer.result.retries,
        )

    async def _transfer(self, transfer: Transfer) -> errors.FetchError | None:
        if not self.config.speed_time:
            return await self._receive_all(transfer)
        return await self._watched(transfer)

    async def _watched(self, transfer: Transfer) -> errors.FetchError | None:
        """--speed-limit: a transfer that is too slow for too long is given up."""
        from pycurl_redox.pace import SpeedWatch

        config, result, network = self.config, transfer.result, self.setup.fetcher.network
        watch = SpeedWatch(config.speed_limit, config.speed_time)
        task = network.spawn(self._receive_all(transfer))
        try:
            while not task.is_done:
                if await task.finished.wait(network.now() + 1.0) or not result.method:
                    continue
                if watch.is_too_slow(network.now(), result.downloaded + result.uploaded):
                    result.total = network.now() - result.began
                    return errors.too_slow(config.speed_limit, config.speed_time)
            return task.result
        finally:
            task.cancel()

    async def _receive_all(self, transfer: Transfer) -> errors.FetchError | None:
        try:
            incoming = await self.setup.fetcher.fetch(transfer)
            try:
                await self._receive(incoming)
            finally:
                incoming.close()
        except FileNotOpenError as error:
            self.command.warn(error.warning)
            return error
        except errors.FetchError as error:
            return error
        if self.config.fail_with_body and transfer.result.status >= 400:
            return errors.http_returned(transfer.result.status)
        return None

    async def _receive(self, incoming: Incoming) -> None:
        write = self.output.write
        while len(chunk := await incoming.read()):
            write(chunk)
        if self.output.path is not None and not incoming.is_unmet:
            self.output.open()

    def _again(self, transfer: Transfer) -> Transfer:
        """Plan the transfer anew, for a retry."""
        again = Transfer(
            self.config,
            transfer.first_url,
            transfer.first_method,
            body=transfer.first_body,
            content_type=transfer.first_content_type,
            observer=transfer.observer,
            cookies=transfer.cookies,
        )
        again.resume_from = transfer.resume_from
        again.extra_headers = transfer.extra_headers
        again.result.referer = self.config.referer
        again.result.retries = transfer.result.retries + 1
        if again.body is not None:
            again.body.rewind()
        self.reporter.result = again.result
        return again

    def _retry_wait(
        self, transfer: Transfer, error: errors.FetchError | None, delay: float, elapsed: float
    ) -> float | None:
        """Return how long to wait before the next try; None when there is none."""
        config = self.config
        if not self.retries_left:
            return None
        problem = self._problem(transfer, error)
        if problem is None:
            return None
        wait = float(config.retry_delay) or delay
        after = transfer.result.header(b"retry-after")
        if after and problem == HTTP_PROBLEM:
            wait = _retry_after(after, wall_clock()) or wait
        if config.retry_max_time and elapsed + wait > config.retry_max_time:
            return None
        left = self.retries_left
        self.retries_left -= 1
        if error is not None:
            self.command.complain(error)
        self.command.warn(f"Problem {problem}. Will retry in {wait:.0f} seconds. {left} retries left.")
        return wait

    def _problem(self, transfer: Transfer, error: errors.FetchError | None) -> str | None:
        """Say why another try may help, in curl's words."""
        config, status = self.config, transfer.result.status
        if isinstance(error, errors.OperationTimedOutError):
            return ": timeout"
        if isinstance(error, errors.ResolveFailedError | errors.ProxyResolveError):
            return ": timeout"
        if isinstance(error, errors.ConnectFailedError) and config.retry_connrefused:
            return ": connection refused"
        if status in RETRIED_STATUSES and (error is None or isinstance(error, errors.HttpReturnedError)):
            return HTTP_PROBLEM
        if error is not None and config.retry_all_errors:
            return "(retrying all errors)"
        return None

    def _refuse(self, transfer: Transfer, error: errors.FetchError) -> int:
        """End a transfer whose URL cannot be read, before any network is brought up."""
        if isinstance(error, errors.UnsupportedProtocolError):
            self.reporter.note(str(error))
        self.reporter.note("Closing connection -1")
        return self._finish(transfer, error)

    # ---- after

    def _finish(self, transfer: Transfer, error: errors.FetchError | None) -> int:
        command, result = self.command, transfer.result
        if error is not None:
            result.exit_code, result.error = error.exit_code, str(error)
            command.complain(error)
            if self.config.remove_on_error:
                self.output.close()
                self.output.remove()
        elif self.config.remote_time:
            self._set_remote_time(result.header(b"last-modified"))
        if self.config.cookie_jar is not None:
            command.save_cookies(self.config.cookie_jar)
        self.setup.save_state()
        if self.config.write_out:
            command.write_out(self, transfer)
        return result.exit_code

    def _set_remote_time(self, last_modified: bytes | None) -> None:
        """Give the file the time that its original has."""
        path = self.output.path
        if last_modified is None or path is None or not os.path.isfile(path):
            return
        from pycurl_redox.dates import parse_date

        modified = parse_date(last_modified.decode("latin-1"))
        if modified is None:
            return
        self.output.close()  # what is still to be written would change it again
        try:
            os.utime(path, (modified, modified))
        except OSError as error:
            self.command.warn(f"Failed to set filetime {modified} on outfile: {error.strerror}")

    def _clean_up(self) -> None:
        self.output.close()
        for file in (self._upload_file, self._dump, self._etag_file):
            if file is not None:
                file.close()


def _retry_after(value: bytes, now: float) -> float | None:
    """RFC 9110 §10.2.3: seconds, or a date; None for what is neither, or is over."""
    if value.isdigit():
        return float(value) if len(value) < 10 else None
    from pycurl_redox.dates import parse_date

    moment = parse_date(value.decode("latin-1"))
    return float(moment - int(now)) if moment is not None and moment > now else None


def file_name_of(disposition: bytes) -> str:
    """RFC 6266: the file name of a Content-Disposition, without any folder; "" when there is none."""
    for parameter in disposition.split(b";")[1:]:
        key, equals, value = parameter.strip().partition(b"=")
        if equals and key.strip().lower() == b"filename":
            text = value.strip().decode("utf-8", "surrogateescape")
            if text[:1] in ('"', "'"):
                text = _quoted(text)
            name = text.replace("\\", "/").rsplit("/", 1)[-1]
            return "" if name in (".", "..") or "\0" in name else name
    return ""


def _quoted(text: str) -> str:
    out, position = [], 1
    while position < len(text) and text[position] != text[0]:
        position += text[position] == "\\"
        out.append(text[position : position + 1])
        position += 1
    return "".join(out)

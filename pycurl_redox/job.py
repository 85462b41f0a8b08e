"""One transfer of the command: prepared, run, run again, and told of."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

from pycurl_redox import errors
from pycurl_redox.compose import CustomHeaders
from pycurl_redox.given_body import GivenBody, given_body
from pycurl_redox.messages import note
from pycurl_redox.method import method_note, settle_method
from pycurl_redox.output import FolderNotMadeError, NullOutput, Output, OutputRefusedError, open_deaf
from pycurl_redox.reporter import Reporter
from pycurl_redox.transfer import Transfer
from pycurl_redox.url import (
    DEFAULT_PORTS,
    Url,
    add_upload_name,
    append_query,
    parse_url,
    remote_name,
    unread_url,
)
from tcpip.scheduler import sleep_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pycurl_redox.command import Command, OperationSetup
    from pycurl_redox.config import UrlNode
    from pycurl_redox.continuation import Continuation
    from pycurl_redox.fetcher import Fetcher
    from pycurl_redox.file_url import FileTransfer
    from pycurl_redox.incoming import Incoming
    from pycurl_redox.message import Head
    from pycurl_redox.reporter import ProgressLine
    from pycurl_redox.transfer import Result


UPLOADED = "File already completely uploaded"


class SkippedError(Exception):
    """This transfer is left out, and that is no failure."""


class Job:
    """Everything between one URL of the command line and its exit code.

    prepare, perform, clean_up: one job after the other (`run`), or many at once (`parallel`).
    """

    def __init__(
        self,
        command: Command,
        setup: OperationSetup,
        node: UrlNode,
        url: str,
        values: tuple[str, ...],
        upload: str | None,
        number: int = 0,
    ) -> None:
        self.command = command
        self.setup = setup
        self.config = setup.config
        self.number = number
        """Jobs of the command before this one."""
        self.url_text = self._typed_url = url
        self._node = node
        self._values = values
        self._upload = upload
        self._given_body: GivenBody | None = None
        self._dump: BinaryIO | None = None
        self.output = Output(None)
        self._etag_file: BinaryIO | None = None
        self.lacks_etag_file = False
        """Left out, since the file of --etag-save cannot be made."""
        self.transfer: Transfer | None = None
        """The last try, from `prepare` on."""
        self._refusal: errors.FetchError | None = None
        """Why there is nothing to be asked for."""
        self.error: errors.FetchError | None = None
        """What the transfer ended with."""
        self._continuation: Continuation | None = None
        """With --retry: what goes from one try to the next."""
        self._given_headers: list[str] = []

    @property
    def url_number(self) -> int:
        """Which argument of the command line the URL came from, counted from 0."""
        before = self.command.operations[: self.command.operations.index(self.config)]
        return sum(len(operation.urls) for operation in before) + self.config.urls.index(self._node)

    def run(self) -> int:
        """Do the transfer, and nothing beside it; return its exit code."""
        try:
            return self.fetcher.network.run(self.perform(sleep_until)) if self.prepare() else 0
        finally:
            self.clean_up()

    @property
    def fetcher(self) -> Fetcher:
        """Who does the transfer, from `prepare` on; a file, and what cannot be asked for, need no network."""
        assert self.transfer is not None
        is_local = self._refusal is not None or self.transfer.first_url.scheme == "file"
        return self.setup.fetcher(needs_network=not is_local)

    def prepare(self) -> bool:
        """Open what the transfer needs; False when it is left out.

        What is wrong with the command line itself is raised, and ends the command.
        """
        try:
            self._open_etag_file()
            self.transfer = self._prepare()
        except SkippedError:
            return False
        return True

    async def perform(self, pause: Callable[[float], Awaitable[object]]) -> int:
        """Run the transfer, again as --retry says, and tell of it; `pause` waits until the next try."""
        assert self.transfer is not None
        if self._refusal is not None:
            return self._refuse(self._refusal)
        self.reporter.now = self.fetcher.network.now
        if self.config.retry:
            return await self._perform_again_and_again(self.transfer, pause)
        return self.finish(await self._attempt(self.transfer))

    def _refuse(self, error: errors.FetchError) -> int:
        """End a transfer before it has begun."""
        for text in self.setup.notes:
            self.reporter.note(text)
        if isinstance(error, errors.UnsupportedProtocolError):
            self.reporter.note(str(error))
        self.reporter.note("Closing connection -1")
        return self.finish(error)

    # ---- before

    def _prepare(self) -> Transfer:
        config, command = self.config, self.command
        method = settle_method(config, command.warn, uploads=self._upload is not None)
        text = method_note(config, method, command.config.verbose)
        if text and not command.config.silent:
            command.stderr.write(text)
        if self._upload is not None and self._upload not in ("-", "."):
            self.url_text = add_upload_name(self.url_text, self._upload)
        if config.query is not None:
            self.url_text = append_query(self.url_text, config.query)
        url = self._parse_url()
        try:
            self.output = self._choose_output(url)
            self._given_body = given = given_body(config, method, self._upload, url.scheme)
        except errors.FetchError as error:
            self._tell_of(error, Transfer(config, url, method))
            raise
        if given.is_there_already:
            self._refusal = errors.PartialFileError(UPLOADED)
        self._dump = self._open_dump()
        self.reporter = reporter = Reporter(config, self.output, self._dump, command.open_tracer(self.output))
        transfer = Transfer(
            config,
            url,
            method,
            body=given.body,
            content_type=given.content_type,
            observer=reporter,
            cookies=command.cookies if config.uses_cookie_jar else None,
        )
        self._resume(transfer)
        transfer.extra_headers = self._given_headers = self._extra_headers()
        reporter.result = transfer.result
        reporter.on_head = self._see_head
        reporter.number = self.number
        if config.include and self.output.is_terminal:
            self._dress(reporter, transfer)
        transfer.result.referer = config.referer
        return transfer

    def _tell_of(self, error: errors.FetchError, transfer: Transfer) -> None:
        """-w has its say of a transfer whose files cannot be opened, although the command ends with it."""
        result, kinds = transfer.result, (errors.ReadFailedError, errors.WriteFailedError)
        result.exit_code = error.exit_code
        result.error = next((kind.default_text for kind in kinds if kind.exit_code == error.exit_code), "")
        if self.config.write_out:
            self.command.write_out(self, transfer)

    def _dress(self, reporter: Reporter, transfer: Transfer) -> None:
        """Make heads fit for a terminal; bold only where that is wanted (https://no-color.org)."""
        if self.command.config.styled_output and not self.command.environment.get("NO_COLOR"):
            from pycurl_redox.styled import styled

            reporter.style = lambda line: styled(line, transfer.url)
        else:
            from pycurl_redox.terminal import harmless

            reporter.style = harmless

    def _parse_url(self) -> Url:
        """Read the URL; one that cannot be read fails where a transfer would, so that -w tells of it."""
        config = self.config
        try:
            url = parse_url(
                self.url_text,
                default_scheme=config.proto_default,
                path_as_is=config.path_as_is,
                allow_user=not config.disallow_username_in_url,
                allow_file=True,
                any_scheme=True,
            )
        except errors.FetchError as error:
            self._refusal = error
            return unread_url(self.url_text)
        if url.scheme not in DEFAULT_PORTS and url.scheme != "file":
            self._refusal = errors.protocol_not_supported(url.scheme)
        return url

    def _extra_headers(self) -> list[str]:
        """What --json and --etag-compare add to -H."""
        config, extra = self.config, []
        if config.json:
            given = CustomHeaders(config.headers)
            for name in ("Content-Type", "Accept"):
                if name.lower() not in given:
                    extra.append(f"{name}: application/json")
        if config.etag_compare is not None:
            from pycurl_redox.data import read_file

            try:
                etag = read_file(config.etag_compare).translate(None, b"\r\n").partition(b"\0")[0]
            except OSError as error:
                if isinstance(error, FileNotFoundError) and config.etag_save is None:
                    self.command.say(f"curl: Failed to open {config.etag_compare}\n")
                    raise errors.UsageError("", errors.ReadFailedError.exit_code) from None
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
            self.lacks_etag_file = True
            raise SkippedError from None

    def _see_head(self, head: Head) -> None:
        """Take from a head what names files: --etag-save and -J."""
        if self._etag_file is not None and (etag := head.header(b"etag")):
            if self.config.etag_save and os.path.isfile(self.config.etag_save):
                self._etag_file.truncate(0)
            self._etag_file.write(etag + b"\n")
        if self.config.remote_header_name and self._node.remote_name:
            from pycurl_redox.disposition import file_name_of

            name = file_name_of(head.header(b"content-disposition") or b"")
            if name == "":
                raise errors.WriteFailedError("Failed writing header")
            if name and not self.output.name_is_from_header:
                if self.output.has_begun:  # -C has opened the file that the URL names
                    raise errors.WriteFailedError("Failed writing header")
                self.output.path = self._in_folder(name)
                self.output.name_is_from_header = True
                self.output.open()  # whatever becomes of the transfer, as in curl

    def _in_folder(self, path: str) -> str:
        """The path below --output-dir, were it one from the root."""
        folder = self.config.output_dir
        return f"{folder}/{path}" if folder else path

    def _choose_output(self, url: Url) -> Output:
        config, node = self.config, self._node
        if node.output_is_null:
            return NullOutput()
        path = node.output
        if node.remote_name:
            try:
                path = remote_name(self._typed_url)
            except errors.FetchError as error:
                self.command.say(
                    "curl: Failed to extract a sensible file name from the URL to use for storage!\n"
                )
                raise type(error)() from error
            if not path and not config.remote_header_name:
                self.command.say("curl: Remote file name has no length!\n")
                raise errors.WriteFailedError()
        elif path and self._values:
            from pycurl_redox.glob import output_name

            path = output_name(path, self._values)
        if path == "-" or path is None:
            output = Output(None)
            output.takes_binary = path == "-"
            return output
        path = self._in_folder(path)
        if config.skip_existing and self._upload is None and path and os.path.exists(path):
            if self.command.config.verbose:
                self.command.stderr.write(note(f'skips transfer, file exists: "{path}"'))
            raise SkippedError
        output = Output(path, clobber=config.clobber)
        if config.create_dirs:
            self._make_folders(output)
        return output

    def _make_folders(self, output: Output) -> None:
        try:
            output.make_folders()
        except FolderNotMadeError as error:
            self.command.write_stderr(f"{error.reason}\n")
            raise

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
        body = transfer.body
        if at and self._upload is None and body is not None and (body.length or 0) <= at:
            self._refusal = errors.PartialFileError(UPLOADED)
        transfer.resume_from = at
        self.output.appends = at > 0
        if at and self.output.path is not None and self._upload is None:
            self.output.open()

    # ---- the transfer

    async def _attempt(self, transfer: Transfer) -> errors.FetchError | None:
        for text in self.setup.notes:
            self.reporter.note(text)
        line = self._progress(transfer)
        if line is None:
            return await self._transfer(transfer)
        reporter = self.reporter
        reporter.progress = line
        task = self.fetcher.network.spawn(line.run(transfer.result))
        try:
            return await self._transfer(transfer)
        finally:
            task.cancel()
            reporter.transfer_ended()

    def _progress(self, transfer: Transfer) -> ProgressLine | None:
        config = self.command.config
        if config.parallel or config.silent or config.no_progress_meter or self.output.is_terminal:
            return None
        from pycurl_redox.reporter import ProgressLine

        return ProgressLine(
            self.command.write_stderr,
            self.fetcher.network.now,
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

        config, result, network = self.config, transfer.result, self.fetcher.network
        watch = SpeedWatch(config.speed_limit, config.speed_time)
        task = network.spawn(self._receive_all(transfer))
        try:
            while not task.is_done:
                if await task.finished.wait(network.now() + 1.0) or not result.method:
                    continue
                if watch.is_too_slow(network.now(), result.downloaded + result.uploaded):
                    result.total = network.now() - result.began
                    failure = errors.too_slow(config.speed_limit, config.speed_time)
                    transfer.observer.note(str(failure))
                    return failure
            return task.result
        finally:
            task.cancel()

    async def _receive_all(self, transfer: Transfer) -> errors.FetchError | None:
        try:
            incoming = await self.fetcher.fetch(transfer)
            try:
                await self._receive(incoming)
            finally:
                incoming.close()
        except OutputRefusedError as error:
            self.command.warn(error.warning)
            return error
        except errors.FetchError as error:
            return error
        if self.config.fail_with_body and transfer.result.status >= 400:
            return errors.http_returned(transfer.result.status)
        return None

    async def _receive(self, incoming: Incoming | FileTransfer) -> None:
        left_out: int | None = 0
        if self._continuation is not None and incoming.head is not None:
            left_out = self._continuation.left_out(incoming.head, incoming.result.expected)
        write = self.output.write
        try:
            while len(chunk := await incoming.read()):
                if left_out is None:
                    continue  # nobody wants it, but the connection may serve again
                if left_out:
                    held = min(left_out, len(chunk))
                    left_out -= held
                    chunk = memoryview(chunk)[held:]
                write(chunk)
        except errors.WriteFailedError as error:
            self.reporter.note(str(error))
            raise
        if self.output.path is not None and left_out is not None and not incoming.is_unmet:
            self.output.complete()

    # ---- the next try

    async def _perform_again_and_again(
        self, transfer: Transfer, pause: Callable[[float], Awaitable[object]]
    ) -> int:
        from pycurl_redox.continuation import Continuation
        from pycurl_redox.retry import Retries

        command, now = self.command, self.fetcher.network.now
        retries = Retries(self.config, now())
        self._continuation = following = Continuation(
            self.config, self.output, self.reporter.note, command.throw_away
        )
        while True:
            following.begin()
            error = await self._attempt(transfer)
            if isinstance(error, errors.HttpReturnedError) and following.headers():
                following.left_out(transfer.result.heads[-1], None)  # -f has kept the answer from us
            if following.asks_for_whole:
                self.transfer = transfer = self._again(transfer, transfer.result.retries)
                continue
            lasting = following.ended(transfer, error)
            wait = retries.wait(transfer, error, now(), command.complain, command.warn)
            if wait is None:
                return self.finish(lasting)
            try:
                following.plan(transfer)
            except errors.FetchError as failure:
                return self.finish(failure)
            await pause(now() + wait)
            self.transfer = transfer = self._again(transfer, transfer.result.retries + 1)

    def _again(self, transfer: Transfer, retries: int) -> Transfer:
        """Plan the transfer anew."""
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
        again.extra_headers = [
            *self._given_headers,
            *(self._continuation.headers() if self._continuation else ()),
        ]
        again.result.referer = self.config.referer
        again.result.retries = retries
        if again.body is not None:
            again.body.rewind()
        self.reporter.result = again.result
        return again

    # ---- after

    def finish(self, error: errors.FetchError | None) -> int:
        """Tell of the transfer that has ended, and return its exit code."""
        command, transfer = self.command, self.transfer
        assert transfer is not None
        result = transfer.result
        try:
            self.output.write_held()
        except errors.WriteFailedError as failure:
            failure.args = ("Failed writing body",)
            error = error or failure
        if error is not None:
            self.error = error
            result.exit_code, result.error = error.exit_code, str(error)
            if self.config.fail_with_body and isinstance(error, errors.HttpReturnedError):
                result.error = error.default_text  # libcurl knows of no failure
            command.complain(error)
        if self.reporter.bar_is_open:
            command.write_stderr("\n")
        if error is not None:
            if self.config.remove_on_error:
                self.output.close()
                self.output.remove()
        else:
            if self.config.xattr:
                self._tell_origin(transfer)
            if self.config.remote_time:
                self._set_remote_time(result)
        if self.config.write_out:
            command.write_out(self, transfer)
        if self.config.cookie_jar is not None:
            command.save_cookies(self.config.cookie_jar, self.reporter.note)
        self.setup.save_state()
        return result.exit_code

    def clean_up(self) -> None:
        """Close what `prepare` and the transfer have opened; may be called again."""
        self.output.close()
        given = self._given_body
        for file in (given.file if given is not None else None, self._dump, self._etag_file):
            if file is not None:
                file.close()

    def _tell_origin(self, transfer: Transfer) -> None:
        path = self.output.path
        if path is None or not os.path.exists(path):
            return
        from pycurl_redox.xattr import tell_origin

        url = transfer.first_url.text(with_login=False)
        content_type = transfer.result.header(b"content-type")
        tell_origin(path, url, transfer.result.referer, content_type, self.command.warn)

    def _set_remote_time(self, result: Result) -> None:
        """Give the file the time that its original has."""
        path = self.output.path
        if path is None or not self.output.has_begun or not os.path.isfile(path):
            return
        modified, last_modified = result.file_modified, result.header(b"last-modified")
        if modified is None and last_modified is not None:
            from pycurl_redox.dates import parse_date

            modified = parse_date(last_modified.decode("latin-1"))
        if modified is None or modified < 0:
            return
        self.output.close()  # what is still to be written would change it again
        try:
            os.utime(path, (modified, modified))
        except OSError as error:
            self.command.warn(f"Failed to set filetime {modified} on outfile: {error.strerror}")

"""The transfers of a command line, one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, TextIO

from pycurl_redox import errors, messages
from pycurl_redox.pool import Pool
from pycurl_redox.routing import Routing
from tcpip.clock import wall_clock

if TYPE_CHECKING:
    from pycurl_redox.config import OperationConfig, UrlNode
    from pycurl_redox.cookies import CookieJar
    from pycurl_redox.dial import NetworkLike
    from pycurl_redox.fetch import Fetcher
    from pycurl_redox.job import Job
    from pycurl_redox.options import CommandLine
    from pycurl_redox.trace import Tracer
    from pycurl_redox.transfer import Transfer

GRACE = 1.0
"""Seconds that closing connections may take at the end."""


class Command:
    """What the transfers of one command share."""

    def __init__(
        self,
        line: CommandLine,
        environment: Mapping[str, str],
        network_factory: Callable[[str], NetworkLike],
        stderr: TextIO,
    ) -> None:
        self.config = line.config
        self.operations = line.operations
        self.environment = environment
        self.stderr = stderr
        self.pool = Pool()
        self.cookies: CookieJar | None = None
        self.transfers_done = 0
        self.dumped: set[str] = set()
        """Files of -D that have been begun: the next transfer adds to them."""
        self._network_factory = network_factory
        self._network: NetworkLike | None = None
        self.tracer: Tracer | None = None

    @property
    def network(self) -> NetworkLike:
        """Brought up when the first transfer needs it: a bad URL costs no DHCP."""
        if self._network is None:
            self._network = self._network_factory(self.config.nic)
        return self._network

    def run(self) -> int:
        """Do all transfers; the exit code is that of the last one, or of the first failure with --fail-early."""
        exit_code = 0
        for operation in self.operations:
            if not operation.has_url:
                raise_no_url = errors.UsageError("no URL specified!")
                self.stderr.write(raise_no_url.report())
                return raise_no_url.exit_code
            try:
                exit_code = self._run_operation(operation)
            except errors.UsageError as error:
                self.stderr.write(error.report() if error.text else "")
                return error.exit_code
            if exit_code and self.config.fail_early:
                break
        return exit_code

    def close(self) -> None:
        """End connections in order, and the network with them."""
        network, self._network = self._network, None
        if network is not None:
            try:
                network.run(self._close_connections(network))
            finally:
                network.close()
        if self.tracer is not None:
            self.tracer.close()
        self.stderr.flush()

    def open_tracer(self) -> Tracer | None:
        return None

    def load_cookies(self, path: str, junk_session_cookies: bool) -> None:
        """Take the cookies of a file; one that cannot be read is none."""
        assert self.cookies is not None
        from pycurl_redox.data import read_file

        if not path:
            return
        try:
            self.cookies.load(read_file(path), int(wall_clock()))
        except OSError:
            return
        if junk_session_cookies:
            self.cookies.forget_session_cookies()

    def save_cookies(self, path: str) -> None:
        """Write the jar; "-" is stdout."""
        assert self.cookies is not None
        now = int(wall_clock())
        try:
            if path == "-":
                sys.stdout.buffer.write(self.cookies.file_text(now))
                sys.stdout.flush()
            else:
                self.cookies.save(path, now)
        except OSError as error:
            self.warn(f"failed to save cookies in {path}: {error.strerror}")

    def write_out(self, job: Job, transfer: Transfer) -> None:
        pass

    def warn(self, text: str) -> None:
        """Write a warning, unless -s."""
        if not self.config.silent:
            self.stderr.write(messages.warning(text))

    def complain(self, error: errors.FetchError) -> None:
        """Write an error, unless -s without -S."""
        if not self.config.silent or self.config.show_error:
            self.stderr.write(error.report())
            self.stderr.flush()

    def _run_operation(self, operation: OperationConfig) -> int:
        from pycurl_redox.job import Job

        exit_code = 0
        setup = OperationSetup(self, operation)
        for node in operation.urls:
            if node.url is None:
                self.warn("Got more output options than URLs")
                continue
            try:
                for upload, url, values in setup.expansions(node):
                    exit_code = Job(self, setup, node, url, values, upload).run()
                    self.transfers_done += 1
                    if exit_code and self.config.fail_early:
                        return exit_code
            except errors.UsageError:
                raise
            except errors.FetchError as error:
                self.complain(error)
                exit_code = error.exit_code
                if self.config.fail_early:
                    return exit_code
        return exit_code

    async def _close_connections(self, network: NetworkLike) -> None:
        for connection in self.pool.take_all():
            await connection.close(network.now() + GRACE)


class OperationSetup:
    """What the transfers of one operation share."""

    def __init__(self, command: Command, operation: OperationConfig) -> None:
        self.command = command
        self.config = operation
        self.routing = Routing(operation, command.environment, command.warn)
        self._fetcher: Fetcher | None = None
        if operation.cookie_files or operation.cookie_jar is not None:
            self._load_cookies()

    @property
    def fetcher(self) -> Fetcher:
        if self._fetcher is None:
            from pycurl_redox.fetch import Fetcher
            from pycurl_redox.tls_settings import TlsSettings

            command = self.command
            tls = TlsSettings(self.config, command.environment)
            self._fetcher = Fetcher(command.network, command.pool, self.routing, tls)
        return self._fetcher

    def expansions(self, node: UrlNode) -> Iterator[tuple[str | None, str, tuple[str, ...]]]:
        """Go through the URLs that one argument stands for: upload, URL, and what its pattern stood for."""
        assert node.url is not None
        for upload in self._glob(node.upload):
            for url, values in self._urls(node.url):
                yield (upload[0] if upload else None), url, values

    def _urls(self, pattern: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        for expansion in self._glob(pattern):
            assert expansion is not None
            yield expansion

    def _glob(self, pattern: str | None) -> Iterator[tuple[str, tuple[str, ...]] | None]:
        if pattern is None:
            yield None
        elif self.config.globoff or not ("{" in pattern or "[" in pattern or "\\" in pattern):
            yield pattern, ()
        else:
            from pycurl_redox.glob import Glob

            for expansion in Glob(pattern):
                yield expansion.url, expansion.values

    def _load_cookies(self) -> None:
        from pycurl_redox.cookies import CookieJar

        command = self.command
        if command.cookies is None:
            command.cookies = CookieJar()
        for path in self.config.cookie_files:
            command.load_cookies(path, self.config.junk_session_cookies)

"""The transfers of a command line: all that they share, and their order."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

from pycurl_redox import errors, messages
from pycurl_redox.descriptors import transfers_at_once
from pycurl_redox.output import open_deaf
from pycurl_redox.pool import MAX_IDLE, Names, Pool, SharedSessions
from pycurl_redox.routing import Routing
from tcpip.clock import wall_clock
from tcpip.scheduler import sleep_until

if TYPE_CHECKING:
    from pycurl_redox.alt_svc import AltSvcCache
    from pycurl_redox.config import OperationConfig, UrlNode
    from pycurl_redox.cookies import CookieJar
    from pycurl_redox.dial import NetworkLike
    from pycurl_redox.fetcher import Fetcher
    from pycurl_redox.hsts import HstsCache
    from pycurl_redox.job import Job
    from pycurl_redox.no_network import NoNetwork
    from pycurl_redox.options import CommandLine
    from pycurl_redox.output import Output
    from pycurl_redox.reporter import Tracer
    from pycurl_redox.session_file import SessionFile
    from pycurl_redox.tls_options import TlsOptions
    from pycurl_redox.tls_settings import TlsSettings
    from pycurl_redox.transfer import Transfer

Note = Callable[[str], None]

FATAL = (2, 27, 41, 43, 48)
"""Exit codes after which curl begins no further transfer."""

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
        config = self.config
        rest = min(max(MAX_IDLE, config.parallel_max), transfers_at_once())
        self.pool = Pool(rest, config.parallel_max_host)
        self.names = Names()
        self.cookies: CookieJar | None = None
        self.exit_code = 0
        self._jars: dict[str, Note] = {}
        self.hsts: HstsCache | None = None
        self.alt_svc: AltSvcCache | None = None
        self.tls_sessions = SharedSessions()
        self._last_began: float | None = None
        self._network_factory = network_factory
        self._network: NetworkLike | None = None
        self._no_network: NoNetwork | None = None
        self._tracer: Tracer | None = None
        self._trace_file: BinaryIO | None = None

    @property
    def network(self) -> NetworkLike:
        """Brought up when the first transfer needs it: a bad URL costs no DHCP."""
        if self._network is None:
            self._network = self._network_factory(self.config.nic)
        return self._network

    @property
    def no_network(self) -> NoNetwork:
        """What runs a transfer that needs none."""
        if self._no_network is None:
            from pycurl_redox.no_network import NoNetwork

            self._no_network = NoNetwork()
        return self._no_network

    def run(self) -> int:
        """Do all transfers; the exit code is the last one's, or the first failure's with --fail-early.

        Side by side it is that of the last one that failed.
        """
        try:
            if self.config.parallel:
                from pycurl_redox.parallel import SideBySide

                self.network.run(SideBySide(self).run())
            else:
                self._run_in_turn()
        except errors.UsageError as error:
            self.stderr.write(error.report() if error.text else "")
            self.exit_code = self.exit_code or error.exit_code
            if error.text and error.exit_code == errors.ReadFailedError.exit_code:
                self.complain_plainly(error.exit_code, errors.ReadFailedError.default_text)
        return self.exit_code

    def jobs(self) -> Iterator[Job]:
        """Make the jobs of all operations, each when it is asked for."""
        from pycurl_redox.job import Job

        number = 0
        for operation in self.operations:
            if not operation.has_url:
                raise errors.UsageError("no URL specified!")
            setup = OperationSetup(self, operation)
            for node in operation.urls:
                if node.url is None:
                    self.warn("Got more output options than URLs")
                    continue
                for upload, url, values in setup.expansions(node):
                    yield Job(self, setup, node, url, values, upload, number)
                    number += 1

    def close(self) -> None:
        """End connections in order, and the network with them."""
        network, self._network = self._network, None
        if network is not None:
            try:
                network.run(self._close_connections(network))
            finally:
                network.close()
        if self._no_network is not None:
            self._no_network.close()
        if self._trace_file is not None:
            self._trace_file.close()
        self.stderr.flush()

    def open_tracer(self, output: Output) -> Tracer | None:
        """Return the tracer of -v or --trace, or None; one for all, but where lines may be mixed."""
        config = self.config
        if not config.trace_kind:
            return None
        from pycurl_redox.reporter import Tracer

        if self._tracer is None:
            self._tracer = Tracer(config, self._open_trace(config.trace), not output.is_terminal)
        elif config.parallel:
            return Tracer(config, self._tracer.file, not output.is_terminal)
        return self._tracer

    def _open_trace(self, path: str | None) -> BinaryIO:
        """None, of -v, and "%" are stderr, "-" is stdout."""
        if path is None or path == "%":
            return cast(BinaryIO, getattr(self.stderr, "buffer", sys.stderr.buffer))
        try:
            file = open_deaf(path, "w")
        except OSError:
            self.warn(f"Failed to create/open output {path}")
            return sys.stderr.buffer
        if path != "-":
            self._trace_file = file
        return file

    def load_cookies(self, path: str, junk_session_cookies: bool) -> bool:
        """Take the cookies of a file; one that cannot be read is none.  False where there is no such file."""
        assert self.cookies is not None
        from pycurl_redox.data import read_file

        if not path:
            return True
        try:
            self.cookies.load(read_file(path), int(wall_clock()))
        except OSError as error:
            return isinstance(error, IsADirectoryError)
        if junk_session_cookies:
            self.cookies.forget_session_cookies()
        return True

    def save_cookies(self, path: str, note: Note) -> None:
        """Write the jar, "-" is stdout; side by side a file is written when all have ended."""
        if self.config.parallel and path != "-":
            self._jars[path] = note
        else:
            self._save_cookies(path, note)

    def save_cookie_jars(self) -> None:
        """Write the jars that `save_cookies` has put off."""
        for path, note in self._jars.items():
            self._save_cookies(path, note)

    def _save_cookies(self, path: str, note: Note) -> None:
        assert self.cookies is not None
        now = int(wall_clock())
        try:
            if path == "-":
                sys.stdout.buffer.write(self.cookies.file_text(now))
                sys.stdout.flush()
            else:
                self.cookies.save(path, now)
        except OSError:  # the manual: only -v tells of it
            note(f"WARNING: failed to save cookies in {path}: {errors.WriteFailedError.default_text}")

    def write_out(self, job: Job, transfer: Transfer) -> None:
        """Do what -w says."""
        from pycurl_redox import writeout
        from pycurl_redox.outcome import values_of
        from pycurl_redox.version import curl_version

        result = transfer.result
        head = result.head
        terminals = {"stdout": sys.stdout, "stderr": self.stderr}
        told = writeout.Transfer(
            values_of(job, transfer),
            head.original_headers() if head else (),
            curl_version(),
            wall_clock(),
            frozenset(name for name, stream in terminals.items() if stream.isatty()),
        )
        for piece in writeout.write_out(job.config.write_out or "", told):
            if piece.stream == "stderr":
                self.stderr.write(piece.octets.decode("utf-8", "surrogateescape"))
                self.stderr.flush()
            elif piece.stream == "stdout":
                stdout = open_deaf("-", "w")
                stdout.write(piece.octets)
                stdout.flush()
            else:
                appends = piece.stream.startswith(">>")
                with open_deaf(piece.stream.lstrip(">"), "a" if appends else "w") as file:
                    file.write(piece.octets)

    def write_stderr(self, text: str) -> None:
        """Write at once: the progress meter has no line ends."""
        self.stderr.write(text)
        self.stderr.flush()

    def say(self, text: str) -> None:
        """Write what goes before an error, unless -s; -S does not matter to curl here."""
        if not self.config.silent:
            self.write_stderr(text)

    def throw_away(self, octets: int) -> None:
        """Say that part of a file is given up for another try, unless -s."""
        if not self.config.silent:
            self.write_stderr(f"Throwing away {octets} bytes\n")

    def warn(self, text: str) -> None:
        """Write a warning, unless -s."""
        if not self.config.silent:
            self.stderr.write(messages.warning(self._shown(text)))

    def complain(self, error: errors.FetchError) -> None:
        """Write an error, unless -s without -S."""
        if not self.config.silent or self.config.show_error:
            self.write_stderr(self._shown(error.report()))

    def complain_plainly(self, exit_code: int, text: str) -> None:
        """Write an exit code and what it means in general."""
        if not self.config.silent or self.config.show_error:
            self.write_stderr(f"curl: ({exit_code}) {text}\n")

    def _shown(self, text: str) -> str:
        """What a server said may be part of it: a terminal gets no controls of its."""
        if not self.stderr.isatty():
            return text
        from pycurl_redox.terminal import harmless_text

        return harmless_text(text)

    def _run_in_turn(self) -> None:
        lacking = performed = False
        try:
            for job in self.jobs():
                self._wait_for_turn()
                self.exit_code = job.run()
                if self.exit_code and (self.config.fail_early or self.exit_code in FATAL):
                    return
                lacking |= job.lacks_etag_file
                performed |= not job.lacks_etag_file
            if lacking and not performed:
                self.say("curl: no transfer performed\n")
                self.exit_code = errors.ReadFailedError.exit_code
        except errors.UsageError:
            raise
        except errors.FetchError as error:
            self.complain(error)
            self.exit_code = self.exit_code or error.exit_code  # an earlier transfer's goes first, as in curl

    def _wait_for_turn(self) -> None:
        """--rate: so much time lies between the beginnings of two transfers."""
        apart = self.config.milliseconds_per_transfer / 1000
        if not apart:
            return
        now = self.network.now()
        if self._last_began is not None and self._last_began + apart > now:
            self.network.run(sleep_until(self._last_began + apart))
            now = self.network.now()
        self._last_began = now

    async def _close_connections(self, network: NetworkLike) -> None:
        deadline = network.now() + GRACE
        for connection in self.pool.take_all():
            await connection.close(deadline)


class OperationSetup:
    """What the transfers of one operation share."""

    def __init__(self, command: Command, operation: OperationConfig) -> None:
        self.command = command
        self.config = operation
        self.routing = Routing(operation, command.environment, command.warn)
        self.dump_has_begun = False
        """The file of -D holds a head already: the next one is added."""
        self.notes: list[str] = []
        """What `-v` says at the beginning of each try."""
        self._fetchers: dict[bool, Fetcher] = {}
        self._session_file: SessionFile | None = None
        if operation.uses_cookie_jar:
            self._load_cookies()
        if operation.hsts is not None or operation.alt_svc is not None:
            self._load_state(operation)
        if operation.ssl_sessions is not None:
            self._load_sessions(operation.ssl_sessions)

    def fetcher(self, *, needs_network: bool) -> Fetcher:
        """Return who fetches; side by side all do so on the network's loop."""
        command = self.command
        needs_network |= command.config.parallel
        if needs_network not in self._fetchers:
            from pycurl_redox.fetcher import Fetcher

            network = command.network if needs_network else command.no_network
            fetcher = Fetcher(network, command.pool, self.routing, self._make_tls, command.names)
            fetcher.hsts, fetcher.alt_svc = command.hsts, command.alt_svc
            self._fetchers[needs_network] = fetcher
        return self._fetchers[needs_network]

    def _make_tls(self, options: TlsOptions) -> TlsSettings:
        from pycurl_redox.tls_settings import TlsSettings

        command = self.command
        return TlsSettings(options, command.environment, may_ask=True, sessions=command.tls_sessions)

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
        elif self.config.globoff or not any(letter in pattern for letter in "{[\\]}"):
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
            if not command.load_cookies(path, self.config.junk_session_cookies):
                self.notes.append(f'WARNING: failed to open cookie file "{path}"')

    def _load_state(self, operation: OperationConfig) -> None:
        """Take what --hsts and --alt-svc have kept; both are the whole command's from here on, as in curl."""
        command = self.command
        if operation.hsts is not None:
            from pycurl_redox.hsts import HstsCache

            command.hsts = command.hsts or HstsCache()
            self._load_file(command.hsts, operation.hsts)
        if operation.alt_svc is not None:
            from pycurl_redox.alt_svc import AltSvcCache

            command.alt_svc = command.alt_svc or AltSvcCache()
            self._load_file(command.alt_svc, operation.alt_svc)

    def _load_file(self, cache: HstsCache | AltSvcCache, path: str) -> None:
        try:
            with open(path or os.devnull, "rb") as file:
                cache.load(file.read(), int(wall_clock()))
        except OSError:
            pass  # it will be made

    def _load_sessions(self, path: str) -> None:
        from pycurl_redox.session_file import SessionFile

        self._session_file = SessionFile(path, self.command.warn)
        self._session_file.load(self.command.tls_sessions.open())

    def save_state(self) -> None:
        """Write the files of --hsts and --alt-svc; as in curl, one that cannot be written is not told of."""
        command = self.command
        self._save_sessions()
        self._save_file(command.hsts, self.config.hsts)
        self._save_file(command.alt_svc, self.config.alt_svc)

    def _save_sessions(self) -> None:
        store = self.command.tls_sessions.store
        if self._session_file is not None and store is not None and store.has_unsaved:
            self._session_file.save(store)

    def _save_file(self, cache: HstsCache | AltSvcCache | None, path: str | None) -> None:
        if cache is None or not path or not cache.is_changed:
            return
        from pycurl_redox.state_file import replace_file

        cache.is_changed = False
        try:
            replace_file(path, cache.file_text(int(wall_clock())))
        except OSError:
            pass

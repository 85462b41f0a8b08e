"""The command: arguments in, exit code out.

`main` reads the command line and answers what needs no network; `command`
does the transfers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO, cast

from pycurl_redox import errors
from pycurl_redox.commands import INTERRUPTED
from pycurl_redox.options import CommandLine, Redirection, read_command_line
from pycurl_redox.own_process import run_in_own_process

if TYPE_CHECKING:
    from pycurl_redox.dial import NetworkLike

NetworkFactory = Callable[[str], "NetworkLike"]


def main(arguments: Sequence[str] | None = None, network_factory: NetworkFactory | None = None) -> int:
    """Run the command and return its exit code; without arguments, those of the process, then ours."""
    if arguments is None:
        return run_in_own_process(
            lambda: main(sys.argv[1:], network_factory), "curl", errors.WriteFailedError.exit_code
        )
    try:
        return _run(arguments, network_factory or _open_network)
    except errors.FetchError as error:  # of the network as a whole; a transfer's own is told where it happens
        sys.stderr.write(error.report())
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return errors.WriteFailedError.exit_code


def _run(arguments: Sequence[str], network_factory: NetworkFactory) -> int:
    try:
        line = read_command_line(arguments, os.environ)
    except errors.UsageError as error:
        stderr = _say(error.messages, error.redirections)
        stderr.write(error.report())
        stderr.flush()
        return error.exit_code
    stderr = _say(line.messages, line.redirections)
    if line.action != "run":
        return _answer(line)
    for operation in line.operations:
        if operation.user is not None or operation.proxy_user is not None:
            from pycurl_redox.password import complete_logins

            complete_logins(line.operations)
            break
    from pycurl_redox.command import Command

    command = Command(line, os.environ, network_factory, stderr)
    try:
        return command.run()
    finally:
        command.close()


def _answer(line: CommandLine) -> int:
    """--help, --manual, --version and --dump-ca-embed; that nobody reads it is no failure, as in curl."""
    text = ""
    if line.action == "version":
        from pycurl_redox.version import version_text

        text = version_text()
    elif line.action == "help":
        from pycurl_redox.help import help_text

        text = help_text(line.config.help_category)
    elif line.action == "manual":
        from pycurl_redox.manual import manual_text

        text = manual_text()
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        _forget_stdout()
    return 0


def _say(messages: list[str], redirections: Sequence[Redirection]) -> TextIO:
    """Write each message to where --stderr had sent them by then; return where the next ones go."""
    stderr, said = sys.stderr, 0
    for count, path, silent in redirections:
        stderr.write("".join(messages[said:count]))
        stderr, said = _open_stderr(path, silent, stderr), count
    stderr.write("".join(messages[said:]))
    return stderr


def _open_stderr(path: str, silent: bool, current: TextIO) -> TextIO:
    current.flush()
    if path == "-":
        return sys.stdout
    try:
        import io

        from pycurl_redox.output import open_deaf

        file = io.BufferedWriter(cast(io.RawIOBase, open_deaf(path, "w")))
        return io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", line_buffering=True)
    except OSError:
        from pycurl_redox.messages import warning

        if not silent:
            current.write(warning(f"Failed to open {path}!"))
        return current


def _open_network(nic: str) -> NetworkLike:
    from pycurl_redox.network import open_network

    return open_network(nic)


def _forget_stdout() -> None:
    """Nobody reads any more: the interpreter must not fail again when it flushes."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115

"""`--resolve` and `--connect-to`: other addresses and other hosts than the URL's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pycurl_redox.errors import OptionSyntaxError

MAX_NAME_LENGTH = 255
MAX_ADDRESS_LENGTH = 63


class ResolveRules:
    """What `--resolve` says, in the order of the command line, once it is loaded.

    `notes` are the lines that `-v` shows when the rules are taken.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._entries = list(entries)
        self._addresses: dict[tuple[str, int], list[str]] = {}
        self.notes: list[str] = []

    def load(self) -> None:
        """Take the rules, for each transfer anew as curl does: the notes then say that old ones go.

        Raises `OptionSyntaxError` (exit code 49) for one that is none, after its note.
        """
        self.notes = []
        for entry in self._entries:
            if entry.startswith("-"):
                self._remove(entry)
            else:
                self._add(entry)

    def addresses(self, host: str, port: int) -> list[str] | None:
        """Return a host's addresses as text, or None to look it up; a rule for `*` is for every host."""
        host = host.lower()
        return self._addresses.get((host, port)) or self._addresses.get(("*", port))

    def _remove(self, entry: str) -> None:
        host, _, rest = entry[1:].partition(":")
        digits = rest.partition(":")[0]  # what follows the port is passed over
        if not host or not digits.isascii() or not digits.isdigit():
            self.notes.append(f"Couldn't parse CURLOPT_RESOLVE removal entry '{entry}'")
            return
        self._addresses.pop((host.lower(), int(digits[:6])), None)

    def _add(self, entry: str) -> None:
        host, colon, rest = entry.removeprefix("+").partition(":")
        digits, port_colon, addresses = rest.partition(":")
        if not colon or len(host) > MAX_NAME_LENGTH or not port_colon or not _is_port(digits):
            raise self._refused(entry)
        found = []
        for text in addresses.split(","):
            address = self._address(text) if text else ""
            if address is None:
                raise self._refused(entry)
            found += [address] if address else []
        if not found:
            raise self._refused(entry)
        port = int(digits)
        if (host.lower(), port) in self._addresses:
            self.notes.append(f"RESOLVE {host}:{port} is - old addresses discarded")
        self._addresses[host.lower(), port] = found
        passing = " (non-permanent)" if entry.startswith("+") else ""
        self.notes.append(f"Added {host}:{port}:{addresses} to DNS cache{passing}")
        if host == "*":
            self.notes.append(f"RESOLVE {host}:{port} is wildcard, enabling wildcard checks")

    def _address(self, text: str) -> str | None:
        from tcpip.wire.address import IpAddress

        if text.startswith("["):
            if not text.endswith("]"):
                return None
            text = text[1:-1]
            if not text:
                return None
        try:
            if len(text) > MAX_ADDRESS_LENGTH:
                raise ValueError
            IpAddress.parse(text)
        except ValueError:
            self.notes.append(f"Resolve address '{text}' found illegal")
            return None
        return text

    def _refused(self, entry: str) -> OptionSyntaxError:
        error = OptionSyntaxError(f"Couldn't parse CURLOPT_RESOLVE entry '{entry}'")
        self.notes.append(str(error))
        return error


class ConnectTo(NamedTuple):
    """Where `--connect-to` leads: None keeps the URL's."""

    host: str | None
    port: int | None


def connect_to(entries: Iterable[str], host: str, port: int) -> ConnectTo | None:
    """Return the first rule HOST1:PORT1:HOST2:PORT2 that fits, or None; `host` without brackets.

    Raises `OptionSyntaxError` for a port that is none, once the rule fits.
    """
    shown = f"[{host}]" if ":" in host else host
    for entry in entries:
        rest = entry
        if rest.lower().startswith(shown.lower() + ":"):
            rest = rest[len(shown) + 1 :]
        elif rest.startswith(":"):
            rest = rest[1:]
        else:
            continue
        digits, colon, target = rest.partition(":")
        if colon and (not digits or (_is_port(digits) and int(digits) == port)):
            found = _parse_target(target)
            if found != (None, None):
                return found
    return None


def _parse_target(text: str) -> ConnectTo:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        host = host.replace("%25", "%", 1)
    else:
        host, colon, rest = text.partition(":")
        rest = colon + rest
    _, _, digits = rest.partition(":")
    if digits and not _is_port(digits):
        raise OptionSyntaxError(f"No valid port number in connect to host string ({digits})")
    return ConnectTo(host or None, int(digits) if digits else None)


def _is_port(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and len(digits) <= 10 and int(digits) <= 0xFFFF

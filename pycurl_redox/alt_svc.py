"""Alternative services (RFC 7838): where else an https origin may be asked, and their file (`--alt-svc`).

What servers offer is kept for every protocol; used are those that speak HTTP/1.1 ("h1" in curl's files).
"""

from __future__ import annotations

from pycurl_redox.state_file import FILE_MARK, date_text

PROTOCOLS = ("h1", "h2", "h3")
MAX_PROTOCOL_LENGTH = 10
MAX_HOST_LENGTH = 512
MAX_SERVICES = 1000
"""Services remembered; then the oldest goes.  curl knows no bound."""
MAX_LINE = 4095
DEFAULT_AGE = 24 * 3600
LAST_DATE = 253_402_300_799
"""The end of the year 9999: later dates could not be read again."""

_BLANKS = " \t"
_HOST_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"
_FILE_HEAD = "# Your alt-svc cache. https://curl.se/docs/alt-svc.html\n" + FILE_MARK

Origin = tuple[str, str, int]
"""Protocol, host and port."""


class Service:
    """One alternative for an origin."""

    __slots__ = ("expires", "origin", "persists", "priority", "to")

    def __init__(self, origin: Origin, to: Origin, expires: int, persists: bool, priority: int = 0) -> None:
        self.origin = origin
        self.to = to
        self.expires = expires
        self.persists = persists
        """Outlives a change of the network (RFC 7838 §3.1)."""
        self.priority = priority

    def file_line(self) -> str:
        return (
            f'{_origin_text(self.origin)} {_origin_text(self.to)} "{date_text(self.expires)}" '
            f"{int(self.persists)} {self.priority}\n"
        )


class AltSvcCache:
    """The services known, oldest first.  `now` is the wall clock's seconds since 1970."""

    def __init__(self) -> None:
        self._services: list[Service] = []
        self.is_changed = True
        """Something is to be saved; curl writes its file also when nothing was learnt."""

    def __len__(self) -> int:
        return len(self._services)

    def load(self, content: bytes, now: int) -> None:
        """Take the lines of a file but those that are none of curl's; what is over stays, as in curl."""
        for line in content.decode("latin-1").split("\n"):
            service = _parse_line(line) if len(line) <= MAX_LINE else None
            if service is not None:
                self._add(service)
        self.is_changed = True

    def receive(self, value: bytes, host: str, port: int, now: int) -> list[str]:
        """Take an Alt-Svc header that came over TLS and HTTP/1; return what `-v` says about it.

        The first service that it offers replaces all that were known of the origin (RFC 7838 §3.1).
        """
        text = value.decode("latin-1").lstrip(_BLANKS)
        origin = ("h1", host, port)
        if not 0 < len(_token(text)) <= MAX_PROTOCOL_LENGTH:
            return ["Excessive alt-svc header, ignoring."] if text else []
        if _token(text).lower() == "clear":
            self._forget(origin)
            return []
        services, notes = _parse_services(text, origin, now)
        if services:
            self._forget(origin)
        for service in services:
            self._add(service)
        return notes

    def find(self, host: str, port: int, now: int) -> tuple[str, int] | None:
        """Return host and port of the first alternative that speaks HTTP/1.1; None when there is none."""
        for service in self._services:
            if (
                service.to[0] == "h1"
                and service.expires > now
                and _is_same(service.origin, ("h1", host, port))
            ):
                return service.to[1:]
        return None

    def file_text(self, now: int) -> bytes:
        """Return the cache as a file."""
        lines = [service.file_line() for service in self._services]
        return (_FILE_HEAD + "".join(lines)).encode("latin-1")

    def _add(self, service: Service) -> None:
        if len(self._services) >= MAX_SERVICES:
            del self._services[0]
        self._services.append(service)
        self.is_changed = True

    def _forget(self, origin: Origin) -> None:
        self._services = [service for service in self._services if not _is_same(service.origin, origin)]
        self.is_changed = True


def _parse_line(line: str) -> Service | None:
    """Read `h1 HOST PORT h1 HOST PORT "DATE" PERSIST PRIORITY`."""
    from pycurl_redox.dates import parse_date

    before, _, rest = line.lstrip(_BLANKS).partition('"')
    date, _, after = rest.partition('"')
    fields, flags = before.split(), after.split()
    if len(fields) != 6 or len(flags) < 2 or not all(map(_is_number, [fields[2], fields[5], *flags[:2]])):
        return None
    origin = fields[0], fields[1].strip("[]").removesuffix("."), int(fields[2])
    to = fields[3], fields[4].strip("[]"), int(fields[5])
    expires = parse_date(date)
    if expires is None or not all(map(_may_be, (origin, to))):
        return None
    return Service(origin, to, expires, bool(int(flags[0])), int(flags[1]))


def _parse_services(text: str, origin: Origin, now: int) -> tuple[list[Service], list[str]]:
    """Read `PROTOCOL="HOST:PORT"; ma=SECONDS, ...` (RFC 7838 §3); what breaks the format ends it."""
    services: list[Service] = []
    notes: list[str] = []
    while True:
        protocol = _token(text)
        text = text[len(protocol) :]
        if not text.startswith('="'):
            break
        host, text = _leading(text[2:], _HOST_LETTERS)
        if (not text.startswith(":") and not text.startswith('"')) or len(host) >= MAX_HOST_LENGTH:
            notes.append("Excessive alt-svc host name, ignoring.")
            break
        port: int | None = origin[2]
        if text.startswith(":"):
            port, text = _read_port(text[1:])
        if port is None:
            notes.append("Unknown alt-svc port number, ignoring.")
            break
        parameters = _read_parameters(text[1:])
        if parameters is None:
            break
        age, persists, text = parameters
        if protocol.lower() in PROTOCOLS:
            to = protocol.lower(), host or origin[1], port
            services.append(Service(origin, to, min(now + age, LAST_DATE), persists))
            notes.append(f"Added alt-svc: {to[1]}:{port} over {to[0]}")
        if not text.startswith(","):
            break
        text = text[1:].lstrip(_BLANKS)
    return services, notes


def _read_port(text: str) -> tuple[int | None, str]:
    digits, rest = _leading(text, "0123456789")
    is_good = 0 < len(digits) < 10 and 0 < int(digits) <= 0xFFFF and rest.startswith('"')
    return (int(digits) if is_good else None), rest


def _read_parameters(text: str) -> tuple[int, bool, str] | None:
    """Read `; ma=SECONDS; persist=1`; return both and what follows, or None for what is no parameter."""
    age, persists = DEFAULT_AGE, False
    text = text.lstrip(_BLANKS)
    while text.startswith(";") and text[1:]:
        text = text[1:].lstrip(_BLANKS)
        name = _token(text)
        text = text[len(name) :].lstrip(_BLANKS)
        if not text.startswith("="):
            return None
        text = text[1:].lstrip(_BLANKS)
        if text.startswith('"'):
            value, quote, text = text[1:].partition('"')
            if not quote:
                return None
        else:
            end = next((at for at, letter in enumerate(text) if letter in " \t;,"), len(text))
            value, text = text[:end], text[end:]
        digits, _ = _leading(value, "0123456789")
        number = int(digits) if 0 < len(digits) < 20 else None
        if number is not None and name.lower() == "ma":
            age = number
        elif number == 1 and name.lower() == "persist":
            persists = True
        text = text.lstrip(_BLANKS)
    return age, persists, text


def _token(text: str) -> str:
    end = next((at for at, letter in enumerate(text) if letter in " \t;="), len(text))
    return text[:end]


def _leading(text: str, letters: str) -> tuple[str, str]:
    rest = text.lstrip(letters)
    return text[: len(text) - len(rest)], rest


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _may_be(origin: Origin) -> bool:
    return origin[0] in PROTOCOLS and 0 < len(origin[1]) <= MAX_HOST_LENGTH and 0 < origin[2] <= 0xFFFF


def _is_same(one: Origin, other: Origin) -> bool:
    """Compare origins; a dot at the end of a name changes nothing about whose it is."""
    return (one[0], _plain(one[1]), one[2]) == (other[0], _plain(other[1]), other[2])


def _plain(host: str) -> str:
    return host.lower().removesuffix(".")


def _origin_text(origin: Origin) -> str:
    protocol, host, port = origin
    return f"{protocol} [{host}] {port}" if ":" in host else f"{protocol} {host} {port}"

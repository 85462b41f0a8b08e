"""HTTP Strict Transport Security (RFC 6797): hosts that are only spoken to over TLS; the file of `--hsts`."""

from __future__ import annotations

from pycurl_redox.set_cookie import is_ip_address
from pycurl_redox.state_file import FILE_MARK, date_text

MAX_HOST_LENGTH = 256
MAX_HOSTS = 10_000
"""Hosts remembered; then the oldest goes.  curl knows no bound."""
MAX_LINE = 4095
FOREVER = 2**63 - 1
"""curl's "unlimited"."""
YEAR_10000 = 253_402_300_800
"""From then on a date would not be read again."""

_BLANKS = " \t"
_FILE_HEAD = "# Your HSTS cache. https://curl.se/docs/hsts.html\n" + FILE_MARK


class _Entry:
    __slots__ = ("expires", "host", "subdomains")

    def __init__(self, host: str, subdomains: bool, expires: int) -> None:
        self.host = host
        """As it was spelled, without a dot at its end."""
        self.subdomains = subdomains
        self.expires = expires


class HstsCache:
    """The hosts known, oldest first.  `now` is the wall clock's seconds since 1970."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self.is_changed = True
        """Something is to be saved; curl writes its file also when nothing was learnt."""

    def __len__(self) -> int:
        return len(self._entries)

    def load(self, content: bytes, now: int) -> None:
        """Take the lines of a file, `host "date"` with a dot ahead for subdomains; others are passed over."""
        from pycurl_redox.dates import parse_date

        for line in content.decode("latin-1").split("\n"):
            host, *rest = line.split(None, 1) or [""]
            date = rest[0] if rest else ""
            if len(line) > MAX_LINE or host.startswith("#") or not date.startswith('"'):
                continue
            date = date[1:].partition('"')[0]
            moment = FOREVER if date == "unlimited" else parse_date(date)
            subdomains = host.startswith(".")
            host = _plain(host.removeprefix("."))
            if moment is None or moment <= now or not 0 < len(host) <= MAX_HOST_LENGTH:
                continue
            entry = self._exact(host)
            if entry is None:
                self._add(host, subdomains, moment)
            else:
                entry.expires = max(entry.expires, moment)
        self.is_changed = True

    def receive(self, value: bytes, host: str, now: int) -> str:
        """Take a Strict-Transport-Security header that came over TLS; return what `-v` says, or ""."""
        if is_ip_address(host):
            return ""  # RFC 6797 §8.1.1: an address is no host to remember
        policy = parse_policy(value.decode("latin-1"))
        host = _plain(host)
        if policy is None or not 0 < len(host) <= MAX_HOST_LENGTH:
            return "Illegal STS header skipped"
        seconds, subdomains = policy
        self.is_changed = True
        entry = self._exact(host)
        if not seconds:
            if entry is not None:
                del self._entries[host.lower()]
            return ""
        expires = min(now + seconds, FOREVER)
        if entry is None:
            self._add(host, subdomains, expires)
        else:
            entry.expires, entry.subdomains = expires, subdomains
        return ""

    def covers(self, host: str, now: int) -> bool:
        """Say whether a host, in its ASCII form, is to be spoken to over TLS (RFC 6797 §8.2)."""
        host = _plain(host)
        entry = self._exact(host)
        if entry is not None and entry.expires > now:
            return True
        if is_ip_address(host):
            return False
        while "." in host:
            host = host.partition(".")[2]
            entry = self._exact(host)
            if entry is not None and entry.subdomains and entry.expires > now:
                return True
        return False

    def file_text(self, now: int) -> bytes:
        """Return the cache as a file."""
        lines = [
            f'{"." if entry.subdomains else ""}{entry.host} "{_expiry_text(entry.expires)}"\n'
            for entry in self._entries.values()
            if entry.expires > now
        ]
        return (_FILE_HEAD + "".join(lines)).encode("latin-1")

    def _exact(self, host: str) -> _Entry | None:
        return self._entries.get(host.lower())

    def _add(self, host: str, subdomains: bool, expires: int) -> None:
        if len(self._entries) >= MAX_HOSTS:
            del self._entries[next(iter(self._entries))]
        self._entries[host.lower()] = _Entry(host, subdomains, expires)


def parse_policy(text: str) -> tuple[int, bool] | None:
    """Read max-age and includeSubDomains (RFC 6797 §6.1) as curl does; None for what is no policy."""
    max_age: int | None = None
    subdomains = False
    text = text.lstrip(_BLANKS)
    while text:
        if text[:8].lower() == "max-age=":
            if max_age is not None:
                return None
            found = _read_number(text[8:])
            if found is None:
                return None
            max_age, text = found
        elif text[:17].lower() == "includesubdomains":
            if subdomains:
                return None
            subdomains, text = True, text[17:]
        else:
            # Unknown ones are passed over (RFC 6797 §6.1 item 5); a semicolon in quotes ends them as well.
            text = text[text.find(";") :] if ";" in text else ""
        text = text.lstrip(_BLANKS).removeprefix(";").lstrip(_BLANKS)
    return None if max_age is None else (max_age, subdomains)


def _read_number(text: str) -> tuple[int, str] | None:
    """Read the seconds, in quotes or not, and return what follows them."""
    is_quoted = text.startswith('"')
    text = text.removeprefix('"').lstrip(_BLANKS).removeprefix("+")
    rest = text.lstrip("0123456789")
    digits = text[: len(text) - len(rest)]
    if not digits or (is_quoted and not rest.startswith('"')):
        return None
    digits = digits.lstrip("0") or "0"
    return (int(digits) if len(digits) < 20 else FOREVER), rest[is_quoted:]


def _plain(host: str) -> str:
    """A dot at the end changes nothing about whose name it is."""
    return host.removesuffix(".")


def _expiry_text(expires: int) -> str:
    return "unlimited" if expires >= YEAR_10000 else date_text(expires)

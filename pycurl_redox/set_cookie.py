"""One cookie: out of a Set-Cookie header (RFC 6265 §5.2, as curl 7.88 reads it) or out of a line of a file.

Octets are kept as Latin-1 text, so that a length is a number of octets and what was read is what is written.
"""

from __future__ import annotations

from pycurl_redox.dates import parse_date

MAX_LINE = 5000
MAX_NAME_AND_VALUE = 4096
MAX_EXPIRY = 2**63 - 1

_BLANKS = " \t"
_INVALID = frozenset(map(chr, [*range(1, 9), *range(10, 32), 127]))


class CookieRefusedError(Exception):
    """The cookie is dropped; the text, if any, is what `-v` says."""


class Cookie:
    """A cookie with what decides where it is sent."""

    __slots__ = (
        "created",
        "domain",
        "expires",
        "http_only",
        "is_live",
        "match_path",
        "name",
        "path",
        "secure",
        "subdomains",
        "value",
    )

    def __init__(self) -> None:
        self.name = ""
        self.value = ""
        self.domain: str | None = None
        self.subdomains = False
        """Sent to hosts below the domain as well."""
        self.path: str | None = None
        self.match_path: str | None = None
        """The path without quotes and the slash at its end."""
        self.secure = False
        self.http_only = False
        self.expires = 0
        """Seconds since 1970; 0 ends with the session."""
        self.is_live = False
        """Came from a server, not from a file."""
        self.created = 0
        """Counts up; a cookie that replaces another keeps its number."""

    def matches(self, host: str, path: str, *, is_ip: bool, is_secure: bool) -> bool:
        """Say whether the cookie goes with a request (RFC 6265 §5.4); `path` has no query."""
        if self.secure and not is_secure:
            return False
        if self.domain is None:
            # Out of a file of headers: nobody knows whose it was, and curl sends it to addresses only.
            if not is_ip:
                return False
        else:
            whole = host.lower() == self.domain.lower()
            # A domain of one label stands for itself alone.
            reaches_below = self.subdomains and "." in self.domain and not is_ip
            if not whole and not (reaches_below and domain_matches(host, self.domain)):
                return False
        return self.match_path is None or path_matches(path, self.match_path)

    def file_line(self) -> str:
        """Return the cookie's line of a file, without its newline."""
        domain = self.domain or "unknown"
        dot = "." if self.subdomains and self.domain and not domain.startswith(".") else ""
        fields = (
            f"{dot}{domain}",
            "TRUE" if self.subdomains else "FALSE",
            "/" if self.path is None else self.path,
            "TRUE" if self.secure else "FALSE",
            str(self.expires),
            self.name,
            self.value,
        )
        return ("#HttpOnly_" if self.http_only else "") + "\t".join(fields)


def parse_set_cookie(
    text: str, host: str | None, path: str | None, *, now: int, is_secure: bool, from_file: bool = False
) -> Cookie:
    """Read the value of a Set-Cookie header; host and path are those of the request, or None out of a file.

    Raises `CookieRefusedError`.
    """
    if len(text) > MAX_LINE:
        raise CookieRefusedError()
    reader = _HeaderReader(host, is_secure or from_file)
    for index, pair in enumerate(text.split(";")):
        reader.read(pair if index == 0 else pair.lstrip(_BLANKS))
    return reader.finish(path, now)


def parse_file_line(line: str) -> Cookie | None:
    """Read a line of a cookie file; None for comments and what breaks the format."""
    cookie = Cookie()
    if line.startswith("#HttpOnly_"):
        cookie.http_only = True
        line = line[10:]
    if line.startswith("#"):
        return None
    fields = [field for field in line.split("\r")[0].split("\n")[0].split("\t") if field]
    if len(fields) > 2 and fields[2] in ("TRUE", "FALSE"):
        fields.insert(2, "/")
    if len(fields) == 6:
        fields.append("")
    if len(fields) != 7:
        return None
    domain, subdomains, path, secure, expires, cookie.name, cookie.value = fields
    cookie.domain = domain.removeprefix(".")
    cookie.subdomains = subdomains.upper() == "TRUE"
    cookie.path, cookie.match_path = path, clean_path(path)
    cookie.secure = secure.upper() == "TRUE"
    moment = _offset(expires)
    if moment is None or moment > MAX_EXPIRY:
        return None
    cookie.expires = moment
    return cookie if _keeps_prefix(cookie) else None


class _HeaderReader:
    """Takes the parts of a header one by one; the last of several with the same name counts."""

    def __init__(self, host: str | None, may_be_secure: bool) -> None:
        self._cookie = Cookie()
        self._has_name = False
        self._host = host
        self._may_be_secure = may_be_secure
        self._max_age: str | None = None
        self._expires: str | None = None

    def read(self, pair: str) -> None:
        name, has_equals, value = _split_pair(pair)
        if not name:
            return
        if len(name) >= 4095 or len(value) >= 4095 or len(name) + len(value) > MAX_NAME_AND_VALUE:
            sizes = f"{min(len(name), 4095)} + {min(len(value), 4095)}"
            raise CookieRefusedError(f"oversized cookie dropped, name/val {sizes} bytes")
        name, text = name.rstrip(_BLANKS), value.strip(_BLANKS)
        if "\t" in text:
            raise CookieRefusedError("cookie contains TAB, dropping")
        if self._has_name:
            self._read_attribute(name.lower(), text, has_equals)
            return
        if not has_equals:
            raise CookieRefusedError()
        if not _INVALID.isdisjoint(text) or not _INVALID.isdisjoint(name):
            raise CookieRefusedError("invalid octets in name/value, cookie dropped")
        self._cookie.name, self._cookie.value, self._has_name = name, text, True

    def finish(self, request_path: str | None, now: int) -> Cookie:
        cookie = self._cookie
        if not self._has_name:
            raise CookieRefusedError()
        if self._max_age is not None:
            cookie.expires = _expiry_of_age(self._max_age, now)
        elif self._expires:
            # A date that cannot be read makes a session cookie, one at or before 1970 an old one.
            moment = parse_date(self._expires)
            cookie.expires = 0 if moment is None or moment < 0 else max(moment, 1)
        if cookie.domain is None:
            cookie.domain = self._host
        if cookie.path is None and request_path is not None:
            path = request_path.partition("?")[0]
            cookie.path = path[: path.rfind("/") + 1] or None
            cookie.match_path = clean_path(cookie.path) if cookie.path else None
        if not _keeps_prefix(cookie):
            raise CookieRefusedError()
        return cookie

    def _read_attribute(self, name: str, value: str, has_equals: bool) -> None:
        cookie = self._cookie
        if not value and name == "secure":
            if not self._may_be_secure:
                raise CookieRefusedError()
            cookie.secure = True
        elif not value and name == "httponly":
            cookie.http_only = True
        elif not value and not has_equals:
            return
        elif name == "path":
            cookie.path, cookie.match_path = value, clean_path(value)
        elif name == "domain" and value:
            self._read_domain(value.removeprefix("."))
        elif name == "max-age":
            self._max_age = value
        elif name == "expires":
            self._expires = value

    def _read_domain(self, domain: str) -> None:
        host = self._host
        is_ip = is_ip_address(host or domain)
        fits = host is None or (domain == host if is_ip else domain_matches(host, domain))
        if not fits:
            raise CookieRefusedError(f"skipped cookie with bad tailmatch domain: {domain}")
        self._cookie.domain = domain
        self._cookie.subdomains = self._cookie.subdomains or not is_ip


def _split_pair(pair: str) -> tuple[str, bool, str]:
    """Return name, whether an = follows it at once, and value."""
    end = 0
    while end < len(pair) and pair[end] not in "\t\r\n=":
        end += 1
    rest = pair[end:].lstrip(" \t\r\n\v\f")
    value = rest[1:] if rest.startswith("=") else ""
    for line_end in "\r\n":
        value = value.partition(line_end)[0]
    return pair[:end], pair[end : end + 1] == "=", value


def _keeps_prefix(cookie: Cookie) -> bool:
    """Check what names with a prefix promise (RFC 6265bis §4.1.3)."""
    name = cookie.name.lower()
    if name.startswith("__secure-"):
        return cookie.secure
    if name.startswith("__host-"):
        return cookie.secure and cookie.path == "/" and not cookie.subdomains
    return True


def _expiry_of_age(text: str, now: int) -> int:
    seconds = _offset(text.removeprefix('"'))
    if not seconds:
        return 1
    return min(seconds + now, MAX_EXPIRY)


def _offset(text: str) -> int | None:
    """Read the number that a text begins with; None when there is none, or a negative one."""
    text = text.lstrip(_BLANKS).removeprefix("+")
    digits = len(text) - len(text.lstrip("0123456789"))
    return int(text[: min(digits, 30)]) if digits else None


def clean_path(path: str) -> str:
    """Return a path for matching: no quotes, no slash at its end, and / for what does not begin with one."""
    path = path.removeprefix('"').removesuffix('"')
    if not path.startswith("/"):
        return "/"
    return path[:-1] if path.endswith("/") else path


def path_matches(path: str, cookie_path: str) -> bool:
    """Say whether a request's path lies within a cookie's (RFC 6265 §5.1.4)."""
    if len(cookie_path) <= 1:
        return True
    if not path.startswith("/"):
        path = "/"
    return path.startswith(cookie_path) and path[len(cookie_path) :][:1] in ("", "/")


def domain_matches(host: str, domain: str) -> bool:
    """Say whether a host is the domain or below it (RFC 6265 §5.1.3)."""
    host, domain = host.lower(), domain.lower()
    return host == domain or host.endswith("." + domain)


def is_ip_address(host: str) -> bool:
    """Say whether a host is a literal address."""
    if ":" not in host and not host[-1:].isdigit():
        return False
    from tcpip.wire.address import IpAddress

    try:
        IpAddress.parse(host)
    except ValueError:
        return False
    return True

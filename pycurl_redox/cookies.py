"""The cookie jar (RFC 6265 §5.3 and §5.4, as curl 7.88 does it) and its file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pycurl_redox.set_cookie import (
    MAX_LINE,
    Cookie,
    CookieRefusedError,
    is_ip_address,
    parse_file_line,
    parse_set_cookie,
)
from pycurl_redox.state_file import FILE_MARK, replace_file

if TYPE_CHECKING:
    from pycurl_redox.public_suffix import PublicSuffixes

MAX_SET_COOKIES = 50
"""Cookies that one response may set."""
MAX_SENT = 150
"""Cookies in one request."""
MAX_HEADER_LENGTH = 8190
"""Octets of a Cookie header, its name included."""
MAX_COOKIES = 50_000
"""Cookies in a jar, more than any user's file has; then the oldest goes.  What was read is written back."""

_FILE_HEAD = "# Netscape HTTP Cookie File\n" + "# https://curl.se/docs/http-cookies.html\n" + FILE_MARK + "\n"


class CookieJar:
    """Cookies, oldest first.  `now` is the wall clock's seconds since 1970."""

    def __init__(self, *, junk_session_cookies: bool = False) -> None:
        self._cookies: list[Cookie] = []
        self._by_name: dict[str, list[Cookie]] = {}
        self._junk_session_cookies = junk_session_cookies
        self._created = 0
        self._set_by_response = 0
        self._public_suffixes: PublicSuffixes | None = None
        self.notes: list[str] = []
        """What `-v` says about cookies that were not sent; the caller empties it."""

    def __len__(self) -> int:
        return len(self._cookies)

    def __iter__(self) -> Iterator[Cookie]:
        return iter(self._cookies)

    # Inputs

    def load(self, content: bytes, now: int) -> None:
        """Take the cookies of a file: lines of the Netscape format, or Set-Cookie headers."""
        for line in content.decode("latin-1").split("\n"):
            if len(line) >= MAX_LINE - 1:
                continue
            line = line.partition("\0")[0]
            cookie = self._file_cookie(line, now)
            if cookie is None or (self._junk_session_cookies and not cookie.expires):
                continue
            self._store(cookie, is_secure=True)
        self.forget_expired(now)

    def begin_response(self) -> None:
        """Start to count the cookies of another response."""
        self._set_by_response = 0

    def receive(self, value: bytes, host: str, path: str, *, is_secure: bool, now: int) -> str:
        """Take the value of a Set-Cookie header; return what `-v` says about it, or "".

        `is_secure`: as `is_secure_context` has it.
        """
        if self._set_by_response >= MAX_SET_COOKIES:
            return ""
        text = value.decode("latin-1").lstrip(" \t").partition("\0")[0]
        try:
            cookie = parse_set_cookie(text, host, path, now=now, is_secure=is_secure)
            self._check_domain(cookie, host)
            self._set_by_response += 1
            cookie.is_live = True
            self.forget_expired(now)
            replaced = self._store(cookie, is_secure=is_secure)
        except CookieRefusedError as error:
            return str(error)
        return (
            f'{"Replaced" if replaced else "Added"} cookie {cookie.name}="{cookie.value}" '
            f"for domain {cookie.domain}, path {cookie.path}, expire {cookie.expires}"
        )

    def forget_session_cookies(self) -> None:
        """Drop the cookies that have no expiry."""
        self._keep([cookie for cookie in self._cookies if cookie.expires])

    def forget_expired(self, now: int) -> None:
        """Drop the cookies whose time has passed."""
        if any(0 < cookie.expires < now for cookie in self._cookies):
            self._keep([cookie for cookie in self._cookies if not 0 < cookie.expires < now])

    # Outputs

    def header(
        self, host: str, path: str, *, is_secure: bool, now: int, extra: str = "", preceding: int = 0
    ) -> bytes | None:
        """Return the value of a request's Cookie header, `extra` (of `-b NAME=VALUE`) last; or None.

        `preceding`: octets of the request before this header, which curl counts as well.
        """
        pairs: list[str] = []
        length = preceding + len("Cookie: ")
        is_full = False
        for cookie in self.matching(host, path, is_secure=is_secure, now=now):
            size = len(cookie.name) + len(cookie.value) + 1
            if length + size >= MAX_HEADER_LENGTH:
                is_full = True
                self.notes.append(f"Restricted outgoing cookies due to header size, '{cookie.name}' not sent")
                break
            length += size + (2 if pairs else 0)
            pairs.append(f"{cookie.name}={cookie.value}")
        value = "; ".join(pairs).encode("latin-1")
        if extra and not is_full:
            value += (b"; " if pairs else b"") + extra.encode("utf-8", "surrogateescape")
        return value or None

    def matching(self, host: str, path: str, *, is_secure: bool, now: int) -> list[Cookie]:
        """Return the cookies for a request: longest path, domain and name first, then the newest."""
        self.forget_expired(now)
        is_ip = is_ip_address(host)
        path = path.partition("?")[0]
        found = []
        for cookie in self._cookies:
            if cookie.matches(host, path, is_ip=is_ip, is_secure=is_secure):
                found.append(cookie)
                if len(found) == MAX_SENT:
                    self.notes.append(f"Included max number of cookies ({MAX_SENT}) in request!")
                    break
        return sorted(found, key=_sending_order)

    def file_text(self, now: int) -> bytes:
        """Return the jar as a file, the newest cookie first."""
        self.forget_expired(now)
        cookies = sorted(self._cookies, key=lambda cookie: -cookie.created)
        lines = [cookie.file_line() + "\n" for cookie in cookies if cookie.domain is not None]
        return (_FILE_HEAD + "".join(lines)).encode("latin-1")

    def save(self, path: str, now: int) -> None:
        """Write the jar to a file at once or not at all; raises OSError.  A pipe or device is written to."""
        replace_file(path, self.file_text(now))

    # The store

    def _check_domain(self, cookie: Cookie, host: str) -> None:
        """Refuse a cookie for all of a public suffix (RFC 6265 §5.3 item 5)."""
        domain = cookie.domain
        if domain is None or domain.lower() == host.lower() or is_ip_address(domain):
            return
        if self._public_suffixes is None:
            from pycurl_redox.public_suffix import load_public_suffixes

            self._public_suffixes = load_public_suffixes()
        if not self._public_suffixes.accepts(host, domain):
            raise CookieRefusedError(
                f"cookie '{cookie.name}' dropped, domain '{host}' must not set cookies for '{domain}'"
            )

    def _file_cookie(self, line: str, now: int) -> Cookie | None:
        if line[:11].lower() == "set-cookie:":
            try:
                return parse_set_cookie(
                    line[11:].lstrip(" \t"), None, None, now=now, is_secure=True, from_file=True
                )
            except CookieRefusedError:
                return None
        return parse_file_line(line.lstrip(" \t"))

    def _store(self, cookie: Cookie, *, is_secure: bool) -> bool:
        """Put a cookie in; say whether it took the place of another.  Raises `CookieRefusedError`."""
        self._created += 1
        cookie.created = self._created
        namesakes = self._by_name.setdefault(cookie.name.lower(), [])
        old = None
        for other in namesakes:
            if not _same_text(other.domain, cookie.domain):
                continue
            if not is_secure and _would_overlay(other, cookie):
                raise CookieRefusedError(
                    f"cookie '{cookie.name}' for domain '{cookie.domain}' dropped, "
                    "would overlay an existing cookie"
                )
            if old is None and _is_same(other, cookie):
                old = other
        if old is None:
            if len(self._cookies) >= MAX_COOKIES:
                self._keep(self._cookies[1:])
                namesakes = self._by_name.setdefault(cookie.name.lower(), [])
            self._cookies.append(cookie)
            namesakes.append(cookie)
            return False
        if old.is_live and not cookie.is_live:
            return True
        cookie.created = old.created
        self._cookies[self._cookies.index(old)] = cookie
        namesakes[namesakes.index(old)] = cookie
        return True

    def _keep(self, cookies: list[Cookie]) -> None:
        self._cookies = cookies
        self._by_name = {}
        for cookie in cookies:
            self._by_name.setdefault(cookie.name.lower(), []).append(cookie)


def is_secure_context(scheme: str, host: str) -> bool:
    """Say whether cookies marked secure may be set and sent: over TLS, or on this machine."""
    return scheme == "https" or host.lower() == "localhost" or host in ("127.0.0.1", "::1")


def _sending_order(cookie: Cookie) -> tuple[int, int, int, int]:
    return -len(cookie.path or ""), -len(cookie.domain or ""), -len(cookie.name), -cookie.created


def _is_same(old: Cookie, new: Cookie) -> bool:
    if old.domain is not None and old.subdomains != new.subdomains:
        return False
    return _same_text(old.match_path, new.match_path)


def _would_overlay(old: Cookie, new: Cookie) -> bool:
    """RFC 6265bis §5.6: a cookie from an insecure origin hides no secure one, also not on a path below."""
    if not old.secure or new.secure or old.match_path is None or new.match_path is None:
        return False
    end = old.match_path.find("/", 1)
    first = (old.match_path if end < 0 else old.match_path[:end]).lower()
    return new.match_path.lower().startswith(first)


def _same_text(one: str | None, other: str | None) -> bool:
    return (one is None) == (other is None) and (one or "").lower() == (other or "").lower()

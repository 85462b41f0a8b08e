"""HTTP authentication (RFC 9110 §11): which scheme is used, and what is sent; for a server or a proxy."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pycurl_redox.config import AUTH_ANY, AUTH_BASIC, AUTH_BEARER, AUTH_DIGEST

if TYPE_CHECKING:
    from pycurl_redox.digest import Digest

_SCHEMES = ((b"digest", AUTH_DIGEST), (b"basic", AUTH_BASIC), (b"bearer", AUTH_BEARER))
_NAMES = {AUTH_BASIC: "Basic", AUTH_DIGEST: "Digest", AUTH_BEARER: "Bearer"}
_STRONGEST_FIRST = (AUTH_BEARER, AUTH_DIGEST, AUTH_BASIC)


class Authenticator:
    """What one transfer knows of one side's authentication, over its redirects and repeats.

    `wanted` are AUTH_* bits, 0 for Basic.  With one bit that scheme is used from the first request on, as far
    as it can be; with several the first request goes without, to see what is offered.  `random_hex(n)` gives
    n digits.  `user` None: there is only a token to show, of `bearer`.
    """

    def __init__(
        self,
        user: bytes | None,
        password: bytes,
        wanted: int,
        random_hex: Callable[[int], str],
        *,
        bearer: bytes | None = None,
    ) -> None:
        self._user = user or b""
        self._has_user = user is not None
        self._password = password
        self._bearer = bearer
        self._wanted = wanted or AUTH_BASIC
        self._picked = self._wanted
        self._digest: Digest | None = None
        self._random_hex = random_hex
        self.notes: list[tuple[int, str]] = []
        """What `-v` says about the last challenges, and of which header; the caller empties it."""
        self.was_refused = False
        """The last challenges were to credentials that had just been sent."""

    @property
    def scheme(self) -> str:
        """Name of the scheme of the next request, or "" when it goes without."""
        if self._picked == AUTH_DIGEST and not self._has_challenge():
            return ""
        if self._picked == AUTH_BEARER and self._bearer is None:
            return ""
        if self._picked == AUTH_BASIC and not self._has_user:
            return ""
        return _NAMES.get(self._picked, "")

    @property
    def description(self) -> str:
        """Scheme and user of the next request, for `-v`; "" when it goes without.

        Digest is named before there is a challenge to answer, too, as in curl.
        """
        name = "Digest" if self._picked == AUTH_DIGEST else self.scheme
        return f"{name} with user '{self._user.decode('utf-8', 'surrogateescape')}'" if name else ""

    @property
    def is_settled(self) -> bool:
        """False: the next request only asks for a challenge, and its body is to be left out."""
        return self._picked != AUTH_DIGEST or self._has_challenge()

    def header(self, method: str, target: str) -> bytes | None:
        """Return the value of Authorization for a request, or None; Digest counts the call as a use."""
        scheme = self.scheme
        if scheme == "Basic":
            return b"Basic " + b64encode(self._user + b":" + self._password)
        if scheme == "Bearer":
            return b"Bearer " + (self._bearer or b"")
        if scheme == "Digest":
            assert self._digest is not None
            octets = target.encode("utf-8", "surrogateescape")
            return b"Digest " + self._digest.response(self._user, self._password, method, octets)
        return None

    def receive_challenges(self, values: Iterable[bytes]) -> bool:
        """Take the WWW-Authenticate headers of a 401 (or those of a 407); say whether to ask again."""
        available = 0
        self.was_refused = False
        for number, value in enumerate(values):
            for scheme, rest in _challenges(value):
                if scheme == AUTH_DIGEST:
                    if available & AUTH_DIGEST:
                        self.notes.append((number, "Ignoring duplicate digest auth header."))
                        continue
                    ok = self._receive_digest(rest)
                else:
                    ok = self._picked != scheme
                available |= scheme
                if not ok:
                    if scheme != AUTH_DIGEST:
                        available = 0
                    self.was_refused = True
                    self.notes.append((number, "Authentication problem. Ignoring this."))
        if self.was_refused:
            return False
        for scheme in _STRONGEST_FIRST:
            if scheme & available & self._wanted and not (scheme == AUTH_BEARER and self._bearer is None):
                self._picked = scheme
                return True
        self._picked = 0
        return False

    def _has_challenge(self) -> bool:
        return self._digest is not None and self._digest.has_challenge

    def _receive_digest(self, text: bytes) -> bool:
        from pycurl_redox.digest import ChallengeError, Digest

        if self._digest is None:
            self._digest = Digest(self._random_hex)
        try:
            self._digest.receive_challenge(text)
        except ChallengeError:
            return False
        return True


def _challenges(value: bytes) -> Iterable[tuple[int, bytes]]:
    """Find the schemes of a header, each with what follows it: any word behind a comma may be one."""
    position = 0
    while position < len(value):
        for name, scheme in _SCHEMES:
            end = position + len(name)
            if value[position:end].lower() == name and value[end : end + 1] in (b"", b" ", b"\t", b","):
                yield scheme, value[end:]
        comma = value.find(b",", position)
        if comma < 0:
            return
        position = comma + 1
        while position < len(value) and value[position] in b" \t\r\n\v\f":
            position += 1


def split_login(text: str) -> tuple[bytes, bytes | None]:
    """Split `user:password` of -u; the password is None when it has to be asked for."""
    octets = text.encode("utf-8", "surrogateescape")
    user, colon, password = octets.partition(b":")
    return user, password if colon else None


__all__ = ["AUTH_ANY", "AUTH_BASIC", "AUTH_BEARER", "AUTH_DIGEST", "Authenticator", "split_login"]

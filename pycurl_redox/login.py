"""Who we are to one server or proxy: the method picked, and how far the proof is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurl_redox.config import AUTH_BASIC, AUTH_BEARER, AUTH_DIGEST
from pycurl_redox.url import encode_text

if TYPE_CHECKING:
    from pycurl_redox.auth import Digest

_METHODS = (AUTH_BEARER, AUTH_DIGEST, AUTH_BASIC)
"""The best one first, as curl picks."""


class Login:
    """One side's authentication through the requests of a transfer.

    `allowed` is a set of AUTH_* bits: with one bit the method is settled and
    used at once, with more the server's challenge decides.
    """

    def __init__(
        self, allowed: int, user: str | None = None, password: str | None = None, bearer: str | None = None
    ) -> None:
        self.allowed = (allowed or AUTH_BASIC) if user is not None or bearer is not None else 0
        self._user = user or ""
        self._password = password or ""
        self._bearer = bearer
        self._picked = self.allowed if self.allowed in _METHODS else 0
        self._digest: Digest | None = None
        self._is_sent = False

    @property
    def is_negotiating(self) -> bool:
        """True when Digest is settled and the nonce is still to come."""
        return self._picked == AUTH_DIGEST and self._digest is None

    def settle(self) -> None:
        """The server asked for nothing: send as we are."""
        self._picked = 0

    def authorization(self, method: str, target: str) -> str | None:
        """Return the value of Authorization for the next request; None to send none."""
        if self._picked == AUTH_BASIC:
            from binascii import b2a_base64

            self._is_sent = True
            login = encode_text(f"{self._user}:{self._password}")
            return "Basic " + b2a_base64(login, newline=False).decode("ascii")
        if self._picked == AUTH_BEARER:
            self._is_sent = True
            return f"Bearer {self._bearer}"
        if self._picked == AUTH_DIGEST and self._digest is not None:
            self._is_sent = True
            return self._digest.authorization(method, encode_text(target))
        return None

    def challenged(self, values: list[bytes]) -> bool:
        """Take a challenge; True when a new request has a chance."""
        if not self.allowed or self._is_sent:
            return False
        offered = {value.partition(b" ")[0].lower() for value in values}
        if self.allowed & AUTH_BASIC and b"basic" in offered:
            self._picked = AUTH_BASIC
            return True
        return False

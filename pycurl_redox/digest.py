"""Digest authentication (RFC 7616), with the parameters in curl's order."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

MAX_NAME_LENGTH = 255
MAX_VALUE_LENGTH = 1023
"""Octets of a parameter of a challenge, as in curl; what is longer is cut, which no response survives."""

_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


class ChallengeError(Exception):
    """The challenge cannot be answered, or says that the last answer was wrong."""


class Digest:
    """The answering side: the last challenge, and how often its nonce has been used."""

    def __init__(self, random_hex: Callable[[int], str]) -> None:
        self._random_hex = random_hex
        self._parameters: dict[str, bytes] = {}
        self._qop = b""
        self._nonce_count = 1
        self._cnonce = b""

    @property
    def has_challenge(self) -> bool:
        return "nonce" in self._parameters

    def receive_challenge(self, text: bytes) -> None:
        """Take what follows the word Digest.  Raises `ChallengeError`."""
        had_nonce = self.has_challenge
        parameters = parse_parameters(text)
        is_stale = parameters.get("stale", b"").lower() == b"true"
        self._parameters = parameters
        self._qop = _choose_qop(parameters.get("qop", b""))
        self._nonce_count = 1
        self._cnonce = b""
        if self._algorithm()[0] is None:
            raise ChallengeError("the hash algorithm is not known")
        if had_nonce and not is_stale:
            raise ChallengeError("the credentials are not accepted")
        if not self.has_challenge:
            raise ChallengeError("there is no nonce")
        if self._algorithm()[1] and not self._qop:
            raise ChallengeError("a session algorithm needs qop")

    def response(self, user: bytes, password: bytes, method: str, target: bytes) -> bytes:
        """Return the value of Authorization after the word Digest; each call uses the nonce once more."""
        if not self._cnonce:
            self._cnonce = b64encode(self._random_hex(32).encode("ascii"))
        parameters = self._parameters
        realm, nonce = parameters.get("realm", b""), parameters["nonce"]
        hash_name, is_session = self._algorithm()
        assert hash_name is not None
        digest = _hasher(hash_name)

        ha1 = digest(b":".join([user, realm, password]))
        if is_session:
            ha1 = digest(b":".join([ha1, nonce, self._cnonce]))
        a2 = method.encode("latin-1") + b":" + target
        if self._qop == b"auth-int":
            # The body is taken as empty, as curl has it.
            a2 += b":" + digest(b"")
        uses_userhash = parameters.get("userhash", b"").lower() == b"true"
        if uses_userhash:
            user = digest(user + b":" + realm)
        count = b"%08x" % self._nonce_count
        fields = [
            b'username="%s"' % _quoted(user),
            b'realm="%s"' % _quoted(realm),
            b'nonce="%s"' % _quoted(nonce),
            b'uri="%s"' % target,
        ]
        if self._qop:
            fields += [b'cnonce="%s"' % self._cnonce, b"nc=" + count, b"qop=" + self._qop]
            response = digest(b":".join([ha1, nonce, count, self._cnonce, self._qop, digest(a2)]))
            self._nonce_count += 1
        else:
            response = digest(b":".join([ha1, nonce, digest(a2)]))
        fields.append(b'response="%s"' % response)
        if "opaque" in parameters:
            fields.append(b'opaque="%s"' % _quoted(parameters["opaque"]))
        if "algorithm" in parameters:
            fields.append(b"algorithm=" + parameters["algorithm"])
        if uses_userhash:
            fields.append(b"userhash=true")
        return b", ".join(fields)

    def _algorithm(self) -> tuple[str | None, bool]:
        name = self._parameters.get("algorithm", b"MD5").decode("latin-1").upper()
        return _HASHES.get(name.removesuffix("-SESS")), name.endswith("-SESS")


def parse_parameters(text: bytes) -> dict[str, bytes]:
    """Read `name=value, name="quoted"`; what breaks the format ends the list."""
    parameters: dict[str, bytes] = {}
    position = 0
    while (found := _read_parameter(text, position)) is not None:
        name, value, position = found
        parameters[name.lower()] = value
    return parameters


def _read_parameter(text: bytes, position: int) -> tuple[str, bytes, int] | None:
    position = _skip(text, position, b" \t")
    equals = text.find(b"=", position, position + MAX_NAME_LENGTH + 1)
    if equals < 0:
        return None
    name, at = text[position:equals].decode("latin-1"), equals + 1
    if text[at : at + 1] == b'"':
        quoted = _read_quoted(text, at + 1)
        if quoted is None:
            return None
        value, at = quoted
    else:
        end = at
        while end < len(text) and text[end] not in b",\r\n":
            end += 1
        value, at = text[at:end], end
        if b'"' in value:
            return None
    at = _skip(text, at, b" \t")
    return name, value[:MAX_VALUE_LENGTH], at + 1 if text[at : at + 1] == b"," else at


def _read_quoted(text: bytes, at: int) -> tuple[bytes, int] | None:
    out = bytearray()
    while at < len(text):
        octet = text[at]
        at += 1
        if octet == 0x22:
            return bytes(out), at
        if octet in b"\r\n":
            return None
        if octet == 0x5C:
            if at == len(text):
                return None
            octet = text[at]
            at += 1
        out.append(octet)
    return None


def _skip(text: bytes, position: int, octets: bytes) -> int:
    while position < len(text) and text[position] in octets:
        position += 1
    return position


def _choose_qop(text: bytes) -> bytes:
    offered = [token.strip(b" \t").lower() for token in text.split(b",")]
    for qop in (b"auth", b"auth-int"):
        if qop in offered:
            return qop
    return b""


def _hasher(name: str) -> Callable[[bytes], bytes]:
    import hashlib

    return lambda data: hashlib.new(name, data, usedforsecurity=False).hexdigest().encode("ascii")


def _quoted(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')

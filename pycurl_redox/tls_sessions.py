"""Sessions of TLS that may be resumed: kept from connection to connection, and with --ssl-sessions in a file.

A session is good for the host, the port and the settings it was made with, a
client certificate, ALPN and verification among them.  The file is readable by
its owner only; who is behind a line is a salted hash.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tls.codec import Reader, vector
from tls.config import TLS12, TLS13, ResumptionOffer, SessionTicket, TlsLimits
from tls.errors import PeerMisbehavedError
from tls.messages import MAX_SESSION_ID
from tls.traffic import MAX_TICKET_LIFETIME

PER_SERVER = 4
"""Tickets kept of one server, the newest: a connection uses one up, and most servers send two."""
MAX_SERVERS = 1000
MAX_FILE = 8 << 20
MAX_IDENTITY = TlsLimits().ticket_size
HEADER = b"# Sessions of TLS, as redox-curl keeps them: whoever reads this file reads and resumes them.\n"
_FORM = 1
_SALT_SIZE = _MAC_SIZE = 32


class Kept(NamedTuple):
    """A session, when it came in seconds since the epoch, and whether from the file."""

    ticket: SessionTicket
    came: float
    is_from_file: bool = False

    def is_over(self, now: float) -> bool:
        return not self.came <= now < self.came + self.ticket.lifetime


class SessionStore:
    """Sessions by server; those of TLS 1.3 are given out once (RFC 8446 §C.4), of TLS 1.2 again and again."""

    def __init__(self) -> None:
        self.claims: list[Callable[[bytes], bool]] = []
        """Take a session, by its identity, out of the files that others have open, too; False: it is gone."""
        self._kept: dict[str, list[Kept]] = {}
        self._unsaved: dict[bytes, tuple[str, Kept]] = {}
        """What the file has not got yet, by its identity; nothing where there is none."""
        self._sealed: list[tuple[bytes, bytes, Kept]] = []
        """From the file, under salt and hash: whose they are is not known until somebody asks."""

    def give(self, host: str, port: int, settings: str, ticket: SessionTicket, now: float) -> bool:
        """Keep a session; returns whether there was one of this server."""
        key, new = _key(host, port, settings), Kept(ticket, now)
        was_known = bool(self._unsealed(key))
        self._put(key, new)
        if self.claims:
            self._unsaved[ticket.identity + ticket.session_id] = key, new
        return was_known

    def _put(self, key: str, new: Kept) -> None:
        kept = self._unsealed(key)
        if new.ticket.version == TLS12:
            kept.clear()
        kept.append(new)
        del kept[:-PER_SERVER]
        self._kept[key] = self._kept.pop(key)  # the newest last
        while len(self._kept) > MAX_SERVERS:
            del self._kept[next(iter(self._kept))]

    def take(self, host: str, port: int, settings: str, now: float) -> tuple[ResumptionOffer, bool] | None:
        """Return the newest session of this server, and whether it comes from the file; None without one."""
        kept = self._unsealed(_key(host, port, settings))
        while kept:
            found = kept[-1]
            is_over = found.is_over(now)
            if is_over or found.ticket.version != TLS12:
                kept.pop()
            if not is_over and (found.ticket.version == TLS12 or self._is_ours(found.ticket.identity)):
                return ResumptionOffer(found.ticket, int((now - found.came) * 1000)), found.is_from_file
        return None

    def _is_ours(self, identity: bytes) -> bool:
        """Whether nobody else has used it, nor will."""
        if self._unsaved.pop(identity, None) is not None or not self.claims:
            return True
        return sum(claim(identity) for claim in self.claims) > 0  # out of each file that has it

    def _unsealed(self, key: str) -> list[Kept]:
        """The sessions under this key, the newest last; those of the file among them from now on."""
        kept = self._kept.setdefault(key, [])
        if self._sealed:
            mine = [one for one in self._sealed if _mac(one[0], key) == one[1]]
            if mine:
                self._sealed = [one for one in self._sealed if one not in mine]
                kept[:0] = [one[2] for one in mine]
        return kept

    # The file

    def load(self, octets: bytes, now: float) -> int:
        """Take what a file holds; returns the number of the first line that is damaged, 0 where none is."""
        damaged = 0
        for number, line in enumerate(octets.split(b"\n"), 1):
            if not line or line.startswith(b"#"):
                continue
            try:
                sealed = _read_line(line)
            except ValueError:
                damaged = damaged or number
                continue
            if not sealed[2].is_over(now):
                self._sealed.append(sealed)
        return damaged

    @property
    def has_unsaved(self) -> bool:
        return bool(self._unsaved)

    def hand_on(self, other: SessionStore) -> None:
        """Give another store, which is to be a file's, what no file has yet."""
        for key, kept in self._unsaved.values():
            other._put(key, kept)
        self._unsaved.clear()

    def forget(self, identity: bytes) -> bool:
        """Drop a session that a file has; False without one."""
        left = [one for one in self._sealed if one[2].ticket.identity != identity]
        was_there = len(left) < len(self._sealed)
        self._sealed = left
        return was_there

    def file_octets(self, now: float, random_bytes: Callable[[int], bytes]) -> bytes:
        """Return the file as it should be: all that may still be used, under new salts.

        Where that is more than `load` would be given, the oldest are left out.
        """
        lines = [_line(salt, mac, kept) for salt, mac, kept in self._sealed if not kept.is_over(now)]
        for key, all_kept in self._kept.items():
            for kept in all_kept:
                if not kept.is_over(now):
                    salt = random_bytes(_SALT_SIZE)
                    lines.append(_line(salt, _mac(salt, key), kept))
        first, room = len(lines), MAX_FILE - len(HEADER)
        while first and (room := room - len(lines[first - 1])) >= 0:
            first -= 1
        return HEADER + b"".join(lines[first:])


def _key(host: str, port: int, settings: str) -> str:
    return f"{host.lower()}:{port}:{settings}"


def _mac(salt: bytes, key: str) -> bytes:
    from hmac import digest

    return digest(salt, key.encode("utf-8", "surrogateescape"), "sha256")


def _line(salt: bytes, mac: bytes, kept: Kept) -> bytes:
    from binascii import b2a_base64

    session = b2a_base64(_encoded(kept), newline=False)
    return b2a_base64(salt + mac, newline=False) + b":" + session + b"\n"


def _read_line(line: bytes) -> tuple[bytes, bytes, Kept]:
    """Raises `ValueError` for what no line of ours can be."""
    from binascii import a2b_base64

    owner, colon, session = line.partition(b":")
    sealed = a2b_base64(owner, strict_mode=True)
    if not colon or len(sealed) != _SALT_SIZE + _MAC_SIZE:
        raise ValueError("no owner")
    try:
        return sealed[:_SALT_SIZE], sealed[_SALT_SIZE:], _decoded(a2b_base64(session, strict_mode=True))
    except PeerMisbehavedError as error:
        raise ValueError(str(error)) from None


def _encoded(kept: Kept) -> bytes:
    """In the presentation language of TLS, as all else it consists of."""
    ticket = kept.ticket
    numbers = (ticket.version, ticket.cipher_suite, ticket.signature_scheme or 0, ticket.group)
    return (
        bytes((_FORM, ticket.was_verified | ticket.is_raw_key << 1))
        + b"".join(number.to_bytes(2, "big") for number in numbers)
        + int(kept.came * 1000).to_bytes(8, "big")
        + ticket.lifetime.to_bytes(4, "big")
        + ticket.age_add.to_bytes(4, "big")
        + ticket.max_early_data_size.to_bytes(4, "big")
        + vector(2, ticket.server_name.encode())
        + vector(2, ticket.identity)
        + vector(1, ticket.session_id)
        + vector(1, ticket.resumption_secret)
        + vector(3, b"".join(vector(3, der) for der in ticket.peer_chain))
        + b"".join(_optional(octets) for octets in (ticket.alpn, ticket.ocsp_response, ticket.sct_list))
    )


def _decoded(octets: bytes) -> Kept:
    with Reader(octets, "session") as reader:
        if reader.uint(1) != _FORM:
            raise ValueError("another form")
        flags = reader.uint(1)
        version, suite, scheme, group = (reader.uint(2) for _ in range(4))
        came, lifetime, age_add, early = reader.uint(8), reader.uint(4), reader.uint(4), reader.uint(4)
        name, identity = reader.vector(2).decode(), reader.vector(2)
        session_id, secret = reader.vector(1), reader.vector(1, 1)
        chain = []
        with reader.block(3, 1) as block:
            while block.remaining:
                chain.append(block.vector(3, 1))
        alpn, ocsp, scts = (_read_optional(reader) for _ in range(3))
    is_possible = (
        version in (TLS12, TLS13)
        and lifetime <= MAX_TICKET_LIFETIME
        and len(identity) <= MAX_IDENTITY
        and len(session_id) <= MAX_SESSION_ID
    )
    if not is_possible:
        raise ValueError("no session that a server has given")
    ticket = SessionTicket(
        server_name=name,
        identity=identity,
        resumption_secret=secret,
        cipher_suite=suite,
        lifetime=lifetime,
        age_add=age_add,
        max_early_data_size=early,
        alpn=alpn,
        peer_chain=tuple(chain),
        ocsp_response=ocsp,
        sct_list=scts,
        was_verified=bool(flags & 1),
        is_raw_key=bool(flags & 2),
        signature_scheme=scheme or None,
        version=version,
        session_id=session_id,
        group=group,
    )
    return Kept(ticket, came / 1000, is_from_file=True)


def _optional(octets: bytes | None) -> bytes:
    return b"\0" if octets is None else b"\1" + vector(3, octets)


def _read_optional(reader: Reader) -> bytes | None:
    return reader.vector(3) if reader.uint(1) else None

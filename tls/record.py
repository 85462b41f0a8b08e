"""The record layer (RFC 8446 §5): octets to fragments, and back.

Cost is per record and per copy.  `RecordReader` opens records where they lie
in the chunk that arrived, side by side into one buffer, so that a run of
application data comes out as a single view; only a record that straddles two
chunks is copied.  `RecordWriter` copies plaintext once, into its own scratch
room, and seals from there into a new buffer.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from .alerts import Alert
from .crypto import TAG_SIZE, Aead, AuthenticationError, CipherSuite
from .errors import PeerMisbehavedError
from .key_schedule import next_traffic_secret, traffic_keys

Buffer = bytes | bytearray | memoryview

CHANGE_CIPHER_SPEC = 20
ALERT = 21
HANDSHAKE = 22
APPLICATION_DATA = 23

HEADER_SIZE = 5
MAX_PLAINTEXT = 1 << 14
MAX_CIPHERTEXT = MAX_PLAINTEXT + 256
#: A full inner plaintext carries its type in one more octet (RFC 8446 §5.4).
MAX_INNER_PLAINTEXT = MAX_PLAINTEXT + 1
_NOTHING = memoryview(b"")


class Record(NamedTuple):
    """A type and what came under it; the view is good until the next `receive`."""

    content_type: int
    fragment: memoryview


class RecordProtection(Protocol):
    """One direction under one key; TLS 1.3 and 1.2 each have theirs."""

    sequence: int
    takes_plain_change_cipher_spec: bool
    limit: int
    """The longest inner plaintext, its type counted; in TLS 1.2 the longest plaintext and one."""

    def open(self, octets: memoryview, opened: memoryview, start: int) -> tuple[int, int]:
        """Decrypt a record, header and all, to `opened[start:]`; return type and length of its content."""
        ...

    def seal(self, content_type: int, data: Buffer, scratch: memoryview) -> bytearray:
        """Protect `data` in as few records as it takes, one behind the other; `scratch` has room for one."""
        ...


class Protection:
    """One direction under one traffic secret: AEAD, nonces, and the way to the next secret."""

    __slots__ = ("aead", "iv", "limit", "pad_to", "secret", "sequence", "suite")

    takes_plain_change_cipher_spec = True
    """RFC 8446 §5: it means nothing, and comes in the clear."""

    def __init__(
        self, suite: CipherSuite, secret: bytes, limit: int = MAX_INNER_PLAINTEXT, pad_to: int = 1
    ) -> None:
        keys = traffic_keys(suite.hash_name, secret, suite.key_size)
        self.suite = suite
        self.secret = secret
        self.aead: Aead = suite.new_aead(keys.key)
        self.iv = int.from_bytes(keys.iv, "big")
        self.sequence = 0
        self.limit = limit
        self.pad_to = pad_to

    def updated(self) -> Protection:
        """After a KeyUpdate (RFC 8446 §7.2)."""
        secret = next_traffic_secret(self.suite.hash_name, self.secret)
        return Protection(self.suite, secret, self.limit, self.pad_to)

    def open(self, octets: memoryview, opened: memoryview, start: int) -> tuple[int, int]:
        """See `RecordProtection`."""
        length = len(octets) - HEADER_SIZE - TAG_SIZE
        room = opened[start : start + max(length, 0)]
        nonce = (self.iv ^ self.sequence).to_bytes(12, "big")
        try:
            self.aead.decrypt_into(nonce, octets[HEADER_SIZE:], octets[:HEADER_SIZE], room)
        except (AuthenticationError, ValueError):
            room[:] = bytes(len(room))  # `decrypt_into` has written what nobody vouches for
            raise PeerMisbehavedError(
                f"record: authentication failed: number {self.sequence}", Alert.BAD_RECORD_MAC
            ) from None
        self.sequence += 1
        if octets[0] != APPLICATION_DATA:
            raise PeerMisbehavedError(
                f"record: wrong outer type of a protected record: {octets[0]}", Alert.UNEXPECTED_MESSAGE
            )
        if length > self.limit:
            raise plaintext_too_long(length - 1, self.limit - 1)
        content_type = room[-1] if length else 0
        if content_type:
            length -= 1
        else:
            content_type, length = _strip_padding(room)
        return content_type, length

    def seal(self, content_type: int, data: Buffer, scratch: memoryview) -> bytearray:
        """See `RecordProtection`."""
        encrypt_into, iv = self.aead.encrypt_into, self.iv
        data = memoryview(data).cast("B")
        total, longest = len(data), self.limit - 1
        count = max(-(-total // longest), 1)
        padding = self._padding((total - 1) % longest + 1 if total else 0)  # of the last; others are full
        sealed = bytearray(total + count * (HEADER_SIZE + 1 + TAG_SIZE) + padding)
        room = memoryview(sealed)
        position = 0
        for start in range(0, max(total, 1), longest):
            length = min(total - start, longest)
            scratch[:length] = data[start : start + length]
            scratch[length] = content_type
            inner = length + 1
            if padding and start + length == total:
                scratch[inner : inner + padding] = bytes(padding)
                inner += padding
            size = inner + TAG_SIZE
            header = b"\x17\x03\x03" + size.to_bytes(2, "big")
            body = position + HEADER_SIZE
            room[position:body] = header
            nonce = (iv ^ self.sequence).to_bytes(12, "big")
            self.sequence += 1  # before use: whatever happens, no nonce serves twice
            encrypt_into(nonce, scratch[:inner], header, room[body : body + size])
            position = body + size
        return sealed

    def _padding(self, length: int) -> int:
        """RFC 8446 §5.4: up to a multiple of `pad_to`, and never over the limit."""
        return min(-(length + 1) % self.pad_to, self.limit - length - 1)


class RecordReader:
    """Takes chunks of any size and gives records; a `PeerMisbehavedError` is final."""

    def __init__(self, max_empty_records: int) -> None:
        self.protection: RecordProtection | None = None
        self._max_empty_records = max_empty_records
        self._empty_records = 0
        self._chunk = _NOTHING
        self._position = 0
        self._partial = bytearray()
        self._opened = memoryview(bytearray())
        self._opened_end = 0
        self._held: Record | None = None
        self._failure: PeerMisbehavedError | None = None

    def receive(self, data: Buffer, may_reuse_memory: bool) -> None:
        """Take a chunk; `next_record` must have said None to the one before.

        With `may_reuse_memory`, views handed out before lose their content.
        """
        self._chunk = memoryview(data).cast("B")
        self._position = 0
        room = len(self._partial) + len(self._chunk)
        if not may_reuse_memory or room > len(self._opened):
            self._opened = memoryview(bytearray(room))
        self._opened_end = 0

    def next_record(self) -> Record | None:
        """Return the next record, or a whole run of application data; None when more octets are needed."""
        if self._failure is not None:
            raise self._failure
        if self._held is not None:
            record, self._held = self._held, None
            return record
        begin = self._opened_end
        try:
            self._held = self._open_run()
        except PeerMisbehavedError as error:
            self._failure, self._chunk = error, _NOTHING
        if self._opened_end > begin:  # what came before the rest is good, and goes first
            return Record(APPLICATION_DATA, self._opened[begin : self._opened_end])
        if self._failure is not None:
            raise self._failure
        held, self._held = self._held, None
        return held

    def _open_run(self) -> Record | None:
        """Open records while they are application data; return the first that is not, or an empty one."""
        while (octets := self._next_octets()) is not None:
            content_type, length = self._open(octets)
            end = self._opened_end + length
            if content_type != APPLICATION_DATA or length == 0:
                return Record(content_type, self._opened[self._opened_end : end])
            self._opened_end = end
        return None

    def _next_octets(self) -> memoryview | None:
        """Return one whole record, header and all."""
        if self._partial:
            return self._rest_of_partial()
        chunk, start = self._chunk, self._position
        there = len(chunk) - start
        if there >= HEADER_SIZE:
            size = HEADER_SIZE + self._length(chunk[start : start + HEADER_SIZE])
            if there >= size:
                self._position = start + size
                return chunk[start : start + size]
        if there:
            self._partial += chunk[start:]
        self._chunk, self._position = _NOTHING, 0  # the caller's memory is let go
        return None

    def _rest_of_partial(self) -> memoryview | None:
        partial = self._partial
        if len(partial) < HEADER_SIZE:
            self._move_to_partial(HEADER_SIZE - len(partial))
            if len(partial) < HEADER_SIZE:
                return None
        size = HEADER_SIZE + self._length(memoryview(bytes(partial[:HEADER_SIZE])))
        self._move_to_partial(size - len(partial))
        if len(partial) < size:
            return None
        self._partial = bytearray()
        return memoryview(partial)

    def _move_to_partial(self, wanted: int) -> None:
        piece = self._chunk[self._position : self._position + wanted]
        self._partial += piece
        self._position += len(piece)
        if self._position == len(self._chunk):
            self._chunk, self._position = _NOTHING, 0

    def _length(self, header: memoryview) -> int:
        """Check a header, and return the length it announces."""
        content_type = header[0]
        if not CHANGE_CIPHER_SPEC <= content_type <= APPLICATION_DATA:
            octets = bytes(header)
            found = "plain HTTP, not TLS" if octets == b"HTTP/" else f"the octets {octets.hex(' ')}"
            raise PeerMisbehavedError(
                f"record: unknown content type: {content_type}: the server sends {found}",
                Alert.UNEXPECTED_MESSAGE,
            )
        # RFC 8446 §5.1 has the version ignored, but what does not begin with 3 never was TLS.
        if header[1] != 3 or (self.protection is not None and header[2] != 3):
            raise PeerMisbehavedError(
                f"record: wrong version: 0x{header[1]:02x}{header[2]:02x}", Alert.PROTOCOL_VERSION
            )
        length = header[3] << 8 | header[4]
        if length > MAX_CIPHERTEXT:
            raise PeerMisbehavedError(
                f"record: ciphertext too long: {length} octets, at most {MAX_CIPHERTEXT}",
                Alert.RECORD_OVERFLOW,
            )
        return length

    def _open(self, octets: memoryview) -> tuple[int, int]:
        """Put the content of a record at the end of what was opened; return its type and length."""
        protection = self.protection
        is_plain_ccs = octets[0] == CHANGE_CIPHER_SPEC
        if protection is None or (is_plain_ccs and protection.takes_plain_change_cipher_spec):
            return octets[0], self._copy_plaintext(octets)
        content_type, length = protection.open(octets, self._opened, self._opened_end)
        if length == 0:
            self._count_empty(content_type)
        else:
            self._empty_records = 0
        if content_type == CHANGE_CIPHER_SPEC:  # dropped in the clear only, RFC 8446 §5
            raise PeerMisbehavedError(
                "record: content type not allowed here: protected change_cipher_spec",
                Alert.UNEXPECTED_MESSAGE,
            )
        return content_type, length

    def _copy_plaintext(self, octets: memoryview) -> int:
        length = len(octets) - HEADER_SIZE
        if length > MAX_PLAINTEXT:
            raise plaintext_too_long(length)
        if length == 0 and octets[0] != CHANGE_CIPHER_SPEC:
            self._count_empty(octets[0])
        start = self._opened_end
        self._opened[start : start + length] = octets[HEADER_SIZE:]
        return length

    def _count_empty(self, content_type: int) -> None:
        if content_type != APPLICATION_DATA:  # RFC 8446 §5.1
            raise PeerMisbehavedError(
                f"record: empty fragment of content type {content_type}", Alert.UNEXPECTED_MESSAGE
            )
        self._empty_records += 1
        if self._empty_records > self._max_empty_records:
            raise PeerMisbehavedError(
                f"record: too many empty records: over {self._max_empty_records} in a row",
                Alert.UNEXPECTED_MESSAGE,
            )


class RecordWriter:
    """Seals fragments; what it returns is new memory that the caller may keep."""

    def __init__(self) -> None:
        self.protection: RecordProtection | None = None
        self._scratch = memoryview(bytearray(MAX_INNER_PLAINTEXT))

    def plaintext(self, content_type: int, data: bytes, version: int = 0x0303) -> bytes:
        """Build unprotected records: a ClientHello, change_cipher_spec, an early alert."""
        head = bytes([content_type]) + version.to_bytes(2, "big")
        pieces = [data[start : start + MAX_PLAINTEXT] for start in range(0, len(data), MAX_PLAINTEXT)]
        return b"".join(head + len(piece).to_bytes(2, "big") + piece for piece in pieces)

    def seal(self, content_type: int, data: Buffer) -> bytearray:
        """Protect `data` in as few records as it takes, one behind the other."""
        assert self.protection is not None
        return self.protection.seal(content_type, data, self._scratch)


def _strip_padding(inner: memoryview) -> tuple[int, int]:
    """Return type and length of an inner plaintext that ends with zeros (RFC 8446 §5.4)."""
    content = bytes(inner).rstrip(b"\0")
    if not content:
        raise PeerMisbehavedError("record: protected record without a type", Alert.UNEXPECTED_MESSAGE)
    return content[-1], len(content) - 1


def plaintext_too_long(length: int, limit: int = MAX_PLAINTEXT) -> PeerMisbehavedError:
    """Make the error for a content over the limit (RFC 8446 §5.1, RFC 8449 §4, RFC 5246 §6.2.1)."""
    return PeerMisbehavedError(
        f"record: plaintext too long: {length} octets, at most {limit}", Alert.RECORD_OVERFLOW
    )

"""URLs as curl takes them: between RFC 3986 and what people type.

Text keeps octets that are not UTF-8 as surrogates, as `sys.argv` does; `encode_text` gives them back.
"""

from __future__ import annotations

from typing import NamedTuple

from pycurl_redox.errors import LoginDeniedError, UnsupportedProtocolError, UrlError, protocol_not_supported

MAX_URL_LENGTH = 8_000_000
"""curl's bound of any one input text."""

_TRANSITIONAL = {0x00DF: "ss", 0x03C2: "σ", 0x200C: None, 0x200D: None}
"""UTS 46 §4: what transitional processing maps besides."""

MAX_LABEL_LENGTH = 63
"""RFC 1035 §2.3.4."""

DEFAULT_PORTS = {"http": 80, "https": 443}

_MAX_SCHEME_LENGTH = 40
_SCHEME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.")
_BAD_TARGET = "The redirect target URL could not be parsed"
_NOT_IN_HOSTS = frozenset(" \r\n\t/:#?!@{}[]\\$'\"^`*<>=;,+&()")
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_NUMBER_LETTERS = _HEX_DIGITS | {"x", "X"}
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_GUESSED_SCHEMES = ("ftp", "dict", "ldap", "imap", "smtp", "pop3")


class Url(NamedTuple):
    """A URL in its parts, as they were typed but for dot segments and the spelling of addresses."""

    scheme: str
    user: str | None
    """As typed: `login()` decodes."""
    password: str | None
    host: str
    """Without brackets and zone; percent-decoded but for percent signs; not yet in its ASCII form."""
    zone: str
    port: int
    port_given: bool
    path: str
    """Begins with a slash."""
    query: str | None
    fragment: str | None

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.host

    @property
    def is_default_port(self) -> bool:
        return DEFAULT_PORTS.get(self.scheme) == self.port

    @property
    def authority(self) -> str:
        """Host with brackets, and the port unless it is the scheme's own: the value of Host."""
        host = self.ascii_host()
        bracketed = f"[{host}]" if self.is_ipv6 else host
        return bracketed if self.is_default_port else f"{bracketed}:{self.port}"

    @property
    def target(self) -> str:
        """Path and query of a request; in the path everything beyond ASCII is percent-encoded."""
        path = percent_encode(self.path)
        return path if self.query is None else f"{path}?{self.query}"

    def login(self) -> tuple[bytes, bytes] | None:
        """Return user and password, decoded, or None where the URL has none."""
        if self.user is None and self.password is None:
            return None
        user, password = unquote(self.user or ""), unquote(self.password or "")
        if b"\0" in user or b"\0" in password:
            raise UrlError(reason="Bad login part")
        return user, password

    def ascii_host(self) -> str:
        """Return the host for resolving and for Host: an international name in its ASCII form."""
        return self.host if self.host.isascii() else _to_ascii(self.host)

    def without_login(self) -> Url:
        return self._replace(user=None, password=None)

    def text(self, *, with_login: bool = True, with_fragment: bool = True) -> str:
        """Return the URL as curl shows it; an empty query is left out."""
        if not self.scheme:
            return self.path
        login = ""
        if with_login and (self.user is not None or self.password is not None):
            login = (self.user or "") + ("" if self.password is None else f":{self.password}") + "@"
        host = f"[{self.host}{'%25' if self.zone else ''}{self.zone}]" if self.is_ipv6 else self.host
        port = f":{self.port}" if self.port_given else ""
        query = f"?{self.query}" if self.query else ""
        fragment = f"#{self.fragment}" if self.fragment and with_fragment else ""
        return f"{self.scheme}://{login}{host}{port}{self.path}{query}{fragment}"


def parse_url(
    text: str,
    *,
    default_scheme: str | None = None,
    path_as_is: bool = False,
    allow_user: bool = True,
    allow_file: bool = False,
    encode: bool = False,
    any_scheme: bool = False,
) -> Url:
    """Take a URL apart; one without a scheme gets `default_scheme`, or is guessed by its host as curl does.

    `encode`: it came from a server, so spaces and octets beyond ASCII are percent-encoded.
    `allow_file`: `file://` is a scheme too.
    Raises `UrlError`, `LoginDeniedError`, and `UnsupportedProtocolError` for other schemes than http and
    https unless `any_scheme`: then the caller has to look at it, and the port may be 0.
    """
    if len(text) > MAX_URL_LENGTH:
        raise UrlError(reason="Malformed input to a URL function")
    if allow_file and (scheme_of(text) or default_scheme or "") == "file":
        return _parse_file_url(text if scheme_of(text) else f"file://{text}", path_as_is)
    scheme, rest = _split_scheme(text, default_scheme)
    authority_end = _first_of(rest, "/?#")
    authority, rest = rest[:authority_end], rest[authority_end:]
    if not authority:
        raise UrlError(reason="No host part in the URL")
    rest, _, fragment = rest.partition("#")
    path, question, query = rest.partition("?")
    if encode:
        path, query, fragment = (
            percent_encode(path),
            percent_encode(query, space="+"),
            percent_encode(fragment),
        )
    _refuse_junk(fragment=fragment, query=query, path=path)
    user, password, host_and_port = _split_login(authority)
    if user is not None and not allow_user:
        raise LoginDeniedError()
    _refuse_junk(user=user, password=password)
    host, zone, port = _parse_host(host_and_port, has_scheme=bool(scheme))
    scheme = scheme or _guess_scheme(host)
    if scheme not in DEFAULT_PORTS and not any_scheme:
        raise protocol_not_supported(scheme)
    return Url(
        scheme=scheme,
        user=user,
        password=password,
        host=host,
        zone=zone,
        port=DEFAULT_PORTS.get(scheme, 0) if port is None else port,
        port_given=port is not None,
        path=(path if path_as_is else remove_dot_segments(path)) or "/",
        query=query if question else None,
        fragment=fragment or None,
    )


def _parse_file_url(text: str, path_as_is: bool) -> Url:
    """Read `file:/path`, `file:///path` or `file://localhost/path` (RFC 8089 §2); no other host."""
    path = text[len("file:") :]
    if path.startswith("//"):
        host, slash, path = path[2:].partition("/")
        if not slash or host.lower() not in ("", "localhost", "127.0.0.1"):
            raise UrlError(reason="Bad file:// URL")
        path = "/" + path
    elif path == "/":
        raise UrlError(reason="Bad file:// URL")  # curl wants at least a letter behind a single slash
    path, _, fragment = path.partition("#")
    path, _, query = path.partition("?")
    _refuse_junk(fragment=fragment, query=query, path=path)
    return Url(
        scheme="file",
        user=None,
        password=None,
        host="",
        zone="",
        port=0,
        port_given=False,
        path=path if path_as_is else remove_dot_segments(path),
        query=None,
        fragment=fragment or None,
    )


def unread_url(text: str) -> Url:
    """Return what stands for a URL that could not be read: it only has its text."""
    return Url("", None, None, "", "", 0, False, text, None, None)


def scheme_of(text: str) -> str:
    """Return the scheme that a URL begins with, in lower case, or "" when it has none."""
    end = 0
    while end < min(len(text), _MAX_SCHEME_LENGTH) and text[end] in _SCHEME_LETTERS:
        end += 1
    # Without a slash behind it the colon is one before a port.
    return text[:end].lower() if end and text.startswith(":/", end) else ""


def resolve_reference(
    base: Url, reference: str, *, path_as_is: bool = False, is_followed: bool = True
) -> Url:
    """Return where a redirect of `base` leads (RFC 3986 §5.2); the fragment of `base` is not inherited.

    `is_followed` False: it is only shown, and a whole URL is shown as it came.

    Deviates from curl for a fragment alone, where curl drops the last segment of the path.
    """
    try:
        return _resolve(base, reference.strip(" \t"), path_as_is, is_followed)
    except UnsupportedProtocolError as error:
        raise UnsupportedProtocolError(f"{_BAD_TARGET}: Unsupported URL scheme") from error
    except UrlError as error:
        raise UrlError(f"{_BAD_TARGET}: {error.reason}") from error


def _resolve(base: Url, reference: str, path_as_is: bool, encode: bool) -> Url:
    if _is_absolute(reference):
        scheme = reference.partition(":")[0].lower()
        if scheme not in DEFAULT_PORTS and scheme != "file":
            raise protocol_not_supported(scheme)
        if not reference.startswith("/", len(scheme) + 1):
            raise UrlError(reason="Unsupported number of slashes following scheme")
        return parse_url(reference, path_as_is=path_as_is, allow_file=True, encode=encode)
    if reference.startswith("//"):
        return parse_url(f"{base.scheme}:{reference}", path_as_is=path_as_is, encode=True)
    reference, _, fragment = reference.partition("#")
    path, question, query = reference.partition("?")
    if not path:
        path, query = base.path, query if question else base.query or ""
        question = question or ("?" if base.query is not None else "")
    elif not path.startswith("/"):
        path = base.path[: base.path.rfind("/") + 1] + path
    # To curl all that follows the question mark is the query, the fragment too.
    fragment = percent_encode(fragment, space="+" if question else "%20")
    path, query = percent_encode(path), percent_encode(query, space="+")
    _refuse_junk(fragment=fragment, query=query, path=path)
    return base._replace(
        path=path if path_as_is else remove_dot_segments(path),
        query=query if question else None,
        fragment=fragment or None,
    )


def append_query(text: str, addition: str) -> str:
    """Return the URL with data of `-G` or `--url-query` after its query."""
    try:
        url = parse_url(text, allow_file=True)
    except UrlError as error:
        raise UrlError("Could not parse the URL, failed to set query") from error
    between = "&" if url.query and not url.query.endswith("&") else ""
    return url._replace(query=f"{url.query or ''}{between}{_small_hex(addition)}").text()


def add_upload_name(text: str, file: str) -> str:
    """Return the URL with the name of an uploaded file, where its path ends with a slash or is missing."""
    url = parse_url(text, path_as_is=True, allow_file=True, any_scheme=True)
    name = _small_hex(quote(encode_text(file.replace("\\", "/").rsplit("/", 1)[-1])))
    return url._replace(path=url.path + name).text() if url.path.endswith("/") and name else text


def remote_name(text: str) -> str:
    """Return the file name of `-O`: what follows the last slash of the path, or "" when there is nothing."""
    path = text.partition("#")[0].partition("?")[0]
    return parse_url(path, allow_file=True).path.replace("\\", "/").rsplit("/", 1)[-1]


def encode_text(text: str) -> bytes:
    """Return the octets that were typed."""
    return text.encode("utf-8", "surrogateescape")


def quote(octets: bytes) -> str:
    """Percent-encode all but letters, digits and `-._~` (RFC 3986 §2.3)."""
    return "".join([chr(octet) if octet in _UNRESERVED else f"%{octet:02X}" for octet in octets])


def percent_encode(text: str, *, space: str = "%20") -> str:
    """Encode blanks and octets beyond ASCII, with small letters, and leave the rest as it is."""
    if text.isascii():
        return text.replace(" ", space)
    octets = encode_text(text)
    return "".join([chr(octet) if octet < 0x80 else f"%{octet:02x}" for octet in octets]).replace(" ", space)


def unquote(text: str) -> bytes:
    """Resolve percent-encoding; a percent sign without two digits is kept."""
    pieces = encode_text(text).split(b"%")
    out = [pieces[0]]
    for piece in pieces[1:]:
        try:
            out.append(
                bytes.fromhex(piece[:2].decode("ascii")) + piece[2:] if len(piece) > 1 else b"%" + piece
            )
        except ValueError:
            out.append(b"%" + piece)
    return b"".join(out)


def remove_dot_segments(path: str) -> str:
    """Resolve `.` and `..` (RFC 3986 §5.2.4)."""
    if "." not in path or not path.startswith("/"):
        return path
    out: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del out[-1:]
        elif segment != ".":
            out.append(segment)
    # A dot segment at the end leaves the slash before it.
    if segments[-1] in (".", ".."):
        out.append("")
    return "/" + "/".join(out)


def _small_hex(text: str) -> str:
    """Write the digits of percent-encoding small, as curl does with a query that it takes."""
    first, *rest = text.split("%")
    return "%".join(
        [first, *[p[:2].lower() + p[2:] if _HEX_DIGITS.issuperset(p[:2]) and len(p) > 1 else p for p in rest]]
    )


def _split_scheme(text: str, default_scheme: str | None) -> tuple[str, str]:
    scheme = scheme_of(text)
    if not scheme:
        return default_scheme or "", text
    rest = text[len(scheme) + 1 :]
    slashes = len(rest) - len(rest.lstrip("/"))
    if slashes > 3:
        raise UrlError(reason="Unsupported number of slashes following scheme")
    return scheme, rest[slashes:]


def _is_absolute(reference: str) -> bool:
    """Say whether a redirect names a scheme; there the colon needs no slash behind it."""
    head, colon, _ = reference.partition(":")
    return bool(colon and head) and len(head) <= _MAX_SCHEME_LENGTH and _SCHEME_LETTERS.issuperset(head)


def _split_login(authority: str) -> tuple[str | None, str | None, str]:
    login, at, host = authority.partition("@")
    if not at:
        return None, None, authority
    user, colon, password = login.partition(":")
    return user, password if colon else None, host


def _parse_host(text: str, *, has_scheme: bool) -> tuple[str, str, int | None]:
    if text.startswith("["):
        inside, bracket, after = text[1:].partition("]")
        if not bracket:
            raise UrlError(reason="Bad IPv6 address")
        port = _parse_port(after, has_scheme)
        return *_parse_ipv6(inside), port
    name, colon, digits = text.partition(":")
    port = _parse_port(colon + digits, has_scheme)
    if not name:
        raise UrlError(reason="No host part in the URL")
    host = unquote(name).decode("utf-8", "surrogateescape") if "%" in name else name
    # Decoded first, as later versions of curl do it: what looks like an address then, is one.
    if (address := normalize_ipv4(host)) is not None:
        return address, "", port
    host = host.replace("%", "%25")
    if not _NOT_IN_HOSTS.isdisjoint(host):
        raise UrlError(reason="Bad hostname")
    _refuse_junk(hostname=host)
    return host, "", port


def _parse_port(text: str, has_scheme: bool) -> int | None:
    """Read `:80`; a colon alone is no port, as browsers have it, unless it could end a scheme."""
    if not text or (text == ":" and has_scheme):
        return None
    digits = text[1:]
    if (
        text[0] != ":"
        or not digits.isascii()
        or not digits.isdigit()
        or len(digits) > 20
        or int(digits) > 0xFFFF
    ):
        raise UrlError(reason="Port number was not a decimal number between 0 and 65535")
    return int(digits)


def _parse_ipv6(text: str) -> tuple[str, str]:
    from tcpip.wire.address import IpAddress

    digits, percent, zone = text.partition("%")
    # The percent sign before the zone may itself be percent-encoded.
    if zone.startswith("25") and len(zone) > 2:
        zone = zone[2:]
    if percent and not 0 < len(zone) <= 15:
        raise UrlError(reason="Bad IPv6 address")
    try:
        address = IpAddress.parse(digits)
    except ValueError as error:
        raise UrlError(reason="Bad IPv6 address") from error
    if address.version != 6:
        raise UrlError(reason="Bad IPv6 address")
    if "." in digits:
        return digits, zone  # an IPv4 address at its end is left as it was typed
    normal = str(address)
    return normal if len(normal) < len(digits) else digits, zone


def normalize_ipv4(text: str) -> str | None:
    """Return an IPv4 address of one to four numbers, decimal, octal or hex, as four; None for a name."""
    if not text[:1].isdigit():
        return None
    numbers = [_c_number(part) for part in text.split(".")]
    if len(numbers) > 4:
        return None
    value = 0
    for index, number in enumerate(numbers):
        last = index == len(numbers) - 1
        bits = 8 * (4 - index) if last else 8
        if number is None or number >> bits:
            return None
        value = value << bits | number
    return ".".join([str(octet) for octet in value.to_bytes(4, "big")])


def _c_number(text: str) -> int | None:
    """Read a number as C does: 0x is hex, a leading 0 octal."""
    if not _NUMBER_LETTERS.issuperset(text) or not text[:1].isdigit() or len(text) > 40:
        return None  # blanks, signs and underscores are letters of Python's numbers only
    base = 16 if text[:2] in ("0x", "0X") else 8 if text[0] == "0" else 10
    try:
        return int(text, base)
    except ValueError:
        return None


def _guess_scheme(host: str) -> str:
    first, dot, _ = host.partition(".")
    return first.lower() if dot and first.lower() in _GUESSED_SCHEMES else "http"


def _refuse_junk(**parts: str | None) -> None:
    """Refuse control characters and blanks: they would end a line or a word of the request."""
    for name, part in parts.items():
        if part and any(letter <= " " or letter == "\x7f" for letter in part):
            raise UrlError(reason=f"Bad {name}")


def _first_of(text: str, letters: str) -> int:
    return min((at for letter in letters if (at := text.find(letter)) >= 0), default=len(text))


def _to_ascii(host: str) -> str:
    """Map and encode an international name (UTS 46): names of symbols and emoji as well, as libidn2 does.

    Where a joiner may not stand (RFC 5892 §A.1), the name is mapped in the old, transitional way.
    """
    import idna

    try:
        try:
            return _encoded(idna.uts46_remap(host, std3_rules=False))
        except idna.InvalidCodepointContext:
            return _encoded(idna.uts46_remap(host.translate(_TRANSITIONAL), std3_rules=False))
    except (idna.IDNAError, UnicodeError, IndexError) as error:
        raise UrlError(reason="Bad hostname") from error


def _encoded(name: str) -> str:
    return ".".join([_encoded_label(label) for label in name.split(".")])


def _encoded_label(label: str) -> str:
    import idna

    if label.isascii():
        return label
    idna.check_hyphen_ok(label)
    idna.check_initial_combiner(label)
    for position, letter in enumerate(label):
        if letter in "\u200c\u200d" and not idna.valid_contextj(label, position):
            raise idna.InvalidCodepointContext(f"U+{ord(letter):04X} may not stand in {label!r}")
    encoded = "xn--" + label.encode("punycode").decode("ascii")
    if len(encoded) > MAX_LABEL_LENGTH:
        raise idna.IDNAError(f"the label {label!r} is too long")
    return encoded

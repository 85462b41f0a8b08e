"""The request of one hop: its line and its headers, in curl's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.message import AsTyped, Headers, Request
from pycurl_redox.url import encode_text, percent_encode
from pycurl_redox.version import USER_AGENT
from tcpip.clock import wall_clock

if TYPE_CHECKING:
    from pycurl_redox.config import OperationConfig
    from pycurl_redox.message import Body
    from pycurl_redox.transfer import Transfer

EXPECT_FROM = 1024 * 1024
"""A POST larger than this asks first; a PUT always does."""

SPACES = " \t\r\n\v\f"
"""What C's isspace takes for a space; Python's would take more."""

FORM_URLENCODED = "application/x-www-form-urlencoded"


class CustomHeaders:
    """The `-H` lines: `Name:value` as it is typed, `Name;` for an empty one, `Name:` to have none at all."""

    __slots__ = ("_lines", "_names")

    def __init__(self, lines: list[str]) -> None:
        self._lines: list[tuple[str, str, str]] = []
        self._names: dict[str, tuple[str, str | None]] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            is_sent = bool(colon and name and value.strip(SPACES))
            if not colon and line.partition(";")[1:] == (";", ""):
                name, is_sent = line[:-1], True
            if is_sent:
                self._lines.append((name.lower(), name, value))
            ends = [at for at in (line.find(":"), line.find(";")) if at >= 0]
            if ends:  # it stands for curl's own header of that name, sent or not
                rest = line[min(ends) + 1 :]
                self._names.setdefault(line[: min(ends)].lower(), (line, rest if is_sent else None))

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def line(self, name: str) -> str | None:
        """Return the first line of a name, whether it is sent or not."""
        return self._names[name][0] if name in self._names else None

    def value(self, name: str) -> str | None:
        """Return the first value given; None when there is none, or the header is to be left out."""
        value = self._names[name][1] if name in self._names else None
        return value.strip(SPACES) if value is not None else None

    def add_to(self, headers: Headers, without: tuple[str, ...]) -> None:
        """Put those on that are to be sent, in their order."""
        for key, name, value in self._lines:
            if key not in without:
                headers.append((encode_text(name), as_typed(value)))


def as_typed(rest: str) -> bytes:
    """Return a header's value from what is behind its colon; most have one space there."""
    octets = encode_text(rest)
    return octets[1:] if octets[:1] == b" " and octets[1:2] not in (b" ", b"\t", b"") else AsTyped(octets)


class Credentials:
    """The two authorization values for this hop, ready to send."""

    __slots__ = ("aws", "host", "is_negotiating", "proxy")

    def __init__(
        self, host: bytes | None = None, proxy: bytes | None = None, is_negotiating: bool = False
    ) -> None:
        self.aws: tuple[bytes, bytes] | None = None
        """User and password that sign for `--aws-sigv4`."""
        self.host = host
        self.proxy = proxy
        self.is_negotiating = is_negotiating
        """A challenge has to come first, so that the body is kept back."""


def compose(
    transfer: Transfer,
    credentials: Credentials,
    *,
    absolute: bool,
    trusted: bool,
    expects: bool = True,
) -> Request:
    """Write the request of the transfer's current URL.

    `absolute`: for a proxy that is no tunnel. `trusted`: the host is the one
    the user's own Authorization and Cookie were meant for.
    """
    config, url = transfer.config, transfer.url
    custom = CustomHeaders(config.headers + transfer.extra_headers)
    for_proxy = CustomHeaders(config.proxy_headers if absolute else [])
    has_body = transfer.method in ("POST", "PUT") and transfer.body is not None
    body = transfer.body if has_body and not credentials.is_negotiating else None
    version = b"1.0" if config.http_version == "1.0" or transfer.met_http10 else b"1.1"
    chunked = _is_chunked(custom, body, version)
    headers: Headers = []
    is_first_host = url.host.lower() == transfer.first_url.host.lower()
    _add_host(headers, custom, url.authority, is_first_host)
    skipped = ["host"] if headers else []
    if not trusted:
        skipped += ["authorization", "cookie"]
    if credentials.proxy and not ("proxy-authorization" in custom or "proxy-authorization" in for_proxy):
        headers.append((b"Proxy-Authorization", credentials.proxy))
    if credentials.host and ("authorization" not in custom or not trusted):
        headers.append((b"Authorization", credentials.host))
    if credentials.aws is not None and "authorization" not in custom:
        _add_signature(headers, transfer, credentials.aws, custom, body)
    _add_range(headers, transfer, custom)
    if "user-agent" not in custom and config.user_agent != "":
        headers.append((b"User-Agent", encode_text(config.user_agent or USER_AGENT)))
    if "accept" not in custom:
        headers.append((b"Accept", b"*/*"))
    if config.tr_encoding and "te" not in custom:
        connection = custom.value("connection")
        headers.append((b"Connection", (encode_text(connection) + b", TE") if connection else b"TE"))
        headers.append((b"TE", b"gzip"))
        skipped.append("connection")
    if config.compressed and "accept-encoding" not in custom:
        from pycurl_redox.decode import codings

        headers.append((b"Accept-Encoding", ", ".join(codings()).encode()))
    referer = transfer.result.referer
    if referer and "referer" not in custom:
        headers.append((b"Referer", encode_text(referer)))
    if absolute and not ("proxy-connection" in custom or "proxy-connection" in for_proxy):
        headers.append((b"Proxy-Connection", b"Keep-Alive"))
    if chunked and "transfer-encoding" not in custom:
        headers.append((b"Transfer-Encoding", b"chunked"))
    if transfer.alternative is not None and "alt-used" not in custom:
        headers.append((b"Alt-Used", encode_text(transfer.alternative)))
    _add_cookies(headers, transfer, custom)
    _add_time_condition(headers, config, custom)
    if config.form is not None or credentials.is_negotiating:
        skipped += ["content-type"] if config.form is not None and has_body else []
        skipped += ["content-length"] if credentials.is_negotiating else []
    custom.add_to(headers, tuple(skipped))
    for_proxy.add_to(headers, tuple(skipped))
    expects_continue = False
    if has_body:
        expects_continue = _add_body_headers(headers, transfer, custom, body, chunked, version, expects)
    return Request(
        encode_text(method_word(transfer)),
        _target(transfer, absolute),
        headers,
        body,
        is_chunked=chunked and body is not None,
        expects_continue=expects_continue,
        http_version=version,
        wants_no_body=transfer.method == "HEAD",
    )


def compose_connect(
    transfer: Transfer, host: str, port: int, authorization: bytes | None, is_http10: bool
) -> Request:
    """RFC 9110 §9.3.6: the request that opens a tunnel."""
    custom = CustomHeaders(transfer.config.proxy_headers)
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers: Headers = []
    if "host" not in custom:
        headers.append((b"Host", encode_text(authority)))
    if authorization and "proxy-authorization" not in custom:
        headers.append((b"Proxy-Authorization", authorization))
    agent = transfer.config.user_agent
    if "user-agent" not in custom and agent != "":
        headers.append((b"User-Agent", encode_text(agent or USER_AGENT)))
    if "proxy-connection" not in custom:
        headers.append((b"Proxy-Connection", b"Keep-Alive"))
    custom.add_to(headers, ())
    version = b"1.0" if is_http10 else b"1.1"
    return Request(b"CONNECT", encode_text(authority), headers, http_version=version)


def method_word(transfer: Transfer) -> str:
    """Return the method as it is sent: `-X` wins."""
    custom = transfer.config.request
    if custom is not None and not transfer.ignores_request:
        return custom  # the empty one too
    return transfer.word or transfer.method


def _target(transfer: Transfer, absolute: bool) -> bytes:
    if transfer.config.request_target is not None:
        return encode_text(transfer.config.request_target)
    target = transfer.url.target
    if absolute:
        # A proxy gets the URL as it was typed: nothing encoded, an empty query left out.
        url = transfer.url
        target = f"{url.scheme}://{url.authority}{url.path}" + (f"?{url.query}" if url.query else "")
    return encode_text(target)


def _add_host(headers: Headers, custom: CustomHeaders, authority: str, trusted: bool) -> None:
    if "host" not in custom or not trusted:
        headers.append((b"Host", encode_text(authority)))
    elif (line := custom.line("host")) != "Host:":
        headers.append((b"Host", as_typed((line or "")[len("Host:") :])))


def _add_signature(
    headers: Headers, transfer: Transfer, login: tuple[bytes, bytes], custom: CustomHeaders, body: Body | None
) -> None:
    from pycurl_redox.dates import compact_date
    from pycurl_redox.sigv4 import Scope, sign

    url, data = transfer.url, transfer.config.data  # of -T and -F curl signs no payload
    host = url.ascii_host()
    named: Headers = []
    custom.add_to(named, ())
    is_first = url.host.lower() == transfer.first_url.host.lower()
    signed = sign(
        Scope.parse(transfer.config.aws_sigv4 or "", host),
        *login,
        method=encode_text(method_word(transfer)),
        host=encode_text(url.authority),
        path=encode_text(percent_encode(url.path)),
        query=encode_text(url.query or ""),
        headers=[(name, value) for name, value in named if is_first or name.lower() != b"host"],
        payload=bytes(data) if body is not None and transfer.method == "POST" and data is not None else b"",
        timestamp=compact_date(int(wall_clock())),
    )
    headers += [(b"Authorization", signed.authorization), signed.date]


def _add_range(headers: Headers, transfer: Transfer, custom: CustomHeaders) -> None:
    """RFC 9110 §14.2 for a download, §14.4 for an upload that goes on."""
    config, start = transfer.config, transfer.resume_from
    if transfer.method in ("PUT", "POST"):
        body = transfer.body
        is_put = transfer.method == "PUT"
        if is_put and (start or config.continue_at == -1) and "content-range" not in custom:
            left = body.length if body is not None else None
            total = start + (-1 if left is None else left)
            headers.append((b"Content-Range", b"bytes %d-%d/%d" % (start, total - 1, total)))
        elif config.range is not None and config.form is None and "content-range" not in custom:
            size = body.length if body is not None and body.length is not None else -1
            headers.append((b"Content-Range", encode_text(f"bytes {config.range}/{size}")))
        return
    if "range" in custom:
        return
    if start:
        headers.append((b"Range", b"bytes=%d-" % start))
    elif config.range is not None:
        headers.append((b"Range", encode_text(f"bytes={config.range}")))


def _add_cookies(headers: Headers, transfer: Transfer, custom: CustomHeaders) -> None:
    # To other hosts as well, as in curl; a header of the user's own takes their place, not that of the jar's.
    typed = "" if "cookie" in custom else ";".join(transfer.config.cookies)
    if transfer.cookies is None:
        value = encode_text(typed)
    else:
        from pycurl_redox.cookies import is_secure_context

        host, path = transfer.cookie_host(), transfer.url.path
        secure = is_secure_context(transfer.url.scheme, host)
        now = int(wall_clock())
        value = transfer.cookies.header(host, path, is_secure=secure, now=now, extra=typed) or b""
        for text in transfer.cookies.notes:
            transfer.observer.note(text)
        transfer.cookies.notes.clear()
    if value:
        headers.append((b"Cookie", value))


def _add_time_condition(headers: Headers, config: OperationConfig, custom: CustomHeaders) -> None:
    if not config.time_condition:
        return
    from pycurl_redox.dates import http_date

    name = {"if-modified-since": "If-Modified-Since", "if-unmodified-since": "If-Unmodified-Since"}
    word = name.get(config.time_condition, "Last-Modified")
    if word.lower() not in custom:
        headers.append((word.encode(), http_date(config.condition_time).encode()))


def _add_body_headers(
    headers: Headers,
    transfer: Transfer,
    custom: CustomHeaders,
    body: Body | None,
    chunked: bool,
    version: bytes,
    expects: bool,
) -> bool:
    """Add Content-Length, Content-Type and Expect; True when the body waits for a 100."""
    length = body.length if body is not None else 0
    is_put = transfer.method == "PUT"
    if not chunked and length is not None and ("content-length" not in custom or body is None):
        headers.append((b"Content-Length", b"%d" % length))
    if body is None and transfer.config.form is not None:
        pass  # the boundary's line goes with the form
    elif not is_put and transfer.content_type and transfer.config.form is not None:
        typed = custom.value("content-type")
        boundary = transfer.content_type.partition(";")[2]
        value = f"{typed};{boundary}" if typed else transfer.content_type
        headers.append((b"Content-Type", encode_text(value)))
    elif not is_put and transfer.content_type and "content-type" not in custom:
        headers.append((b"Content-Type", encode_text(transfer.content_type)))
    if body is None or not expects:
        return False
    if "expect" in custom:
        return (custom.value("expect") or "").lower() == "100-continue"
    if version == b"1.0" or length == 0 or (not is_put and length is not None and length <= EXPECT_FROM):
        return False
    headers.append((b"Expect", b"100-continue"))
    return True


def _is_chunked(custom: CustomHeaders, body: Body | None, version: bytes) -> bool:
    if body is None:
        return False
    if "transfer-encoding" in custom:
        return "chunked" in (custom.value("transfer-encoding") or "").lower()
    if body.length is not None:
        return False
    if version == b"1.0":
        raise errors.UploadFailedError("Chunky upload is not supported by HTTP 1.0")
    return True

"""A small web site with what command lines ask of servers: redirects, logins, ranges, codings, cookies.

It answers the same to the same requests, so that two clients can be compared;
what counts up is counted for each client by the name it gives in its path.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import ssl
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

TEXT = b"".join(b"line %d of a page that is there to be fetched\n" % n for n in range(400))
LAST_MODIFIED = "Mon, 02 Nov 2026 10:00:00 GMT"
ETAG = '"page-1"'
REALM = "the site"
NONCE = "0123456789abcdef0123456789abcdef"
OPAQUE = "5ccc069c403ebaf9f0171e9517f40e41"
SCRIPT = b"echo the script ran with $# arguments: $*\nexit 3\n"


class WebSite(NamedTuple):
    """Where the site is, and what was asked of it since `take`."""

    http: str  # http://127.0.0.1:PORT
    https: str
    requests: list[bytes]

    def take(self) -> list[bytes]:
        """The requests so far, as they came; the list begins anew."""
        taken = list(self.requests)
        self.requests.clear()
        return taken


@contextlib.contextmanager
def web_site(tls: ssl.SSLContext | None = None) -> Iterator[WebSite]:
    requests: list[bytes] = []
    visits: Counter[str] = Counter()
    servers = []
    for context in (None, tls):
        handler = type("Handler", (_Handler,), {"requests": requests, "visits": visits})
        server = _Server(("127.0.0.1", 0), handler)
        if context is not None:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
    try:
        http, https = (server.server_address[1] for server in servers)
        yield WebSite(f"http://127.0.0.1:{http}", f"https://127.0.0.1:{https}", requests)
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away early is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    requests: list[bytes]
    visits: Counter[str]

    def version_string(self) -> str:
        return "site"

    def date_time_string(self, timestamp: float | None = None) -> str:
        return "Tue, 24 Nov 2026 12:00:00 GMT"

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""

    def handle_expect_100(self) -> bool:
        if urlsplit(self.path).path == "/no-expect":
            self.send_response(417)
            self.send_header("Content-Length", "0")
            self.end_headers()
            self._note(b"")
            return False
        return super().handle_expect_100()

    def do_GET(self) -> None:
        body = self._body()
        self._note(body)
        path = urlsplit(self.path).path
        name, _, rest = path.strip("/").partition("/")
        page = getattr(self, f"_page_{name.replace('-', '_')}", None)
        if page is None:
            self._say(404, b"no such page\n", "Content-Type: text/plain")
        else:
            page(rest, body)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_PURGE = do_OPTIONS = do_GET

    def _note(self, body: bytes) -> None:
        self.requests.append(
            f"{self.requestline}\n{self.headers}".encode("latin-1", "surrogateescape") + body
        )

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _say(self, status: int, body: bytes, *headers: str) -> None:
        self.send_response(status)
        for line in headers:
            name, _, value = line.partition(": ")
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 304:
            self.wfile.write(body)

    # the pages

    def _page_page(self, rest: str, body: bytes) -> None:
        headers = [
            f"Last-Modified: {LAST_MODIFIED}",
            f"ETag: {ETAG}",
            "Accept-Ranges: bytes",
            "Content-Type: text/plain",
        ]
        if (
            self.headers.get("If-None-Match") == ETAG
            or self.headers.get("If-Modified-Since") == LAST_MODIFIED
        ):
            self._say(304, b"", *headers)
            return
        wanted = self.headers.get("Range", "").removeprefix("bytes=")
        if not wanted or "," in wanted:
            self._say(200, TEXT, *headers)
            return
        first, _, last = wanted.partition("-")
        start = int(first) if first else len(TEXT) - int(last)
        end = min(int(last) if first and last else len(TEXT) - 1, len(TEXT) - 1)
        if start >= len(TEXT):
            self._say(416, b"", f"Content-Range: bytes */{len(TEXT)}")
            return
        self._say(206, TEXT[start : end + 1], f"Content-Range: bytes {start}-{end}/{len(TEXT)}", *headers)

    def _page_small(self, rest: str, body: bytes) -> None:
        self._say(200, b"small\n", "Content-Type: text/plain; charset=utf-8", "X-Two: one", "X-Two: two")

    def _page_empty(self, rest: str, body: bytes) -> None:
        self._say(200, b"")

    def _page_script(self, rest: str, body: bytes) -> None:
        self._say(200, SCRIPT, "Content-Type: text/x-sh")

    def _page_echo(self, rest: str, body: bytes) -> None:
        lines = [f"{self.command} {self.path}", *(f"{k}: {v}" for k, v in self.headers.items()), ""]
        self._say(200, "\n".join(lines).encode("latin-1", "replace") + b"\n" + body)

    _page_no_expect = _page_echo

    def _page_to(self, rest: str, body: bytes) -> None:
        """`/to/STATUS/PATH` leads to `/PATH`."""
        status, _, path = rest.partition("/")
        query = urlsplit(self.path).query
        target = parse_qs(query)["url"][0] if query else f"/{path}"
        self._say(int(status), b"moved\n", f"Location: {target}")

    def _page_chain(self, rest: str, body: bytes) -> None:
        left = int(rest)
        self._say(302, b"on\n", f"Location: /chain/{left - 1}" if left else "Location: /small")

    def _page_status(self, rest: str, body: bytes) -> None:
        self._say(int(rest), b"status " + rest.encode() + b"\n", "Content-Type: text/plain")

    def _page_basic(self, rest: str, body: bytes) -> None:
        if self.headers.get("Authorization") == "Basic " + base64.b64encode(b"ann:secret").decode():
            self._say(200, b"welcome\n")
        else:
            self._say(401, b"who are you?\n", f'WWW-Authenticate: Basic realm="{REALM}"')

    def _page_digest(self, rest: str, body: bytes) -> None:
        given = self.headers.get("Authorization", "")
        if given.startswith("Digest ") and self._is_right_digest(given):
            self._say(200, b"welcome\n")
            return
        challenge = f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth", opaque="{OPAQUE}", algorithm=MD5'
        self._say(401, b"who are you?\n", f"WWW-Authenticate: {challenge}")

    def _is_right_digest(self, given: str) -> bool:
        fields = {
            key.strip(): value.strip().strip('"')
            for key, _, value in (item.partition("=") for item in given[7:].split(","))
        }

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        middle = ":".join(fields.get(key, "") for key in ("nonce", "nc", "cnonce", "qop"))
        wanted = md5(f"{md5(f'ann:{REALM}:secret')}:{middle}:{md5(f'{self.command}:{self.path}')}")
        return fields.get("response") == wanted

    def _page_gzip(self, rest: str, body: bytes) -> None:
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            self._say(200, gzip.compress(TEXT, mtime=0), "Content-Encoding: gzip")
        else:
            self._say(200, TEXT)

    def _page_deflate(self, rest: str, body: bytes) -> None:
        self._say(200, zlib.compress(TEXT), "Content-Encoding: deflate")

    def _page_chunked(self, rest: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command != "HEAD":
            for piece in (TEXT[:1000], TEXT[1000:]):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\nX-After: all\r\n\r\n")

    def _page_until_close(self, rest: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(TEXT)
        self.close_connection = True

    def _page_short(self, rest: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(TEXT) + 100))
        self.end_headers()
        self.wfile.write(TEXT)
        self.close_connection = True

    def _page_cookies(self, rest: str, body: bytes) -> None:
        self._say(
            200,
            f"you sent: {self.headers.get('Cookie')}\n".encode(),
            "Set-Cookie: plain=1",
            "Set-Cookie: kept=2; Path=/; Max-Age=100000000",
            "Set-Cookie: deep=3; Path=/cookies/deep; HttpOnly",
            "Set-Cookie: gone=4; Expires=Thu, 01 Jan 2015 00:00:00 GMT",
        )

    def _page_named(self, rest: str, body: bytes) -> None:
        self._say(200, b"named\n", 'Content-Disposition: attachment; filename="given name.txt"')

    def _page_flaky(self, rest: str, body: bytes) -> None:
        """`/flaky/KEY`: each key is refused once."""
        self.visits[rest] += 1
        if self.visits[rest] == 1:
            self._say(503, b"later\n", "Retry-After: 1")
        else:
            self._say(200, b"now\n")

    def _page_slow(self, rest: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"the beginning\n")
        self.wfile.flush()
        self.connection.recv(1)  # until the client gives up
        self.close_connection = True

    def _page_silent(self, rest: str, body: bytes) -> None:
        self.connection.recv(1)
        self.close_connection = True

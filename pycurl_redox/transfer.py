"""One transfer: what the user asked for, how far it is, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurl_redox.message import Body, Observer

if TYPE_CHECKING:
    from pycurl_redox.config import OperationConfig
    from pycurl_redox.cookies import CookieJar
    from pycurl_redox.message import Head
    from pycurl_redox.url import Url
    from tls.events import HandshakeCompleted

CONNECT_TIMEOUT = 300.0
"""curl's, where the user says nothing."""
UNSPECIFIED = 1
"""OpenSSL's number while no chain has been looked at (X509_V_ERR_UNSPECIFIED)."""


class Transfer:
    """The plan of one transfer, changed by redirects, and its results.

    `method` is GET, HEAD, POST or PUT; `config.request` (`-X`) only replaces
    the word that is sent.
    """

    def __init__(
        self,
        config: OperationConfig,
        url: Url,
        method: str,
        *,
        body: Body | None = None,
        content_type: str | None = None,
        observer: Observer | None = None,
        cookies: CookieJar | None = None,
    ) -> None:
        self.config = config
        self.url = url
        self.first_url = url
        self.method = self.first_method = method
        self.body = self.first_body = body
        self.content_type = self.first_content_type = content_type
        self.extra_headers: list[str] = []
        self.word: str | None = None
        """The method as it is sent, where it is not `method`; a redirect that makes a GET forgets it."""
        self.ignores_request = False
        """A redirect has taken back the word of -X, as --follow has it."""
        self.observer = observer or Observer()
        self.cookies = cookies
        self.resume_from = 0
        self.met_http10 = False
        """A server or proxy on the way has answered in HTTP/1.0: what follows is 1.0 as well, as in curl."""
        self.read_timeout: float | None = None
        self.alternative: str | None = None
        """Host and port of the alternative service that is asked in place of the URL's."""
        self.result = Result(url)

    def cookie_host(self) -> str:
        """Whose cookies are meant: a Host header of the user's own counts."""
        if self.url.host == self.first_url.host:
            for line in self.config.headers:
                if line[:5].lower() == "host:" and (host := line[5:].strip()):
                    return host if host.startswith("[") else host.partition(":")[0]
        return self.url.ascii_host()


class Result:
    """What `-w` and the library tell of a transfer; times are seconds since `began`, 0 where not come to."""

    def __init__(self, url: Url) -> None:
        self.url = url
        self.began = 0.0
        self.exit_code = 0
        self.error = ""
        self.heads: list[Head] = []
        self.status = 0
        self.connect_status = 0
        self.http_version = b""
        self.method = ""
        self.referer: str | None = None
        self.redirect_url: str | None = None
        self.redirects = 0
        self.connects = 0
        self.retries = 0
        self.header_octets = 0
        self.request_octets = 0
        self.downloaded = 0
        self.uploaded = 0
        self.expected: int | None = None
        self.to_upload: int | None = None
        self.remote: tuple[str, int] = ("", 0)
        self.local: tuple[str, int] = ("", 0)
        self.tls: HandshakeCompleted | None = None
        self.proxy_tls: HandshakeCompleted | None = None
        self.verify_result = self.proxy_verify_result = 0
        """OpenSSL's number for why a chain was refused, or why there was none to look at."""
        self.queued = 0.0
        """How long it has waited for a connection, where a host may have only so many."""
        self.name_lookup = 0.0
        self.connect = 0.0
        self.app_connect = 0.0
        self.pre_transfer = 0.0
        self.start_transfer = 0.0
        self.redirect_time = 0.0
        self.total = 0.0
        self.proxy_used = False
        self.header_count = 0
        """Lines of the last head or trailer that had any; a proxy's answer to CONNECT is a head as well."""
        self._block_ended = False
        self.connection_number = -1
        self.post_transfer = 0.0
        self.file_modified: int | None = None

    def count_header(self, line: bytes) -> None:
        if b":" in line:
            self.header_count = 1 if self._block_ended else self.header_count + 1
            self._block_ended = False
        elif line.startswith((b"\r", b"\n")):
            self._block_ended = True

    @property
    def head(self) -> Head | None:
        """The last head of the transfer, a tunnel's own aside."""
        return self.heads[-1] if self.heads else None

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header of the last response; the name in lower case."""
        return self.heads[-1].header(name) if self.heads else None

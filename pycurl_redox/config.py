"""What a command line says, as plain values: one `OperationConfig` for each group between two `--next`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycurl_redox.form import Part

AUTH_BASIC = 1
AUTH_DIGEST = 2
AUTH_BEARER = 4
AUTH_ANY = AUTH_BASIC | AUTH_DIGEST | AUTH_BEARER


class UrlNode:
    """One URL of the command line with the `-o`, `-O` and `-T` that belong to it.

    `url` stays None when there are more outputs than URLs.
    """

    __slots__ = ("no_upload", "output", "output_given", "remote_name", "upload", "url")

    def __init__(self, remote_name: bool = False) -> None:
        self.url: str | None = None
        self.output: str | None = None
        self.output_given = False
        self.remote_name = remote_name
        self.upload: str | None = None
        self.no_upload = False


class GlobalConfig:
    """What holds for the whole command."""

    silent = False
    show_error = False
    verbose = False
    trace: str | None = None
    """File of `--trace` or `--trace-ascii`; "-" is stdout, "%" is stderr."""
    trace_kind = ""
    """"plain" for -v, "ascii", "hex", or "" for none."""
    trace_time = False
    stderr: str | None = None
    """File of `--stderr`; "-" is stdout."""
    progress_bar = False
    no_progress_meter = False
    fail_early = False
    styled_output = True
    milliseconds_per_transfer = 0
    """`--rate`; 0 is no limit."""
    nic = "user"
    help_category: str | None = None


class OperationConfig:
    """One group of options with its URLs; a field has the option's long name, `-` written `_`."""

    # What to ask for
    request: str | None = None
    request_target: str | None = None
    get = False
    no_body = False
    """`-I`"""
    data: bytearray | None = None
    json = False
    query: str | None = None
    """`--url-query`; the data of `-G` once `settle_method` has been asked, which wins."""
    query_is_data = False
    form: list[Part] | None = None
    form_escape = False
    range: str | None = None
    continue_at: int | None = None
    """Offset of `-C`; -1 is `-C -`."""
    user_agent: str | None = None
    referer: str | None = None
    auto_referer = False
    compressed = False
    tr_encoding = False
    raw = False
    time_condition = ""
    """"if-modified-since", "if-unmodified-since", "last-modified" or ""."""
    condition_time = 0
    etag_save: str | None = None
    etag_compare: str | None = None
    cookie_jar: str | None = None
    junk_session_cookies = False
    http_version = ""
    """"1.0", "1.1", "2", "2-prior-knowledge" or ""."""
    http09_allowed = False
    expect100_timeout: float = 1.0
    ignore_content_length = False
    path_as_is = False
    globoff = False
    proto: frozenset[str] | None = None
    proto_redir: frozenset[str] | None = None
    proto_default: str | None = None
    disallow_username_in_url = False
    method_kind = ""
    """Which option chose the method: "GET", "HEAD", "FORM", "POST", "PUT" or "" for none."""

    # Redirects and errors
    location = False
    location_trusted = False
    max_redirs = 50
    post301 = False
    post302 = False
    post303 = False
    fail = False
    fail_with_body = False
    retry = 0
    retry_delay = 0
    retry_max_time = 0
    retry_connrefused = False
    retry_all_errors = False

    # Who asks
    auth = 0
    """AUTH_* of -u; 0 is the default, Basic."""
    user: str | None = None
    oauth2_bearer: str | None = None
    netrc = False
    netrc_optional = False
    netrc_file: str | None = None

    # By which way
    connect_timeout: float | None = None
    max_time: float | None = None
    ip_version = 0
    """4, 6, or 0 for both."""
    happy_eyeballs_timeout_ms: int | None = None
    keepalive_time = 0
    no_keepalive = False
    tcp_nodelay = True
    limit_rate = 0
    speed_limit = 0
    speed_time = 0
    proxy: str | None = None
    proxy_http10 = False
    proxy_user: str | None = None
    proxy_basic = False
    proxy_digest = False
    proxy_anyauth = False
    proxytunnel = False
    noproxy: str | None = None
    suppress_connect_headers = False

    # TLS
    insecure = False
    cacert: str | None = None
    capath: str | None = None
    pinnedpubkey: str | None = None
    curves: str | None = None
    tls13_ciphers: str | None = None
    tls_min = ""
    """"1.0" to "1.3", or ""."""
    tls_max = ""
    no_alpn = False

    # Where it goes
    include = False
    dump_header: str | None = None
    write_out: str | None = None
    remote_name_all = False
    remote_header_name = False
    remote_time = False
    output_dir: str | None = None
    create_dirs = False
    create_file_mode = 0o644
    clobber: bool | None = None
    """True and False of --clobber and --no-clobber; None: only a name out of a header is not written over."""
    remove_on_error = False
    max_filesize = 0
    no_buffer = False

    def __init__(self) -> None:
        self.urls: list[UrlNode] = []
        self.headers: list[str] = []
        self.proxy_headers: list[str] = []
        self.cookies: list[str] = []
        self.cookie_files: list[str] = []
        self.resolve: list[str] = []
        self.connect_to: list[str] = []

    @property
    def has_url(self) -> bool:
        return bool(self.urls) and self.urls[0].url is not None

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

    __slots__ = ("no_upload", "output", "output_given", "output_is_null", "remote_name", "upload", "url")

    def __init__(self, remote_name: bool = False) -> None:
        self.url: str | None = None
        self.output: str | None = None
        self.output_given = False
        self.output_is_null = False
        """`--out-null`"""
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
    progress_bar = False
    no_progress_meter = False
    fail_early = False
    styled_output = True
    trace_ids = False
    milliseconds_per_transfer = 0
    """`--rate`; 0 is no limit."""
    parallel = False
    parallel_max = 50
    parallel_max_host = 0
    """Connections to one scheme, host and port; 0 is no limit."""
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
    hsts: str | None = None
    alt_svc: str | None = None
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
    follow = False
    """`--follow`: -X holds only for as long as the redirects' rules keep the method."""
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
    aws_sigv4: str | None = None
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
    proxy_kind = "http"
    """Of a `proxy` whose URL does not say it: "http", "http1.0", "socks4", "socks4a", "socks5", "socks5h"."""
    proxy_user: str | None = None
    proxy_basic = False
    proxy_digest = False
    proxy_anyauth = False
    proxytunnel = False
    noproxy: str | None = None
    suppress_connect_headers = False
    preproxy: str | None = None
    """Changes nothing: there is no other way to log in."""
    haproxy_protocol = False
    haproxy_clientip: str | None = None
    unix_socket: str | None = None
    unix_is_abstract = False
    interface: str | None = None
    local_ports: tuple[int, int] | None = None
    """First and last of `--local-port`."""
    ip_tos: int | None = None
    vlan_priority = 0
    tcp_fastopen = False
    keepalive_cnt = 0
    dns_servers: str | None = None
    dns_interface: str | None = None
    dns_ipv4_addr: str | None = None
    dns_ipv6_addr: str | None = None
    doh_url: str | None = None
    doh_insecure = False
    doh_cert_status = False

    # TLS; `tls_options.py` makes one value of them for servers and one for proxies
    insecure = False
    cacert: str | None = None
    capath: str | None = None
    ca_native = False
    crlfile: str | None = None
    pinnedpubkey: str | None = None
    cert: str | None = None
    """The file of -E; its password is the `passphrase`."""
    cert_type = ""
    key: str | None = None
    key_type = ""
    passphrase: str | None = None
    ciphers: str | None = None
    tls13_ciphers: str | None = None
    curves: str | None = None
    sigalgs: str | None = None
    tls_min = ""
    """"1.0" to "1.3", or ""."""
    tls_max = ""
    no_alpn = False
    no_sessionid = False
    cert_status = False
    tls_earlydata = False
    ssl_sessions: str | None = None
    ech = ""
    """"grease", "true", "hard" or ""."""
    ech_config = ""
    """An ECHConfigList in base64."""
    ech_public_name: str | None = None
    proxy_insecure = False
    proxy_cacert: str | None = None
    proxy_capath: str | None = None
    proxy_ca_native = False
    proxy_crlfile: str | None = None
    proxy_pinnedpubkey: str | None = None
    proxy_cert: str | None = None
    proxy_cert_type = ""
    proxy_key: str | None = None
    proxy_key_type = ""
    proxy_pass: str | None = None
    proxy_ciphers: str | None = None
    proxy_tls13_ciphers: str | None = None

    # Where it goes
    include = False
    dump_header: str | None = None
    write_out: str | None = None
    remote_name_all = False
    remote_header_name = False
    remote_time = False
    output_dir: str | None = None
    create_dirs = False
    create_file_mode = 0
    """Of files that an upload to file:// makes; outputs follow the umask alone, as curl's do."""
    clobber: bool | None = None
    """True and False of --clobber and --no-clobber; None: only a name out of a header is not written over."""
    remove_on_error = False
    skip_existing = False
    xattr = False
    crlf = False
    use_ascii = False
    """`-B`, which is --crlf where HTTP is spoken"""
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
        self.allow_address: list[str] = []
        self.deny_address: list[str] = []

    @property
    def uses_cookie_jar(self) -> bool:
        """Cookies are kept and sent: the jar is the whole command's, but not each operation asks for it."""
        return bool(self.cookie_files) or self.cookie_jar is not None

    @property
    def has_url(self) -> bool:
        return bool(self.urls) and self.urls[0].url is not None

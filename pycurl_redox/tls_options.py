"""What the options say of TLS, once for the server and once for an HTTPS proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pycurl_redox.config import OperationConfig


class TlsOptions(NamedTuple):
    """One side's options; equal ones may share connections, so it is part of a route."""

    insecure: bool = False
    cacert: str | None = None
    capath: str | None = None
    ca_native: bool = False
    crlfile: str | None = None
    pinnedpubkey: str | None = None
    cert: str | None = None
    cert_type: str = ""
    key: str | None = None
    key_type: str = ""
    passphrase: str | None = None
    ciphers: str | None = None
    """Suites of TLS 1.2, by OpenSSL's names."""
    tls13_ciphers: str | None = None
    curves: str | None = None
    sigalgs: str | None = None
    tls_min: str = ""
    """"1.0" to "1.3", or ""."""
    tls_max: str = ""
    no_alpn: bool = False
    no_sessionid: bool = False
    cert_status: bool = False
    early_data: bool = False
    ech: str = ""
    ech_config: str = ""
    ech_public_name: str | None = None
    is_proxy: bool = False

    def __repr__(self) -> str:
        whose = "proxy's" if self.is_proxy else "server's"
        return f"<TlsOptions, the {whose}>"  # the pass phrase stays out of logs and tracebacks


def server_options(config: OperationConfig) -> TlsOptions:
    """Return the options for servers, directly or through a tunnel."""
    return TlsOptions(
        insecure=config.insecure,
        cacert=config.cacert,
        capath=config.capath,
        ca_native=config.ca_native,
        crlfile=config.crlfile,
        pinnedpubkey=config.pinnedpubkey,
        cert=config.cert,
        cert_type=config.cert_type,
        key=config.key,
        key_type=config.key_type,
        passphrase=config.passphrase,
        ciphers=config.ciphers,
        tls13_ciphers=config.tls13_ciphers,
        curves=config.curves,
        sigalgs=config.sigalgs,
        tls_min=config.tls_min,
        tls_max=config.tls_max,
        no_alpn=config.no_alpn,
        no_sessionid=config.no_sessionid,
        cert_status=config.cert_status,
        early_data=config.tls_earlydata,
        ech=config.ech,
        ech_config=config.ech_config,
        ech_public_name=config.ech_public_name,
    )


def proxy_options(config: OperationConfig) -> TlsOptions:
    """Return the options for an HTTPS proxy, which has its own; only some files it shares, as in curl."""
    return TlsOptions(
        insecure=config.proxy_insecure,
        cacert=config.proxy_cacert,
        capath=config.proxy_capath or config.capath,
        ca_native=config.proxy_ca_native,
        crlfile=config.proxy_crlfile or config.crlfile,
        pinnedpubkey=config.proxy_pinnedpubkey,
        cert=config.proxy_cert,
        cert_type=config.proxy_cert_type,
        key=config.proxy_key,
        key_type=config.proxy_key_type,
        passphrase=config.proxy_pass,
        ciphers=config.proxy_ciphers,
        tls13_ciphers=config.proxy_tls13_ciphers,
        no_alpn=config.no_alpn,
        no_sessionid=config.no_sessionid,
        is_proxy=True,
    )

"""Redirects with curl's rules for the method, the body and the referer (RFC 9110 §15.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.url import Url, resolve_reference, scheme_of

if TYPE_CHECKING:
    from pycurl_redox.config import OperationConfig
    from pycurl_redox.message import Observer
    from pycurl_redox.transfer import Transfer

DEFAULT_PROTOCOLS = frozenset({"http", "https"})


def shown(transfer: Transfer, location: bytes) -> str | None:
    """Return where a redirect leads that is not followed, for `-w`; None when it leads nowhere."""
    try:
        return _target(transfer, location).text()
    except errors.FetchError:
        text = location.decode("utf-8", "surrogateescape").strip()
        return text if scheme_of(text) else None


def allowed_protocols(config: OperationConfig) -> frozenset[str]:
    """Return the schemes that a redirect may lead to: never one that --proto does not allow."""
    allowed = config.proto_redir if config.proto_redir is not None else DEFAULT_PROTOCOLS
    return allowed if config.proto is None else allowed & config.proto


def follow(transfer: Transfer, status: int, location: bytes, observer: Observer) -> None:
    """Turn the transfer to where the redirect leads."""
    url = _target(transfer, location)
    config = transfer.config
    if config.auto_referer:
        transfer.result.referer = transfer.url.text(with_login=False, with_fragment=False)
    if url.fragment is None and transfer.url.fragment:
        url = url._replace(fragment=transfer.url.fragment)
    transfer.url = url
    _change_method(transfer, status, observer)


def _target(transfer: Transfer, location: bytes) -> Url:
    text = location.decode("utf-8", "surrogateescape")
    return resolve_reference(transfer.url, text, path_as_is=transfer.config.path_as_is)


def _change_method(transfer: Transfer, status: int, observer: Observer) -> None:
    """301 and 302 make a GET of a POST, 303 of everything but HEAD; unless --post30x says no."""
    config, method = transfer.config, transfer.method
    kept = {301: config.post301, 302: config.post302, 303: config.post303}.get(status, True)
    if method == "POST" and not kept:
        observer.note("Switch from POST to GET")
        becomes_get = True
    else:
        becomes_get = status == 303 and method == "PUT"
    if becomes_get:
        transfer.method = "GET"
        transfer.word = None
        transfer.body = None
        transfer.content_type = None
    elif transfer.body is not None:
        transfer.body.rewind()

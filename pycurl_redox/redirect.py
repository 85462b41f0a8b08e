"""Redirects with curl's rules for the method, the body and the referer (RFC 9110 §15.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.url import Url, resolve_reference

if TYPE_CHECKING:
    from pycurl_redox.config import OperationConfig
    from pycurl_redox.transfer import Transfer

DEFAULT_PROTOCOLS = frozenset({"http", "https"})


def shown(transfer: Transfer, location: bytes) -> str | None:
    """Return where a redirect leads that is not followed, for `-w`; None when it leads nowhere."""
    text = location.decode("utf-8", "surrogateescape").strip(" \t")
    try:
        return resolve_reference(
            transfer.url, text, path_as_is=transfer.config.path_as_is, is_followed=False
        ).text()
    except errors.FetchError:
        return text


def allowed_protocols(config: OperationConfig) -> frozenset[str]:
    """Return the schemes that a redirect may lead to: never one that --proto does not allow."""
    allowed = config.proto_redir if config.proto_redir is not None else DEFAULT_PROTOCOLS
    return allowed if config.proto is None else allowed & config.proto


def follow(transfer: Transfer, status: int, location: bytes) -> tuple[str, str]:
    """Turn the transfer to where the redirect leads; return what `-v` says of login and method, or ""."""
    url = _target(transfer, location)
    config = transfer.config
    if config.auto_referer:
        transfer.result.referer = transfer.url.text(with_login=False, with_fragment=False)
    # Deviates from RFC 9110 §10.2.2, as curl: the fragment is not inherited.
    note = "" if config.location_trusted else _clears(transfer.url, url)
    transfer.url = url
    return note, _change_method(transfer, status)


def _clears(old: Url, new: Url) -> str:
    """Say for `-v` that the login of the old port or scheme is not used for the new one."""
    if old.port != new.port:
        return f"Clear auth, redirects to port from {old.port} to {new.port}"
    if old.scheme != new.scheme:
        return f"Clear auth, redirects scheme from {old.scheme} to {new.scheme}"
    return ""


def _target(transfer: Transfer, location: bytes) -> Url:
    text = location.decode("utf-8", "surrogateescape")
    return resolve_reference(transfer.url, text, path_as_is=transfer.config.path_as_is)


def _change_method(transfer: Transfer, status: int) -> str:
    """301 and 302 make a GET of a POST, 303 of everything but HEAD; unless --post30x says no.

    Returns what `-v` says of it, or "".
    """
    config, method = transfer.config, transfer.method
    if config.follow and config.request and not transfer.ignores_request:
        method = config.request  # with --follow it is -X that the rules are about
    kept = {301: config.post301, 302: config.post302, 303: config.post303}.get(status, True)
    note = ""
    if status == 303 and method != "GET" and not (method == "POST" and kept):
        note = f"Switch to {'HEAD' if method == 'HEAD' else 'GET'}"
    elif status in (301, 302) and method == "POST" and not kept:
        note = "Switch from POST to GET"
    if note and method != "HEAD":
        transfer.ignores_request = config.follow
        transfer.method = "GET" if transfer.method != "HEAD" else "HEAD"
        transfer.word = None
        transfer.body = None
        transfer.content_type = None
    elif transfer.body is not None:
        transfer.body.rewind()
    return note

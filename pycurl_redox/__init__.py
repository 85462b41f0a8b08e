"""HTTP fetches over a network of our own.

    import pycurl_redox

    print(pycurl_redox.get("https://example.org/").text)

Nothing is loaded before it is asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes 4 ms, in which Ctrl-C would find no command yet
if TYPE_CHECKING:
    from typing import Any

    from pycurl_redox.client import Client
    from pycurl_redox.errors import ArgumentError, FetchError
    from pycurl_redox.response import Response
    from pycurl_redox.streamed import StreamedResponse

__all__ = [
    "ArgumentError",
    "Client",
    "FetchError",
    "Response",
    "StreamedResponse",
    "delete",
    "get",
    "head",
    "patch",
    "post",
    "put",
    "request",
]

_HOMES = {
    "Client": "pycurl_redox.client",
    "StreamedResponse": "pycurl_redox.streamed",
    "ArgumentError": "pycurl_redox.errors",
    "FetchError": "pycurl_redox.errors",
    "Response": "pycurl_redox.response",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pycurl_redox' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)


def request(method: str, url: str, *, client: Client | None = None, **options: Any) -> Response:
    """Send one request, on a network of its own unless a `client` is given; see `Client.request`.

    Options that are `Client`'s (`verify`, `cacert`, `auth`, `proxy`, `nic`...) are passed to it.
    """
    from pycurl_redox.client import REQUEST_OPTIONS
    from pycurl_redox.client import Client as NewClient

    if client is not None:
        return client.request(method, url, **options)
    settings = {name: options.pop(name) for name in list(options) if name not in REQUEST_OPTIONS}
    with NewClient(**{"background": False, **settings}) as own:
        return own.request(method, url, **options)


def get(url: str, **options: Any) -> Response:
    """Send a GET; see `request`."""
    return request("GET", url, **options)


def head(url: str, **options: Any) -> Response:
    """Send a HEAD; see `request`."""
    return request("HEAD", url, **options)


def post(url: str, **options: Any) -> Response:
    """Send a POST; see `request`."""
    return request("POST", url, **options)


def put(url: str, **options: Any) -> Response:
    """Send a PUT; see `request`."""
    return request("PUT", url, **options)


def patch(url: str, **options: Any) -> Response:
    """Send a PATCH; see `request`."""
    return request("PATCH", url, **options)


def delete(url: str, **options: Any) -> Response:
    """Send a DELETE; see `request`."""
    return request("DELETE", url, **options)

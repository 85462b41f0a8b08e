"""What callers of the library hand over: refused by name where no request can be made of it.

Of a wrong type it is a TypeError; of a wrong value an ArgumentError, which is
a ValueError as well as a FetchError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pycurl_redox.errors import ArgumentError

TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
"""RFC 9110 §5.6.2: what methods and the names of headers are made of."""


def check_seconds(seconds: Any) -> None:
    """Take a time-out: more than 0 seconds, None for no bound."""
    if seconds is None:
        return
    if not isinstance(seconds, int | float):
        raise TypeError(f"a time-out is a number of seconds or None, not {shown(seconds)}")
    if not seconds > 0:
        raise ArgumentError(f"a time-out of {seconds} seconds: None is no bound")


def check_size(octets: Any) -> None:
    """Take a bound in octets, None for none."""
    if octets is None:
        return
    if not isinstance(octets, int):
        raise TypeError(f"max_size is a number of octets or None, not {shown(octets)}")
    if octets < 0:
        raise ArgumentError(f"max_size of {octets} octets: None is no bound")


def check_target(method: Any, url: Any) -> None:
    """Take what is asked for, and how."""
    if not isinstance(method, str):
        raise TypeError(f"a method is text such as 'GET', not {shown(method)}")
    if not method or not TOKEN.issuperset(method):
        raise ArgumentError(f"method {method!r}: not a token (RFC 9110 §9.1)")
    if not isinstance(url, str):
        raise TypeError(f"a URL is text, not {shown(url)}")


def merged_headers(common: dict[str, str], own: Any) -> dict[str, str]:
    """Return the client's headers with those of a request over them."""
    if not own:
        return common.copy()
    if not isinstance(own, Mapping):
        raise TypeError(f"headers are a mapping of names to values, not {shown(own)}")
    return {**common, **own}


def check_headers(headers: Mapping[Any, Any]) -> None:
    """Take names that are tokens, and values without line ends."""
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"header {shown(name)}: name and value are text, the value is {shown(value)}")
        if not name or not TOKEN.issuperset(name):
            raise ArgumentError(f"header {name!r}: the name is not a token (RFC 9110 §5.1)", 43)
        if "\r" in value or "\n" in value or "\0" in value:
            raise ArgumentError(f"header {name!r}: a line end or NUL in it", 43)


def check_fields(what: str, fields: Any) -> None:
    """Take names and values of a query or a form."""
    if not isinstance(fields, Mapping):
        raise TypeError(f"{what} is a mapping of names to values, not {shown(fields)}")


def content_length(text: str) -> int:
    """Read a Content-Length of the caller's own."""
    if not (text.isascii() and text.isdigit()):
        raise ArgumentError(f"header 'Content-Length': {text!r} is no number of octets")
    return int(text)


def login(pair: Any, method: str, known: Mapping[str, int]) -> tuple[str, int]:
    """Return user and password, and the number of the way they are told."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError(f"auth is a pair of user and password, not {shown(pair)}")
    if method not in known:
        raise ArgumentError(f"auth_method {method!r}: one of {', '.join(known)}")
    return f"{pair[0]}:{pair[1]}", known[method]


def check_coroutines(coroutines: Any) -> list[Any]:
    """Return what `gather` is to run, as a list."""
    if isinstance(coroutines, str | bytes) or not hasattr(coroutines, "__iter__"):
        raise TypeError(f"gather takes a list of coroutines, not {shown(coroutines)}")
    found = list(coroutines)
    for each in found:
        if not hasattr(each, "send") or not hasattr(each, "close"):
            for other in found:
                if hasattr(other, "close"):
                    other.close()  # else Python warns that nobody has awaited it
            raise TypeError(
                f"gather takes coroutines such as client.request_async('GET', url), not {shown(each)}"
            )
    return found


def shown(value: Any) -> str:
    """Name a value and its type, on one line."""
    text = repr(value)
    return f"{text if len(text) <= 40 else text[:37] + '...'} ({type(value).__name__})"

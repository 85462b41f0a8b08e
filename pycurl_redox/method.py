"""Which method a request has, and what is said when the options do not agree."""

from __future__ import annotations

from collections.abc import Callable

from pycurl_redox import messages
from pycurl_redox.config import OperationConfig
from pycurl_redox.errors import UsageError
from pycurl_redox.options import OptionError

_METHOD_NAMES = {
    "GET": "GET (-G, --get)",
    "HEAD": "HEAD (-I, --head)",
    "FORM": "multipart formpost (-F, --form)",
    "POST": "POST (-d, --data)",
    "PUT": "PUT (-T, --upload-file)",
}


def select_method(warn: Callable[[str], None], operation: OperationConfig, kind: str) -> None:
    """Note which option chose the method; raises `OptionError` when another one already has."""
    chosen = operation.method_kind
    if chosen not in ("", kind):
        warn(
            "You can only select one HTTP request method! "
            f"You asked for both {_METHOD_NAMES[kind]} and {_METHOD_NAMES[chosen]}."
        )
        raise OptionError("is badly used here")
    operation.method_kind = kind


def settle_method(operation: OperationConfig, warn: Callable[[str], None], *, uploads: bool) -> str:
    """Return the method of a transfer of this operation, before `-X`: GET, HEAD, POST or PUT.

    `uploads`: its URL has a `-T`.  The data of `-G` moves to the query.  Raises `UsageError`, without a
    text, when the options contradict each other: curl ends with exit code 2 and prints the warning alone.
    """
    try:
        if operation.data is not None and operation.get:
            if operation.query is None or not operation.query_is_data:
                operation.query = operation.data.decode("utf-8", "surrogateescape")
                operation.query_is_data = True
            operation.data = None
            select_method(warn, operation, "HEAD" if operation.no_body else "GET")
        elif operation.data is not None:
            select_method(warn, operation, "POST")
        if uploads:  # which the next URL of the operation need not do
            chosen = operation.method_kind
            select_method(warn, operation, "PUT")
            operation.method_kind = chosen
            return "PUT"
    except OptionError as error:
        raise UsageError() from error
    if operation.method_kind == "FORM":
        return "POST"
    if operation.method_kind == "PUT" and not uploads:
        return "GET"  # another URL's -T
    return operation.method_kind or "GET"


def method_note(operation: OperationConfig, inferred: str, verbose: bool) -> str:
    """Return what there is to say about a needless or odd `-X`, or ""."""
    method = operation.request
    if not method:
        return ""
    if method.upper() == inferred:
        text = f"Unnecessary use of -X or --request, {inferred} is already inferred."
        return messages.note(text) if verbose else ""
    if method.upper() == "HEAD":
        return messages.warning(
            "Setting custom HTTP method to HEAD with -X/--request may not work "
            "the way you want. Consider using -I/--head instead."
        )
    return ""

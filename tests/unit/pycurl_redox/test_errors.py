import inspect

import pytest

from pycurl_redox import errors


def test_every_error_has_a_number_of_its_own():
    classes = [
        item
        for _, item in inspect.getmembers(errors, inspect.isclass)
        if issubclass(item, errors.FetchError)
        and not issubclass(item, errors.UsageError)
        and item not in (errors.FetchError, errors.AddressDeniedError)
    ]
    codes = [item.exit_code for item in classes]
    assert len(set(codes)) == len(codes) > 25
    for item in classes:
        assert item().report() == f"curl: ({item.exit_code}) {item.default_text}\n"
        assert f"{item.__name__} " in (errors.__doc__ or "")


@pytest.mark.parametrize(
    ("error", "report"),
    [
        (errors.protocol_not_supported("x"), '(1) Protocol "x" not supported or disabled in libcurl'),
        (errors.resolve_failed("h"), "(6) Could not resolve host: h"),
        (errors.proxy_resolve_failed("p"), "(5) Could not resolve proxy: p"),
        (
            errors.connect_failed("h", 1, 0),
            "(7) Failed to connect to h port 1 after 0 ms: Couldn't connect to server",
        ),
        (errors.http_returned(404), "(22) The requested URL returned error: 404"),
        (
            errors.operation_timed_out(4, 5, 9),
            "(28) Operation timed out after 4 milliseconds with 5 out of 9 bytes received",
        ),
        (
            errors.operation_timed_out(4, 5, None),
            "(28) Operation timed out after 4 milliseconds with 5 bytes received",
        ),
        (errors.too_many_redirects(50), "(47) Maximum (50) redirects followed"),
        (errors.transfer_closed(3), "(18) transfer closed with 3 bytes remaining to read"),
        (errors.empty_reply(), "(52) Empty reply from server"),
    ],
)
def test_messages_are_curls(error, report):
    assert error.report() == f"curl: {report}\n"

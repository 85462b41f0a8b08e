"""The PROXY protocol's line."""

from __future__ import annotations

import pytest

from pycurl_redox.errors import OptionSyntaxError
from pycurl_redox.proxy_protocol import proxy_line

V4 = ("192.0.2.1", 50_000), ("192.0.2.9", 80)
V6 = ("2001:db8::1", 50_000), ("2001:db8::9", 443)


def test_both_ends_are_told() -> None:
    assert proxy_line(*V4) == b"PROXY TCP4 192.0.2.1 192.0.2.9 50000 80\r\n"
    assert proxy_line(*V6) == b"PROXY TCP6 2001:db8::1 2001:db8::9 50000 443\r\n"


def test_another_client_may_be_named() -> None:
    assert proxy_line(*V4, "198.51.100.7") == b"PROXY TCP4 198.51.100.7 192.0.2.9 50000 80\r\n"


def test_both_addresses_are_of_the_client_s_family() -> None:
    assert proxy_line(*V4, "2001:db8::7") == b"PROXY TCP6 2001:db8::7 2001:db8::7 50000 80\r\n"
    assert proxy_line(*V6, "198.51.100.7") == b"PROXY TCP4 198.51.100.7 198.51.100.7 50000 443\r\n"


def test_what_is_no_address_is_refused_and_cannot_add_a_line() -> None:
    for client in ("name.test", "192.0.2.1\r\nGET"):
        with pytest.raises(OptionSyntaxError, match="--haproxy-clientip"):
            proxy_line(*V4, client)

import pytest

from pycurl_redox.noproxy import environment_no_proxy, environment_proxy, is_exempt


@pytest.mark.parametrize(
    ("host", "entries", "exempt"),
    [
        ("h", "", False),
        ("h", "*", True),
        ("h", "*,x", False),
        ("www.example.com", "example.com", True),
        ("WWW.example.com.", ".EXAMPLE.com.", True),
        ("nonexample.com", "example.com", False),
        ("example.com", "a, example.com", True),
        ("example.com", "a\texample.com", True),
        ("192.168.1.9", "192.168.0.0/16", True),
        ("192.169.1.9", "192.168.0.0/16", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2/0", False),
        ("10.0.0.1", "0.0.1", False),
        ("10.0.0.1", "10.0.0.0/33", False),
        ("::1", "::1", True),
        ("fd00::5", "fd00::/8", True),
        ("fe80::1", "fd00::/8", False),
        ("::1", "127.0.0.1", False),
        ("fe80::1%lo", "fe80::/64", True),
    ],
)
def test_a_host_is_in_the_list_or_not(host, entries, exempt):
    assert is_exempt(host, entries) is exempt


def test_a_proxy_of_the_environment_has_its_scheme_or_is_for_all():
    environment = {"http_proxy": "", "HTTP_PROXY": "evil", "HTTPS_PROXY": "s", "all_proxy": "a"}
    assert environment_proxy("https", environment) == ("s", "HTTPS_PROXY")
    assert environment_proxy("http", environment) == ("a", "all_proxy")
    assert environment_proxy("http", {"http_proxy": "p", "all_proxy": "a"}) == ("p", "http_proxy")
    assert environment_proxy("http", {"HTTP_PROXY": "evil"}) is None


def test_the_list_of_the_environment_has_two_names():
    assert environment_no_proxy({"NO_PROXY": "b"}) == ("b", "NO_PROXY")
    assert environment_no_proxy({"no_proxy": "a", "NO_PROXY": "b"}) == ("a", "no_proxy")
    assert environment_no_proxy({}) is None

"""Errors are those of curl 7.88.1, caret and all; `tests/interop/test_curl_command_line.py` asks it again."""

import pytest

from pycurl_redox.errors import UrlError
from pycurl_redox.glob import Glob, output_name


def expand(pattern):
    return [expansion.url for expansion in Glob(pattern)]


@pytest.mark.parametrize(
    ("pattern", "urls"),
    [
        ("h", ["h"]),
        ("{a,b}x", ["ax", "bx"]),
        ("{,a}", ["", "a"]),
        ("[1-3]", ["1", "2", "3"]),
        ("[08-10]", ["08", "09", "10"]),
        ("[0-10:5]", ["0", "5", "10"]),
        ("[a-e:2]", ["a", "c", "e"]),
        ("{a,b}[1-2]", ["a1", "a2", "b1", "b2"]),
        ("\\[x\\]\\{\\}", ["[x]{}"]),
        ("{a\\,b}", ["a,b"]),
        ("http://[::1]/[]", ["http://[::1]/[]"]),
        ("x[5-5]", ["x5"]),
    ],
)
def test_patterns_are_expanded(pattern, urls):
    assert expand(pattern) == urls


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("a[5-1]", "bad range in URL position 7:\na[5-1]\n      ^"),
        ("a{b}[5-1]", "bad range in URL position 9:\na{b}[5-1]\n        ^"),
        ("a{", "unmatched brace in URL position 2:\na{\n ^"),
        ("a{}", "empty string within braces in URL position 3:\na{}\n  ^"),
        ("a{b,{", "nested brace in URL position 5:\na{b,{\n    ^"),
        ("a]", "unmatched close brace/bracket in URL position 2:\na]\n ^"),
        ("a{b]}", "unexpected close bracket in URL position 4:\na{b]}\n   ^"),
        ("a[?]", "bad range specification in URL position 3:\na[?]\n  ^"),
        ("a[1-2", "bad range in URL position 5:\na[1-2\n    ^"),
        ("{}", "empty string within braces in URL position 2:\n{}\n ^"),
    ],
)
def test_mistakes_are_pointed_at(pattern, text):
    with pytest.raises(UrlError) as caught:
        Glob(pattern)
    assert (str(caught.value), caught.value.exit_code) == (text, 3)


def test_a_huge_range_costs_nothing_until_it_is_walked():
    glob = Glob("h/[1-9999999999]")
    assert (glob.count, next(iter(glob)).url) == (9999999999, "h/1")


def test_more_than_a_number_of_urls_can_be_is_refused():
    with pytest.raises(UrlError, match="range overflow in URL position 50"):
        Glob("a[1-18446744073709551615][1-18446744073709551615]")
    with pytest.raises(UrlError, match="too many globs"):
        Glob("{a}" * 200)


def test_outputs_take_the_values_by_number():
    (expansion,) = list(Glob("{x}-[07-07]"))
    assert output_name("#1_#2_#3_#_#0.#1", expansion.values) == "x_07_#3_#_#0.x"

import pytest

from pycurl_redox.config_file import config_lines


@pytest.mark.parametrize(
    ("line", "option", "value"),
    [
        ("url = x", "url", "x"),
        ("url=x", "url", "x"),
        ("url: x", "url", "x"),
        ("  url\tx\r", "url", "x"),
        ("-o name", "-o", "name"),
        ("--url=x y", "--url=x", "y"),
        ("-L", "-L", None),
        ("L", "L", None),
        ('data = "a \\"b\\" \\t\\\\ \\n\\v\\x"', "data", 'a "b" \t\\ \n\vx'),
        ('data = "no end', "data", "no end"),
        ('data = ""', "data", ""),
        ("url = x # note", "url", "x"),
        ("url x\0y", "url", "x"),
    ],
)
def test_a_line_is_an_option_and_its_value(line, option, value):
    (found,) = config_lines(line)
    assert (found.option, found.value, found.has_leftover) == (option, value, False)


def test_comments_and_empty_lines_are_counted_but_left_out():
    lines = list(config_lines("# note\n\n/ note\n * note\n\r\nurl = x"))
    assert [(line.number, line.option) for line in lines] == [(6, "url")]


def test_what_follows_an_unquoted_value_is_noticed():
    (line,) = config_lines("url = a b")
    assert (line.value, line.has_leftover) == ("a", True)


def test_only_the_spaces_of_c_separate() -> None:
    (line,) = config_lines("output \x1cfile\x1d rest")
    assert (line.option, line.value, line.has_leftover) == ("output", "\x1cfile\x1d", True)

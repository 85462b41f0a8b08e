import pytest

from pycurl_redox.errors import ReadFailedError
from pycurl_redox.netrc import Login, find_login

FILE = """
# comment machine h login no password no
macdef init
machine h login macro password macro

machine other login o password op
machine H
  login user
  password "a \\"b\\"\\t\\\\c"
machine h login second password two
default login d password dp
"""


def test_the_first_login_of_the_host_is_found():
    assert find_login(FILE, "h") == Login("user", 'a "b"\t\\c')


def test_a_known_user_gets_that_users_password():
    assert find_login(FILE, "h", "second") == Login("second", "two")


def test_the_default_is_for_everybody_else():
    assert find_login(FILE, "unknown") == Login("d", "dp")


def test_a_host_that_is_not_there_is_none():
    assert find_login("machine a login b password c", "h") is None
    assert find_login("", "h") is None


def test_an_entry_may_lack_its_password_or_stand_on_one_line():
    assert find_login("machine h login u", "h") == Login("u", None)
    assert find_login("machine h password p login u machine x", "h") == Login("u", "p")


def test_a_comment_ends_a_line_and_a_quote_needs_its_end():
    assert find_login("machine h login u # password no\n password yes", "h") == Login("u", "yes")
    with pytest.raises(ReadFailedError):
        find_login('machine h login "u', "h")


def test_a_line_that_is_too_long_is_left_out():
    assert find_login("machine h login " + "x" * 5000 + "\nmachine h login u", "h") == Login("u", None)


def test_an_open_quote_behind_the_login_does_no_harm():
    assert find_login('machine h login u password p "x', "h") == Login("u", "p")


def test_entries_do_not_mix():
    assert find_login("machine h password x\nmachine h login u password p", "h") == Login("u", "p")
    assert find_login("machine h login u\nmachine h password x", "h") == Login("u", None)
    assert find_login("machine h login u\nmachine other login o password x", "h") == Login("u", None)
    assert find_login("machine h login u\ndefault login d password x", "h") == Login("d", "x")


def test_a_password_of_another_user_is_nobody_elses():
    assert find_login("machine h login v password x", "h", "u") == Login("u", None)
    assert find_login("machine h password x login v", "h", "u") == Login("u", None)
    assert find_login("machine h password p", "h", "u") == Login("u", "p")
    assert find_login("machine h login v password x\nmachine h password p", "h", "u") == Login("u", "p")
    assert find_login("machine h password x\nmachine h login u password p", "h", "u") == Login("u", "p")

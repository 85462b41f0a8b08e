from pycurl_redox.help import help_text, shown_options
from pycurl_redox.options import read_command_line

# Printed by curl 7.88.1.
IMPORTANT = """\
Usage: curl [options...] <url>
 -d, --data <data>          HTTP POST data
 -f, --fail                 Fail fast with no output on HTTP errors
 -h, --help <category>      Get help for commands
 -i, --include              Include protocol response headers in the output
 -o, --output <file>        Write to file instead of stdout
 -O, --remote-name          Write output to a file named as the remote file
 -s, --silent               Silent mode
 -T, --upload-file <file>   Transfer local FILE to destination
 -u, --user <user:password> Server user and password
 -A, --user-agent <name>    Send User-Agent <name> to server
 -v, --verbose              Make the operation more talkative
 -V, --version              Show version number and quit

This is not the full help, this menu is stripped into categories.
Use "--help category" to get an overview of all categories.
For all options use the manual or "--help all".
"""


def test_without_a_category_the_twelve_important_options_are_shown():
    assert help_text() == IMPORTANT


def test_a_category_has_its_title_and_its_options():
    lines = help_text("HTTP").splitlines()
    assert lines[:2] == ["Usage: curl [options...] <url>", "http: HTTP and HTTPS protocol options"]
    assert " -L, --location             Follow redirects" in lines


def test_all_shows_every_option_that_is_built_in():
    lines = help_text("all").splitlines()[1:]
    assert len(lines) == len(shown_options()) > 100
    assert not any("--ftp-port" in line or "--ntlm" in line for line in lines)
    assert any(line.startswith("     --no-keepalive ") for line in lines)


def test_what_is_not_spoken_here_is_not_in_the_list():
    names = {row[0] for row in shown_options()}
    assert not names & {"http2", "http2-prior-knowledge", "metalink", "npn", "sslv2", "sslv3"}
    for row in shown_options():
        if not row[4]:  # no warning says that it is ignored, but those about asking for what is insecure
            word = f"--{'no-' if row[2] == 'negated' else ''}{row[0]}"
            messages = "".join(read_command_line([word, "http://a.test/"], {}).messages)
            assert not messages or row[0] in ("manual", "ssl"), messages


def test_an_unknown_category_gets_the_list():
    text = help_text("nope")
    assert "Invalid category provided, here is a list of all categories:\n\n auth        Different" in text
    assert help_text("category").splitlines()[1:] == text.splitlines()[3:]

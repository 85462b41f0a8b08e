import re

from pycurl_redox import version


def test_the_first_line_is_read_by_scripts_and_by_curls_own_suite():
    lines = version.version_text().splitlines()
    assert re.fullmatch(r"curl 0\.1\.0-redox \(\S+\) redox/0\.1\.0 cryptography/\S+ h11/\S+", lines[0])
    assert [line.split(":")[0] for line in lines[1:]] == ["Release-Date", "Protocols", "Features"]
    assert lines[2] == "Protocols: file http https"
    assert version.USER_AGENT == "curl/0.1.0-redox"

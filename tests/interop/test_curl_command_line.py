"""Our reading of the command line beside that of curl 7.88.1, which fails before it opens a connection."""

import shlex
import shutil
import subprocess

import pytest

from pycurl_redox.errors import UrlError, UsageError
from pycurl_redox.glob import Glob
from pycurl_redox.help import help_text, option_name
from pycurl_redox.option_table import LATER_OPTIONS
from pycurl_redox.options import read_command_line

pytestmark = pytest.mark.interop

REFUSED = """\
--fo
--foo --bar
--no-max-time
-m x u
-m -1 u
-m 1e30 u
--limit-rate 1x u
--limit-rate x u
--limit-rate 99999999999G u
-o
-sSo
-K /nope
--proto-default foo u
--fail --fail-with-body u
--retry -1 u
--retry x u
--retry 99999999999999999999 u
--max-redirs -2 u
--no-http1.1
--create-file-mode 1000 u
--create-file-mode 9 u
--rate 5/x u
--rate 0 u
-F a u
-F a=b;type=x u
-F =) u
-I -F b=c u
-C -5 u
-C abc u
--proto +,x u
--proto =foo --bar
--metalink --x
--http1.0 --http1.1 --zzz
-v --trace-ascii - --zzz
-o -x --zzz
--dump-header -foo --zzz
-r 5 --zzz
-r 5-x --zzz
-H @/nope --zzz
-d @/nope --zzz
--data-urlencode a@/nope --zzz
-z never --zzz
-2 --zzz
-3 --ssl --zzz
--test-event --npn --zzz
-5
-#5
--da
-J -i u
-J -C - u
-sS --foo
-s -F a u
--HEAD --ZZZ
--no-k
--connect-timeout 5.5.5 u
--expect100-timeout -3 u
--keepalive-time 1a u
--max-filesize 5Q u
--speed-limit x u
-Y -5 u
--speed-time 1x u
-
- u
--No-Include u
--no-no-include u
-sm0x u
-m 5_0 u
-m 1e400 --zzz
-m 0x10 --zzz
-m inf u
--limit-rate 99999999999999999999 u
--limit-rate ' 5' --zzz
--limit-rate '+5' --zzz
--limit-rate -5 --zzz
--limit-rate 0x10 --zzz
--max-filesize ' +7k' --zzz
-C 0x10 --zzz
-C 010 --zzz
-C 08 u
-C 0x u
-C '5 ' u
-C ' +5' --zzz
--local-port '5 ' u
--local-port '5 - ' u
--local-port 5x --zzz
--local-port '5 - 9' --zzz
-r zzz --zzz
-r 1,x-2,y --zzz
--delegation x --ftp-method y --ftp-ssl-ccc-mode z --zzz
--delegation Policy --ftp-method NOCWD --ftp-ssl-ccc-mode active --zzz
--hostpubmd5 x u
--hostpubmd5 0123456789abcdef0123456789abcdef --zzz
--hostpubsha256 x --zzz
--vers=1
--url=u
-o=x --zzz
--out
--retry-
--http1
--tls
-é
-sé
--é
-o a -o b --zzz
--parallel-max x u
--parallel-max -1 u
--rate -1/s u
--rate /s u
--rate 1/ --zzz
"""

PATTERNS = [
    "http://a[1-",
    "http://[1-10:",
    "a{",
    "a{b",
    "a{}",
    "a{b,{",
    "a]",
    "a}",
    "a[z-a]",
    "a[5-1]",
    "a[1-2:5]",
    "a[1-18446744073709551615][1-18446744073709551615]",
    "a[?]",
    "a{b]}",
    "a[1-2",
    "a[ 1-2]",
    "a[a-c:2",
    "a[a-c:0]",
    "a[a-aa]",
    "a{b}[5-1]",
    "http://[::1]/[5-1]",
    "a[1-99999999999999999999]",
    "a[1- 5:]",
    "a\\[[5-1]",
    "[]x]",
    "a[a-a:2]",
    "a[Z-a][b",
    "x[1-1:0]",
    "{,a}}",
]


@pytest.fixture(scope="module")
def curl():
    path = shutil.which("curl")
    if path is None:
        pytest.skip("curl is not installed")
    version = subprocess.run([path, "-V"], capture_output=True, text=True).stdout
    if not version.startswith("curl 7.88.1 "):
        pytest.skip("the peer of these tests is curl 7.88.1")

    def run(*arguments):
        return subprocess.run(
            [path, "-q", *arguments], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL
        )

    return run


@pytest.mark.parametrize("line", REFUSED.splitlines())
def test_refusals_and_warnings_are_the_same(curl, line):
    words = shlex.split(line)
    asked = curl(*words)
    with pytest.raises(UsageError) as caught:
        read_command_line(["-q", *words], {})
    ours = "".join(caught.value.messages) + caught.value.report()
    assert ours == asked.stderr
    assert caught.value.exit_code == asked.returncode


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_are_refused_at_the_same_place(curl, pattern):
    with pytest.raises(UrlError) as caught:
        Glob(pattern)
    assert caught.value.report() == curl("-sS", pattern).stderr


def test_the_help_of_the_important_options_is_the_same(curl):
    assert help_text() == curl("--help").stdout


@pytest.mark.parametrize("category", ["all", "auth", "http", "output", "proxy", "tls", "verbose"])
def test_every_help_line_is_one_of_curls(curl, category):
    theirs = {" ".join(line.split()) for line in curl("--help", category).stdout.splitlines()}
    ours = {" ".join(line.split()) for line in help_text(category).splitlines()}
    later = {" ".join(f"{option_name(row)} {row[5]}".split()) for row in LATER_OPTIONS}
    assert ours - theirs <= later

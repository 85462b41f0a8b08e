"""`-v` beside curl's own, line for line, against the same nginx."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.servers import Servers
from tests.fakes.beside_curl import needs_curl_7_88
from tests.fakes.commands import CURL
from tests.fakes.local_servers import body, needs_nginx, nginx

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    needs_nginx,
    needs_curl_7_88,
]


@pytest.fixture(scope="module")
def local() -> Iterator[Servers]:
    with nginx(small=body(1000), large=body(200_000)) as running:
        yield running


def lines(command: list[str], arguments: list[str]) -> tuple[int, bytes, list[str]]:
    done = subprocess.run([*command, "-v", "--http1.1", *arguments], capture_output=True, timeout=60)
    text = done.stderr.decode().replace("\r\n", "\n").replace("\r", "\n")
    for pattern, stand_in in (
        (r"\[\d+ bytes data\]", "[N bytes data]"),
        (r"curl/[\w.-]+", "curl/VERSION"),
        (r"Date: .*", "Date"),
        (r"0x[0-9a-f]+", "0xADDRESS"),
        (r"(?m)^( *\d+ +[\d.k]+ +\d+ +[\d.k]+ +0 +0) .*$", r"\1 RATES"),
    ):
        text = re.sub(pattern, stand_in, text)
    return done.returncode, done.stdout, text.splitlines()


@pytest.mark.parametrize(
    "arguments",
    [
        ["-4", "--cacert", "CA", "HTTPS/small"],
        ["-4", "-s", "--cacert", "CA", "HTTPS/small", "HTTPS/large"],
        ["-4", "-k", "HTTPS/small"],
        ["-4", "HTTP/small"],
        ["-4", "-s", "-d", "a=b", "HTTP/small"],
        ["-s", "--resolve", "+a.test:PORT:127.0.0.1", "--resolve", "b.test:PORT:127.0.0.1"]
        + ["http://a.test:PORT/small", "http://b.test:PORT/small", "http://a.test:PORT/small"],
    ],
    ids=" ".join,
)
def test_the_lines_of_v_are_curls(local: Servers, arguments: list[str]) -> None:
    https = local.https.replace("127.0.0.1", "localhost")
    port = local.http.rpartition(":")[2]
    names = {"CA": local.ca}
    filled = [
        names.get(word, word.replace("HTTPS/", https + "/").replace("HTTP/", local.http + "/"))
        for word in (word.replace("PORT", port) for word in arguments)
    ]
    assert CURL is not None
    for _ in range(3):  # the meter draws once more where a second ends in the midst of one of them
        ours, theirs = lines([sys.executable, "-m", "pycurl_redox"], filled), lines([CURL], filled)
        if ours == theirs:
            break
    assert ours == theirs


def test_a_refused_certificate_has_curls_lines_and_then_a_diagnosis_of_its_own(local: Servers) -> None:
    arguments = ["-4", "-s", "-S", local.https.replace("127.0.0.1", "localhost") + "/small"]
    assert CURL is not None
    code, _, curls = lines([CURL, "-q"], arguments)
    own_code, _, own = lines([sys.executable, "-m", "pycurl_redox", "-q"], arguments)
    assert code == own_code == 60
    end = curls.index("curl: (60) SSL certificate problem: unable to get local issuer certificate")
    assert own[: end + 1] == curls[: end + 1]
    assert "* TLSv1.3 (OUT), TLS alert, unknown CA (560):" in own
    assert own[end + 1].startswith("The server at 'localhost' sent 1 certificate:")

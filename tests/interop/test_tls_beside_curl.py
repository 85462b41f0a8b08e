"""TLS as the options want it, and what is told of it: ours and curl 7.88.1 on the same servers."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.fakes.beside_curl import needs_curl_7_88
from tests.fakes.commands import Done, curl, redox_curl, side_by_side
from tests.fakes.pki import DAY, Issued, ca, leaf
from tests.fakes.raw_server import serving, silent

pytestmark = [pytest.mark.interop, needs_curl_7_88]

NOW = int(time.time())
VALID = {"not_before": NOW - 10 * DAY, "not_after": NOW + 10 * DAY}
ROOT = ca("Test Root", **VALID)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


def context(folder: Path, issued: Issued) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(issued.pem)
    (folder / "key.pem").write_bytes(issued.key.private_bytes(*form))
    made.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return made


def answering(link: socket.socket) -> None:
    heard = b""
    while data := link.recv(65_536):
        heard += data
        if heard.endswith(b"\r\n\r\n"):
            link.sendall(OK)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What stands in braces in the command lines below."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "ca.pem").write_bytes(ROOT.pem)
    (folder / "empty").touch()
    good = leaf(ROOT, "good.test", **VALID)
    old = leaf(ROOT, "old.test", **{**VALID, "not_after": NOW - DAY})
    alone = leaf(None, "alone.test", **VALID)
    with ExitStack() as stack:
        servers = {
            "GOOD": serving(answering, context(folder, good)),
            "OLD": serving(answering, context(folder, old)),
            "ALONE": serving(answering, context(folder, alone)),
            "SILENT": serving(silent),
        }
        ports = {name: str(stack.enter_context(server)) for name, server in servers.items()}
        context(folder, good)  # its files are those that options name
        yield {**ports, "CA": str(folder / "ca.pem"), "DIR": str(folder)}


def cleaned(done: Done, folder: str) -> tuple[int, bytes, list[str]]:
    """What is said; of a file that cannot be used curl tells twice, and what it would have sent before."""
    err = done.err.replace("\r\n", "\n").replace(folder, "DIR")
    for pattern, stand_in in (
        (r"\[\d+ bytes data\]", "[N bytes data]"),
        (r"curl/[\w.-]+", "curl/V"),
        (r"\d+ (ms|milliseconds)", "N"),
        (r"(?s)(certificate\n)(More details here|The (server|proxy) at).*", r"\1"),
    ):
        err = re.sub(pattern, stand_in, err)
    return done.code, done.out, err.splitlines()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("-k https://localhost:{GOOD}/", 20),
        ("-k --cacert {CA} https://localhost:{OLD}/", 20),
        ("-k https://localhost:{ALONE}/", 18),
        ("-k https://127.0.0.1:{ALONE}/", 18),
        ("--cacert {CA} https://localhost:{GOOD}/", 0),
        ("--cacert {CA} https://localhost:{OLD}/", 10),
        ("-x https://localhost:{GOOD} --proxy-cacert {CA} http://a.test/", 0),
        ("-x https://localhost:{GOOD} http://a.test/", 20),
        ("-x https://localhost:{OLD} --proxy-cacert {CA} http://a.test/", 10),
        ("-x https://localhost:{ALONE} --proxy-insecure http://a.test/", 18),
        ("http://127.0.0.1:1/", 0),
    ],
)
def test_what_came_of_checking_a_chain_is_told_by_number(
    places: dict[str, str], words: str, code: int
) -> None:
    told = ("-w", "%{ssl_verify_result}|%{proxy_ssl_verify_result}")
    ours, theirs = side_by_side("-s", "-o", "/dev/null", *told, *words.format_map(places).split())
    assert theirs is not None and (ours.code, ours.out) == (theirs.code, theirs.out)
    assert sorted(map(int, ours.out.split(b"|"))) == [0, code]


@pytest.mark.parametrize(
    "words",
    [
        "--cacert {CA} --ciphers ECDHE-ECDSA-AES128-GCM-SHA256 https://localhost:{GOOD}/",
        "--cacert {CA} --tls13-ciphers TLS_AES_128_GCM_SHA256 https://localhost:{GOOD}/",
        "-x https://localhost:{GOOD} --proxy-cacert {CA} --proxy-ciphers AESGCM http://a.test/",
        "-m 1 https://localhost:{SILENT}/",
        "-m 1 --tls-max 1.2 https://localhost:{SILENT}/",
        "--connect-timeout 1 https://localhost:{SILENT}/",
        "-m 1 -x https://localhost:{SILENT} http://a.test/",
        "--cacert {CA} --capath {DIR}/empty https://localhost:{GOOD}/",
        "--capath {DIR}/missing https://localhost:{GOOD}/",
        "--cert {DIR}/cert.pem --key pkcs11:x https://localhost:{SILENT}/",
        "--cert pkcs11:x https://localhost:{SILENT}/",
    ],
)
def test_verbose_tells_of_tls_as_curl_does(places: dict[str, str], words: str) -> None:
    ours, theirs = side_by_side("-4", "-vsS", *words.format_map(places).split())
    assert theirs is not None
    assert cleaned(ours, places["DIR"]) == cleaned(theirs, places["DIR"])


@pytest.mark.parametrize(
    "words", ["--cacert EMPTY", "--capath EMPTY", "--cacert {DIR}/empty", "--cacert {DIR}/missing"]
)
def test_a_store_of_certificates_that_is_none_is_refused(places: dict[str, str], words: str) -> None:
    line = ["" if word == "EMPTY" else word for word in words.format_map(places).split()]
    ours, theirs = side_by_side("-sS", *line, f"https://localhost:{places['SILENT']}/")
    assert theirs is not None and (ours.code, ours.err) == (theirs.code, theirs.err)
    assert ours.code == 77


def test_a_directory_of_certificates_is_asked_beside_the_systems_file_and_not_the_environment(
    places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A --capath is no reason to forget what the system trusts; CURL_CA_BUNDLE is for want of either."""
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "missing"))
    line = ("-v", "-sS", "--capath", str(tmp_path), f"https://localhost:{places['GOOD']}/")
    for done in side_by_side(*line):
        assert done is not None and done.code == 60
        assert "*  CAfile: /etc/ssl/certs/ca-certificates.crt" in done.err


@pytest.mark.parametrize("client", [redox_curl, curl])
def test_a_server_hears_why_its_certificate_was_refused(
    places: dict[str, str], tmp_path: Path, client
) -> None:
    """The alert has to arrive (RFC 8446 §6.2): a reset behind it would take it away."""
    made = context(tmp_path, leaf(ROOT, **VALID))
    heard: list[BaseException] = []
    was_heard = threading.Event()

    def converse(link: socket.socket) -> None:
        try:
            made.wrap_socket(link, server_side=True)
        except OSError as error:
            heard.append(error)
        was_heard.set()

    with serving(converse) as port:
        assert client("-sS", "-4", f"https://localhost:{port}/").code == 60
        assert was_heard.wait(10)
    assert [getattr(error, "reason", error) for error in heard] == ["TLSV1_ALERT_UNKNOWN_CA"]

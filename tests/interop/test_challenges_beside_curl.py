"""Challenges and their answers: ours and curl 7.88.1 ask, say and return the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.beside_curl import needs_curl_7_88
from tests.fakes.exchanges import same_exchange

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_curl_7_88]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
URL = "http://127.0.0.1:@PORT@/x"
DIGEST = b'Digest realm="r", nonce="n1"'
QOP = DIGEST + b', qop="auth", opaque="o"'
STALE = b'Digest realm="r", nonce="n2", stale=true'


def refused(*challenges: bytes) -> bytes:
    lines = b"".join(b"WWW-Authenticate: %s\r\n" % challenge for challenge in challenges)
    return b"HTTP/1.1 401 No\r\n" + lines + b"Content-Length: 2\r\n\r\nno"


CHALLENGES = {
    "plain": DIGEST,
    "with qop": QOP,
    "without quotes": b"Digest realm=r, nonce=n1",
    "quotes in quotes": b'Digest realm="a\\"b\\\\c", nonce="n\\"1"',
    "SHA-256": DIGEST + b", algorithm=SHA-256, qop=auth",
    "MD5-sess": DIGEST + b", algorithm=MD5-sess, qop=auth",
    "a session without qop": DIGEST + b", algorithm=MD5-sess",
    "unknown algorithm": DIGEST + b", algorithm=FOO",
    "domain": DIGEST + b', domain="/a http://x"',
    "empty opaque": DIGEST + b', opaque=""',
    "a list of qop": DIGEST + b', qop="auth-int, auth"',
    "userhash": DIGEST + b", userhash=true, algorithm=SHA-256, qop=auth",
    "no nonce": b'Digest realm="r"',
    "tabs": b'Digest\trealm="r",\tnonce="n1"',
    "two commas": b'Digest realm="r",, nonce="n1"',
    "other case": b'DIGEST REALM="r", NONCE="n1"',
    "no end of quotes": b'Digest realm="r, nonce="n1"',
    "Basic before it": b'Basic realm="x", ' + QOP,
    "Basic alone": b'Basic realm="x"',
    "Bearer": b"Bearer realm=x",
}


@pytest.mark.parametrize("name", CHALLENGES)
@pytest.mark.parametrize("option", ["--digest", "--anyauth", "--basic"])
def test_a_challenge_is_answered_as_curl_answers_it(tmp_path: Path, name: str, option: str) -> None:
    same_exchange(tmp_path, "-sSvi", option, "-u", "u:p", URL, scripts=[(refused(CHALLENGES[name]), OK)])


@pytest.mark.parametrize(
    "pair",
    [(b'Basic realm="x"', QOP), (QOP, DIGEST), (DIGEST + b", algorithm=FOO", DIGEST), (b"Bearer", QOP)],
)
@pytest.mark.parametrize("option", ["--digest", "--anyauth"])
def test_of_several_challenges_the_one_is_answered_that_curl_answers(
    tmp_path: Path, pair: tuple[bytes, bytes], option: str
) -> None:
    same_exchange(tmp_path, "-sSvi", option, "-u", "u:p", URL, scripts=[(refused(*pair), OK)])


@pytest.mark.parametrize("words", ["", "-f", "-d data", "-I", "-X FOO"])
def test_an_answer_that_is_refused_is_told_ahead_of_the_header(tmp_path: Path, words: str) -> None:
    no = refused(QOP)
    if words == "-I":
        no = no.removesuffix(b"no")
    same_exchange(tmp_path, "-sSvi", "--digest", "-u", "u:p", *words.split(), URL, scripts=[(no, no, OK)])


@pytest.mark.parametrize("words", ["", "-L", "--max-redirs 3", "-f --max-redirs 0", "-L --max-redirs 1"])
def test_nonces_that_are_stale_for_ever_are_too_many_redirects(tmp_path: Path, words: str) -> None:
    script = (refused(QOP), *[refused(STALE)] * 60)
    count = ("-w", "%{num_redirects} %{redirect_url}")
    done = same_exchange(
        tmp_path, "-sSvi", *count, "--digest", "-u", "u:p", *words.split(), URL, scripts=[script]
    )
    assert done.left.code == 47


def test_a_form_that_is_held_back_has_no_type_yet(tmp_path: Path) -> None:
    words = ("--digest", "-u", "u:p", "-F", "a=@f")
    same_exchange(tmp_path, "-sSv", *words, URL, scripts=[(refused(QOP), OK)], files={"f": "x"})


@pytest.mark.parametrize(
    "login", ["u:", ":p", ":", "u:p:q", 'q"u:p', "b\\s:p", "\xe4:\xf6", "u\t:p", "D\\u:p"]
)
@pytest.mark.parametrize("option", ["--digest", "--basic"])
def test_any_user_name_goes_out_as_curl_writes_it(tmp_path: Path, login: str, option: str) -> None:
    same_exchange(tmp_path, "-sSvi", option, "-u", login, URL, scripts=[(refused(QOP), OK)])


@pytest.mark.parametrize("line", ["Authorization:Foo", "Authorization:", "Authorization;"])
def test_a_typed_authorization_stands_for_the_login_and_nothing_is_said_of_it(
    tmp_path: Path, line: str
) -> None:
    same_exchange(tmp_path, "-sSv", "-u", "a:b", "-H", line, URL, scripts=[(OK,)])

import base64

import pytest

from pycurl_redox.auth import Authenticator, split_login
from pycurl_redox.config import AUTH_ANY, AUTH_BASIC, AUTH_BEARER, AUTH_DIGEST
from pycurl_redox.digest import ChallengeError, Digest, parse_parameters


def digits(count):
    return "0" * count


def answer(challenge, *, user=b"testuser", password=b"testpass", method="GET", target=b"/64"):
    digest = Digest(digits)
    digest.receive_challenge(challenge)
    return digest.response(user, password, method, target)


def test_the_answer_of_curls_test_64():
    assert answer(b' realm="testrealm", nonce="1053604145"') == (
        b'username="testuser", realm="testrealm", nonce="1053604145", uri="/64", '
        b'response="c55f7f30d83d774a3d2dcacf725abaca"'
    )


class FixedDigest(Digest):
    """RFC 7616 §3.9 prints the cnonce of its examples."""

    def __init__(self, cnonce):
        super().__init__(digits)
        self._fixed = cnonce

    def receive_challenge(self, text):
        super().receive_challenge(text)
        self._cnonce = self._fixed


CHALLENGE = (
    b' realm="http-auth@example.org", qop="auth, auth-int", algorithm=%s, '
    b'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    b'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        (b"MD5", b"8ca523f5e9506fed4657c9700eebdbec"),
        (b"SHA-256", b"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm, response):
    digest = FixedDigest(b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    digest.receive_challenge(CHALLENGE % algorithm)
    text = digest.response(b"Mufasa", b"Circle of Life", "GET", b"/dir/index.html")
    assert b'response="' + response + b'"' in text
    names = [field.split(b"=")[0].decode() for field in text.split(b", ")]
    expected = "username realm nonce uri cnonce nc qop response opaque algorithm"
    assert " ".join(names) == expected


def test_userhash_and_sha_512_256_of_rfc_7616():
    digest = FixedDigest(b"NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm")
    digest.receive_challenge(
        b' realm="api@example.org", qop="auth", algorithm=SHA-512-256, '
        b'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", '
        b'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true'
    )
    text = digest.response("Jäsøn Doe".encode(), b"Secret, or not?", "GET", b"/doe.json")
    # Erratum 4897: the user hash as it comes out of the algorithm that is named.
    assert b'username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"' in text
    assert text.endswith(b"algorithm=SHA-512-256, userhash=true")


def test_a_session_algorithm_hashes_nonce_and_cnonce_in():
    import hashlib

    def md5(data):
        return hashlib.md5(data).hexdigest().encode()

    text = answer(
        b' realm="r", nonce="n", qop=auth, algorithm=MD5-sess', user=b"u", password=b"p", target=b"/"
    )
    cnonce = base64.b64encode(b"0" * 32)
    ha1 = md5(md5(b"u:r:p") + b":n:" + cnonce)
    expected = md5(b":".join([ha1, b"n", b"00000001", cnonce, b"auth", md5(b"GET:/")]))
    assert b'response="' + expected + b'"' in text


def test_each_answer_counts_up_and_a_stale_nonce_starts_again():
    digest = Digest(digits)
    digest.receive_challenge(b' nonce="a", qop="auth"')
    counts = [digest.response(b"u", b"p", "GET", b"/").split(b"nc=")[1][:8] for _ in range(2)]
    assert counts == [b"00000001", b"00000002"]
    digest.receive_challenge(b' nonce="b", qop="auth", stale=TRUE')
    assert b"nc=00000001" in digest.response(b"u", b"p", "GET", b"/")
    with pytest.raises(ChallengeError):
        digest.receive_challenge(b' nonce="c", qop="auth"')


@pytest.mark.parametrize(
    "text", [b"", b' realm="x"', b' nonce="a", algorithm=foo', b' nonce="a", algorithm=MD5-sess']
)
def test_a_challenge_that_cannot_be_answered_is_refused(text):
    with pytest.raises(ChallengeError):
        Digest(digits).receive_challenge(text)


def test_parameters_may_be_quoted_escaped_and_sloppy():
    assert parse_parameters(b'a="x\\"y\\\\", B=z ,c=, d="open') == {"a": b'x"y\\', "b": b"z ", "c": b""}
    text = answer(b' realm="a\\"b", nonce="n"', user=b'q"u\\', password=b"")
    assert text.startswith(b'username="q\\"u\\\\", realm="a\\"b"')


def side(wanted, **keywords):
    return Authenticator(b"u", b"p", wanted, digits, **keywords)


def test_basic_is_sent_from_the_first_request_and_not_tried_twice():
    login = side(0)
    assert (login.scheme, login.header("GET", "/")) == ("Basic", b"Basic dTpw")
    assert not login.receive_challenges([b'Basic realm="x"'])
    assert login.was_refused and login.notes == [(0, "Authentication problem. Ignoring this.")]


def test_digest_asks_for_a_challenge_first():
    login = side(AUTH_DIGEST)
    assert (login.scheme, login.is_settled, login.header("POST", "/")) == ("", False, None)
    assert login.receive_challenges([b'Digest realm="r", nonce="n"'])
    assert login.is_settled and login.header("GET", "/").startswith(b'Digest username="u"')
    assert not login.receive_challenges([b'Digest realm="r", nonce="m"'])


def test_of_several_schemes_the_best_that_is_offered_is_taken():
    login = side(AUTH_ANY)
    assert login.header("GET", "/") is None and login.is_settled
    assert login.receive_challenges([b'Basic realm="x", Digest realm="r", nonce="n"', b"NTLM"])
    assert login.scheme == "Digest"
    assert side(AUTH_ANY).receive_challenges([b"Foo", b"basic"])
    nothing = side(AUTH_ANY)
    assert not nothing.receive_challenges([b"Negotiate"])
    assert (nothing.header("GET", "/"), nothing.is_settled) == (None, True)


def test_a_second_digest_challenge_of_one_response_is_left_alone():
    login = side(AUTH_ANY)
    assert login.receive_challenges([b'Digest nonce="a"', b'Digest nonce="b"'])
    assert login.notes == [(1, "Ignoring duplicate digest auth header.")]
    assert b'nonce="a"' in login.header("GET", "/")


def test_a_bearer_token_is_sent_as_it_is():
    login = side(AUTH_BEARER, bearer=b"token")
    assert login.header("GET", "/") == b"Bearer token"
    assert not login.receive_challenges([b"Bearer"])
    assert side(AUTH_BEARER | AUTH_BASIC, bearer=None).header("GET", "/") is None


def test_a_login_is_split_at_its_first_colon():
    assert split_login("u:p:q") == (b"u", b"p:q")
    assert split_login("u") == (b"u", None)

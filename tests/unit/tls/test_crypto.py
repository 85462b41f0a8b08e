"""The primitives against other code: key exchange both ways, signatures by scheme, HKDF by its RFC."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, padding, rsa, x448, x25519

from tests.fakes.scripted_tls_server import ScriptedTlsServer, record, u, vec
from tls import config as codes
from tls.alerts import Alert
from tls.client import TlsClient
from tls.config import (
    SECP256R1,
    SECP256R1MLKEM768,
    SECP384R1,
    SECP521R1,
    X448,
    X25519,
    X25519MLKEM768,
    TlsConfig,
)
from tls.crypto import hkdf_expand, load_signer, new_key_exchanges, schemes_of, verify_signature
from tls.errors import PassPhraseError, PeerMisbehavedError, UsageError

CURVES = {SECP256R1: ec.SECP256R1(), SECP384R1: ec.SECP384R1(), SECP521R1: ec.SECP521R1()}
UNCOMPRESSED = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
COMPRESSED = (serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)


def encapsulated(share: bytes) -> tuple[bytes, bytes]:
    """The other side of X25519MLKEM768: its share and the secret."""
    theirs = x25519.X25519PrivateKey.generate()
    secret, ciphertext = mlkem.MLKEM768PublicKey.from_public_bytes(share[:1184]).encapsulate()
    secret += theirs.exchange(x25519.X25519PublicKey.from_public_bytes(share[1184:]))
    return ciphertext + theirs.public_key().public_bytes_raw(), secret


def test_the_hybrid_agrees_with_the_other_side():
    (exchange,) = new_key_exchanges((X25519MLKEM768,))
    assert len(exchange.share) == 1184 + 32
    share, secret = encapsulated(exchange.share)
    assert exchange.shared_secret(share) == secret and len(secret) == 64


def test_the_hybrid_and_x25519_share_one_key_pair():
    hybrid, classical = new_key_exchanges((X25519MLKEM768, X25519))
    assert hybrid.share[1184:] == classical.share


def test_the_hybrid_with_a_nist_curve_has_its_point_first():
    """draft-ietf-tls-ecdhe-mlkem §4.1, §4.2, §4.3."""
    hybrid, classical = new_key_exchanges((SECP256R1MLKEM768, SECP256R1))
    assert hybrid.share[:65] == classical.share and len(hybrid.share) == 65 + 1184
    theirs = ec.generate_private_key(ec.SECP256R1())
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), hybrid.share[:65])
    secret, ciphertext = mlkem.MLKEM768PublicKey.from_public_bytes(hybrid.share[65:]).encapsulate()
    share = theirs.public_key().public_bytes(*UNCOMPRESSED) + ciphertext
    assert hybrid.shared_secret(share) == theirs.exchange(ec.ECDH(), point) + secret


def test_x448_agrees_with_the_other_side():
    (exchange,) = new_key_exchanges((X448,))
    theirs = x448.X448PrivateKey.generate()
    ours = x448.X448PublicKey.from_public_bytes(exchange.share)
    assert exchange.shared_secret(theirs.public_key().public_bytes_raw()) == theirs.exchange(ours)


@pytest.mark.parametrize("group", CURVES)
def test_the_nist_curves_agree_with_the_other_side(group):
    (exchange,) = new_key_exchanges((group,))
    theirs = ec.generate_private_key(CURVES[group])
    ours = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[group], exchange.share)
    share = theirs.public_key().public_bytes(*UNCOMPRESSED)
    assert exchange.shared_secret(share) == theirs.exchange(ec.ECDH(), ours)


def bad_shares():
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    yield X25519, bytes(32)
    yield X25519, bytes(31)
    yield SECP256R1, b""
    yield SECP256R1, point.public_bytes(*COMPRESSED)
    yield SECP256R1, b"\x04" + bytes(64)
    yield SECP256R1, point.public_bytes(*UNCOMPRESSED)[:-1] + b"\0\0"
    yield X448, bytes(56)
    yield X448, bytes(55)
    yield SECP256R1MLKEM768, bytes(65 + 1088)
    yield SECP256R1MLKEM768, point.public_bytes(*UNCOMPRESSED) + bytes(1087)
    yield X25519MLKEM768, bytes(1088 + 31)
    yield X25519MLKEM768, bytes(1088 + 32)  # the X25519 part is of low order


@pytest.mark.parametrize(("group", "share"), list(bad_shares()))
def test_what_is_no_share_of_the_group_is_refused(group, share):
    (exchange,) = new_key_exchanges((group,))
    with pytest.raises(PeerMisbehavedError, match="key_share is not valid") as caught:
        exchange.shared_secret(share)
    assert caught.value.alert == Alert.ILLEGAL_PARAMETER


def test_a_group_that_is_not_there_is_the_callers_mistake():
    with pytest.raises(UsageError, match="0x0100"):
        new_key_exchanges((0x0100,))


def test_a_handshake_with_the_hybrid():
    config = TlsConfig(groups=(X25519MLKEM768, X25519))
    server = ScriptedTlsServer(TlsClient(config, "server.test"))
    server.read_client_hello()
    share, secret = encapsulated(server.client_share(X25519MLKEM768))
    hello = server.server_hello(extensions=[(43, u(2, 0x0304)), (51, u(2, X25519MLKEM768) + vec(2, share))])

    class Given:
        def exchange(self, _peer):
            return secret

    server.exchange = Given()
    server.use_handshake_keys(hello)
    octets = record(22, hello)
    for make in (server.encrypted_extensions, server.certificate, server.certificate_verify, server.finished):
        encoded = make()
        server.transcript += encoded
        octets += server.protect(22, encoded)
    server.deliver(octets)
    (event,) = server.events()
    assert event.group == X25519MLKEM768


KEYS = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}


def pem(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    ("kind", "schemes"),
    [
        ("rsa", (codes.RSA_PSS_RSAE_SHA256, codes.RSA_PSS_RSAE_SHA384, codes.RSA_PSS_RSAE_SHA512)),
        ("p256", (codes.ECDSA_SECP256R1_SHA256,)),
        ("p384", (codes.ECDSA_SECP384R1_SHA384,)),
        ("p521", (codes.ECDSA_SECP521R1_SHA512,)),
        ("ed25519", (codes.ED25519,)),
    ],
)
def test_what_a_signer_signs_verifies_under_its_schemes_and_no_other_content(kind, schemes):
    signer, public = load_signer(pem(KEYS[kind])), KEYS[kind].public_key()
    assert signer.schemes == schemes == schemes_of(public)
    for scheme in schemes:
        signature = signer.sign(scheme, b"content")
        assert verify_signature(public, scheme, signature, b"content")
        assert not verify_signature(public, scheme, signature, b"another")
        assert not verify_signature(public, scheme, b"", b"content")


@pytest.mark.parametrize(
    ("scheme", "algorithm"),
    [
        (codes.RSA_PSS_PSS_SHA256, hashes.SHA256()),
        (codes.RSA_PSS_PSS_SHA384, hashes.SHA384()),
        (codes.RSA_PSS_PSS_SHA512, hashes.SHA512()),
    ],
)
def test_keys_declared_for_pss_have_schemes_of_their_own(scheme, algorithm):
    public = KEYS["rsa"].public_key()
    assert scheme in schemes_of(public, is_pss=True) and scheme not in schemes_of(public)
    pss = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
    signature = KEYS["rsa"].sign(b"content", pss, algorithm)
    assert verify_signature(public, scheme, signature, b"content")
    salted = padding.PSS(padding.MGF1(algorithm), 20)
    signature = KEYS["rsa"].sign(b"content", salted, algorithm)
    assert not verify_signature(public, scheme, signature, b"content"), "the salt is as long as the hash"


def test_a_key_that_tls_cannot_sign_with_is_the_callers_mistake():
    assert schemes_of(x448.X448PrivateKey.generate().public_key()) == ()
    with pytest.raises(UsageError, match="does not sign"):
        load_signer(pem(x448.X448PrivateKey.generate()))
    with pytest.raises(UsageError):
        load_signer(b"no key at all")


def test_hkdf_expand_gives_the_octets_of_its_rfc():
    """RFC 5869 §A.1: 42 octets, more than one block."""
    secret = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    info = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9")
    expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    assert hkdf_expand("sha256", secret, info, 42).hex() == expected


@pytest.mark.parametrize(
    "config",
    [
        TlsConfig(cipher_suites=()),
        TlsConfig(cipher_suites=(0x1304,)),
        TlsConfig(groups=(X25519,), key_shares=(SECP256R1,)),
        TlsConfig(alpn=(b"",)),
    ],
)
def test_a_config_that_cannot_work_is_refused_at_once(config):
    with pytest.raises(UsageError, match="TlsConfig"):
        TlsClient(config, "server.test")


def short_p256_key(octets: int) -> bytes:
    """PKCS #8 of a key that begins with a zero, in so many octets, as PEM."""
    from base64 import encodebytes

    scalar = (1 << 240) + 5
    inner = b"\x02\x01\x01\x04" + bytes([octets]) + scalar.to_bytes(octets, "big")
    algorithm = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    body = (
        b"\x02\x01\0" + algorithm + b"\x04" + bytes([len(inner) + 2]) + b"\x30" + bytes([len(inner)]) + inner
    )
    text = encodebytes(b"\x30" + bytes([len(body)]) + body)
    return b"-----BEGIN PRIVATE KEY-----\n" + text + b"-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("octets", [32, 31])
def test_a_key_without_its_leading_zeros_is_the_same_key(octets):
    public = ec.derive_private_key((1 << 240) + 5, ec.SECP256R1()).public_key()
    assert load_signer(short_p256_key(octets)).is_key_of(public)


def test_a_key_that_is_locked_wants_its_own_pass_phrase():
    key = ec.generate_private_key(ec.SECP256R1())
    for form in (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
        pem = key.private_bytes(
            serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(b"right")
        )
        assert load_signer(pem, b"right").schemes == (0x0403,)
        for wrong in (None, b"", b"wrong"):
            with pytest.raises(PassPhraseError) as caught:
                load_signer(pem, wrong)
            assert "wrong" not in str(caught.value).replace("pass phrase is wrong", "")


def test_a_key_that_tls_does_not_sign_with_is_refused_by_name():
    from cryptography.hazmat.primitives.asymmetric import x25519

    pem = x25519.X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(UsageError, match="TLS does not sign with: X25519PrivateKey"):
        load_signer(pem)

"""Certificates written octet by octet, to reach what no CA and no library would write."""

from __future__ import annotations

import time

import pytest

from tests.fakes.pki import NOW
from tests.fakes.scripted_tls_server import CLIENT_CONFIG, ScriptedTlsServer
from tls.certificates import Certificate
from tls.client import TlsClient
from tls.der import oid, oid_text
from tls.errors import CertificateError, TlsError
from tls.paths import verify_chain
from tls.trust import TrustStore

# 3001 octets of one arc: 6321 decimal digits, more than Python writes.
LONG_OID = b"\x2a" + b"\xff" * 3000 + b"\x7f"


def element(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = (len(content).bit_length() + 7) // 8
    length = (
        bytes([len(content)]) if len(content) < 0x80 else bytes([0x80 | size]) + len(content).to_bytes(size)
    )
    return bytes([tag]) + length + content


def name(*attributes: tuple[bytes, bytes]) -> bytes:
    return element(
        0x30,
        *(element(0x31, element(0x30, element(6, kind), element(12, text))) for kind, text in attributes),
    )


def extension(kind: bytes, value: bytes, is_critical: bool = True) -> bytes:
    return element(0x30, element(6, kind), element(1, b"\xff") if is_critical else b"", element(4, value))


P256_KEY = element(
    0x30,
    element(0x30, element(6, oid("1.2.840.10045.2.1")), element(6, oid("1.2.840.10045.3.1.7"))),
    element(3, b"\0\4" + bytes(64)),
)


def certificate(version: bytes = b"\2", subject: bytes = name(), key: bytes = P256_KEY, *extensions: bytes):
    algorithm = element(0x30, element(6, oid("1.2.840.10045.4.3.2")))
    validity = element(0x30, element(0x17, b"200101000000Z"), element(0x17, b"490101000000Z"))
    block = element(0xA3, element(0x30, *extensions)) if extensions else b""
    head = element(0xA0, element(2, version)) + element(2, b"\1") + algorithm
    tbs = element(0x30, head, name(), validity, subject, key, block)
    return element(0x30, tbs, algorithm, element(3, bytes(70)))


def with_extension(kind: bytes, value: bytes) -> bytes:
    return certificate(b"\2", name(), P256_KEY, extension(kind, value))


HOSTILE = {
    "long attribute type": certificate(subject=name((LONG_OID, b"x"))),
    "long key algorithm": certificate(
        key=element(0x30, element(0x30, element(6, LONG_OID)), element(3, b"\0"))
    ),
    "long curve": certificate(
        key=element(
            0x30,
            element(0x30, element(6, oid("1.2.840.10045.2.1")), element(6, LONG_OID)),
            element(3, b"\0"),
        )
    ),
    "long critical extension": with_extension(LONG_OID, b""),
    "extension twice": certificate(
        b"\2", name(), P256_KEY, extension(LONG_OID, b""), extension(LONG_OID, b"")
    ),
    "long version": certificate(version=b"\x7f" + bytes(3000)),
    "long negative path length": with_extension(
        oid("2.5.29.19"), element(0x30, element(1, b"\xff"), element(2, b"\x80" + bytes(3000)))
    ),
    "long path length": with_extension(
        oid("2.5.29.19"), element(0x30, element(1, b"\xff"), element(2, b"\x7f" + bytes(3000)))
    ),
    "point of no curve": certificate(),
    "exponent without end": certificate(
        key=element(
            0x30,
            element(0x30, element(6, oid("1.2.840.113549.1.1.1"))),
            element(
                3, b"\0", element(0x30, element(2, b"\x7f" + bytes(3000)), element(2, b"\x7f" + bytes(3000)))
            ),
        )
    ),
}


@pytest.mark.parametrize("der", HOSTILE.values(), ids=HOSTILE)
def test_a_number_with_too_many_digits_is_refused_by_name(der):
    trust = TrustStore()

    def verify(chain, server_name):
        return verify_chain(chain, server_name, trust, NOW)

    with pytest.raises(CertificateError) as caught:
        verify([Certificate.parse(der)], "server.test")
    assert len(str(caught.value)) < 1000 and len(caught.value.diagnosis) < 4000
    # And so from the wire, before anything is known of the server.
    server = ScriptedTlsServer(TlsClient(CLIENT_CONFIG._replace(verify=verify), "server.test"))
    server.certificate_der = der
    server.deliver(server.flight())
    with pytest.raises(TlsError):
        server.events()


def test_many_critical_extensions_cost_no_quadratic_time_and_are_not_all_listed():
    kinds = [bytes([0x2A, number & 0x7F, number >> 7]) for number in range(5000)]
    der = certificate(b"\2", name(), P256_KEY, *(extension(kind, b"") for kind in kinds))
    began = time.perf_counter()
    parsed = Certificate.parse(der)
    assert time.perf_counter() - began < 1.0
    assert len(parsed.unknown_critical) == 5000
    with pytest.raises(CertificateError) as caught:
        verify_chain([parsed], "server.test", TrustStore.from_pem(b""), NOW)
    assert len(caught.value.diagnosis) < 2000


def test_an_object_identifier_that_is_too_long_is_shown_in_part():
    assert oid_text(oid("1.2.840.113549")) == "1.2.840.113549"
    assert oid_text(LONG_OID).startswith("2affff") and len(oid_text(LONG_OID)) < 200

"""What comes with the certificate: staples and timestamps, and how they live on in a session."""

from __future__ import annotations

import pytest

from tests.fakes.scripted_tls_server import (
    CLIENT_CONFIG,
    ScriptedTlsServer,
    extension,
    message,
    record,
    u,
    vec,
)
from tls.alerts import Alert
from tls.client import TlsClient
from tls.config import ResumptionOffer
from tls.errors import CertificateError, TlsError
from tls.paths import VerifiedPath

ASKING = CLIENT_CONFIG._replace(request_ocsp=True, request_sct=True)
STAPLE = extension(5, b"\1" + vec(3, b"response"))
SCT_LIST = vec(2, vec(2, b"timestamp"))


def served(extensions: bytes, config=ASKING) -> ScriptedTlsServer:
    server = ScriptedTlsServer(TlsClient(config, "server.test"))
    certificate = server.certificate
    server.certificate = lambda: certificate(extensions=extensions)
    server.deliver(server.flight())
    return server


def test_staple_and_timestamps_are_handed_on():
    (event,) = served(STAPLE + extension(18, SCT_LIST)).events()
    assert (event.ocsp_response, event.sct_list) == (b"response", SCT_LIST)


@pytest.mark.parametrize(
    "extensions",
    [
        extension(5, b""),
        extension(5, b"\2" + vec(3, b"response")),
        extension(5, b"\1" + vec(3, b"")),
        extension(5, b"\1" + vec(3, b"response") + b"\0"),
        extension(18, vec(2, b"")),
        extension(18, vec(2, vec(2, b""))),
        STAPLE + STAPLE,
    ],
)
def test_what_is_no_staple_or_list_is_a_decode_error(extensions):
    server = served(extensions)
    with pytest.raises(TlsError) as caught:
        server.events()
    assert caught.value.alert == Alert.DECODE_ERROR


@pytest.mark.parametrize(("extensions", "seen"), [(STAPLE, b"response"), (b"", None)])
def test_the_staple_is_judged_by_the_callers_check(extensions, seen):
    judged = []

    def refuse(leaf, issuer, response):
        assert issuer is None
        judged.append((leaf.subject, response))
        raise CertificateError("staple: not fresh", Alert.BAD_CERTIFICATE_STATUS_RESPONSE)

    server = served(extensions, ASKING._replace(check_staple=refuse))
    with pytest.raises(CertificateError, match="not fresh"):
        server.events()
    assert judged == [("CN=server.test", seen)]
    assert server.last_alert() == Alert.BAD_CERTIFICATE_STATUS_RESPONSE


def resumed(verify) -> ScriptedTlsServer:
    """A session made with a staple, and resumed under `verify`."""
    first = served(STAPLE)
    first.events()
    nst = u(4, 7200) + u(4, 0) + vec(1, b"") + vec(2, b"ticket") + vec(2, b"")
    first.deliver(first.protect(22, message(4, nst)))
    (received,) = first.events()
    config = ASKING._replace(verify=verify, resumption=ResumptionOffer(received.ticket, 0))
    second = ScriptedTlsServer(TlsClient(config, "server.test"))

    second.read_client_hello()
    second.server_hello()  # makes the key pair
    kept = second.exchange
    extensions = [
        (43, u(2, 0x0304)),
        (51, u(2, 0x1D) + vec(2, kept.public_key().public_bytes_raw())),
        (41, u(2, 0)),
    ]
    hello = second.server_hello(extensions=extensions)
    second.exchange = kept
    second.use_handshake_keys(hello, received.ticket.resumption_secret)
    octets = record(22, hello)
    for make in (second.encrypted_extensions, second.finished):
        encoded = make()
        second.transcript += encoded
        octets += second.protect(22, encoded)
    second.deliver(octets)
    return second


def test_a_resumed_session_has_the_staple_and_is_verified_again():
    names = []

    def verify(chain, name):
        names.append((chain[0].subject, name))
        return VerifiedPath(tuple(chain), name)

    (event,) = resumed(verify).events()
    assert event.is_resumed and event.ocsp_response == b"response"
    assert names == [("CN=server.test", "server.test")]


def test_a_session_whose_chain_is_no_longer_good_is_not_resumed():
    def verify(chain, name):
        raise CertificateError("Certificate: expired since", Alert.CERTIFICATE_EXPIRED)

    server = resumed(verify)
    with pytest.raises(CertificateError, match="expired"):
        server.events()
    assert server.last_alert() == Alert.CERTIFICATE_EXPIRED

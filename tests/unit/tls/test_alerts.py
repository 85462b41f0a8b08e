"""One fault of the server after the other, and the alert that answers it (RFC 8446 §6.2)."""

from __future__ import annotations

import pytest

from tests.fakes.scripted_tls_server import (
    CLIENT_CONFIG,
    ScriptedTlsServer,
    connected,
    extension,
    message,
    record,
    u,
    vec,
)
from tls.alerts import Alert
from tls.client import TlsClient
from tls.errors import (
    AlertReceivedError,
    CertificateError,
    PeerIncompatibleError,
    PeerMisbehavedError,
    TlsError,
)
from tls.events import CloseNotifyReceived

TLS13 = (43, u(2, 0x0304))


def fresh(config=CLIENT_CONFIG) -> ScriptedTlsServer:
    return ScriptedTlsServer(TlsClient(config, "server.test"))


def failure(server: ScriptedTlsServer) -> TlsError:
    with pytest.raises(TlsError) as caught:
        server.events()
    return caught.value


def check(server: ScriptedTlsServer, alert: Alert, text: str = "") -> None:
    error = failure(server)
    assert error.alert == alert and text in str(error), str(error)
    assert server.last_alert() == alert
    assert failure(server) is error
    server.deliver(b"whatever comes later")
    assert failure(server) is error


# ServerHello --------------------------------------------------------------------------------------------


def key_share(group: int = 0x1D, share: bytes = bytes(31) + b"\x09") -> tuple[int, bytes]:
    return (51, u(2, group) + vec(2, share))


HELLO_FAULTS = {
    "a suite that was not offered": ({"suite": 0x1304}, Alert.ILLEGAL_PARAMETER),
    "another session id than ours": ({"session_id": bytes(32)}, Alert.ILLEGAL_PARAMETER),
    "a compression method": ({"compression": 1}, Alert.DECODE_ERROR),
    "octets behind the end": ({"tail": b"\0"}, Alert.DECODE_ERROR),
    "an unknown legacy version": ({"version": 0x0304}, Alert.PROTOCOL_VERSION),
    "TLS 1.2 with a suite of TLS 1.3": ({"extensions": []}, Alert.ILLEGAL_PARAMETER),
    "TLS 1.2 with the sentinel of a downgrade": (
        {"extensions": [], "random": bytes(24) + b"DOWNGRD\x01"},
        Alert.ILLEGAL_PARAMETER,
    ),
    "TLS 1.1 with its sentinel": (
        {"version": 0x0302, "extensions": [], "random": bytes(24) + b"DOWNGRD\x00"},
        Alert.ILLEGAL_PARAMETER,
    ),
    "a version that was not offered": (
        {"extensions": [(43, u(2, 0x0305)), key_share()]},
        Alert.ILLEGAL_PARAMETER,
    ),
    "no key share": ({"extensions": [TLS13]}, Alert.MISSING_EXTENSION),
    "a share of a group not asked for": (
        {"extensions": [TLS13, key_share(0x18, bytes(97))]},
        Alert.ILLEGAL_PARAMETER,
    ),
    "a share of low order": ({"extensions": [TLS13, key_share(0x1D, bytes(32))]}, Alert.ILLEGAL_PARAMETER),
    "a share that is too short": ({"extensions": [TLS13, key_share(0x1D, b"x")]}, Alert.ILLEGAL_PARAMETER),
    "an empty share": ({"extensions": [TLS13, key_share(0x1D, b"")]}, Alert.DECODE_ERROR),
    "an extension twice": ({"extensions": [TLS13, TLS13, key_share()]}, Alert.DECODE_ERROR),
    "an extension not offered": (
        {"extensions": [TLS13, key_share(), (0x1234, b"")]},
        Alert.UNSUPPORTED_EXTENSION,
    ),
    "an extension of another message": (
        {"extensions": [TLS13, key_share(), (16, vec(2, vec(1, b"h2")))]},
        Alert.UNSUPPORTED_EXTENSION,
    ),
    "a session that was not offered": (
        {"extensions": [TLS13, key_share(), (41, u(2, 0))]},
        Alert.UNSUPPORTED_EXTENSION,
    ),
}


@pytest.mark.parametrize("fault", HELLO_FAULTS)
def test_a_server_hello_is_refused_with(fault):
    changes, alert = HELLO_FAULTS[fault]
    server = fresh()
    server.read_client_hello()
    server.deliver(record(22, server.server_hello(**changes)))
    check(server, alert)


def test_an_older_server_is_incompatible_and_not_misbehaving():
    server = fresh(CLIENT_CONFIG._replace(versions=(0x0304,)))
    server.read_client_hello()
    server.deliver(record(22, server.server_hello(extensions=[])))
    assert isinstance(failure(server), PeerIncompatibleError)


# HelloRetryRequest --------------------------------------------------------------------------------------

COOKIE = (44, vec(2, b"cookie"))
RETRY_FAULTS = {
    "nothing changed": ([], {}, Alert.ILLEGAL_PARAMETER),
    "a group that was not offered": ([(51, u(2, 0x19))], {}, Alert.ILLEGAL_PARAMETER),
    "a group that had its share": ([(51, u(2, 0x1D))], {}, Alert.ILLEGAL_PARAMETER),
    "an empty cookie": ([(44, vec(2, b""))], {}, Alert.DECODE_ERROR),
    "two cookies": ([COOKIE, COOKIE], {}, Alert.ILLEGAL_PARAMETER),
    "an unknown extension": ([COOKIE, (0x1234, b"")], {}, Alert.UNSUPPORTED_EXTENSION),
    "a compression method": ([COOKIE], {"compression": 1}, Alert.DECODE_ERROR),
    "another session id": ([COOKIE], {"session_id": b""}, Alert.ILLEGAL_PARAMETER),
    "a suite that was not offered": ([COOKIE], {"suite": 0x00FF}, Alert.ILLEGAL_PARAMETER),
}


@pytest.mark.parametrize("fault", RETRY_FAULTS)
def test_a_hello_retry_request_is_refused_with(fault):
    extensions, changes, alert = RETRY_FAULTS[fault]
    server = fresh()
    server.read_client_hello()
    server.deliver(record(22, server.hello_retry_request(extensions, **changes)))
    check(server, alert)


def retried() -> ScriptedTlsServer:
    server = fresh()
    server.read_client_hello()
    retry = server.hello_retry_request([COOKIE])
    server.note_retry(retry)
    server.deliver(record(22, retry))
    server.read_client_hello()
    return server


def test_the_second_hello_has_the_cookie_and_is_else_the_same():
    server = fresh()
    server.read_client_hello()
    first = server.hello, dict(server.extensions)
    retry = server.hello_retry_request([COOKIE])
    server.note_retry(retry)
    server.deliver(record(22, retry))
    server.read_client_hello()
    assert server.extensions == first[1] | {44: vec(2, b"cookie")}
    assert server.hello[4:72] == first[0][4:72]


def test_a_handshake_after_a_retry_completes():
    server = retried()
    hello = server.server_hello()
    server.use_handshake_keys(hello)
    octets = record(22, hello)
    for make in (server.encrypted_extensions, server.certificate, server.certificate_verify, server.finished):
        encoded = make()
        server.transcript += encoded
        octets += server.protect(22, encoded)
    server.deliver(octets)
    (event,) = server.events()
    assert event.was_retried


def test_a_second_retry_is_refused():
    server = retried()
    server.deliver(record(22, server.hello_retry_request([COOKIE])))
    check(server, Alert.UNEXPECTED_MESSAGE, "second HelloRetryRequest")


@pytest.mark.parametrize(
    ("changes", "text"),
    [({"suite": 0x1302}, "not that of the HelloRetryRequest"), ({"extensions": []}, "second hello differs")],
)
def test_the_server_hello_must_keep_to_the_retry(changes, text):
    server = retried()
    server.deliver(record(22, server.server_hello(**changes)))
    check(server, Alert.ILLEGAL_PARAMETER, text)


def test_a_share_of_another_group_than_the_retry_asked_for_is_refused():
    server = fresh()
    server.read_client_hello()
    retry = server.hello_retry_request([(51, u(2, 0x17))])
    server.note_retry(retry)
    server.deliver(record(22, retry))
    server.read_client_hello()
    assert server.client_share(0x17) is not None and server.client_share(0x1D) is None
    server.deliver(record(22, server.server_hello()))
    check(server, Alert.ILLEGAL_PARAMETER, "group not asked for")


# The protected flight -----------------------------------------------------------------------------------


def alpn(*names: bytes) -> tuple[int, bytes]:
    return (16, vec(2, b"".join(vec(1, name) for name in names)))


def extensions_message(*extensions: tuple[int, bytes]) -> bytes:
    return message(8, vec(2, b"".join(extension(*one) for one in extensions)))


def certificate(*entries: bytes, context: bytes = b"") -> bytes:
    return message(11, vec(1, context) + vec(3, b"".join(entries)))


FLIGHT_FAULTS = {
    "EncryptedExtensions left out": ("encrypted_extensions", b"", Alert.UNEXPECTED_MESSAGE),
    "an unknown message": ("encrypted_extensions", message(99, b""), Alert.UNEXPECTED_MESSAGE),
    "EncryptedExtensions without a block": ("encrypted_extensions", message(8, b""), Alert.DECODE_ERROR),
    "ALPN not offered": ("encrypted_extensions", extensions_message(alpn(b"ftp")), Alert.ILLEGAL_PARAMETER),
    "ALPN with two names": (
        "encrypted_extensions",
        extensions_message(alpn(b"h2", b"http/1.1")),
        Alert.DECODE_ERROR,
    ),
    "ALPN with an empty name": ("encrypted_extensions", extensions_message(alpn(b"")), Alert.DECODE_ERROR),
    "ALPN twice": (
        "encrypted_extensions",
        extensions_message(alpn(b"h2"), alpn(b"h2")),
        Alert.DECODE_ERROR,
    ),
    "a server name with content": ("encrypted_extensions", extensions_message((0, b"x")), Alert.DECODE_ERROR),
    "an unknown extension": (
        "encrypted_extensions",
        extensions_message((0x1234, b"")),
        Alert.UNSUPPORTED_EXTENSION,
    ),
    "a key share in EncryptedExtensions": (
        "encrypted_extensions",
        extensions_message(key_share()),
        Alert.UNSUPPORTED_EXTENSION,
    ),
    "early data accepted that was not offered": (
        "encrypted_extensions",
        extensions_message((42, b"")),
        Alert.UNSUPPORTED_EXTENSION,
    ),
    "Certificate left out": ("certificate", b"", Alert.UNEXPECTED_MESSAGE),
    "no certificate": ("certificate", certificate(), Alert.DECODE_ERROR),
    "an empty certificate": ("certificate", certificate(vec(3, b"") + vec(2, b"")), Alert.DECODE_ERROR),
    "a certificate that is none": (
        "certificate",
        certificate(vec(3, b"garbage") + vec(2, b"")),
        Alert.DECODE_ERROR,
    ),
    "a context with the certificate": (
        "certificate",
        certificate(vec(3, b"x") + vec(2, b""), context=b"c"),
        Alert.DECODE_ERROR,
    ),
    "a staple that was not asked for": (
        "certificate",
        certificate(vec(3, b"x") + vec(2, extension(5, b"\1" + vec(3, b"r")))),
        Alert.UNSUPPORTED_EXTENSION,
    ),
    "too many certificates": (
        "certificate",
        certificate(*[vec(3, b"x") + vec(2, b"")] * 17),
        Alert.BAD_CERTIFICATE,
    ),
    "CertificateVerify left out": ("certificate_verify", b"", Alert.UNEXPECTED_MESSAGE),
    "a scheme that was not offered": (
        "certificate_verify",
        message(15, u(2, 0x0401) + vec(2, bytes(64))),
        Alert.ILLEGAL_PARAMETER,
    ),
    "SHA-1": (
        "certificate_verify",
        message(15, u(2, 0x0203) + vec(2, bytes(64))),
        Alert.ILLEGAL_PARAMETER,
    ),
    "a scheme for another key": (
        "certificate_verify",
        message(15, u(2, 0x0804) + vec(2, bytes(64))),
        Alert.ILLEGAL_PARAMETER,
    ),
    "a curve that is not the key's": (
        "certificate_verify",
        message(15, u(2, 0x0503) + vec(2, bytes(64))),
        Alert.ILLEGAL_PARAMETER,
    ),
    "a wrong signature": (
        "certificate_verify",
        message(15, u(2, 0x0403) + vec(2, bytes(70))),
        Alert.DECRYPT_ERROR,
    ),
    "CertificateVerify with a tail": (
        "certificate_verify",
        message(15, u(2, 0x0403) + vec(2, bytes(70)) + b"\0"),
        Alert.DECODE_ERROR,
    ),
    "a wrong Finished": ("finished", message(20, bytes(32)), Alert.DECRYPT_ERROR),
    "a Finished too short": ("finished", message(20, b""), Alert.DECRYPT_ERROR),
    "a message behind Finished, before the key change": (
        "finished",
        None,
        Alert.UNEXPECTED_MESSAGE,
    ),
}


@pytest.mark.parametrize("fault", FLIGHT_FAULTS)
def test_the_flight_is_refused_with(fault):
    where, replacement, alert = FLIGHT_FAULTS[fault]
    server = fresh()

    def change(name: str, encoded: bytes) -> bytes:
        if name != where:
            return encoded
        return encoded + message(4, bytes(9)) if replacement is None else replacement

    protect = server.protect
    server.protect = lambda kind, data, **more: protect(kind, data, **more) if data else b""
    server.deliver(server.flight(change))
    server.protect = protect
    check(server, alert)


@pytest.mark.parametrize(
    ("body", "alert"),
    [
        (vec(1, b"context") + vec(2, extension(13, vec(2, u(2, 0x0403)))), Alert.DECODE_ERROR),
        (vec(1, b"") + vec(2, b""), Alert.MISSING_EXTENSION),
        (vec(1, b"") + vec(2, extension(13, vec(2, b""))), Alert.DECODE_ERROR),
        (
            vec(1, b"") + vec(2, extension(13, vec(2, u(2, 0x0403))) + extension(47, vec(2, b""))),
            Alert.DECODE_ERROR,
        ),
        (
            vec(1, b"") + vec(2, extension(13, vec(2, u(2, 0x0403))) + extension(48, vec(2, vec(1, b"")))),
            Alert.DECODE_ERROR,
        ),
        (
            vec(1, b"") + vec(2, extension(13, vec(2, u(2, 0x0403))) * 2),
            Alert.DECODE_ERROR,
        ),
    ],
)
def test_a_certificate_request_is_refused_with(body, alert):
    server = fresh()
    server.certificate_request = lambda: message(13, body)
    server.deliver(server.flight(request=True))
    check(server, alert)


def test_what_the_verifier_says_is_what_the_server_is_told():
    def verify(chain, name):
        assert name == "server.test" and chain[0].subject == "CN=server.test"
        raise CertificateError("Certificate: unknown issuer", Alert.UNKNOWN_CA)

    server = fresh(CLIENT_CONFIG._replace(verify=verify))
    server.deliver(server.flight())
    check(server, Alert.UNKNOWN_CA)


def test_a_certificate_that_may_not_sign_is_refused():
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    others = ("digital_signature", "content_commitment", "data_encipherment", "key_agreement")
    rest = ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    usage = dict.fromkeys((*others, *rest), False)
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(x509.Name([]))
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(datetime.datetime(2020, 1, 1))
    builder = builder.not_valid_after(datetime.datetime(2049, 1, 1))
    builder = builder.add_extension(x509.KeyUsage(key_encipherment=True, **usage), critical=True)
    der = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    server = ScriptedTlsServer(TlsClient(CLIENT_CONFIG, "server.test"), key_and_certificate=(key, der))
    server.deliver(server.flight())
    check(server, Alert.UNSUPPORTED_CERTIFICATE, "key usage")


# Records and alerts -------------------------------------------------------------------------------------

CONNECTED_FAULTS = {
    "an inner plaintext that is too long": (lambda s: s.protect(23, bytes(16385)), Alert.RECORD_OVERFLOW),
    "padding beyond the limit": (lambda s: s.protect(23, bytes(8193), 8192), Alert.RECORD_OVERFLOW),
    "a ciphertext that is too long": (lambda s: b"\x17\x03\x03" + u(2, 16641), Alert.RECORD_OVERFLOW),
    "a record shorter than its tag": (lambda s: record(23, bytes(15)), Alert.BAD_RECORD_MAC),
    "a record in the clear": (lambda s: record(22, message(4, b"")), Alert.BAD_RECORD_MAC),
    "a wrong outer type": (lambda s: s.protect(23, b"x", outer=22), Alert.UNEXPECTED_MESSAGE),
    "an unknown outer type": (lambda s: record(99, b"x"), Alert.UNEXPECTED_MESSAGE),
    "an unknown inner type": (lambda s: s.protect(42, b"x"), Alert.UNEXPECTED_MESSAGE),
    "no inner type": (lambda s: s.protect(0, b"\0\0"), Alert.UNEXPECTED_MESSAGE),
    "another version": (lambda s: b"\x17\x03\x04\x00\x20" + bytes(32), Alert.PROTOCOL_VERSION),
    "an empty handshake fragment": (lambda s: s.protect(22, b""), Alert.UNEXPECTED_MESSAGE),
    "an empty alert": (lambda s: s.protect(21, b""), Alert.UNEXPECTED_MESSAGE),
    "an alert of one octet": (lambda s: s.protect(21, b"\1"), Alert.DECODE_ERROR),
    "two alerts in one record": (lambda s: s.protect(21, b"\1\0\1\0"), Alert.DECODE_ERROR),
    "an alert of unknown level": (lambda s: s.protect(21, b"\3\0"), Alert.ILLEGAL_PARAMETER),
    "change_cipher_spec after Finished": (lambda s: record(20, b"\1"), Alert.UNEXPECTED_MESSAGE),
    "data between the parts of a message": (
        lambda s: s.protect(22, message(24, b"\0")[:2]) + s.protect(23, b"x"),
        Alert.UNEXPECTED_MESSAGE,
    ),
    "a KeyUpdate neither 0 nor 1": (lambda s: s.protect(22, message(24, b"\2")), Alert.ILLEGAL_PARAMETER),
    "a KeyUpdate that is too long": (lambda s: s.protect(22, message(24, b"\0\0")), Alert.DECODE_ERROR),
    "octets behind a KeyUpdate": (
        lambda s: s.protect(22, message(24, b"\0") + message(4, b"")),
        Alert.UNEXPECTED_MESSAGE,
    ),
    "a request for a certificate after the handshake": (
        lambda s: s.protect(22, s.certificate_request()),
        Alert.UNEXPECTED_MESSAGE,
    ),
    "a HelloRequest": (lambda s: s.protect(22, message(0, b"")), Alert.UNEXPECTED_MESSAGE),
    "an empty ticket": (
        lambda s: s.protect(22, message(4, bytes(8) + vec(1, b"") + vec(2, b"") + vec(2, b""))),
        Alert.DECODE_ERROR,
    ),
    "a ticket with an extension twice": (
        lambda s: s.protect(
            22, message(4, bytes(8) + vec(1, b"") + vec(2, b"t") + vec(2, extension(42, bytes(4)) * 2))
        ),
        Alert.ILLEGAL_PARAMETER,
    ),
    "a message of 16 MiB": (lambda s: s.protect(22, b"\x04\xff\xff\xff"), Alert.ILLEGAL_PARAMETER),
    "empty records without end": (
        lambda s: b"".join(s.protect(23, b"") for _ in range(33)),
        Alert.UNEXPECTED_MESSAGE,
    ),
    "warnings without end": (
        lambda s: b"".join(s.protect(21, b"\1\x5a") for _ in range(5)),
        Alert.UNEXPECTED_MESSAGE,
    ),
}


@pytest.mark.parametrize("fault", CONNECTED_FAULTS)
def test_a_connection_ends_at(fault):
    make, alert = CONNECTED_FAULTS[fault]
    server = connected()
    server.deliver(make(server))
    check(server, alert)


def test_a_few_empty_records_and_warnings_do_no_harm():
    server = connected()
    for _ in range(40):
        server.deliver(server.protect(23, b"") * 1 + server.protect(23, b"x"))
    for _ in range(4):
        server.deliver(server.protect(21, b"\1\x5a"))
    assert b"".join(bytes(event.data) for event in server.events()) == b"x" * 40


HANDSHAKE_FAULTS = {
    "application data first": (record(23, b"data"), Alert.UNEXPECTED_MESSAGE),
    "HTTP on the TLS port": (b"HTTP/1.1 400 Bad Request\r\n", Alert.UNEXPECTED_MESSAGE),
    "a record of another protocol version": (b"\x16\x02\x00\x00\x01\x00", Alert.PROTOCOL_VERSION),
    "another change_cipher_spec": (record(20, b"\2"), Alert.UNEXPECTED_MESSAGE),
    "change_cipher_spec without end": (record(20, b"\1") * 33, Alert.UNEXPECTED_MESSAGE),
    "a plaintext that is too long": (b"\x16\x03\x03" + vec(2, bytes(16385)), Alert.RECORD_OVERFLOW),
    "an empty record": (record(22, b""), Alert.UNEXPECTED_MESSAGE),
    "a ServerHello of 16 MiB": (record(22, b"\x02\xff\xff\xff"), Alert.ILLEGAL_PARAMETER),
    "a ClientHello": (record(22, message(1, bytes(40))), Alert.UNEXPECTED_MESSAGE),
    "a Finished": (record(22, message(20, bytes(32))), Alert.UNEXPECTED_MESSAGE),
    "a message cut by another record": (
        record(22, b"\x02") + record(21, b"\2\x28"),
        Alert.UNEXPECTED_MESSAGE,
    ),
}


@pytest.mark.parametrize("fault", HANDSHAKE_FAULTS)
def test_the_first_answer_is_refused_with(fault):
    octets, alert = HANDSHAKE_FAULTS[fault]
    server = fresh()
    server.collect()
    server.sent = b""
    server.deliver(octets)
    check(server, alert)


def test_an_error_is_the_servers_fault_by_its_class():
    server = connected()
    server.deliver(record(99, b""))
    assert isinstance(failure(server), PeerMisbehavedError)


# What the server says (RFC 8446 §6, §6.1, §6.2) -----------------------------------------------------------

WARNING, FATAL = 1, 2


@pytest.mark.parametrize("when", ["at first", "in the flight", "connected"])
@pytest.mark.parametrize("level", [WARNING, FATAL])
def test_every_alert_of_the_server_ends_the_connection_unanswered(level: int, when: str) -> None:
    """But user_canceled, which may precede close_notify, and close_notify itself, once connected."""
    for code in range(256):
        server = told(bytes((level, code)), when)
        if code == Alert.USER_CANCELED or (when, code) == ("connected", Alert.CLOSE_NOTIFY):
            assert [type(event) for event in server.events()] == [CloseNotifyReceived][: code == 0]
            continue
        error = failure(server)
        known = code in set(Alert)
        assert isinstance(error, AlertReceivedError)
        assert (error.code, error.alert) == (code, code if known else None)
        assert (Alert(code).name.lower() if known else f"number {code}") in str(error)
        assert b"".join(map(bytes, server.client.data_to_send())) == b""


def told(alert: bytes, when: str) -> ScriptedTlsServer:
    if when == "connected":
        server = connected()
        server.deliver(server.protect(21, alert))
        return server
    server = fresh(CLIENT_CONFIG._replace(versions=(0x0304,)))
    server.read_client_hello()
    if when == "at first":
        server.deliver(record(21, alert))
    else:
        hello = server.server_hello()
        server.use_handshake_keys(hello)
        server.deliver(record(22, hello) + server.protect(21, alert))
    return server

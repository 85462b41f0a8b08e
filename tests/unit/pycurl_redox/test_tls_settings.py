"""What the options make of TLS."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from pycurl_redox import errors
from pycurl_redox.config import OperationConfig
from pycurl_redox.key_log import KeyLog
from pycurl_redox.message import Observer
from pycurl_redox.pins import is_pinned, pin_of
from pycurl_redox.pool import SharedSessions
from pycurl_redox.tls_failures import handshake_failed, translated
from pycurl_redox.tls_options import TlsOptions, proxy_options
from pycurl_redox.tls_settings import TlsSettings
from tcpip.clock import wall_clock
from tests.fakes import pki
from tests.fakes.scripted_tls_server import CLIENT_CONFIG, ScriptedTlsServer, connected
from tls.client import TlsClient
from tls.config import SessionTicket
from tls.errors import AlertReceivedError
from tls.events import HandshakeCompleted, TicketReceived
from tls.paths import Break, find_path

DAY = 86_400


def settings(**fields: object) -> TlsSettings:
    return TlsSettings(TlsOptions(insecure=True)._replace(**fields), {})


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_what_forbids_all_versions_there_are_is_refused_with_curls_code(version: str) -> None:
    with pytest.raises(errors.TlsFailedError, match=f"--tls-max {version}") as caught:
        settings(tls_max=version).client("a.test", Observer())
    assert caught.value.exit_code == 35


def test_versions_that_exclude_each_other_are_refused_as_curl_does() -> None:
    for least, most in (("1.3", "1.2"), ("1.2", "1.1")):
        with pytest.raises(errors.TlsFailedError, match="CURL_SSLVERSION_MAX incompatible with"):
            settings(tls_min=least, tls_max=most).client("a.test", Observer())


@pytest.mark.parametrize("fields", [{}, {"tls_min": "1.2"}, {"tls_min": "1.3"}, {"tls_max": "1.3"}])
def test_what_allows_it_is_fine(fields: dict[str, object]) -> None:
    assert settings(**fields).client("a.test", Observer()).data_to_send()


def test_names_go_into_the_client_hello() -> None:
    fields = {
        "tls13_ciphers": "TLS_AES_128_GCM_SHA256",
        "curves": "P-384",
        "sigalgs": "ed25519",
        "tls_min": "1.3",
    }
    server = ScriptedTlsServer(settings(**fields).client("a.test", Observer()))
    server.read_client_hello()
    suites_at = 39 + server.hello[38]
    assert server.hello[suites_at : suites_at + 4] == b"\x00\x02\x13\x01"
    assert server.extensions[10] == b"\x00\x02\x00\x18" and server.client_share(0x18) is not None
    assert server.extensions[13] == b"\x00\x02\x08\x07"


def test_each_fault_of_a_list_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    for fields, code in (
        ({"ciphers": "FOO"}, 59),
        ({"tls13_ciphers": "FOO"}, 59),
        ({"curves": "FOO"}, 59),
        ({"sigalgs": "FOO"}, 59),
        ({"cert": str(tmp_path / "none")}, 58),
        ({"crlfile": str(tmp_path / "none")}, 82),
    ):
        with pytest.raises(errors.FetchError) as caught:
            settings(**fields).client("a.test", Observer())
        assert caught.value.exit_code == code


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (116, "certificate_required: the server wants a client certificate (-E FILE)"),
        (48, "unknown_ca: the server does not accept our client certificate (-E FILE)"),
        (49, "access_denied: the server does not accept our client certificate (-E FILE)"),
        (80, "internal_error"),
    ],
)
def test_an_alert_about_our_certificate_names_the_option(code: int, hint: str) -> None:
    server = connected()
    server.deliver(server.protect(21, bytes([2, code])))
    with pytest.raises(AlertReceivedError) as caught:
        server.events()
    assert str(translated(caught.value)).endswith(hint)
    assert str(handshake_failed(caught.value, "a.test")).endswith(hint)


def test_a_proxy_has_its_own_options_and_shares_some_files() -> None:
    config = OperationConfig()
    config.cert, config.passphrase, config.cacert, config.curves = "c", "p", "ca", "X25519"
    config.capath, config.crlfile, config.pinnedpubkey = "dir", "crl", "pin"
    shared = proxy_options(config)
    assert (shared.capath, shared.crlfile) == ("dir", "crl")
    assert (shared.cert, shared.passphrase, shared.cacert, shared.curves, shared.pinnedpubkey) == (None,) * 5
    config.proxy_cert, config.proxy_pass, config.proxy_crlfile, config.proxy_capath = "c2", "p2", "crl2", "d2"
    own = proxy_options(config)
    assert (own.cert, own.passphrase, own.crlfile, own.capath) == ("c2", "p2", "crl2", "d2")


def test_a_pin_is_compared_to_the_letter(tmp_path: Path) -> None:
    key = b"\x30\x03\x02\x01\x05"
    pin, pem = pin_of(key), b"-----BEGIN PUBLIC KEY-----\nMAMCAQU=\n-----END PUBLIC KEY-----\n"
    for good in (pin, f"sha256//AAAA;{pin}", f"{pin};sha256//AAAA"):
        assert is_pinned(good, key)
    for bad in (f"{pin} ", f" {pin}", pin.upper(), f"sha256//AAAA;{pin[8:]}", pin.rstrip("="), ""):
        assert not is_pinned(bad, key)
    file = tmp_path / "key"
    for content, good in (
        (key, True),
        (pem, True),
        (b"text\n" + pem, True),
        (b"text" + pem, False),
        (key + b"\0", False),
        (pem.replace(b"MAMC", b"MAMB"), False),
        (b"", False),
        (pem[:40], False),
    ):
        file.write_bytes(content)
        assert is_pinned(str(file), key) is good


def test_a_key_log_that_cannot_be_written_costs_no_connection(tmp_path: Path) -> None:
    log = tmp_path / "keys"
    KeyLog(str(log))("CLIENT_RANDOM 00 11")
    assert log.read_text() == "CLIENT_RANDOM 00 11\n" and log.stat().st_mode & 0o777 == 0o600
    KeyLog(str(tmp_path / "no such directory" / "keys"))("CLIENT_RANDOM 00 11")
    KeyLog("/dev/full")("CLIENT_RANDOM 00 11")


def test_without_verification_a_missing_trust_store_is_no_error(tmp_path: Path) -> None:
    notes: list[str] = []

    class Notes(Observer):
        def note(self, text: str) -> None:
            notes.append(text)

    server = ScriptedTlsServer(TlsClient(CLIENT_CONFIG, "server.test"))
    (done,) = server.complete()
    assert isinstance(done, HandshakeCompleted)
    chosen = settings(cacert=str(tmp_path / "none"))
    chosen._note_certificate("server.test", done, Notes())
    assert notes[-1].startswith(" SSL certificate verify result: self-signed certificate (18)")


@pytest.mark.parametrize("native", [False, True])
def test_the_systems_store_is_asked_beside_the_file_only_when_told_to(tmp_path: Path, native: bool) -> None:
    ours, systems = pki.ca("Ours"), pki.ca("The system's")
    leaf = pki.leaf(systems)
    (tmp_path / "ours").write_bytes(ours.pem)
    (tmp_path / "system").write_bytes(systems.pem)
    options = TlsOptions(cacert=str(tmp_path / "ours"), ca_native=native)
    store = TlsSettings(options, {"SSL_CERT_FILE": str(tmp_path / "system")})._open_trust()
    found = find_path([leaf.certificate], store, pki.NOW)
    assert isinstance(found, Break) is not native


# Sessions


class Kept(NamedTuple):
    """Settings with a session of a.test, as they are before the next connection."""

    settings: TlsSettings
    observer: Observer

    def hello(self) -> ScriptedTlsServer:
        server = ScriptedTlsServer(self.settings.client("a.test", self.observer, is_idempotent=True))
        server.read_client_hello()
        return server

    def is_offered(self) -> bool:
        return 41 in self.hello().extensions


def with_session(
    leaf: pki.Issued,
    fields: dict[str, object],
    *,
    from_file: bool,
    new_fields: dict[str, object] | None = None,
) -> Kept:
    """A connection with `fields` left a session; the next, in another command if `from_file`, has more."""
    options = TlsOptions()._replace(early_data=True, **fields)
    shared, observer = SharedSessions(), Observer()
    settings = TlsSettings(options, {}, sessions=shared)
    settings.client("a.test", observer)
    ticket = SessionTicket(
        "a.test", b"t", bytes(32), 0x1301, 600, 0, 100, b"http/1.1", (leaf.certificate.der,), None, None, True
    )
    connection = SimpleNamespace(route=object(), observer=observer, tls_end=lambda _: ("a.test", 443))
    settings.on_event(connection)(TicketReceived(ticket))  # type: ignore[arg-type]
    if from_file:
        octets = shared.open().file_octets(wall_clock(), os.urandom)
        shared = SharedSessions()
        assert shared.open().load(octets, wall_clock()) == 0
    return Kept(TlsSettings(options._replace(**(new_fields or {})), {}, sessions=shared), observer)


ROOT = pki.ca(not_before=int(wall_clock()) - 9 * DAY, not_after=int(wall_clock()) + 9 * DAY)


def trusting(folder: Path) -> dict[str, object]:
    path = folder / "ca.pem"
    path.write_bytes(ssl.DER_cert_to_PEM_cert(ROOT.certificate.der).encode())
    return {"cacert": str(path)}


@pytest.mark.parametrize("from_file", [False, True])
def test_a_session_is_offered_and_data_may_go_early(tmp_path: Path, from_file: bool) -> None:
    now = int(wall_clock())
    leaf = pki.leaf(ROOT, names=["a.test"], not_before=now - DAY, not_after=now + DAY)
    hello = with_session(leaf, trusting(tmp_path), from_file=from_file).hello()
    assert 41 in hello.extensions and hello.client.early_data_room == 100


def test_a_session_from_a_file_whose_certificate_has_run_out_is_not_offered(tmp_path: Path) -> None:
    now = int(wall_clock())
    leaf = pki.leaf(ROOT, names=["a.test"], not_before=now - 2 * DAY, not_after=now - DAY)
    assert not with_session(leaf, trusting(tmp_path), from_file=True).is_offered()


def test_a_session_from_a_file_is_not_offered_without_a_staple_that_is_wanted(tmp_path: Path) -> None:
    now = int(wall_clock())
    leaf = pki.leaf(ROOT, names=["a.test"], not_before=now - DAY, not_after=now + DAY)
    fields = trusting(tmp_path) | {"cert_status": True}
    assert not with_session(leaf, fields, from_file=True).is_offered()
    assert with_session(leaf, fields, from_file=False).is_offered(), "it was judged in this very command"


@pytest.mark.parametrize("from_file", [False, True])
def test_nothing_goes_early_to_who_has_another_key_than_the_pinned_one(
    tmp_path: Path, from_file: bool
) -> None:
    leaf, pin = pki.leaf(None), tmp_path / "pin"
    pin.write_bytes(leaf.certificate.key_der)
    kept = with_session(leaf, {"insecure": True, "pinnedpubkey": str(pin)}, from_file=from_file)
    pin.write_bytes(b"another")
    hello = kept.hello()
    assert 41 not in hello.extensions and hello.client.early_data_room == 0


def test_a_pass_phrase_does_not_bind_a_session() -> None:
    """The file's hashes are salted, but who has the file could try pass phrases on them."""
    fields = {"insecure": True, "passphrase": "first"}
    kept = with_session(pki.leaf(None), fields, from_file=True, new_fields={"passphrase": "second"})
    assert kept.is_offered()

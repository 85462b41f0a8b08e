"""What the options make of TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycurl_redox import errors
from pycurl_redox.message import Observer
from pycurl_redox.tls_options import TlsOptions
from pycurl_redox.tls_settings import KeyLog, TlsSettings
from tests.fakes.scripted_tls_server import CLIENT_CONFIG, ScriptedTlsServer
from tls.certificates import Certificate
from tls.client import TlsClient
from tls.events import HandshakeCompleted


def settings(**fields: object) -> TlsSettings:
    return TlsSettings(TlsOptions(insecure=True)._replace(**fields), {})


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_what_forbids_the_only_version_there_is_is_refused_with_curls_code(version: str) -> None:
    with pytest.raises(errors.TlsFailedError, match=f"--tls-max {version}") as caught:
        settings(tls_max=version).client("a.test", Observer())
    assert caught.value.exit_code == 35


@pytest.mark.parametrize("fields", [{}, {"tls_min": "1.2"}, {"tls_min": "1.3"}, {"tls_max": "1.3"}])
def test_what_allows_it_is_fine(fields: dict[str, object]) -> None:
    assert settings(**fields).client("a.test", Observer()).data_to_send()


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
    leaf = Certificate.parse(server.certificate_der)
    chosen = settings(cacert=str(tmp_path / "none"))
    chosen._note_certificate("server.test", done, leaf, Notes())
    assert notes[-1].startswith(" SSL certificate verify result: self-signed certificate (18)")

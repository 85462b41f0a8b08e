"""What the options make of TLS."""

from __future__ import annotations

import pytest

from pycurl_redox import errors
from pycurl_redox.config import OperationConfig
from pycurl_redox.message import Observer
from pycurl_redox.tls_settings import TlsSettings


def settings(**fields: object) -> TlsSettings:
    config = OperationConfig()
    config.__dict__.update(insecure=True, **fields)
    return TlsSettings(config, {})


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_what_forbids_the_only_version_there_is_is_refused_with_curls_code(version: str) -> None:
    with pytest.raises(errors.TlsFailedError, match=f"--tls-max {version}") as caught:
        settings(tls_max=version).client("a.test", Observer())
    assert caught.value.exit_code == 35


@pytest.mark.parametrize("fields", [{}, {"tls_min": "1.2"}, {"tls_min": "1.3"}, {"tls_max": "1.3"}])
def test_what_allows_it_is_fine(fields: dict[str, object]) -> None:
    assert settings(**fields).client("a.test", Observer()).data_to_send()

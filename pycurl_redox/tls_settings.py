"""TLS as the options want it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pycurl_redox import errors

if TYPE_CHECKING:
    from pycurl_redox.config import OperationConfig


class TlsSettings:
    """What a TLS client is told, for all connections of one operation."""

    def __init__(self, config: OperationConfig, environment: Mapping[str, str]) -> None:
        self._config = config
        self._environment = environment

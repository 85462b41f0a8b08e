"""What can go wrong between driver and device; the class says whose fault, the message what exactly.

VirtioError
├── DeviceError       the device broke the specification, or cannot be brought back
├── DriverError       the same of a driver, as our software device sees it
├── FeatureError      the two sides have too little in common
├── TransportError    the way between them: no TAP, no permission, no answer
└── UsageError        the caller's mistake
"""

from __future__ import annotations


class VirtioError(Exception):
    """Base of all errors of this package."""


class DeviceError(VirtioError):
    """The device lied or gave up; `lie` names how, in the words the counters use."""

    def __init__(self, lie: str, detail: str = "") -> None:
        super().__init__(f"device: {lie}{': ' + detail if detail else ''}")
        self.lie = lie


class DriverError(VirtioError):
    """The driver gave the device a malformed chain or index; `fault` names it."""

    def __init__(self, fault: str, detail: str = "") -> None:
        super().__init__(f"driver: {fault}{': ' + detail if detail else ''}")
        self.fault = fault


class FeatureError(VirtioError):
    """No set of features suits both sides; `missing` holds the bits that were required."""

    def __init__(self, message: str, missing: int = 0) -> None:
        super().__init__(message)
        self.missing = missing


class TransportError(VirtioError):
    """The device cannot be reached; `errno` is the system's number, or 0."""

    def __init__(self, message: str, errno: int = 0) -> None:
        super().__init__(message)
        self.errno = errno


class UsageError(VirtioError):
    """A call that makes no sense in this state, or a buffer given back by one who does not own it."""

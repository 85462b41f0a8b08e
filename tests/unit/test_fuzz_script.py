"""The script that lets a fuzzer drive the property tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "fuzz"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True, timeout=120)


def test_every_parser_of_octets_is_among_the_properties() -> None:
    listed = run("--list").stdout
    for part in (
        "certificates_octets",
        "dns_octets",
        "http1_responses",
        "tls_octets",
        "virtio_ring",
        "wire_formats",
    ):
        assert f"tests/property/test_{part}.py::test_" in listed


def test_a_property_is_run_and_one_that_is_not_there_is_named() -> None:
    pytest.importorskip("atheris")
    property_ = next(line for line in run("--list").stdout.splitlines() if "test_tls_octets" in line)
    done = run(property_, "-runs=50", "-seed=1")
    assert (done.returncode, "Done 50 runs" in done.stderr) == (0, True), done.stderr
    done = run("tests/property/test_tls_octets.py::test_nothing")
    assert (done.returncode, "no such property: test_nothing" in done.stderr) == (1, True)


def test_without_words_it_says_how_it_is_used() -> None:
    done = run()
    assert (done.returncode, "scripts/fuzz FILE::TEST" in done.stderr) == (2, True)

"""The shim answers what it has nothing for with 89, from the flags alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SHIM = Path(__file__).resolve().parents[2] / "bogo" / "shim.py"


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SHIM, *flags], capture_output=True, text=True, timeout=30)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ["-server"],
        ["-dtls"],
        ["-quic"],
        ["-a-flag-to-come"],
        ["-max-version", "770"],
        ["-curves", "21"],
        ["-expect-something-new", "1"],
    ],
)
def test_a_flag_for_what_is_not_there_gives_89(flags):
    done = run("-port", "1", *flags)
    assert (done.returncode, done.stderr) == (89, "")


@pytest.mark.slow
def test_there_is_no_handshaker():
    done = run("-is-handshaker-supported")
    assert (done.returncode, done.stdout) == (0, "No\n")


def test_each_disabled_case_has_its_reason_and_each_error_a_text_of_its_own():
    config = json.loads(SHIM.with_name("shim-config.json").read_text())
    assert all(reason.strip() for reason in config["DisabledTests"].values())
    texts = list(config["ErrorMap"].values())
    assert len(set(texts)) == len(texts)
    assert "*" not in config["DisabledTests"]

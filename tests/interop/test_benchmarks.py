"""The benchmarks of single layers run as they are written down, to the end; how fast is not asked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.interop, pytest.mark.slow]


@pytest.mark.parametrize(
    "command",
    [
        ("ring.py", "--seconds", "0.01"),
        ("tcp_core.py",),
        ("usernet.py", "--seconds", "0.05"),
        ("tls_alone.py", "--seconds", "0"),
    ],
    ids=lambda command: command[0],
)
def test_a_benchmark_ends_with_its_figures(command: tuple[str, ...]) -> None:
    script, *arguments = command
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / script), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"\d+\.\d\d", done.stdout)) >= 2

"""docs/walkthrough.md tells the truth: its ten functions are called in its order by one GET."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import FrameType

import pytest

from tests.fakes.local_servers import needs_nginx, nginx

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (\d+) \| `([\w/.]+)` \| `([\w.]+)` \|", re.MULTILINE)


def documented() -> list[tuple[str, str]]:
    rows = ROW.findall((ROOT / "docs/walkthrough.md").read_text())
    assert [int(number) for number, _, _ in rows] == list(range(1, 11))
    return [(file, function) for _, file, function in rows]


@pytest.mark.interop
@pytest.mark.slow
@needs_nginx
def test_a_get_calls_the_ten_functions_in_order(tmp_path: Path) -> None:
    from pycurl_redox.cli import main

    wanted = documented()
    seen: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or len(seen) == len(wanted):
            return
        file, function = wanted[len(seen)]
        code = frame.f_code
        if code.co_qualname == function and code.co_filename.endswith(file):
            seen.append((file, function))

    with nginx(page=b"hello") as local:
        port = local.https.rsplit(":", 1)[1]
        arguments = [
            "-sS",
            "--cacert",
            local.ca,
            "-o",
            str(tmp_path / "body"),
            f"https://localhost:{port}/page",
        ]
        sys.setprofile(note)
        try:
            code = main(arguments)
        finally:
            sys.setprofile(None)
    assert code == 0 and (tmp_path / "body").read_bytes() == b"hello"
    assert seen == wanted

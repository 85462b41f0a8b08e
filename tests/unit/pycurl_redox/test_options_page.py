"""`docs/options.md` says of every option what becomes of it."""

import subprocess
import sys
from pathlib import Path

from pycurl_redox.option_table import all_options, shown_name

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_what_the_tables_say() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "options-table"), "--check"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_option_has_one_line() -> None:
    lines = (ROOT / "docs" / "options.md").read_text(encoding="utf-8").splitlines()
    for row in all_options():
        assert sum(f"`--{shown_name(row)}` |" in line for line in lines) == 1, row[0]

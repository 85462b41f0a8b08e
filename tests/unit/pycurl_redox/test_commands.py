"""The doorways of the commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """import sys
from pycurl_redox.commands import {command}
code = {command}()
import tls
print("ours is", tls.__name__, file=sys.stderr)
sys.exit(code)
"""


def test_what_else_lies_beside_the_script_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "tls.py").write_text("raise SystemExit('not ours')\n")
    for command, words in (("curl", ["-V"]), ("ping", ["--help"]), ("netcfg", ["--help"])):
        (tmp_path / command).write_text(SCRIPT.format(command=command))
        (tmp_path / "linked").mkdir(exist_ok=True)
        linked = tmp_path / "linked" / command
        linked.symlink_to(tmp_path / command)
        for script in (tmp_path / command, linked):
            done = subprocess.run(
                [sys.executable, script, *words], capture_output=True, text=True, timeout=30
            )
            assert (done.returncode, done.stderr) == (0, "ours is tls\n")

"""The command over the kernel's sockets: `python tests/fakes/kernel_curl.py ARGUMENTS`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

if __name__ == "__main__":
    from pycurl_redox.cli import main
    from tests.fakes.kernel_network import KernelNetwork

    sys.exit(main(sys.argv[1:], network_factory=lambda *_: KernelNetwork()))

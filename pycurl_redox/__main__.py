"""`python -m pycurl_redox` is `redox-curl`."""

import sys

from pycurl_redox.commands import curl

if __name__ == "__main__":
    sys.exit(curl())

"""`python -m pycurl_redox`."""

import sys

from pycurl_redox.cli import main

sys.exit(main())

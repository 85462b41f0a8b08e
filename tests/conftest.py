"""What holds for all tests."""

import signal

from hypothesis import settings

# How long an example takes depends on what else the machine does; what has to be quick has its own test.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

# A shell starts what goes into the background deaf to these; the commands that tests interrupt must not be.
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, signal.SIG_DFL)

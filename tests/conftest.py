"""What holds for all tests."""

import signal

from hypothesis import settings

# How long an example takes depends on what else the machine does; what has to be quick has its own test.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

# A shell starts what it puts into the background deaf to these, and so would be the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, signal.SIG_DFL)

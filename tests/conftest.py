"""What holds for all tests."""

from hypothesis import settings

# How long an example takes depends on what else the machine does; what has to be quick has its own test.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

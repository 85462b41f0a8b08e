"""A TCP/IP host: protocol code that does no I/O, and one loop that drives it."""

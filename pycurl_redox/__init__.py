"""HTTP fetches over a network of our own."""

VERSION = "0.1.0-redox"
USER_AGENT = f"curl/{VERSION}"
"""Servers and scripts that look for curl find it."""

"""The one place of the client that asks the system for randomness: boundaries and cnonces."""

from os import urandom as random_bytes

__all__ = ["random_bytes"]

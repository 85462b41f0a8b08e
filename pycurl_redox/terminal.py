"""What a server says, made harmless for a terminal: no control sequence reaches the screen."""

from __future__ import annotations

_KEPT = "\t\n"
# What turns the direction of text around (UAX #9), and what some terminals take for the end of a line.
_UNSEEN = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")


def harmless(octets: bytes) -> bytes:
    r"""Return the octets with controls, and what is not UTF-8, written as `\x1b`; line ends and tabs stay."""
    text = octets.decode("utf-8", "surrogateescape")
    return octets if _is_harmless(text) else harmless_text(text).encode()


def harmless_text(text: str) -> str:
    r"""Return the text with controls written as `\x1b`, or `\u202e`; line ends and tabs stay."""
    if _is_harmless(text):
        return text
    lines = text.split("\n")
    return "\n".join(
        "".join(map(_shown, line.removesuffix("\r"))) + "\r" * line.endswith("\r") for line in lines
    )


def _is_harmless(text: str) -> bool:
    return text.removesuffix("\n").removesuffix("\r").isprintable()


def _shown(letter: str) -> str:
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:  # an octet that is no UTF-8
        return f"\\x{number - 0xDC00:02x}"
    if letter not in _KEPT and (number < 0x20 or 0x7F <= number < 0xA0):
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if letter in _UNSEEN else letter

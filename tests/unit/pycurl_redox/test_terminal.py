"""Controls are shown, not obeyed."""

import pytest

from pycurl_redox.terminal import harmless, harmless_text


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (b"plain: text\r\n", b"plain: text\r\n"),
        (b"a\tb\n", b"a\tb\n"),
        ("é ☃ 👩\u200d👩".encode(), "é ☃ 👩\u200d👩".encode()),
        (b"\x1b[1m\x07\x00\x7f", b"\\x1b[1m\\x07\\x00\\x7f"),
        (b"a\rb\r\n", b"a\\x0db\r\n"),
        (b"\x9b\xff", b"\\x9b\\xff"),
        (b"\xc2\x85", b"\\x85"),
        ("\u202e\u2066\u200f\u2028".encode(), b"\\u202e\\u2066\\u200f\\u2028"),
        (b"one\x08\ntwo\x08\r\n", b"one\\x08\ntwo\\x08\r\n"),
        (b"", b""),
    ],
)
def test_controls_are_written_out(octets: bytes, shown: bytes) -> None:
    assert harmless(octets) == shown
    assert (
        harmless_text(octets.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape") == shown
    )

import pytest

from tcpip.net.siphash import siphash

KEY = bytes(range(16))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, 0x726FDB47DD0E0E31),
        (1, 0x74F839C593DC67FD),
        (7, 0xAB0200F58B01D137),
        (8, 0x93F5F5799A932462),
        (15, 0xA129CA6149BE45E5),
    ],
)
def test_the_vectors_of_the_paper_and_its_reference_code_come_out(size: int, expected: int):
    assert siphash(KEY, bytes(range(size))) == expected


def test_another_key_gives_another_hash():
    assert siphash(KEY, b"octets") != siphash(KEY[::-1], b"octets")

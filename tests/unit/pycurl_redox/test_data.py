import io

import pytest

from pycurl_redox import data


def read(path):
    return {"f": b"a b\r\n\0&", "-": b"stdin\n"}[path]


def test_a_file_of_d_loses_line_ends_and_nul():
    assert data.from_option("@f", read, binary=False) == b"a b&"
    assert data.from_option("@f", read, binary=True) == b"a b\r\n\0&"
    assert data.from_option("@-", read, binary=True) == b"stdin\n"
    assert data.from_option("a\n\udcff", read, binary=False) == b"a\n\xff"


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("a b&", b"a+b%26"),
        ("=a b=", b"a+b%3D"),
        ("n=a b", b"n=a+b"),
        ("@f", b"a+b%0D%0A%00%26"),
        ("n@f", b"n=a+b%0D%0A%00%26"),
        ("n=@f", b"n=%40f"),
        ("é=é", b"\xc3\xa9=%C3%A9"),
        ("", b""),
    ],
)
def test_urlencode_has_five_forms(value, encoded):
    assert data.urlencoded(value, read) == encoded


def test_pieces_are_joined_by_an_ampersand_but_json():
    assert data.add_data(data.add_data(None, b"a"), b"b") == b"a&b"
    assert data.add_data(bytearray(b"{"), b"}", json=True) == b"{}"
    assert data.add_query(data.add_query(None, "a"), "b") == "a&b"


def test_files_and_stdin_are_read(tmp_path, monkeypatch):
    (tmp_path / "f").write_bytes(b"x\r\n")
    assert data.read_file(str(tmp_path / "f")) == b"x\r\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"in")))
    assert data.read_file("-") == b"in"


def test_more_than_the_bound_is_refused(tmp_path, monkeypatch):
    (tmp_path / "f").write_bytes(b"12345")
    monkeypatch.setattr(data, "MAX_FILE_IN_MEMORY", 4)
    with pytest.raises(data.FileTooLargeError):
        data.read_file(str(tmp_path / "f"))

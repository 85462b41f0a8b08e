"""Bodies are those of curl 7.88.1, its boundaries replaced by ours."""

import pytest

from pycurl_redox.errors import ReadFailedError
from pycurl_redox.form import FormError, add_field
from pycurl_redox.multipart import FormEncoderError, build_form


class Folder:
    def __init__(self, path):
        self.path = path
        self.warnings = []
        for name, content in (
            ("f1.txt", b"hello"),
            ("p.html", b"<p>"),
            ("hd", b"X-A: 1\r\n# c\r\nX-B: 2\r\n cont\r\n"),
        ):
            (path / name).write_bytes(content)

    def read(self, name):
        return b"stdin data" if name == "-" else (self.path / name).read_bytes()

    def form(self, *fields, escape=False):
        parts = []
        for field in fields:
            literal = field.startswith("!")
            add_field(
                parts, field.removeprefix("!"), literal=literal, read=self.read, warn=self.warnings.append
            )
        count = iter(range(1, 100))
        form = build_form(parts, lambda digits: f"{next(count):0{digits}x}", escape=escape)
        body = b"".join(form)
        # What curl encodes so has no length before it is sent.
        in_chunks = any(field.endswith("encoder=quoted-printable") for field in fields)
        assert (
            form.length == (None if in_chunks else len(body)) and form.can_rewind and body == b"".join(form)
        )
        return form, body.decode().replace("-" * 24, "").replace("\r\n", "\n")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path)


def test_text_files_and_their_types(folder):
    form, body = folder.form(
        "a=b", "f=@f1.txt", "g=<f1.txt;type=text/x", 'i=@"f1.txt";filename="q\\"u%0a.png";type=a/b; c=d'
    )
    assert form.content_type == "multipart/form-data; boundary=" + "-" * 24 + "0000000000000001"
    assert body == (
        '--0000000000000001\nContent-Disposition: form-data; name="a"\n\nb\n'
        '--0000000000000001\nContent-Disposition: form-data; name="f"; filename="f1.txt"\n'
        "Content-Type: text/plain\n\nhello\n"
        '--0000000000000001\nContent-Disposition: form-data; name="g"\nContent-Type: text/x\n\nhello\n'
        '--0000000000000001\nContent-Disposition: form-data; name="i"; filename="q%22u%0a.png"\n'
        "Content-Type: a/b; c=d\n\nhello\n--0000000000000001--\n"
    )


def test_several_files_in_one_field_travel_in_their_own_multipart(folder):
    _, body = folder.form("h=@f1.txt,p.html")
    assert body == (
        '--0000000000000001\nContent-Disposition: form-data; name="h"\n'
        "Content-Type: multipart/mixed; boundary=0000000000000002\n\n"
        '--0000000000000002\nContent-Disposition: attachment; filename="f1.txt"\n'
        "Content-Type: text/plain\n\nhello\n"
        '--0000000000000002\nContent-Disposition: attachment; filename="p.html"\n'
        "Content-Type: text/html\n\n<p>\n"
        "--0000000000000002--\n\n--0000000000000001--\n"
    )


def test_multiparts_are_opened_and_closed(folder):
    _, body = folder.form("=(;type=multipart/alternative", "=plain", "= <b>x;type=text/html", "=)", "c=d")
    assert body == (
        "--0000000000000001\nContent-Disposition: form-data\n"
        "Content-Type: multipart/alternative; boundary=0000000000000002\n\n"
        "--0000000000000002\n\nplain\n--0000000000000002\nContent-Type: text/html\n\n<b>x\n"
        '--0000000000000002--\n\n--0000000000000001\nContent-Disposition: form-data; name="c"\n\nd\n'
        "--0000000000000001--\n"
    )


def test_headers_come_from_the_line_and_from_files(folder):
    _, body = folder.form(
        "x=v;headers=@hd", 'y=v;headers="X: y";headers=Z', 'l=@f1.txt;headers="Content-Type: z/z"'
    )
    assert 'name="x"\nX-A: 1\nX-B: 2 cont\n\nv\n' in body
    assert 'name="y"\nX: y\nZ\n\nv\n' in body
    assert 'filename="f1.txt"\nContent-Type: z/z\n\nhello\n' in body


def test_a_name_without_an_ending_leaves_the_type_to_the_file(folder):
    assert 'filename="A"\nContent-Type: text/html\n' in folder.form("f=@p.html;filename=A")[1]
    assert 'filename="A.txt"\nContent-Type: text/plain\n' in folder.form("f=@p.html;filename=A.txt")[1]


def test_names_are_percent_encoded_or_escaped(folder):
    assert 'name="n%22é"' in folder.form('n"é=1')[1]
    assert 'name="a\\"\\\\b"' in folder.form('a"\\b=1', escape=True)[1]


def test_a_form_string_is_taken_literally(folder):
    assert 'name="a"\n\n@b;type=c\n' in folder.form("!a=@b;type=c")[1]


def test_stdin_is_read_at_once(folder):
    assert 'name="a"; filename="-"\n\nstdin data\n' in folder.form("a=@-")[1]
    assert 'name="a"\n\nstdin data\n' in folder.form("a=<-")[1]


def test_encoders_keep_their_promise_of_length(folder):
    content = bytes(range(256)) * 700
    (folder.path / "big").write_bytes(content)
    _, body = folder.form(
        "a=@big;encoder=base64", "b=x;encoder=base64", "c=a =\u20ac;encoder=quoted-printable"
    )
    import base64

    encoded = body.split("\n\n")[1].split("\n--")[0]
    assert base64.b64decode(encoded) == content
    assert max(map(len, encoded.split("\n"))) == 76
    assert "Content-Transfer-Encoding: base64\n\neA==\n" in body
    assert "\n\na =3D=E2=82=AC\n" in body


def test_quoted_printable_lines_are_at_most_76_long(folder):
    _, body = folder.form("c=" + "x" * 200 + ";encoder=quoted-printable")
    assert "\n" + "x" * 75 + "=\n" + "x" * 75 + "=\n" + "x" * 50 + "\n" in body


def test_an_encoder_that_is_none_or_cannot_is_an_error(folder):
    with pytest.raises(FormEncoderError) as caught:
        folder.form("a=b;encoder=foo")
    assert caught.value.report() == "curl: (43) A libcurl function was given a bad argument\n"
    with pytest.raises(ReadFailedError):
        folder.form("a=é;encoder=7bit")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("a", "Illegally formatted input field!"),
        ("a=b;type=nope", "Illegally formatted content-type field!"),
        ("=)", "no multipart to terminate!"),
    ],
)
def test_what_makes_no_sense_is_refused(folder, field, text):
    with pytest.raises(FormError, match=text):
        folder.form(field)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("a=b;foo=bar", "skip unknown form field: foo=bar"),
        ("a=<f1.txt;filename=x", "Field file name not allowed here: x"),
        ('a="b" x', "Trailing data after quoted form parameter"),
        ("a=b;headers=@nope", "Cannot read from nope: No such file or directory"),
    ],
)
def test_what_is_only_odd_is_warned_about(folder, field, text):
    folder.form(field)
    assert folder.warnings == [text]


def test_a_missing_file_is_exit_code_26(folder):
    with pytest.raises(ReadFailedError) as caught:
        folder.form("a=@nope")
    assert caught.value.report() == "curl: (26) Failed to open/read local data from file/application\n"


def test_a_file_that_grew_is_cut_and_one_that_shrank_is_an_error(folder):
    parts = []
    add_field(parts, "a=@f1.txt", literal=False, read=folder.read, warn=print)
    form = build_form(parts, lambda digits: "0" * digits)
    (folder.path / "f1.txt").write_bytes(b"hello and more")
    assert form.length == len(b"".join(form))
    (folder.path / "f1.txt").write_bytes(b"hi")
    with pytest.raises(ReadFailedError):
        b"".join(form)

"""`--variable` and `--expand-OPTION`."""

import pytest

from pycurl_redox.errors import UsageError
from pycurl_redox.options import CommandLine, read_command_line

FILES = {"note": b" two words\n", "nul": b"a\0b", "-": b"typed", "octets": bytes(range(256)), "b64": b"aGk="}


def read(*arguments: str, **environment: str) -> CommandLine:
    def read_file(path: str) -> bytes:
        if path not in FILES:
            raise FileNotFoundError(2, "No such file or directory")
        return FILES[path]

    return read_command_line(["-q", *arguments], environment, read_file)


def url_of(*arguments: str, **environment: str) -> str | None:
    return read(*arguments, **environment).operations[0].urls[0].url


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("a=b", "x{{a}}y", "xby"),
        ("a=b", "{{a}}{{a}}", "bb"),
        ("a=", "x{{a}}y", "xy"),
        ("a=b=c", "{{a}}", "b=c"),
        ("a_9Z=b", "{{a_9Z}}", "b"),
        ("a=b", "{{other}}!", "!"),
        ("a=b", r"\{{a}}{{a}}", "{{a}}b"),
        ("a=b", r"\{{a}}", r"\{{a}}"),
        ("a=b", "{{a", "{{a"),
        ("a=b", "{{a!}}", "{{a!}}"),
        ("a=b", "{{}}{{a}}", "{{}}b"),
        ("a=b", "{{a}}}}", "b}}"),
        ("a@note", "{{a}}", " two words\n"),
        ("a@note", "{{a:trim}}", "two words"),
        ("a@note", "{{a:trim:url}}", "two%20words"),
        ("a@note", "{{a:url:trim}}", "%20two%20words%0A"),
        ("a@note", "{{a:json}}", r" two words\n"),
        ("a@note", "{{a:trim:b64}}", "dHdvIHdvcmRz"),
        ("a@b64", "{{a:64dec}}", "hi"),
        ("a=not!", "{{a:64dec}}", "[64dec-fail]"),
        ("a=", "{{a:64dec:b64:json:url}}", ""),
        ("a@nul", "{{a:url}}", "a%00b"),
        ("a@nul", "{{a:b64}}", "YQBi"),
        ("a@-", "{{a}}", "typed"),
        ("a[1-3]@note", "{{a}}", "two"),
        ("a[5-]@note", "{{a}}", "words\n"),
        ("a[0-1]=text", "{{a}}", "te"),
        ("a[9-9]=text", "{{a}}", ""),
        ("%HOME", "{{HOME}}", "/home/me"),
        ("%HOME=x", "{{HOME}}", "/home/me"),
        ("%OTHER=x", "{{OTHER}}", "x"),
        ("%OTHER@note", "{{OTHER:trim}}", "two words"),
        ("%BLANK", "<{{BLANK}}>", "<>"),
        ("%HOME[0-4]", "{{HOME}}", "/home"),
    ],
)
def test_a_variable_is_filled_in(variable: str, value: str, expected: str) -> None:
    given = ("--variable", variable, "--expand-url", value)
    assert url_of(*given, HOME="/home/me", BLANK="") == expected


def test_octets_that_are_no_text_pass_through_functions() -> None:
    line = read("--variable", "a[128-129]@octets", "--expand-data", "{{a}}={{a:url}}", "http://h/")
    assert line.operations[0].data == b"\x80\x81=%80%81"


def test_every_option_with_a_value_can_be_expanded() -> None:
    line = read("--variable", "n=7", "--expand-retry", "{{n}}", "--EXPAND-max-ti", "{{n}}", "http://h/")
    assert (line.operations[0].retry, line.operations[0].max_time) == (7, 7.0)


def test_config_files_know_variables() -> None:
    FILES["config"] = b'variable = "host=example.org"\nexpand-url = "http://{{host}}/"\n'
    assert url_of("-K", "config") == "http://example.org/"


def test_what_is_set_last_counts_and_holds_behind_next() -> None:
    line = read(
        *("--variable", "a=1", "--variable", "a=2", "--expand-url", "{{a}}"),
        "--next",
        "--expand-url",
        "{{a}}3",
    )
    assert [operation.urls[0].url for operation in line.operations] == ["2", "23"]


@pytest.mark.parametrize(
    ("arguments", "message", "exit_code"),
    [
        (
            ("--variable", "%NOPE"),
            "curl: Variable 'NOPE' import fail, not set\n"
            "curl: option --variable: variable expansion failure\n",
            2,
        ),
        (
            ("--variable", "a@missing"),
            "curl: Failed to open missing: No such file or directory\n"
            "curl: option --variable: error encountered when reading a file\n",
            26,
        ),
        (
            ("--variable", "a=b", "--expand-url", "{{a:upper}}"),
            "curl: unknown variable function in ':upper'\n"
            "curl: option --expand-url: variable expansion failure\n",
            2,
        ),
        (
            ("--variable", "a@nul", "--expand-url", "{{a}}"),
            "curl: variable contains null byte\ncurl: option --expand-url: variable expansion failure\n",
            2,
        ),
        (("--variable", "a[3-1]=b"), "curl: option --variable: syntax error in --variable argument\n", 2),
        (("--variable", "a[3]=b"), "curl: option --variable: syntax error in --variable argument\n", 2),
        (("--expand-silent", "x"), "curl: option --expand-silent: variable expansion failure\n", 2),
        (("--expand-nope", "x"), "curl: option --expand-nope: is unknown\n", 2),
    ],
)
def test_what_cannot_be_filled_in_is_refused(
    arguments: tuple[str, ...], message: str, exit_code: int
) -> None:
    with pytest.raises(UsageError) as caught:
        read(*arguments)
    error = caught.value
    text = "".join(error.messages) + error.report()
    assert text.startswith(message)
    assert error.exit_code == exit_code


@pytest.mark.parametrize(
    ("variable", "value", "warning"),
    [
        ("=b", "x", "Bad variable name length (0), skipping"),
        ("a" * 128 + "=b", "x", "Bad variable name length (128), skipping"),
        ("a-b=c", "x", "Bad --variable syntax, skipping: a-b=c"),
        ("a=b", "{{a", "missing close '}}' in '{{a'"),
        ("a=b", "{{}}", "bad variable name length '{{}}'"),
        ("a=b", "{{a!}}", "bad variable name: a!"),
    ],
)
def test_what_is_odd_is_warned_of_and_left_alone(variable: str, value: str, warning: str) -> None:
    line = read("--variable", variable, "--expand-url", value)
    assert line.messages == [f"Warning: {warning}\n"]
    assert line.operations[0].urls[0].url == value


def test_an_expansion_has_a_bound() -> None:
    with pytest.raises(UsageError, match="out of memory"):
        read("--variable", "a=" + "x" * 200_000, "--expand-url", "{{a}}" * 100)

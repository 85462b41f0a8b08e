"""`--variable` and `--expand-OPTION`, as curl 8 has them.

A variable is octets with a name; `{{name}}` in the value of an option whose name begins with `--expand-` is
replaced by them, and functions may follow the name: `{{name:trim:url}}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurl_redox.options import OptionError
from pycurl_redox.url import encode_text, quote

if TYPE_CHECKING:
    from pycurl_redox.options import Parser

MAX_NAME = 128
MAX_EXPANDED = 10_000_000
"""Octets that a value may grow to, as in curl: a variable may be named in it many times."""

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_SPACE = b" \t\n\v\f\r"
_NOT_EXPANDED = "variable expansion failure"
_BAD_SYNTAX = "syntax error in --variable argument"


def set_variable(parser: Parser, text: str) -> None:
    """Take `NAME=TEXT`, `NAME@FILE`, `%NAME` or `%NAME=DEFAULT`, with `[a-b]` behind the name for a part."""
    imports = text.startswith("%")
    body = text[imports:]
    length = _name_length(body)
    name, rest = body[:length], body[length:]
    if not 0 < length < MAX_NAME:
        parser.warn(f"Bad variable name length ({length}), skipping")
        return
    imported = parser.environment.get(name) if imports else None
    if imports and imported is None and not rest:
        parser.complain(f"Variable '{name}' import fail, not set")
        raise OptionError(_NOT_EXPANDED)
    part = slice(None)
    if rest[:1] == "[" and rest[1:2].isdigit():
        part, rest = _part(rest)
    if imported is not None:
        content = encode_text(imported)
    elif rest.startswith("@"):
        content = _file(parser, rest[1:])
    elif rest.startswith("="):
        content = encode_text(rest[1:])
    else:
        parser.warn(f"Bad --variable syntax, skipping: {text}")
        return
    parser.variables[name] = content[part]


def expanded(parser: Parser, text: str) -> str:
    r"""Return a value with its variables filled in; `\{{` is a pair of braces.

    A value without any variable stays as it was, backslashes included.
    """
    out = bytearray()
    is_filled = False
    rest = text
    while (start := rest.find("{{")) >= 0:
        if start and rest[start - 1] == "\\":
            out += encode_text(rest[: start - 1]) + b"{{"
            rest = rest[start + 2 :]
            continue
        end = rest.find("}}", start)
        if end < 0:
            parser.warn(f"missing close '}}}}' in '{text}'")
            break
        name, colon, functions = rest[start + 2 : end].partition(":")
        if not 0 < len(name) < MAX_NAME:
            parser.warn(f"bad variable name length '{text}'")
            out += encode_text(rest[: end + 2])
        elif _name_length(name) != len(name):
            parser.warn(f"bad variable name: {name}")
            out += encode_text(rest[: end + 2])
        else:
            value = parser.variables.get(name, b"")
            if colon:
                value = _applied(parser, value, functions)
            if b"\0" in value:
                parser.complain("variable contains null byte")
                raise OptionError(_NOT_EXPANDED)
            out += encode_text(rest[:start]) + value
            is_filled = True
        if len(out) > MAX_EXPANDED:
            raise OptionError("out of memory")
        rest = rest[end + 2 :]
    return (out + encode_text(rest)).decode("utf-8", "surrogateescape") if is_filled else text


def _name_length(text: str) -> int:
    return next((at for at, letter in enumerate(text) if letter not in _LETTERS), len(text))


def _part(text: str) -> tuple[slice, str]:
    """Read `[a-b]` or `[a-]`; both ends count."""
    inside, bracket, rest = text[1:].partition("]")
    first, dash, last = inside.partition("-")
    for digits in (first, last):
        if digits.strip("0123456789") or len(digits) > 18:
            raise OptionError(_BAD_SYNTAX)
    if not bracket or not dash or (last and int(last) < int(first)):
        raise OptionError(_BAD_SYNTAX)
    return slice(int(first), int(last) + 1 if last else None), rest


def _file(parser: Parser, path: str) -> bytes:
    try:
        return parser.read_file(path)
    except OSError as error:
        parser.complain(f"Failed to open {path}: {error.strerror}")
        raise OptionError("error encountered when reading a file", exit_code=26) from error


def _applied(parser: Parser, value: bytes, functions: str) -> bytes:
    """Apply functions from left to right."""
    for name in functions.split(":"):
        if name == "trim":
            value = value.strip(_SPACE)
        elif name == "json":
            from pycurl_redox.writeout import quoted_json

            value = encode_text(quoted_json(value.decode("utf-8", "surrogateescape"))[1:-1])
        elif name == "url":
            value = quote(value).encode("ascii")
        elif name == "b64":
            from binascii import b2a_base64

            value = b2a_base64(value, newline=False)
        elif name == "64dec":
            value = _decoded(value)
        else:
            parser.complain(f"unknown variable function in ':{functions}'")
            raise OptionError(_NOT_EXPANDED)
    return value


def _decoded(value: bytes) -> bytes:
    from binascii import Error, a2b_base64

    if not value:
        return b""
    try:
        return a2b_base64(value, strict_mode=True)
    except Error:
        return b"[64dec-fail]"

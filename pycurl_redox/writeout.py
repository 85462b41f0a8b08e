"""What `-w` prints after a transfer.

Values come as a mapping from the variables' names: numbers, seconds as float for `time_…`, text, or None
for what is not known.  A name that is missing is not known either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

Value = str | int | float | None
Header = tuple[bytes, bytes]

# How each variable is written, in the order of %{json}.  Text without a value is left out, a number is 0.
VARIABLES = {
    "certs": "text",
    "content_type": "text",
    "errormsg": "text",
    "exitcode": "number",
    "filename_effective": "text",
    "ftp_entry_path": "text",
    "http_code": "status",
    "http_connect": "status",
    "http_version": "text",
    "local_ip": "text",
    "local_port": "number",
    "method": "text",
    "num_certs": "number",
    "num_connects": "number",
    "num_headers": "number",
    "num_redirects": "number",
    "proxy_ssl_verify_result": "number",
    "redirect_url": "text",
    "referer": "text",
    "remote_ip": "text",
    "remote_port": "number",
    "response_code": "status",
    "scheme": "text",
    "size_download": "number",
    "size_header": "number",
    "size_request": "number",
    "size_upload": "number",
    "speed_download": "number",
    "speed_upload": "number",
    "ssl_verify_result": "number",
    "time_appconnect": "time",
    "time_connect": "time",
    "time_namelookup": "time",
    "time_pretransfer": "time",
    "time_redirect": "time",
    "time_starttransfer": "time",
    "time_total": "time",
    "url": "text",
    "url_effective": "text",
    "urlnum": "number",
}

# Of later versions; %{json} stays that of 7.88.1.
LATER_VARIABLES = {
    "conn_id": "number",
    "num_retries": "number",
    "proxy_used": "number",
    "size_delivered": "number",
    "time_posttransfer": "time",
    "time_queue": "time",
    "tls_earlydata": "number",
    "xfer_id": "number",
}

_WITHOUT_VALUE = {"certs": "", "http_version": "0"}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_MAX_HEADER_NAME = 255


class Piece(NamedTuple):
    """Octets for a stream: "stdout", "stderr", or a file, whose name follows ">" or ">>" (append)."""

    stream: str
    octets: bytes


class Transfer(NamedTuple):
    """What `-w` may ask for; `headers` are those of the last response, in their order."""

    values: Mapping[str, Value]
    headers: Sequence[Header]
    curl_version: str = ""
    moment: float = 0.0
    """Seconds since 1970, for `%time{}`."""
    terminals: frozenset[str] = frozenset()
    """Which of "stdout" and "stderr" are, and get no controls out of a value."""


def write_out(template: str, transfer: Transfer) -> list[Piece]:
    """Fill in a format.  Unknown variables are named on stderr, as curl does."""
    writer = _Writer(transfer)
    position = 0
    while position < len(template) and not writer.is_done:
        letter, following = template[position], template[position + 1 : position + 2]
        if letter == "%" and following:
            position = writer.write_variable(template, position + 1)
        elif letter == "\\" and following:
            writer.write(_ESCAPES.get(following, "\\" + following))
            position += 2
        else:
            writer.write(letter)
            position += 1
    return writer.pieces()


class _Writer:
    def __init__(self, transfer: Transfer) -> None:
        self._transfer = transfer
        self._pieces: list[Piece] = []
        self._stream = "stdout"
        self._text: list[str] = []
        self.is_done = False

    def write(self, text: str) -> None:
        self._text.append(text)

    def write_value(self, text: str) -> None:
        """Write what may have come from a server."""
        if self._stream in self._transfer.terminals:
            from pycurl_redox.terminal import harmless_text

            text = harmless_text(text)
        self.write(text)

    def pieces(self) -> list[Piece]:
        self._switch(self._stream)
        return self._pieces

    def write_variable(self, template: str, position: int) -> int:
        """Write what stands behind a percent sign; return where it ends."""
        for opening, write in self._forms():
            if template.startswith(opening, position):
                start = position + len(opening)
                end = template.find("}", start)
                if end < 0:
                    self.write("%" + opening)
                    return start
                write(template[start:end])
                return end + 1
        letter = template[position]
        self.write("%" if letter == "%" else "%" + letter)
        return position + 1

    def _forms(self) -> Iterable[tuple[str, Callable[[str], None]]]:
        return (
            ("{", self._named),
            ("header{", self._header),
            ("output{", self._output),
            ("time{", self._time),
        )

    def _named(self, name: str) -> None:
        key = name.lower()
        if key in ("stdout", "stderr"):
            self._switch(key)
        elif key == "onerror":
            self.is_done = not self._transfer.values.get("exitcode")
        elif key == "json":
            self.write_value(_json(self._transfer))
        elif key == "header_json":
            self.write_value(_header_json(self._transfer.headers))
        elif (kind := VARIABLES.get(key) or LATER_VARIABLES.get(key)) is not None:
            self.write_value(_plain(kind, _value(self._transfer, key)))
        elif (part := _url_part(key, self._transfer.values)) is not None:
            self.write_value(part)
        else:
            stream = self._stream
            self._switch("stderr")
            self.write(f"curl: unknown --write-out variable: '{name}'\n")
            self._switch(stream)

    def _header(self, name: str) -> None:
        if len(name) > _MAX_HEADER_NAME:
            return
        wanted = name.lower().encode("utf-8", "surrogateescape")
        for field, value in self._transfer.headers:
            if field.lower() == wanted:
                self.write_value(_text(value))
                return

    def _time(self, template: str) -> None:
        """The time of day in UTC, as strftime has it; `%f` are microseconds."""
        from datetime import UTC, datetime

        moment = self._transfer.moment
        # strftime's own %s takes the hour for a local one.
        pieces = [piece.replace("%s", str(int(moment))) for piece in template.split("%%")]
        self.write(datetime.fromtimestamp(moment, UTC).strftime("%%".join(pieces)))

    def _output(self, name: str) -> None:
        self._switch(name if name.startswith(">>") else ">" + name)

    def _switch(self, stream: str) -> None:
        if self._text:
            octets = "".join(self._text).encode("utf-8", "surrogateescape")
            self._pieces.append(Piece(self._stream, octets))
            self._text = []
        self._stream = stream


URL_PARTS = ("scheme", "user", "password", "options", "host", "port", "path", "query", "fragment", "zoneid")


def _url_part(name: str, values: Mapping[str, Value]) -> str | None:
    """Return what `url.PART` and `urle.PART` stand for; None when it is neither."""
    which, _, part = name.partition(".")
    if which not in ("url", "urle") or part not in URL_PARTS:
        return None
    from pycurl_redox.errors import FetchError
    from pycurl_redox.url import parse_url

    try:
        url = parse_url(str(values.get("url" if which == "url" else "url_effective") or ""), allow_file=True)
    except FetchError:
        return ""
    host = f"[{url.host}]" if url.is_ipv6 else url.host
    port = str(url.port) if url.port else ""
    found = {"host": host, "zoneid": url.zone, "port": port, "options": ""}
    return found[part] if part in found else getattr(url, part) or ""


def _value(transfer: Transfer, name: str) -> Value:
    value = transfer.values.get(name)
    return _WITHOUT_VALUE.get(name) if value is None else value


def _plain(kind: str, value: Value) -> str:
    if kind == "text":
        return "" if value is None else str(value)
    if kind == "time":
        return f"{float(value or 0):.6f}"
    return f"{int(value or 0):03}" if kind == "status" else str(int(value or 0))


def _json(transfer: Transfer) -> str:
    fields = []
    for name, kind in VARIABLES.items():
        value = _value(transfer, name)
        if kind == "time":
            shown = f"{float(value or 0):.6f}"
        elif kind == "text":
            shown = "null" if value is None else quoted_json(str(value))
        else:
            shown = str(int(value or 0))
        fields.append(f'"{name}":{shown},')
    return "{" + "".join(fields) + f'"curl_version":{quoted_json(transfer.curl_version)}' + "}"


def _header_json(headers: Sequence[Header]) -> str:
    """Return the headers as JSON, one name a line, in the order of their first values."""
    by_name: dict[str, list[str]] = {}
    for name, value in headers:
        by_name.setdefault(_text(name).lower(), []).append(quoted_json(_text(value)))
    lines = [f"{quoted_json(name)}:[{','.join(values)}]" for name, values in by_name.items()]
    return "{" + ",\n".join(lines) + "\n}"


def quoted_json(text: str) -> str:
    r"""Return a JSON string; beyond ASCII it is left as it came.

    Deviates from curl 7.88.1, which writes control characters without the backslash of `\u`.
    """
    out = []
    for letter in text:
        short = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
        out.append(short.get(letter) or (f"\\u{ord(letter):04x}" if letter < " " else letter))
    return '"' + "".join(out) + '"'


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")

"""Options that do more than set a field: those marked "*" in `option_table.py`."""

from __future__ import annotations

from collections.abc import Callable

from pycurl_redox.config import AUTH_ANY, AUTH_BASIC, AUTH_BEARER, AUTH_DIGEST, UrlNode
from pycurl_redox.method import select_method
from pycurl_redox.options import ActionRequested, OptionError, Parser, integer, natural

Action = Callable[[Parser, str | None, bool], None]

_BADLY_USED = "is badly used here"
_NOT_READ = "error encountered when reading a file"
PROTOCOLS = ("file", "http", "https")
REDIR_PROTOCOLS = ("http", "https")
"""Where redirects lead without --proto-redir: what a server says must not read files."""


# Places of URLs, outputs and uploads: each option goes to the first node that has none of its kind yet.


def _url(parser: Parser, value: str | None, toggle: bool) -> None:
    _free_node(parser, lambda node: node.url is None).url = value or ""


def _output(parser: Parser, value: str | None, toggle: bool) -> None:
    if not value:
        parser.warn("output file name has no length")
        raise OptionError(_BADLY_USED)
    node = _free_node(parser, lambda node: not node.output_given)
    node.output, node.output_given, node.remote_name = value, True, False


def _remote_name(parser: Parser, value: str | None, toggle: bool) -> None:
    node = _free_node(parser, lambda node: not node.output_given)
    node.output, node.output_given, node.remote_name = None, True, toggle


def _out_null(parser: Parser, value: str | None, toggle: bool) -> None:
    node = _free_node(parser, lambda node: not node.output_given)
    node.output, node.output_given, node.remote_name, node.output_is_null = None, True, False, True


def _upload_file(parser: Parser, value: str | None, toggle: bool) -> None:
    node = _free_node(parser, lambda node: node.upload is None and not node.no_upload)
    node.upload, node.no_upload = value or None, not value


def _free_node(parser: Parser, is_free: Callable[[UrlNode], bool]) -> UrlNode:
    operation = parser.operation
    for node in operation.urls:
        if is_free(node):
            return node
    operation.urls.append(UrlNode(operation.remote_name_all))
    return operation.urls[-1]


# Request data


def _data(parser: Parser, value: str | None, toggle: bool) -> None:
    _add_data(parser, value or "", binary=False)


def _data_binary(parser: Parser, value: str | None, toggle: bool) -> None:
    _add_data(parser, value or "", binary=True)


def _json(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.operation.json = True
    _add_data(parser, value or "", binary=True, json=True)


def _data_raw(parser: Parser, value: str | None, toggle: bool) -> None:
    from pycurl_redox.data import add_data
    from pycurl_redox.url import encode_text

    operation = parser.operation
    operation.data = add_data(operation.data, encode_text(value or ""))


def _data_urlencode(parser: Parser, value: str | None, toggle: bool) -> None:
    from pycurl_redox import data

    operation = parser.operation
    operation.data = data.add_data(operation.data, _urlencoded(parser, value or ""))


def _url_query(parser: Parser, value: str | None, toggle: bool) -> None:
    from pycurl_redox import data

    value = value or ""
    query = (
        value[1:] if value.startswith("+") else _urlencoded(parser, value).decode("utf-8", "surrogateescape")
    )
    parser.operation.query = data.add_query(parser.operation.query, query)


def _add_data(parser: Parser, value: str, *, binary: bool, json: bool = False) -> None:
    from pycurl_redox import data

    try:
        octets = data.from_option(value, parser.read_file, binary=binary)
    except data.FileTooLargeError as error:
        raise OptionError("out of memory") from error
    except IsADirectoryError as error:
        if binary:
            raise OptionError(_NOT_READ, 26) from error
        octets = b""  # a text without lines, to curl
    except OSError:
        parser.warn(f'Couldn\'t read data from file "{value[1:]}", this makes an empty POST.')
        octets = b""
    parser.operation.data = data.add_data(parser.operation.data, octets, json=json)


def _urlencoded(parser: Parser, value: str) -> bytes:
    from pycurl_redox import data

    try:
        return data.urlencoded(value, parser.read_file)
    except data.FileTooLargeError as error:
        raise OptionError("out of memory") from error
    except IsADirectoryError as error:
        raise OptionError(_NOT_READ, 26) from error
    except OSError:
        parser.warn(f'Couldn\'t read data from file "{value}", this makes an empty POST.')
        return b""


def _form(parser: Parser, value: str | None, toggle: bool) -> None:
    _add_form(parser, value or "", literal=False)


def _form_string(parser: Parser, value: str | None, toggle: bool) -> None:
    _add_form(parser, value or "", literal=True)


def _add_form(parser: Parser, value: str, *, literal: bool) -> None:
    from pycurl_redox.form import FormError, add_field

    operation = parser.operation
    form = operation.form or []
    try:
        add_field(form, value, literal=literal, read=parser.read_file, warn=parser.warn)
    except FormError as error:
        if str(error):
            parser.warn(str(error))
        raise OptionError(_BADLY_USED) from error
    operation.form = form
    select_method(parser.warn, operation, "FORM")


def _head(parser: Parser, value: str | None, toggle: bool) -> None:
    operation = parser.operation
    operation.no_body = operation.include = toggle
    select_method(parser.warn, operation, "HEAD" if toggle else "GET")


# Headers and cookies


def _header(parser: Parser, value: str | None, toggle: bool) -> None:
    _add_headers(parser, parser.operation.headers, value or "")


def _proxy_header(parser: Parser, value: str | None, toggle: bool) -> None:
    _add_headers(parser, parser.operation.proxy_headers, value or "")


def _add_headers(parser: Parser, headers: list[str], value: str) -> None:
    if not value.startswith("@"):
        headers.append(value)
        return
    try:
        text = parser.read_file(value[1:]).decode("utf-8", "surrogateescape")
    except IsADirectoryError:
        raise OptionError(_NOT_READ, 26) from None
    except OSError:
        parser.warn(f"Failed to open {value[1:]}!")
        return
    lines = (line.partition("\0")[0] for line in text.replace("\r", "\n").split("\n"))
    headers += [line for line in lines if line]


def _cookie(parser: Parser, value: str | None, toggle: bool) -> None:
    value = value or ""
    if value.startswith("@"):
        parser.operation.cookie_files.append(value[1:])
    elif "=" in value:
        parser.operation.cookies.append(value)
    else:
        parser.operation.cookie_files.append(value)


def _referer(parser: Parser, value: str | None, toggle: bool) -> None:
    text, automatic, _ = (value or "").partition(";auto")
    parser.operation.auto_referer = bool(automatic)
    parser.operation.referer = text or None


def _range(parser: Parser, value: str | None, toggle: bool) -> None:
    value = value or ""
    if value[:1] and value[0] in "0123456789" and "-" not in value:
        digits = value[: len(value) - len(value.lstrip("0123456789"))].lstrip("0") or "0"
        if len(digits) > 19 or int(digits) > 2**63 - 1:
            parser.warn("unsupported range point")
            raise OptionError(_BADLY_USED)
        parser.warn("A specified range MUST include at least one dash (-). Appending one for you!")
        parser.operation.range = f"{int(digits)}-"
        return
    for letter in value:
        if letter not in "0123456789-,":
            parser.warn(
                "Invalid character is found in given range. A specified range MUST have only digits in "
                "'start'-'stop'. The server's response to this request is uncertain."
            )
            break
    parser.operation.range = value


def _continue_at(parser: Parser, value: str | None, toggle: bool) -> None:
    value = value or ""
    if value == "-":
        parser.operation.continue_at = -1
    elif value.startswith("-"):
        raise OptionError("expected a positive numerical parameter")
    else:
        parser.operation.continue_at = natural(_decimal(value))


def _decimal(text: str) -> str:
    """Read a number as C does with base 0: 0x20 and 040 are 32."""
    body = text.strip(" \t\n\v\f\r+")
    if body[:2].lower() == "0x" and not body[2:].strip("0123456789abcdefABCDEF") and body[2:]:
        return str(int(body, 16))
    if body[:1] == "0" and body.isascii() and body.isdigit():
        return str(integer(body, 8))
    return text


def _time_cond(parser: Parser, value: str | None, toggle: bool) -> None:
    from pycurl_redox.dates import file_time, parse_date

    value = value or ""
    operation = parser.operation
    conditions = {"-": "if-unmodified-since", "=": "last-modified"}
    operation.time_condition = conditions.get(value[:1], "if-modified-since")
    text = value[1:] if value[:1] in ("+", "-", "=") and value else value
    moment = parse_date(text)
    if moment is None:
        moment = file_time(text, parser.warn)
    if moment is not None:
        operation.condition_time = moment
        return
    operation.time_condition = ""
    parser.warn(
        "Illegal date format for -z, --time-cond (and not a file name). Disabling time condition. "
        "See curl_getdate(3) for valid date syntax."
    )


# Who asks


def _auth(bit: int) -> Action:
    def set_auth(parser: Parser, value: str | None, toggle: bool) -> None:
        operation = parser.operation
        operation.auth = operation.auth | bit if toggle else operation.auth & ~bit

    return set_auth


def _anyauth(parser: Parser, value: str | None, toggle: bool) -> None:
    if toggle:
        parser.operation.auth = AUTH_ANY


def _oauth2_bearer(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.operation.oauth2_bearer = value
    parser.operation.auth |= AUTH_BEARER


# By which way


def _proxy(kind: str) -> Action:
    def set_proxy(parser: Parser, value: str | None, toggle: bool) -> None:
        parser.operation.proxy, parser.operation.proxy_kind = value, kind

    return set_proxy


def _http_version(version: str) -> Action:
    def set_version(parser: Parser, value: str | None, toggle: bool) -> None:
        if parser.operation.http_version not in ("", version):
            parser.warn("Overrides previous HTTP version option")
        parser.operation.http_version = version

    return set_version


def _ip_version(version: int) -> Action:
    def set_version(parser: Parser, value: str | None, toggle: bool) -> None:
        parser.operation.ip_version = version

    return set_version


def _tls_min(version: str) -> Action:
    def set_version(parser: Parser, value: str | None, toggle: bool) -> None:
        parser.operation.tls_min = version

    return set_version


def _tls_max(parser: Parser, value: str | None, toggle: bool) -> None:
    if value not in ("default", "1.0", "1.1", "1.2", "1.3"):
        raise OptionError(_BADLY_USED)
    parser.operation.tls_max = "" if value == "default" else value


def _cert(parser: Parser, value: str | None, toggle: bool) -> None:
    operation = parser.operation
    if value:
        operation.cert, passphrase = split_certificate(value)
        operation.passphrase = operation.passphrase if passphrase is None else passphrase


def _proxy_cert(parser: Parser, value: str | None, toggle: bool) -> None:
    operation = parser.operation
    if value:
        operation.proxy_cert, passphrase = split_certificate(value)
        operation.proxy_pass = operation.proxy_pass if passphrase is None else passphrase


def split_certificate(text: str) -> tuple[str, str | None]:
    """Take `FILE[:PASSWORD]` apart; a backslash keeps a colon, or a backslash, in the file's name."""
    if text[:7].lower() == "pkcs11:":
        return text, None
    name, at = "", 0
    while at < len(text) and text[at] != ":":
        if text[at] == "\\" and text[at + 1 : at + 2] in ("\\", ":"):
            at += 1
        name += text[at]
        at += 1
    return name, text[at + 1 :] or None


def _old_ssl(version: str) -> Action:
    def ignore(parser: Parser, value: str | None, toggle: bool) -> None:
        parser.warn(f"Ignores instruction to use SSLv{version}")

    return ignore


def _max_redirs(parser: Parser, value: str | None, toggle: bool) -> None:
    number = integer(value or "")
    if number < -1:
        raise OptionError("expected a proper numerical parameter")
    parser.operation.max_redirs = number


def _follow(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.operation.location = parser.operation.follow = toggle


def _location_trusted(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.operation.location = parser.operation.location_trusted = toggle


def _proto(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.operation.proto = _protocol_set(parser, value or "", PROTOCOLS)


def _proto_redir(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.operation.proto_redir = _protocol_set(parser, value or "", REDIR_PROTOCOLS)


def _protocol_set(parser: Parser, text: str, default: tuple[str, ...]) -> frozenset[str]:
    """Read `+a,-b,=c`: add, take away, set; a name without a sign is added to the default."""
    allowed = set(default)
    for token in text.split(","):
        if not token:
            continue
        name = token.lstrip("=-+")
        if not name[:1].isalnum() or not name.isascii():
            raise OptionError(_BADLY_USED)
        signs = token[: len(token) - len(name)]
        known = set(PROTOCOLS) if name.lower() == "all" else {name.lower()} & set(PROTOCOLS)
        if not known:
            parser.warn(f"unrecognized protocol '{name}'")
        if signs.endswith("-"):
            allowed -= known
        elif signs.endswith("="):
            allowed = known
        else:
            allowed |= known
    return frozenset(allowed)


def _proto_default(parser: Parser, value: str | None, toggle: bool) -> None:
    if (value or "").lower() not in PROTOCOLS:
        raise OptionError("a specified protocol is unsupported by libcurl", exit_code=1)
    parser.operation.proto_default = (value or "").lower()


def _speed_limit(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.operation.speed_limit = natural(value or "")
    parser.operation.speed_time = parser.operation.speed_time or 30


def _speed_time(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.operation.speed_time = natural(value or "")
    parser.operation.speed_limit = parser.operation.speed_limit or 1


def _rate(parser: Parser, value: str | None, toggle: bool) -> None:
    number, slash, unit = (value or "").partition("/")
    if len(number) > 25:
        raise OptionError("too large number")
    count = natural(number)
    if count < 1:
        raise OptionError(_BADLY_USED)
    units = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    if slash and unit[:1] not in units:
        parser.complain("unsupported --rate unit")
        raise OptionError(_BADLY_USED)
    parser.config.milliseconds_per_transfer = units[unit[:1] or "h"] // count


def _parallel_max_host(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.config.parallel_max_host = natural(value or "", 65_535)


# Errors and output


def _fail(field: str) -> Action:
    def set_fail(parser: Parser, value: str | None, toggle: bool) -> None:
        setattr(parser.operation, field, toggle)
        if parser.operation.fail and parser.operation.fail_with_body:
            parser.complain("You must select either --fail or --fail-with-body, not both.")
            raise OptionError(_BADLY_USED)

    return set_fail


def _clobber(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.operation.clobber = toggle


def _create_file_mode(parser: Parser, value: str | None, toggle: bool) -> None:
    mode = integer(value or "", 8)
    if mode > 0o777:
        raise OptionError("too large number")
    if mode < 0:
        raise OptionError("expected a positive numerical parameter")
    parser.operation.create_file_mode = mode


def _write_out(parser: Parser, value: str | None, toggle: bool) -> None:
    value = value or ""
    if value.startswith("@"):
        try:
            octets = parser.read_file(value[1:])
        except OSError:
            parser.warn(f"Failed to read {value[1:]}")
            parser.operation.write_out = None
            return
        # A file loses its line ends here, as that of -d does.
        value = octets.translate(None, b"\r\n\0").decode("utf-8", "surrogateescape")
    parser.operation.write_out = value


def _verbose(parser: Parser, value: str | None, toggle: bool) -> None:
    config = parser.config
    if not toggle:
        config.verbose, config.trace_kind = False, ""
        return
    _trace_to(parser, "%", "plain", "-v, --verbose")
    config.verbose = True


def _trace(parser: Parser, value: str | None, toggle: bool) -> None:
    _trace_to(parser, value or "", "hex", "--trace")


def _trace_ascii(parser: Parser, value: str | None, toggle: bool) -> None:
    _trace_to(parser, value or "", "ascii", "--trace-ascii")


def _trace_config(parser: Parser, value: str | None, toggle: bool) -> None:
    """Take `ids`, `time` and `all`; the names of curl's components say nothing about layers of ours."""
    config = parser.config
    for token in (value or "").replace(",", " ").split():
        wanted = not token.startswith("-")
        name = token.lstrip("+-").lower()
        if name in ("ids", "all"):
            config.trace_ids = wanted
        if name in ("time", "all"):
            config.trace_time = wanted


def _stderr(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.redirections.append((len(parser.messages), value or "", parser.config.silent))


def _trace_to(parser: Parser, file: str, kind: str, option: str) -> None:
    config = parser.config
    if config.trace_kind not in ("", kind):
        parser.warn(f"{option} overrides an earlier trace/verbose option")
    config.trace, config.trace_kind = file, kind
    config.verbose = False


# The local end of connections


def _unix_socket(is_abstract: bool) -> Action:
    def action(parser: Parser, value: str | None, toggle: bool) -> None:
        parser.operation.unix_socket, parser.operation.unix_is_abstract = value or "", is_abstract

    return action


def _local_port(parser: Parser, value: str | None, toggle: bool) -> None:
    """Read `N` or `N-M`, blanks allowed around the dash; 0 is any."""
    text = value or ""
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    rest = text[len(digits) :].lstrip()
    if not rest and text != digits:
        raise OptionError(_BADLY_USED)
    last = rest[1:].strip() if rest.startswith("-") else digits
    if not _is_port(digits) or not _is_port(last) or int(last) < int(digits):
        raise OptionError(_BADLY_USED)
    parser.operation.local_ports = (int(digits), int(last)) if int(digits) else None


def _is_port(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and len(digits) <= 6 and int(digits) <= 0xFFFF


def _ip_tos(parser: Parser, value: str | None, toggle: bool) -> None:
    from pycurl_redox.traffic_class import NAMES

    text = value or ""
    known = NAMES.get(text.upper())
    parser.operation.ip_tos = natural(text, 0xFF) if known is None else known


def _ech(parser: Parser, value: str | None, toggle: bool) -> None:
    operation, text = parser.operation, value or ""
    if text.startswith("ecl:"):
        from binascii import Error, a2b_base64

        try:
            a2b_base64(text[4:], strict_mode=True)
        except (Error, ValueError) as error:
            raise OptionError(_BADLY_USED) from error
        operation.ech_config = text[4:]
    elif text.startswith("pn:"):
        operation.ech_public_name = text[3:]
    elif text in ("false", "grease", "true", "hard"):
        operation.ech = "" if text == "false" else text
    else:
        raise OptionError(_BADLY_USED)


def _vlan_priority(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.operation.vlan_priority = natural(value or "", 7)


def _address_rule(field: str) -> Action:
    def action(parser: Parser, value: str | None, toggle: bool) -> None:
        from pycurl_redox.address_policy import AddressPolicy

        try:
            AddressPolicy.parse([value or ""], [])
        except ValueError as error:
            parser.warn(str(error))
            raise OptionError(_BADLY_USED) from error
        getattr(parser.operation, field).append(value or "")

    return action


# The command itself


def _config(parser: Parser, value: str | None, toggle: bool) -> None:
    try:
        parser.read_config_file(value or "")
    except OSError as error:
        parser.complain(f"cannot read config from '{value}'")
        raise OptionError(_NOT_READ, exit_code=26) from error


def _variable(parser: Parser, value: str | None, toggle: bool) -> None:
    from pycurl_redox.variables import set_variable

    set_variable(parser, value or "")


def _next(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.next_operation()


def _help(parser: Parser, value: str | None, toggle: bool) -> None:
    if toggle:
        parser.config.help_category = value
        raise ActionRequested("help")


def _manual(parser: Parser, value: str | None, toggle: bool) -> None:
    if toggle:
        raise ActionRequested("manual")


def _version(parser: Parser, value: str | None, toggle: bool) -> None:
    if toggle:
        raise ActionRequested("version")


def _dump_ca_embed(parser: Parser, value: str | None, toggle: bool) -> None:
    if toggle:
        raise ActionRequested("ca-embed")  # none is built in: there is nothing to print


def _nothing(parser: Parser, value: str | None, toggle: bool) -> None:
    """-q: taken care of when it comes first, and not an error elsewhere."""


def _metalink(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.complain("--metalink is disabled")
    raise OptionError(_BADLY_USED)


def _npn(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.warn("--npn is no longer supported")


def _ssl(parser: Parser, value: str | None, toggle: bool) -> None:
    if toggle:
        parser.warn("--ssl is an insecure option, consider --ssl-reqd instead")


def _test_event(parser: Parser, value: str | None, toggle: bool) -> None:
    parser.warn("--test-event is ignored unless a debug build!")


_KNOWN_VALUES = {
    "delegation": (("none", "policy", "always"), "delegation method", "none"),
    "ftp-method": (("singlecwd", "nocwd", "multicwd"), "ftp file method", "default"),
    "ftp-ssl-ccc-mode": (("passive", "active"), "ftp CCC method", "default"),
}


def look_at(parser: Parser, name: str, value: str) -> None:
    """Say what curl says of the value of an option that has no effect here."""
    if name == "hostpubmd5" and len(value.encode("utf-8", "surrogateescape")) != 32:
        raise OptionError(_BADLY_USED)
    if name in _KNOWN_VALUES:
        known, what, used = _KNOWN_VALUES[name]
        if value.lower() not in known:
            parser.warn(f"unrecognized {what} '{value}', using {used}")


ACTIONS: dict[str, Action] = {
    "abstract-unix-socket": _unix_socket(True),
    "allow-address": _address_rule("allow_address"),
    "anyauth": _anyauth,
    "basic": _auth(AUTH_BASIC),
    "cert": _cert,
    "clobber": _clobber,
    "config": _config,
    "continue-at": _continue_at,
    "cookie": _cookie,
    "create-file-mode": _create_file_mode,
    "data": _data,
    "data-ascii": _data,
    "data-binary": _data_binary,
    "data-raw": _data_raw,
    "data-urlencode": _data_urlencode,
    "deny-address": _address_rule("deny_address"),
    "digest": _auth(AUTH_DIGEST),
    "disable": _nothing,
    "dump-ca-embed": _dump_ca_embed,
    "fail": _fail("fail"),
    "fail-with-body": _fail("fail_with_body"),
    "follow": _follow,
    "form": _form,
    "form-string": _form_string,
    "ftp-ssl": _ssl,
    "head": _head,
    "header": _header,
    "help": _help,
    "http1.0": _http_version("1.0"),
    "http1.1": _http_version("1.1"),
    "http2": _http_version("2"),
    "http2-prior-knowledge": _http_version("2-prior-knowledge"),
    "ech": _ech,
    "ip-tos": _ip_tos,
    "ipv4": _ip_version(4),
    "ipv6": _ip_version(6),
    "json": _json,
    "local-port": _local_port,
    "location-trusted": _location_trusted,
    "manual": _manual,
    "max-redirs": _max_redirs,
    "metalink": _metalink,
    "next": _next,
    "npn": _npn,
    "oauth2-bearer": _oauth2_bearer,
    "output": _output,
    "proto": _proto,
    "proto-default": _proto_default,
    "proto-redir": _proto_redir,
    "proxy": _proxy("http"),
    "proxy-cert": _proxy_cert,
    "proxy-header": _proxy_header,
    "proxy1.0": _proxy("http1.0"),
    "range": _range,
    "out-null": _out_null,
    "parallel-max-host": _parallel_max_host,
    "rate": _rate,
    "referer": _referer,
    "remote-name": _remote_name,
    "socks4": _proxy("socks4"),
    "socks4a": _proxy("socks4a"),
    "socks5": _proxy("socks5"),
    "socks5-hostname": _proxy("socks5h"),
    "speed-limit": _speed_limit,
    "speed-time": _speed_time,
    "ssl": _ssl,
    "sslv2": _old_ssl("2"),
    "sslv3": _old_ssl("3"),
    "stderr": _stderr,
    "test-event": _test_event,
    "time-cond": _time_cond,
    "tls-max": _tls_max,
    "tlsv1": _tls_min("1.0"),
    "tlsv1.0": _tls_min("1.0"),
    "tlsv1.1": _tls_min("1.1"),
    "tlsv1.2": _tls_min("1.2"),
    "tlsv1.3": _tls_min("1.3"),
    "trace": _trace,
    "trace-ascii": _trace_ascii,
    "trace-config": _trace_config,
    "unix-socket": _unix_socket(False),
    "upload-file": _upload_file,
    "url": _url,
    "url-query": _url_query,
    "variable": _variable,
    "verbose": _verbose,
    "version": _version,
    "vlan-priority": _vlan_priority,
    "write-out": _write_out,
}

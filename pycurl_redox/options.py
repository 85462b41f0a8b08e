"""The command line, read as curl 7.88.1 reads it; the options themselves are in `option_table.py`.

`read_command_line` gives the operations; an action other than "run" means that the command only has to print
something.  Warnings are collected, so that `--stderr` may send them where it wants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pycurl_redox import messages
from pycurl_redox.config import GlobalConfig, OperationConfig
from pycurl_redox.errors import UsageError
from pycurl_redox.option_table import LATER_OPTIONS, OPTIONS, Row

ReadFile = Callable[[str], bytes]

Redirection = tuple[int, str, bool]
"""Of `--stderr`: after so many messages, what follows goes to this file; whether -s holds by then."""

_LONG_MAX = 2**63 - 1
_BLANKS = " \t\n\v\f\r"
_WITHOUT_ARGUMENT = ("bool", "negated", "none")
MAX_CONFIG_DEPTH = 20
"""Files of -K within each other: more is a file that reads itself."""


class CommandLine:
    """What was asked for.

    `action` is "run", "help", "manual", "version" or "ca-embed"; `messages` are warnings, ready to be
    written where `redirections` say.
    """

    __slots__ = ("action", "config", "messages", "operations", "redirections")

    def __init__(
        self,
        action: str,
        config: GlobalConfig,
        operations: list[OperationConfig],
        messages: list[str],
        redirections: list[Redirection],
    ) -> None:
        self.action = action
        self.config = config
        self.operations = operations
        self.messages = messages
        self.redirections = redirections


class OptionError(Exception):
    """An option that cannot be taken; the text is curl's reason."""

    def __init__(self, reason: str, exit_code: int = 2) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


class ActionRequested(Exception):
    """Not an error: after -h, -M and -V the rest of the command line does not matter."""


def read_command_line(
    arguments: Sequence[str], environment: Mapping[str, str], read_file: ReadFile | None = None
) -> CommandLine:
    """Read `arguments` (without the program's name), after `.curlrc` unless `-q` comes first.

    Raises `UsageError`, whose `messages` are the warnings that came before, for its `redirections`.
    """
    if read_file is None:
        from pycurl_redox.data import read_file as read_real_file

        read_file = read_real_file
    parser = Parser(read_file, environment)
    try:
        action = _read(parser, arguments, environment)
    except UsageError as error:
        error.messages, error.redirections = parser.messages, parser.redirections
        raise
    return CommandLine(action, parser.config, parser.operations, parser.messages, parser.redirections)


def _read(parser: Parser, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    first = arguments[0] if arguments else ""
    if not first.startswith("-q") and first.lower() != "--disable":
        from pycurl_redox.config_file import find_config_file

        if (path := find_config_file(environment)) is not None:
            try:
                parser.read_config_file(path)
            except OSError:
                pass  # the default file is read if it can be
    if not arguments and not parser.operations[0].urls:
        raise UsageError()
    try:
        parser.read_arguments(arguments)
    except ActionRequested as request:
        return str(request)
    return "run"


class Parser:
    """Fills the configs option by option; the last operation is the one being filled."""

    def __init__(self, read_file: ReadFile, environment: Mapping[str, str]) -> None:
        self.read_file = read_file
        self.environment = environment
        self.variables: dict[str, bytes] = {}
        """Of `--variable`, for the whole command."""
        self.config = GlobalConfig()
        self.operations = [OperationConfig()]
        self.messages: list[str] = []
        self.redirections: list[Redirection] = []
        self._depth = 0

    @property
    def operation(self) -> OperationConfig:
        return self.operations[-1]

    def warn(self, text: str) -> None:
        if not self.config.silent:
            self.messages.append(messages.warning(text))

    def complain(self, text: str) -> None:
        """Say what is wrong in the words of an error, ahead of the reason that follows."""
        if not self.config.silent:
            self.messages.append(messages.wrapped("curl: ", text))

    def read_arguments(self, arguments: Sequence[str]) -> None:
        """Take options and URLs in their order."""
        position, options_end = 0, False
        while position < len(arguments):
            word = arguments[position]
            following = arguments[position + 1] if position + 1 < len(arguments) else None
            position += 1
            try:
                if options_end or not word.startswith("-"):
                    self.take("--url", word)
                elif word == "--":
                    options_end = True
                else:
                    position += self.take(word, following)
            except OptionError as error:
                raise UsageError(f"option {word}: {error}", error.exit_code) from error
        if self.operation.remote_header_name:
            if self.operation.include:
                raise UsageError("showing headers and --remote-header-name cannot be combined")
            if self.operation.continue_at == -1:
                raise UsageError("--continue-at and --remote-header-name cannot be combined")

    def take(self, word: str, following: str | None) -> bool:
        """Take one option, or several short ones in one word; say whether `following` was used as its value.

        A word without a dash is a long name: so it is written in config files.
        """
        if word == "-":
            raise OptionError("is unknown")
        if not word.startswith("-") or word.startswith("--"):
            return self._take_long(word[2:] if word.startswith("-") else word, following)
        for index, letter in enumerate(word[1:], 2):
            row = _find_short(letter)
            if row[2] in _WITHOUT_ARGUMENT:
                self._apply(row, following or "", True, has_value=following is not None)
                if row[0] == "next":
                    return False  # and what is glued to it is not looked at, as in curl
            elif index < len(word):
                self._apply_value(row, word[index:])
                return False
            elif following is None:
                raise OptionError("requires parameter")
            else:
                self._apply_value(row, following)
                return True
        return False

    def next_operation(self) -> None:
        """Begin a new group, unless this one has no URL yet."""
        if self.operation.has_url:
            self.operations.append(OperationConfig())

    def read_config_file(self, path: str) -> None:
        """Take the options of a file; what is wrong in it is a warning.  Raises OSError."""
        from pycurl_redox.config_file import config_lines

        if self._depth == MAX_CONFIG_DEPTH:
            raise OSError(f"more than {MAX_CONFIG_DEPTH} config files within each other")
        text = self.read_file(path).decode("utf-8", "surrogateescape")
        self._depth += 1
        shown = "<stdin>" if path == "-" else path
        for line in config_lines(text):
            where = f"{shown}:{line.number}: warning: '{line.option}'"
            if line.has_leftover:
                self.warn(f"{where} uses unquoted whitespace in the line that may cause side-effects!")
            try:
                used = self.take(line.option, line.value)
                if line.value and not used:
                    raise OptionError("had unsupported trailing garbage")
            except OptionError as error:
                self.warn(f"{where} {error}")
            except ActionRequested:
                pass  # in a file nobody asks for help
        self._depth -= 1

    def _take_long(self, name: str, following: str | None) -> bool:
        expands = name[:7].lower() == "expand-"
        row, toggle = _find_long(name[7:] if expands else name)
        if expands and following is not None:
            following = self._expanded(row, following)
        if row[2] in _WITHOUT_ARGUMENT:
            self._apply(row, following or "", toggle, is_long=True, has_value=following is not None)
            return False
        if following is None:
            raise OptionError("requires parameter")
        self._apply_value(row, following)
        return True

    def _expanded(self, row: Row, value: str) -> str:
        if row[2] in _WITHOUT_ARGUMENT:
            raise OptionError("variable expansion failure")
        from pycurl_redox.variables import expanded

        return expanded(self, value)

    def _apply_value(self, row: Row, value: str) -> None:
        if row[2] == "file" and len(value) > 1 and value[0] == "-":
            self.warn(f"The file name argument '{value}' looks like a flag.")
        self._apply(row, value, True)

    def _apply(
        self, row: Row, value: str, toggle: bool, *, is_long: bool = False, has_value: bool = True
    ) -> None:
        name, _, kind, field = row[:4]
        if field == "":
            if kind == "number":
                natural(value)  # curl looks at it, whatever comes of it
            elif kind == "text":
                from pycurl_redox.option_actions import look_at

                look_at(self, name, value)
            return
        if field == "-":
            if kind == "bool" and not toggle:
                return  # what is not built in is easily not used
            raise OptionError("the installed libcurl version doesn't support this")
        if field == "*":
            from pycurl_redox.option_actions import ACTIONS

            ACTIONS[name](self, value if has_value else None, toggle)
            return
        target: GlobalConfig | OperationConfig = self.operation
        if field.startswith("global."):
            target, field = self.config, field[7:]
        if kind == "bool":
            setattr(target, field, toggle)
        elif kind == "negated":
            setattr(target, field, not toggle if is_long else True)
        elif kind == "list":
            getattr(target, field).append(value)
        else:
            setattr(target, field, self._converted(kind, name, value))

    def _converted(self, kind: str, name: str, value: str) -> str | int | float:
        if kind == "number":
            return natural(
                value, _LONG_MAX // 1000 if name in ("retry-delay", "retry-max-time") else _LONG_MAX
            )
        if kind == "seconds":
            return seconds(value)
        if kind == "size":
            return self._size(value, "rate" if name == "limit-rate" else name)
        return value

    def _size(self, text: str, what: str) -> int:
        text = text.lstrip(_BLANKS)
        text = text[text[:1] == "+" :]
        digits = len(text) - len(text.lstrip("0123456789"))
        # Leading zeros do not count; what is longer than a number can be is not converted at all.
        number = text[:digits].lstrip("0") or "0"
        if not digits or len(number) > 19 or int(number) > _LONG_MAX:
            self.warn(f"invalid number specified for {what}")
            raise OptionError("is badly used here")
        factor = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}.get(text[digits:].lower())
        if factor is None:
            self.warn(f"unsupported {what} unit. Use G, M, K or B!")
            raise OptionError("is badly used here")
        if int(number) * factor > _LONG_MAX:
            raise OptionError("too large number")
        return int(number) * factor


def _find_short(letter: str) -> Row:
    for row in OPTIONS:
        if row[1] == letter:
            return row
    raise OptionError("is unknown")


def _find_long(name: str) -> tuple[Row, bool]:
    """Find the option of that name, or the only one that begins so; case does not matter."""
    toggle = not name.startswith("no-")  # in small letters only, as in curl
    name = name.lower()
    found = None
    hits = 0
    for row in OPTIONS:
        if row[0] == (name if toggle else name[3:]):
            found, hits = row, 1
            break
        # A --no- form is never shortened.
        if toggle and row[0].startswith(name):
            found, hits = row, hits + 1
    for row in LATER_OPTIONS:
        if row[0] == (name if toggle else name[3:]):
            found, hits = row, 1
    if found is None:
        raise OptionError("is unknown")
    if hits > 1:
        raise OptionError("is ambiguous")
    if not toggle and found[2] not in ("bool", "negated"):
        raise OptionError("used '--no-' for option that isn't a boolean")
    return found, toggle


def integer(text: str, base: int = 10) -> int:
    """Read a whole number as C's strtol does, all of the text."""
    body = text.lstrip(_BLANKS)
    digits = body[1:] if body[:1] in ("+", "-") else body
    allowed = "0123456789"[:base]
    if not digits or digits.strip(allowed):
        raise OptionError("expected a proper numerical parameter")
    value = int(body, base) if len(digits) < 30 else _LONG_MAX + 1
    if not -_LONG_MAX - 1 <= value <= _LONG_MAX:
        raise OptionError("too large number")
    return value


def natural(text: str, largest: int = _LONG_MAX) -> int:
    """Read a number that is not negative."""
    value = integer(text)
    if value < 0:
        raise OptionError("expected a positive numerical parameter")
    if value > largest:
        raise OptionError("too large number")
    return value


def seconds(text: str) -> float:
    """Read seconds with decimals as C's strtod does; parts of a millisecond are dropped, as curl does."""
    is_hexadecimal = text.lstrip(_BLANKS + "+-")[:2].lower() == "0x"
    try:
        value = float.fromhex(text) if is_hexadecimal else float(text)
    except (ValueError, OverflowError):
        value = float("nan")
    if value != value or text != text.rstrip() or "_" in text:
        raise OptionError("expected a proper numerical parameter")
    if value > _LONG_MAX / 1000:
        raise OptionError("too large number")
    if value < 0:
        raise OptionError("expected a positive numerical parameter")
    return int(value * 1000) / 1000

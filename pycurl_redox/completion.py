"""Completion for bash, zsh and fish, made from the table of options when the package is built."""

from __future__ import annotations

from pycurl_redox.help import shown_options
from pycurl_redox.option_table import CATEGORIES, Row, shown_name

COMMAND = "redox-curl"

FILES = frozenset(
    (
        *("alt-svc", "cookie", "cookie-jar", "dump-header", "hsts", "netrc-file", "output", "stderr"),
        *("trace", "trace-ascii", "upload-file"),
    )
)
"""Options that take a file, beside those whose kind says so."""
FOLDERS = frozenset(("capath", "output-dir", "proxy-capath"))
AFTER_AT = frozenset(
    (
        *("data", "data-ascii", "data-binary", "data-urlencode", "header", "json"),
        *("proxy-header", "url-query", "write-out"),
    )
)
"""Options whose value may be @ and a file."""
CHOICES = {
    "cert-type": "PEM DER P12",
    "ech": "false grease true hard",
    "key-type": "PEM DER",
    "nic": "user tap:",
    "proto-default": "http https file",
    "proxy-cert-type": "PEM DER P12",
    "proxy-key-type": "PEM DER",
    "request": "GET HEAD POST PUT PATCH DELETE OPTIONS",
    "tls-max": "default 1.0 1.1 1.2 1.3",
    "trace-config": "all ids time",
}

BASH = r"""# bash completion for @COMMAND@, made when the package was built

_redox_curl() {
    local cur=${COMP_WORDS[COMP_CWORD]} option="" letters at=@
    COMPREPLY=()
    (( COMP_CWORD > 0 )) && option=${COMP_WORDS[COMP_CWORD-1]}
    # bash may take @ for a word of its own.
    [[ $COMP_WORDBREAKS == *@* ]] && at=""
    if [[ $option == @ ]]; then
        cur=@$cur
        (( COMP_CWORD > 1 )) && option=${COMP_WORDS[COMP_CWORD-2]}
    fi
    [[ $option == --expand-* ]] && option=--${option#--expand-}
    if [[ $option == -[!-]* ]]; then
        # -sSo: the last letter takes the value when those before it are switches.
        letters=${option#-}
        if [[ ${letters%?} == *[!@SWITCHES@]* ]]; then
            option=""
        else
            option=-${letters: -1}
        fi
    fi
    case $option in
    -h|--help)
        COMPREPLY=($(compgen -W '@CATEGORIES@' -- "$cur"))
        return ;;
    @FOLDERS@)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return ;;
    @AFTER_AT@)
        if [[ $cur == @* ]]; then
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -P "$at" -f -- "${cur#@}")
        fi
        return ;;
    @FILES@)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return ;;
@CHOICES@
    @VALUES@)
        return ;;
    esac
    case $cur in
    --no-*) COMPREPLY=($(compgen -W '@NEGATIONS@' -- "$cur")) ;;
    --expand-*) COMPREPLY=($(compgen -W '@EXPANSIONS@' -- "$cur")) ;;
    -*) COMPREPLY=($(compgen -W '@OPTIONS@' -- "$cur")) ;;
    esac
}

complete -F _redox_curl @COMMAND@
"""


def completions() -> dict[str, str]:
    """Return the completions by where they go below a prefix."""
    return {
        f"share/bash-completion/completions/{COMMAND}": bash(),
        f"share/zsh/site-functions/_{COMMAND}": zsh(),
        f"share/fish/vendor_completions.d/{COMMAND}.fish": fish(),
    }


def bash() -> str:
    """Return the completion for bash."""
    rows = shown_options()
    groups: dict[str, list[str]] = {"files": [], "folders": [], "after_at": [], "values": []}
    choices = []
    for row in rows:
        kind = argument_kind(row)
        if kind in groups:
            groups[kind] += _spellings(row)
        elif kind == "choices":
            pattern, words = "|".join(_spellings(row)), CHOICES[row[0]]
            choices.append(
                f"    {pattern})\n        COMPREPLY=($(compgen -W '{words}' -- \"$cur\"))\n        return ;;"
            )
    texts = {
        "CATEGORIES": " ".join(categories()),
        "FOLDERS": "|".join(groups["folders"]),
        "AFTER_AT": "|".join(groups["after_at"]),
        "FILES": "|".join(groups["files"]),
        "VALUES": "|".join(groups["values"]),
        "CHOICES": "\n".join(choices),
        "NEGATIONS": " ".join(f"--no-{row[0]}" for row in rows if row[2] in ("bool", "negated")),
        "EXPANSIONS": " ".join(f"--expand-{row[0]}" for row in rows if takes_value(row)),
        "OPTIONS": " ".join(word for row in rows for word in _spellings(row)),
        "SWITCHES": "".join(sorted(row[1] for row in rows if row[1] and not takes_value(row))),
        "COMMAND": COMMAND,
    }
    script = BASH
    for name, text in texts.items():
        script = script.replace(f"@{name}@", text)
    return script


def zsh() -> str:
    """Return the completion for zsh."""
    lines = [f"#compdef {COMMAND}", "", "_arguments -s -S \\"]
    actions = {
        "files": ":_files",
        "folders": ":_files -/",
        "after_at": ":{compset -P '@' && _files}",
        "values": ":",
    }
    for row in shown_options():
        kind = argument_kind(row)
        title = _plain(row[4]) or "value"
        action = ""
        if row[0] == "help":
            action = f"::category:({' '.join(categories())})"
        elif kind == "choices":
            action = f":{title}:({CHOICES[row[0]].replace(':', chr(92) + ':')})"
        elif kind:
            action = f":{title}{actions[kind]}"
        text = row[5].replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace("'", "'\\''")
        action = action.replace("'", "'\\''")
        names = _spellings(row)
        repeats = "" if row[0] == "help" else "*"
        if len(names) == 1:
            lines.append(f"  '{repeats}{names[0]}[{text}]{action}' \\")
        else:
            lines.append(f"  '{repeats}'{{{','.join(names)}}}'[{text}]{action}' \\")
    return "\n".join([*lines, "  '*:URL:_urls'", ""])


def fish() -> str:
    """Return the completion for fish."""
    lines = [f"complete -c {COMMAND} -f"]
    for row in shown_options():
        kind = argument_kind(row)
        parts = [f"complete -c {COMMAND}"]
        if row[1]:
            parts.append(f"-s '{row[1]}'")
        parts.append(f"-l {shown_name(row)}")
        if row[0] == "help":
            parts.append(f"-x -a '{' '.join(categories())}'")
        elif kind in ("files", "after_at"):
            parts.append("-r -F")
        elif kind == "folders":
            parts.append("-x -a '(__fish_complete_directories)'")
        elif kind == "choices":
            parts.append(f"-x -a '{CHOICES[row[0]]}'")
        elif kind:
            parts.append("-x")
        text = row[5].replace("\\", "\\\\").replace("'", "\\'")
        lines.append(" ".join([*parts, f"-d '{text}'"]))
    return "\n".join(lines) + "\n"


def argument_kind(row: Row) -> str:
    """Say what completes a value: "files", "folders", "after_at", "choices", "values" or "" for none."""
    if not takes_value(row):
        return ""
    if row[0] in FOLDERS:
        return "folders"
    if row[0] in CHOICES:
        return "choices"
    if row[0] in AFTER_AT:
        return "after_at"
    return "files" if row[2] == "file" or row[0] in FILES else "values"


def takes_value(row: Row) -> bool:
    """Say whether an option is followed by a value."""
    return row[2] not in ("bool", "negated", "none")


def categories() -> list[str]:
    """Return what `--help` takes."""
    used = {name for row in shown_options() for name in row[6].split()}
    return ["all", "category", *[name for name, _ in CATEGORIES if name in used]]


def _spellings(row: Row) -> list[str]:
    return [*([f"-{row[1]}"] if row[1] else []), f"--{shown_name(row)}"]


def _plain(text: str) -> str:
    """A zsh message: what stands for the value, without what would end it."""
    return "".join(letter for letter in text if letter not in "<>[]:'\\")

# What the command lines of the tables may use; run by bash before each of them.
set -o pipefail

# Fail unless the command ends within so many seconds: within SECONDS COMMAND
within() { timeout --foreground -k 1 "$@"; }

# What a shell offers for the last of some words, sorted.

# in_bash WORD...: asked as bash asks, by COMP_WORDS; `breaks` are its word breaks
breaks=$' \t\n"\'><=;|&(:'
in_bash() {
    "$python" -c 'from pycurl_redox.completion import bash; print(bash())' > .completion
    bash --norc -c '
        COMP_WORDBREAKS=$1; shift; source .completion
        complete -p redox-curl | grep -q _redox_curl || exit 9
        COMP_WORDS=(redox-curl "$@"); COMP_CWORD=$#; _redox_curl; printf "%s\n" "${COMPREPLY[@]}"
    ' bash "$breaks" "$@" | sort | grep .
}

# in_fish LINE
in_fish() {
    "$python" -c 'from pycurl_redox.completion import fish; print(fish())' > .completion
    HOME=$PWD fish --no-config -c "source .completion; complete -C '$1'" | cut -f1 | sort
}

# What the command lines of the tables may use; run by bash before each of them.
set -o pipefail

# Fail unless the command ends within so many seconds: within SECONDS COMMAND
within() { timeout --foreground -k 1 "$@"; }


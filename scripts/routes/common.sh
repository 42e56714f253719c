# shellcheck shell=bash
# What the commands of the read routes share. sse-bridge(1) runs them with
# words that it has checked: an id first, where there is one, then KEY=VALUE.
set -euo pipefail

# shellcheck source=../common.sh
. "${0%/*}/../common.sh"
defaults
